//! Accounts: changing the own password, shutting and removing other people's.

use dyno::api::calls::account;
use dyno::credentials::Secret;
use dyno::domain::problem::ProblemKind;
use reqwest::Method;
use serde_json::{Value, json};

use super::people::{PEER, cookie_of};
use crate::support::{TestApp, TestClient, answer};

async fn sign_in(app: &TestApp, name: &str, password: &str) -> Option<String> {
    let form = app.nobody().form("/api/ui/sign-in", &[("name", name), ("password", password), ("next", "/")]);
    let cookie = cookie_of(&form.send().await.unwrap())?;
    Some(cookie.split(';').next().unwrap().to_owned())
}

/// The status of a call that a browser makes.
async fn in_session(app: &TestApp, cookie: &str, method: Method, path: &str, body: Option<&Value>) -> u16 {
    let request = app.nobody().request(method, path).header("cookie", cookie);
    answer(match body {
        Some(body) => request.json(body),
        None => request,
    })
    .await
    .status
    .as_u16()
}

async fn id_of(app: &TestApp, name: &str) -> String {
    let users = app.admin.get("/api/v1/users").await.expect(200);
    let found = users["items"].as_array().unwrap().iter().find(|user| user["name"] == name);
    found.unwrap_or_else(|| panic!("no {name}: {users}"))["id"].as_str().unwrap().to_owned()
}

async fn draft(client: &TestClient, name: &str) -> String {
    let body = json!({
        "workflow_total_steps": 9, "step_number": 1, "name": name, "tags": [], "description": "", "concurrent_requests": 4,
        "eval_with": "configuration",
    });
    let answer = client.post("/api/v1/benchmarks/run-workflow", &body).await.expect(200);
    answer["workflow_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_own_password_is_changed_with_the_old_one() {
    let app = TestApp::start().await;
    let anna = app.member("anna").await;
    let (here, there) =
        (sign_in(&app, "anna", "password of anna").await.unwrap(), sign_in(&app, "anna", "password of anna").await.unwrap());
    let change = |current: &str, new: &str| json!({ "current_password": current, "new_password": new });
    let path = "/api/v1/account/password";
    assert_eq!(anna.post(path, &change("", "123456789")).await.fields(), ["current_password", "new_password"]);
    assert_eq!(anna.post(path, &change("not hers at all", "a new password")).await.fields(), ["current_password"]);
    let body = change("password of anna", "a new password");
    assert_eq!(in_session(&app, &here, Method::POST, path, Some(&body)).await, 204);
    assert_eq!(in_session(&app, &here, Method::GET, "/api/v1/tokens", None).await, 200, "this browser stays signed in");
    assert_eq!(in_session(&app, &there, Method::GET, "/api/v1/tokens", None).await, 401, "the other one does not");
    assert_eq!(anna.get("/api/v1/tokens").await.status, 200, "tokens go on");
    assert_eq!(sign_in(&app, "anna", "password of anna").await, None);
    assert!(sign_in(&app, "anna", "a new password").await.is_some());
    // The administrator of the environment's token has none yet.
    assert_eq!(app.admin.post(path, &change("whatever it is", "a new password")).await.status, 409);
}

#[tokio::test]
async fn guessing_at_the_change_is_throttled_as_at_the_sign_in() {
    let app = TestApp::start().await;
    let anna = app.member("anna").await;
    let body = json!({ "current_password": "not hers at all", "new_password": "a new password" });
    let mut last = 0;
    for _ in 0..11 {
        last = anna.post("/api/v1/account/password", &body).await.status.as_u16();
    }
    assert_eq!(last, 429);
    let refused = account::sign_in(&app.app, "anna", &Secret::new("password of anna"), PEER).await.unwrap_err();
    assert_eq!(refused.kind, ProblemKind::TooManyRequests);
}

#[tokio::test]
async fn the_page_changes_it_too() {
    let app = TestApp::start().await;
    app.member("anna").await;
    let cookie = sign_in(&app, "anna", "password of anna").await.unwrap();
    let change = |again: &'static str| {
        let fields =
            [("current_password", "password of anna"), ("new_password", "a new password"), ("new_password_again", again)];
        app.nobody().form("/api/ui/password", &fields).header("cookie", &cookie)
    };
    let back = change("another").send().await.unwrap().headers()["location"].to_str().unwrap().to_owned();
    let page = app.nobody().request(Method::GET, &back).header("cookie", &cookie).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("The two passwords differ."), "{page}");
    assert!(sign_in(&app, "anna", "password of anna").await.is_some(), "nothing was changed");
    change("a new password").send().await.unwrap();
    assert!(sign_in(&app, "anna", "a new password").await.is_some());
}

