//! Links, passwords, sessions, tokens; and what one person sees of another's.

use std::collections::BTreeMap;
use std::net::IpAddr;

use dyno::api::calls::account;
use dyno::auth::throttle;
use dyno::credentials::Secret;
use dyno::domain::problem::ProblemKind;
use jiff::Timestamp;
use reqwest::Method;
use serde_json::json;

use crate::support::{TestApp, TestClient, answer};

pub const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

async fn first_link(app: &TestApp) -> Option<String> {
    let link = account::first_link(&app.app, Timestamp::now()).await.unwrap()?;
    assert!(link.starts_with(&format!("{}/link/", app.admin.url)), "{link}");
    Some(link.rsplit('/').next().unwrap().to_owned())
}

pub fn cookie_of(response: &reqwest::Response) -> Option<String> {
    let cookies = response.headers().get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
    cookies.into_iter().find(|cookie| cookie.contains("session=")).map(str::to_owned)
}

async fn with_cookie(client: &TestClient, method: Method, path: &str, cookie: &str) -> u16 {
    let pair = cookie.split(';').next().unwrap().to_owned();
    answer(client.request(method, path).header("cookie", pair)).await.status.as_u16()
}

#[tokio::test]
async fn the_first_link_makes_an_administrator_once() {
    let app = TestApp::start().await;
    let first = first_link(&app).await.unwrap();
    // A restart makes a new one, and the old one is void.
    let second = first_link(&app).await.unwrap();
    let password = Secret::new("a good password");
    let refused = account::accept_link(&app.app, &first, None, &password).await.unwrap_err();
    assert_eq!(refused.kind, ProblemKind::NotFound);
    let short = account::accept_link(&app.app, &second, Some("anna"), &Secret::new("123456789")).await.unwrap_err();
    assert_eq!(short.errors[0].field, "password");

    let session = account::accept_link(&app.app, &second, Some("anna"), &password).await.unwrap();
    assert!(session.actor.is_administrator());
    assert_eq!(session.actor.name, "anna");
    let used = account::accept_link(&app.app, &second, None, &password).await.unwrap_err();
    assert!(used.detail.contains("used already"), "{}", used.detail);
    assert_eq!(first_link(&app).await, None, "somebody can sign in now");

    let by_password = account::sign_in(&app.app, "Anna", &password, PEER).await.unwrap();
    assert_eq!(by_password.actor, session.actor);
    assert_ne!(by_password.secret, session.secret, "each sign-in is a session of its own");
}

#[tokio::test]
async fn a_link_that_two_use_at_once_serves_one() {
    let app = TestApp::start().await;
    let link = first_link(&app).await.unwrap();
    let password = Secret::new("a good password");
    let (one, two) = tokio::join!(
        account::accept_link(&app.app, &link, None, &password),
        account::accept_link(&app.app, &link, None, &password)
    );
    assert_eq!(usize::from(one.is_ok()) + usize::from(two.is_ok()), 1);
}

#[tokio::test]
async fn a_browser_signs_in_and_out() {
    let app = TestApp::start().await;
    app.member("bert").await;
    let nobody = app.nobody();
    let sign_in = |password: &'static str| {
        nobody.form("/api/ui/sign-in", &[("name", "bert"), ("password", password), ("next", "/")]).send()
    };
    assert_eq!(cookie_of(&sign_in("wrong password").await.unwrap()), None);
    let cookie = cookie_of(&sign_in("password of bert").await.unwrap()).unwrap();
    assert!(cookie.starts_with("dyno_session=") && cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    assert_eq!(with_cookie(&nobody, Method::GET, "/api/v1/tokens", &cookie).await, 200);
    let pair = cookie.split(';').next().unwrap().to_owned();
    nobody.request(Method::POST, "/api/ui/sign-out").header("cookie", pair).send().await.unwrap();
    assert_eq!(with_cookie(&nobody, Method::GET, "/api/v1/tokens", &cookie).await, 401, "the session is over at the server, too");
}

