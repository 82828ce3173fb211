//! A form that is sent after its session has ended: what was typed comes back after the sign-in, to nobody else.

use dyno::auth::{digest, random_token};
use jiff::{SignedDuration, Timestamp};
use reqwest::{Method, Response};
use serde_json::json;

use crate::support::{TestApp, TestClient};

const KEPT: &str = "You were signed out. Your entries are kept; nothing was saved yet.";

/// A browser: keeps the cookies that it is given.
struct Browser {
    client: TestClient,
    cookies: Vec<(String, String)>,
}

impl Browser {
    fn new(app: &TestApp) -> Self {
        Self { client: app.nobody(), cookies: Vec::new() }
    }

    /// One whose session has just ended by itself.
    async fn of_ended_session(app: &TestApp, name: &str) -> Self {
        let secret = random_token();
        let (user, hash) = app.app.store.user_for_sign_in(name).await.unwrap().unwrap();
        let now = Timestamp::now();
        let begun = now - SignedDuration::from_hours(10);
        let (digest, ended) = (digest(secret.expose()), now - SignedDuration::from_secs(1));
        app.app.store.create_session(&digest, user.id, &hash.unwrap(), begun, ended).await.unwrap();
        let mut browser = Self::new(app);
        browser.cookies.push(("dyno_session".to_owned(), secret.expose().to_owned()));
        browser
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> Response {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let response = request.header("cookie", cookies.join("; ")).send().await.unwrap();
        for cookie in response.headers().get_all("set-cookie") {
            let (name, value) = cookie.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.retain(|(known, _)| known != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        response
    }

    /// Posts the form of a page; where to the answer leads.
    async fn post(&mut self, function: &str, page: &str, fields: &[(&str, &str)]) -> String {
        let referer = format!("{}{page}", self.client.url);
        let request = self.client.form(&format!("/api/ui/{function}"), fields).header("referer", referer);
        let response = self.send(request).await;
        assert!(matches!(response.status().as_u16(), 302 | 303), "{}: {}", response.status(), response.text().await.unwrap());
        response.headers()["location"].to_str().unwrap().to_owned()
    }

    /// Signs in on the page that was led to; the page that it goes on to.
    async fn sign_in(&mut self, name: &str, led_to: &str) -> String {
        let next = led_to.strip_prefix("/sign-in?next=").unwrap_or_else(|| panic!("not to the sign-in: {led_to}"));
        let next = form_urlencoded::parse(format!("next={next}").as_bytes()).next().unwrap().1.into_owned();
        let password = format!("password of {name}");
        let to = self.post("sign-in", led_to, &[("name", name), ("password", &password), ("next", &next)]).await;
        assert_eq!(to, next);
        to
    }

    async fn page(&mut self, path: &str) -> String {
        let response = self.send(self.client.request(Method::GET, path)).await;
        response.text().await.unwrap()
    }
}

const DETAILS: [(&str, &str); 6] = [
    ("workflow_id", ""),
    ("name", "typed for an hour"),
    ("tags", "blue, green"),
    ("description", "a long text"),
    ("concurrent_requests", "37"),
    ("eval_with", "dataset"),
];

#[tokio::test]
async fn entries_wait_for_the_person_whose_session_ended() {
    let app = TestApp::start().await;
    app.member("anna").await;
    app.member("bert").await;
    let mut anna = Browser::of_ended_session(&app, "anna").await;
    let to = anna.post("wizard-details", "/benchmarks/new?flash=old", &DETAILS).await;
    assert!(to.starts_with("/sign-in?next=/benchmarks/new%3Fflash%3D"), "{to}");
    assert!(!to.contains("old") && !to.contains("typed"), "{to}");

    let mut bert = Browser::new(&app);
    let page = bert.sign_in("bert", &to).await;
    let html = bert.page(&page).await;
    assert!(!html.contains("typed for an hour") && !html.contains(KEPT), "another person reads it");

    let page = anna.sign_in("anna", &to).await;
    let html = anna.page(&page).await;
    for text in [KEPT, "typed for an hour", "blue, green", "a long text", "value=\"37\""] {
        assert!(html.contains(text), "{text} is not on the page: {html}");
    }
    let drafts = app.app.store.users().await.unwrap();
    for user in drafts {
        let actor = app.app.store.actor(user.id).await.unwrap();
        assert!(app.app.store.workflows(&actor, false).await.unwrap().is_empty(), "nothing is saved yet");
    }
}

#[tokio::test]
async fn secrets_come_back_empty() {
    let app = TestApp::start().await;
    app.member("anna").await;
    let mut anna = Browser::of_ended_session(&app, "anna").await;
    let fields = [("name", "my key"), ("provider", "openai"), ("secret", "sk-very-secret-indeed"), ("base_url", "")];
    let to = anna.post("credential-add", "/credentials/new", &fields).await;
    let page = anna.sign_in("anna", &to).await;
    let html = anna.page(&page).await;
    assert!(html.contains(KEPT) && html.contains("value=\"my key\""), "{html}");
    assert!(html.contains("Enter it again: secrets are not kept."), "{html}");
    assert!(!html.contains("sk-very-secret-indeed"), "{html}");
    let folder = app.stop().await.unwrap();
    for file in std::fs::read_dir(folder.path()).unwrap().flatten().filter(|entry| entry.path().is_file()) {
        let bytes = std::fs::read(file.path()).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("sk-very-secret-indeed"), "{:?}", file.path());
    }
}

#[tokio::test]
async fn entries_of_nobody_known_stay_in_their_browser() {
    let app = TestApp::start().await;
    app.member("anna").await;
    app.member("bert").await;
    let mut browser = Browser::new(&app);
    let to = browser.post("wizard-details", "/benchmarks/new", &DETAILS).await;
    // Elsewhere, the address alone is worth nothing.
    let mut elsewhere = Browser::new(&app);
    let page = elsewhere.sign_in("bert", &to).await;
    assert!(!elsewhere.page(&page).await.contains("typed for an hour"));
    let page = browser.sign_in("anna", &to).await;
    let html = browser.page(&page).await;
    assert!(html.contains(KEPT) && html.contains("typed for an hour"), "{html}");
    // From then on they are that person's.
    browser.cookies.retain(|(name, _)| name != "dyno_session");
    let page = browser.sign_in("bert", &to).await;
    assert!(!browser.page(&page).await.contains("typed for an hour"));
}

#[tokio::test]
async fn entries_for_a_draft_are_for_those_who_see_it() {
    let app = TestApp::start().await;
    let anna = app.member("anna").await;
    app.member("bert").await;
    let details = json!({
        "workflow_total_steps": 9, "step_number": 1, "name": "hers", "tags": [], "description": "", "concurrent_requests": 4,
        "eval_with": "configuration",
    });
    let draft = anna.post("/api/v1/benchmarks/run-workflow", &details).await.expect(200);
    let id = draft["workflow_id"].as_str().unwrap();
    let fields = [("workflow_id", id), ("if_revision", "1"), ("max_input_tokens", "7777"), ("max_output_tokens", "8")];
    let mut browser = Browser::new(&app);
    let to = browser.post("wizard-load", &format!("/wizard/{id}/load?return=confirm"), &fields).await;
    let page = browser.sign_in("bert", &to).await;
    assert!(page.starts_with(&format!("/wizard/{id}/load?return=confirm&flash=")), "{page}");
    assert!(!browser.page(&page).await.contains("7777"));
    browser.cookies.retain(|(name, _)| name != "dyno_session");
    let page = browser.sign_in("anna", &to).await;
    let html = browser.page(&page).await;
    assert!(html.contains("7777") && html.contains(KEPT), "{html}");
}

/// Signing out in one tab ends the session of the other; the form there is still that person's.
#[tokio::test]
async fn a_sign_out_in_another_tab_forgets_nobody() {
    let app = TestApp::start().await;
    app.member("anna").await;
    app.member("bert").await;
    let mut browser = Browser::new(&app);
    browser.sign_in("anna", "/sign-in?next=/").await;
    browser.post("sign-out", "/", &[]).await;
    assert!(browser.cookies.iter().all(|(name, _)| name != "dyno_session"), "the session's cookie goes");
    let to = browser.post("wizard-details", "/benchmarks/new", &DETAILS).await;
    let page = browser.sign_in("bert", &to).await;
    assert!(!browser.page(&page).await.contains("typed for an hour"), "at the same browser, but another person");
    browser.cookies.retain(|(name, _)| name != "dyno_session");
    let page = browser.sign_in("anna", &to).await;
    assert!(browser.page(&page).await.contains("typed for an hour"));
}

#[tokio::test]
async fn nothing_leads_out_of_the_portal() {
    let app = TestApp::start().await;
    app.member("anna").await;
    let mut anna = Browser::of_ended_session(&app, "anna").await;
    let form = |referer: &str| {
        let request = anna.client.form("/api/ui/wizard-details", &DETAILS);
        if referer.is_empty() { request } else { request.header("referer", referer) }
    };
    let own = anna.client.url.clone();
    let requests = [
        form(""),
        form("https://evil.example/benchmarks/new"),
        form(&format!("{own}//evil.example/")),
        form(&format!("{own}/sign-in?next=https://evil.example")),
        form("not an address"),
    ];
    for request in requests {
        let response = anna.send(request).await;
        let to = response.headers()["location"].to_str().unwrap().to_owned();
        assert!(to.starts_with("/sign-in?next=/benchmarks/new%3Fflash%3D"), "{to}");
    }
    for next in ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"] {
        let fields = [("name", "anna"), ("password", "password of anna"), ("next", next)];
        assert_eq!(anna.post("sign-in", "/sign-in", &fields).await, "/", "{next}");
    }
}

#[tokio::test]
async fn scripts_are_told_in_their_own_words() {
    let app = TestApp::start().await;
    let nobody = app.nobody();
    let fetch = nobody.request(Method::POST, "/api/ui/wizard-details").header("accept", "application/json");
    let fetch = fetch.header("content-type", "application/x-www-form-urlencoded").body("name=x");
    let bearer = nobody.form("/api/ui/wizard-details", &DETAILS).bearer_auth("made-up");
    for request in [nobody.request(Method::POST, "/api/ui/wizard-details"), bearer, fetch] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
    }
}

#[tokio::test]
async fn an_uploads_name_is_kept_its_file_is_not() {
    let app = TestApp::start().await;
    app.member("anna").await;
    let mut anna = Browser::of_ended_session(&app, "anna").await;
    let rows = "{\"prompt\":\"a row of somebody's\"}\n".repeat(60_000);
    let body = super::uploads::multipart(&[("name", None, "my rows"), ("file", Some("rows.jsonl"), &rows)]);
    let request = anna.client.request(Method::POST, "/api/ui/dataset-upload").header("accept", "text/html");
    let request =
        request.header("content-type", super::uploads::TYPE).header("referer", format!("{}/datasets/new", anna.client.url));
    let response = anna.send(request.body(body)).await;
    let to = response.headers()["location"].to_str().unwrap().to_owned();
    let page = anna.sign_in("anna", &to).await;
    assert!(page.starts_with("/datasets/new?flash="), "{page}");
    let html = anna.page(&page).await;
    assert!(html.contains("value=\"my rows\"") && html.contains(KEPT) && html.contains("Choose the file again."), "{html}");
    assert!(!html.contains("a row of somebody"), "{html}");
}