#[tokio::test]
async fn a_shut_account_is_out_at_once_and_comes_back_whole() {
    let app = TestApp::start().await;
    let anna = app.member("anna").await;
    let cookie = sign_in(&app, "anna", "password of anna").await.unwrap();
    let draft = draft(&anna, "hers").await;
    let id = id_of(&app, "anna").await;
    let link = app.admin.post(&format!("/api/v1/users/{id}/link"), &json!({})).await.expect(201)["link"].clone();
    let token = link.as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let shut = app.admin.post(&format!("/api/v1/users/{id}/disable"), &json!({})).await.expect(200);
    assert_eq!(shut["disabled"], true);
    assert_eq!(anna.get("/api/v1/workflows").await.status, 401, "the token");
    assert_eq!(in_session(&app, &cookie, Method::GET, "/api/v1/workflows", None).await, 401, "the session");
    assert_eq!(sign_in(&app, "anna", "password of anna").await, None, "the password");
    let refused = account::accept_link(&app.app, &token, None, &Secret::new("a new password")).await.unwrap_err();
    assert_eq!(refused.kind, ProblemKind::NotFound, "the link");
    assert_eq!(app.admin.post(&format!("/api/v1/users/{id}/link"), &json!({})).await.status, 409);
    app.admin.post(&format!("/api/v1/users/{id}/enable"), &json!({})).await.expect(200);
    assert_eq!(anna.get(&format!("/api/v1/workflows/{draft}")).await.status, 200);
    assert_eq!(in_session(&app, &cookie, Method::GET, "/api/v1/workflows", None).await, 401, "sessions stay ended");
    assert!(sign_in(&app, "anna", "password of anna").await.is_some());
}

#[tokio::test]
async fn a_person_that_was_removed_is_gone_but_for_the_runs() {
    let app = TestApp::start().await;
    let anna = app.member("anna").await;
    let cookie = sign_in(&app, "anna", "password of anna").await.unwrap();
    let draft = draft(&anna, "hers").await;
    let key = json!({ "name": "key", "provider": "openai", "secret": "sk-of-anna-only" });
    let key = anna.post("/api/v1/credentials", &key).await.expect(201)["id"].as_str().unwrap().to_owned();
    let model = json!({ "name": "hers", "source": "cloud", "provider": "openai", "model": "m" });
    let model = anna.post("/api/v1/models", &model).await.expect(201)["id"].as_str().unwrap().to_owned();
    let id = id_of(&app, "anna").await;
    app.admin.delete(&format!("/api/v1/users/{id}")).await.expect(204);
    assert_eq!(anna.get("/api/v1/workflows").await.status, 401, "the token");
    assert_eq!(in_session(&app, &cookie, Method::GET, "/api/v1/workflows", None).await, 401, "the session");
    assert_eq!(sign_in(&app, "anna", "password of anna").await, None);
    let users = app.admin.get("/api/v1/users").await.expect(200);
    assert_eq!(users["total"], 1, "{users}");
    for (method, path) in [("POST", "link"), ("POST", "disable"), ("POST", "enable"), ("DELETE", "")] {
        let path = format!("/api/v1/users/{id}/{path}");
        let got = answer(app.admin.request(method.parse().unwrap(), path.trim_end_matches('/')).json(&json!({}))).await;
        assert_eq!(got.status, 404, "{method} {path}");
    }
    assert_eq!(app.admin.get(&format!("/api/v1/workflows/{draft}")).await.status, 404, "drafts go");
    let keys = app.admin.get("/api/v1/credentials").await.expect(200);
    assert!(!keys.to_string().contains(&key), "the secrets go: {keys}");
    app.admin.get(&format!("/api/v1/models/{model}")).await.expect(200);
    // The name is free for somebody new, who has nothing of the old one's.
    let new = app.member("anna").await;
    assert_eq!(new.get("/api/v1/models").await.expect(200)["total"], 0);
    assert_eq!(new.get("/api/v1/workflows").await.expect(200)["total"], 0);
}