#[tokio::test]
async fn on_https_the_cookie_is_bound_to_the_host() {
    let app = TestApp::with(|args| args.public_url = Some("https://dyno.example.org".to_owned())).await;
    app.member("bert").await;
    let form = [("name", "bert"), ("password", "password of bert"), ("next", "/")];
    let request = app.nobody().form("/api/ui/sign-in", &form).header("host", "dyno.example.org");
    let cookie = cookie_of(&request.send().await.unwrap()).unwrap();
    assert!(cookie.starts_with("__Host-dyno_session=") && cookie.contains("Secure") && cookie.contains("Path=/"), "{cookie}");
}

/// Names of the cookies that an answer sets, each with whether it is for https alone.
async fn cookies_of(request: reqwest::RequestBuilder, seen: &mut BTreeMap<String, bool>) {
    let response = request.send().await.unwrap();
    for cookie in response.headers().get_all("set-cookie") {
        let cookie = cookie.to_str().unwrap();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && cookie.contains("Path=/"), "{cookie}");
        let name = cookie.split('=').next().unwrap().to_owned();
        let secure = cookie.split("; ").any(|attribute| attribute == "Secure");
        assert_eq!(*seen.entry(name).or_insert(secure), secure, "{cookie}");
    }
}

#[tokio::test]
async fn on_https_every_cookie_is_for_https_alone() {
    for https in [true, false] {
        let app = TestApp::with(|args| args.public_url = https.then(|| "https://dyno.example.org".to_owned())).await;
        app.member("bert").await;
        let form = |path: &str, fields: &[(&str, &str)]| {
            let request = app.nobody().form(path, fields);
            if https { request.header("host", "dyno.example.org") } else { request }
        };
        let mut seen = BTreeMap::new();
        cookies_of(form("/api/ui/sign-in", &[("name", "bert"), ("password", "wrong")]), &mut seen).await;
        let right = || form("/api/ui/sign-in", &[("name", "bert"), ("password", "password of bert")]);
        let session = cookie_of(&right().send().await.unwrap()).unwrap();
        let session = session.split(';').next().unwrap().to_owned();
        cookies_of(right(), &mut seen).await;
        cookies_of(form("/api/ui/theme", &[("theme", "dark")]), &mut seen).await;
        // sent without a session
        cookies_of(form("/api/ui/token-add", &[("name", "ci")]), &mut seen).await;
        cookies_of(form("/api/ui/sign-out", &[]).header("cookie", session), &mut seen).await;
        let session_name = if https { "__Host-dyno_session" } else { "dyno_session" };
        let names = [session_name, "dyno_ended", "dyno_form", "dyno_form_key", "dyno_theme"];
        assert_eq!(seen, names.map(|name| (name.to_owned(), https)).into());
    }
}

/// Failures with an account make later tries wait, whoever they are from; others go on meanwhile.
#[tokio::test]
async fn an_account_that_is_guessed_at_is_slow_and_no_other() {
    let app = TestApp::start().await;
    app.member("bert").await;
    app.member("carl").await;
    let now = std::time::Instant::now();
    for number in 0..20 {
        let peer = IpAddr::from([10, 0, 0, number]);
        throttle::begin(&app.app.sign_in_attempts, "bert", peer, now).unwrap();
    }
    let sign_in = async |name: &str| {
        let password = Secret::new(format!("password of {name}"));
        account::sign_in(&app.app, name, &password, PEER).await.unwrap();
    };
    let slow = sign_in("bert");
    let mut slow = std::pin::pin!(slow);
    tokio::select! {
        biased;
        () = &mut slow => panic!("nothing was waited for"),
        () = async { for _ in 0..2 { sign_in("carl").await } } => {}
    }
    slow.await;
}

/// Whether somebody may ask is looked at before what is asked.
#[tokio::test]
async fn what_is_for_administrators_is_refused_whatever_the_body_holds() {
    let app = TestApp::start().await;
    let bert = app.member("bert").await;
    let cluster = app.admin.get("/api/v1/clusters").await.expect(200)["items"][0]["id"].as_str().unwrap().to_owned();
    for (method, path) in [
        (Method::POST, "/api/v1/users".to_owned()),
        (Method::POST, "/api/v1/prices".to_owned()),
        (Method::POST, "/api/v1/device-specifications".to_owned()),
        (Method::POST, "/api/v1/clusters".to_owned()),
        (Method::PATCH, format!("/api/v1/clusters/{cluster}")),
    ] {
        for body in ["", "no json", "[]", "{\"colour\": 1}"] {
            let request = bert.request(method.clone(), &path).header("content-type", "application/json").body(body);
            assert_eq!(answer(request).await.status, 403, "{method} {path} {body}");
        }
    }
}

#[tokio::test]
async fn failures_are_throttled() {
    let app = TestApp::start().await;
    app.member("bert").await;
    let wrong = Secret::new("not the password");
    let mut last = ProblemKind::Internal;
    for _ in 0..11 {
        last = account::sign_in(&app.app, "bert", &wrong, PEER).await.unwrap_err().kind;
    }
    assert_eq!(last, ProblemKind::TooManyRequests);
    let right = account::sign_in(&app.app, "bert", &Secret::new("password of bert"), PEER).await.unwrap_err();
    assert_eq!(right.kind, ProblemKind::TooManyRequests, "not even with the right password");
}

#[tokio::test]
async fn tokens_work_until_they_are_deleted() {
    let app = TestApp::start().await;
    let bert = app.member("bert").await;
    let made = bert.post("/api/v1/tokens", &json!({ "name": "ci" })).await.expect(201);
    let client = TestClient { token: Some(made["token"].as_str().unwrap().to_owned()), ..bert.clone() };
    let list = client.get("/api/v1/tokens").await.expect(200);
    assert_eq!(list["total"], 2);
    assert!(!list.to_string().contains(made["token"].as_str().unwrap()), "the secret never comes back");
    let path = format!("/api/v1/tokens/{}", made["id"].as_str().unwrap());
    assert_eq!(app.admin.delete(&path).await.status, 404, "tokens are everybody's own");
    assert_eq!(client.delete(&path).await.status, 204);
    assert_eq!(client.get("/api/v1/tokens").await.status, 401);
}

#[tokio::test]
async fn administrators_add_people() {
    let app = TestApp::start().await;
    let bert = app.member("bert").await;
    assert_eq!(bert.get("/api/v1/users").await.status, 403);
    assert_eq!(bert.post("/api/v1/users", &json!({ "name": "carl" })).await.status, 403);
    assert_eq!(app.admin.post("/api/v1/users", &json!({ "name": "BERT" })).await.fields(), ["name"]);
    assert_eq!(app.admin.post("/api/v1/users", &json!({ "name": " " })).await.fields(), ["name"]);
    assert_eq!(app.admin.post("/api/v1/users", &json!({ "name": "c", "colour": 1 })).await.fields(), ["colour"]);
    let users = app.admin.get("/api/v1/users").await.expect(200);
    assert_eq!(users["total"], 2);
    assert!(!users.to_string().contains("argon2"), "{users}");
}

#[tokio::test]
async fn proxies_are_believed_only_when_named() {
    let forwarded = |app: &TestApp| {
        let nobody = app.nobody();
        (0..31).map(move |number| {
            let name = format!("user {number}");
            let form = [("name", name.as_str()), ("password", "wrong password")];
            nobody.form("/api/ui/sign-in", &form).header("x-forwarded-for", format!("10.0.0.{number}"))
        })
    };
    let stranger = TestApp::start().await;
    for request in forwarded(&stranger) {
        request.send().await.unwrap();
    }
    let peer_is_throttled = |app: &TestApp, peer: IpAddr| {
        throttle::begin(&app.app.sign_in_attempts, "somebody else", peer, std::time::Instant::now()).is_err()
    };
    assert!(peer_is_throttled(&stranger, PEER), "all came from one peer");

    let named = TestApp::with(|args| args.trusted_proxies = vec![PEER]).await;
    for request in forwarded(&named) {
        request.send().await.unwrap();
    }
    assert!(!peer_is_throttled(&named, PEER), "each came from its own");
}

#[tokio::test]
async fn wrong_tokens_are_throttled_and_a_right_one_is_not() {
    let app = TestApp::start().await;
    let wrong = TestClient { token: Some("not a token of this portal".to_owned()), ..app.admin.clone() };
    for _ in 0..100 {
        assert_eq!(wrong.get("/api/v1/runs").await.status, 401);
    }
    assert_eq!(wrong.get("/api/v1/runs").await.status, 429);
    assert_eq!(app.admin.get("/api/v1/runs").await.status, 200, "of the same peer");
}