#[tokio::test]
async fn nobody_shuts_out_oneself_or_the_last_administrator() {
    let app = TestApp::start().await;
    let anna = app.member("anna").await;
    let own = id_of(&app, "admin").await;
    for (method, path) in [(Method::POST, format!("{own}/disable")), (Method::DELETE, own.clone())] {
        let path = format!("/api/v1/users/{path}");
        assert_eq!(answer(app.admin.request(method.clone(), &path)).await.status, 409, "{method} {path}");
        assert_eq!(answer(anna.request(method.clone(), &path)).await.status, 403, "{method} {path}");
    }
    // Two administrators at once, each after the other: one stays.
    let second =
        app.app.store.create_user("second", dyno::domain::user::Role::Administrator, jiff::Timestamp::now()).await.unwrap();
    let first = own.parse().unwrap();
    let now = jiff::Timestamp::now();
    let (one, two) = tokio::join!(app.app.store.remove_user(first, now), app.app.store.disable_user(second.id, now));
    assert_eq!(usize::from(one.is_ok()) + usize::from(two.is_ok()), 1, "{one:?} {two:?}");
}

#[tokio::test]
async fn a_second_user_sees_neither_drafts_nor_secrets() {
    let app = TestApp::start().await;
    let (anna, bert) = (app.member("anna").await, app.member("bert").await);
    let draft = draft(&anna, "hers alone").await;
    let key = json!({ "name": "key of anna", "provider": "openai", "secret": "sk-of-anna-only" });
    let made = anna.post("/api/v1/credentials", &key).await.expect(201);
    assert!(!made.to_string().contains("sk-of-anna-only"), "{made}");
    let key = made["id"].as_str().unwrap();
    for path in [format!("/api/v1/workflows/{draft}"), format!("/api/v1/credentials/{key}")] {
        assert_eq!(bert.get(&path).await.status, 404, "{path}");
        assert_eq!(bert.delete(&path).await.status, 404, "{path}");
        assert_eq!(anna.get(&path).await.status, 200, "{path}");
    }
    assert_eq!(bert.post(&format!("/api/v1/credentials/{key}/test"), &json!({})).await.status, 404);
    for path in ["/api/v1/workflows", "/api/v1/credentials", "/", "/drafts", "/credentials"] {
        let seen = bert.get(path).await.body.to_string();
        assert!(!seen.contains("hers alone") && !seen.contains("key of anna") && !seen.contains("sk-of-anna"), "{path}");
    }
    assert_eq!(bert.get(&format!("/wizard/{draft}/load")).await.status, 404);
}

#[tokio::test]
async fn a_new_link_for_somebody_who_has_an_account() {
    let app = TestApp::start().await;
    app.member("anna").await;
    let cookie = sign_in(&app, "anna", "password of anna").await.unwrap();
    let path = format!("/api/v1/users/{}/link", id_of(&app, "anna").await);
    let first = app.admin.post(&path, &json!({})).await.expect(201)["link"].as_str().unwrap().to_owned();
    let second = app.admin.post(&path, &json!({})).await.expect(201)["link"].as_str().unwrap().to_owned();
    assert!(sign_in(&app, "anna", "password of anna").await.is_some(), "until the link is used");
    let accept = |link: &str| {
        let token = link.rsplit('/').next().unwrap().to_owned();
        let app = app.app.clone();
        async move { account::accept_link(&app, &token, None, &Secret::new("a password by link")).await }
    };
    assert_eq!(accept(&first).await.unwrap_err().kind, ProblemKind::NotFound, "a newer one has replaced it");
    assert_eq!(accept(&second).await.unwrap().actor.name, "anna");
    assert_eq!(sign_in(&app, "anna", "password of anna").await, None);
    assert_eq!(in_session(&app, &cookie, Method::GET, "/api/v1/tokens", None).await, 401, "older sessions end");
    assert!(sign_in(&app, "anna", "a password by link").await.is_some());
}
