//! Closed unless it says otherwise.

use reqwest::Method;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{TestApp, answer};

/// What is open on purpose. A new entry here is a decision.
const OPEN: [&str; 1] = ["GET /api/v1/openapi.json"];

#[tokio::test]
async fn every_call_of_the_api_is_closed() {
    let app = TestApp::start().await;
    let nobody = app.nobody();
    let document = nobody.get("/api/v1/openapi.json").await.expect(200);
    let paths = document["paths"].as_object().unwrap();
    let mut tried = Vec::new();
    for (path, methods) in paths {
        let path = path.split('/').map(|part| if part.starts_with('{') { "00000000-0000-7000-8000-000000000000" } else { part });
        let path = path.collect::<Vec<_>>().join("/");
        for method in methods.as_object().unwrap().keys().filter(|key| *key != "parameters") {
            let method: Method = method.to_uppercase().parse().unwrap();
            if OPEN.contains(&format!("{method} {path}").as_str()) {
                continue;
            }
            let got = answer(nobody.request(method.clone(), &path)).await;
            assert_eq!(got.status, 401, "{method} {path}: {}", got.body);
            assert_eq!(got.content_type, "application/problem+json");
            assert_eq!(got.body["type"], "urn:dyno:problem:unauthorized");
            let forged = answer(nobody.request(method.clone(), &path).bearer_auth("made-up")).await;
            assert_eq!(forged.status, 401, "{method} {path} with a forged token");
            tried.push(format!("{method} {path}"));
        }
    }
    for call in
        ["GET /api/v1/runs", "GET /api/v1/workflows", "GET /api/v1/users", "POST /api/v1/credentials", "GET /api/v1/prices"]
    {
        assert!(tried.iter().any(|tried| tried == call), "{call} is not described: {tried:?}");
    }
}

/// What pages ask for without being signed in; a new entry here is a decision, too.
const OPEN_FUNCTIONS: [&str; 7] = [
    "/api/ui/sign-in",
    "/api/ui/sign-out",
    "/api/ui/accept-link",
    "/api/ui/link",
    "/api/ui/session",
    "/api/ui/visitor-flash",
    "/api/ui/theme",
];

#[tokio::test]
async fn every_server_function_is_closed() {
    let app = TestApp::start().await;
    let nobody = app.nobody();
    let mut tried = Vec::new();
    for (path, method) in server_fn::axum::server_fn_paths() {
        if OPEN_FUNCTIONS.contains(&path) {
            continue;
        }
        let got = answer(nobody.request(method.as_str().parse().unwrap(), path)).await;
        assert_eq!(got.status, 401, "{method} {path}: {}", got.body);
        assert_ne!(method.as_str(), "GET", "{path}: a GET may be made by any page");
        tried.push(path);
    }
    for path in ["/api/ui/wizard-details", "/api/ui/wizard-nodes", "/api/ui/runs/live"] {
        assert!(tried.contains(&path), "{path} is not registered: {tried:?}");
    }
}

#[tokio::test]
async fn pages_lead_to_the_sign_in() {
    let app = TestApp::start().await;
    let nobody = app.nobody();
    for (path, to) in [
        ("/", "/sign-in"),
        ("/runs?status=failed", "/sign-in?next=/runs%3Fstatus%3Dfailed"),
        ("/no-such", "/sign-in?next=/no-such"),
    ] {
        let response = nobody.request(Method::GET, path).send().await.unwrap();
        assert_eq!(response.status(), 303, "{path}");
        assert_eq!(response.headers()["location"], to);
    }
    assert_eq!(nobody.get("/sign-in").await.status, 200);
    assert_eq!(nobody.get("/healthz").await.body, Value::String("ok\n".to_owned()));
    assert_eq!(nobody.get("/readyz").await.status, 200);
    // Reading a link is no use of it.
    assert_eq!(nobody.get("/link/abc/def").await.status, 303);
    // An address that leads elsewhere is closed as that is. Clients tidy such paths, so it is sent by hand.
    for path in ["/link/%2e%2e", "/link/..", "/link/%2E./runs"] {
        let host = nobody.url.strip_prefix("http://").unwrap();
        let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut got = String::new();
        stream.read_to_string(&mut got).await.unwrap();
        let head = got.split("\r\n\r\n").next().unwrap();
        assert!(head.starts_with("HTTP/1.1 303 ") && head.contains("location: /sign-in?next="), "{path}: {head}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_404_for_those_who_are() {
    let app = TestApp::start().await;
    let answer = app.admin.get("/api/v1/no-such").await;
    assert_eq!((answer.status.as_u16(), answer.content_type.as_str()), (404, "application/problem+json"));
    assert_eq!(app.admin.get("/no-such-page").await.status, 404);
    let wrong = app.admin.delete("/api/v1/tokens").await;
    assert_eq!((wrong.status.as_u16(), wrong.content_type.as_str()), (405, "application/problem+json"));
}

/// What a page's script asks for is answered with the status that the refusal has, and with the words that the page shows.
#[tokio::test]
async fn a_refused_server_function_has_the_status_of_its_refusal() {
    let app = TestApp::start().await;
    let nowhere = "0198c0de-0000-7000-8000-000000000001";
    let member = app.member("anna").await;
    let cases = [
        (app.nobody(), "/api/ui/link", vec![("token", "none")], 404, "This link does not work."),
        (member.clone(), "/api/ui/cluster", vec![("id", nowhere)], 404, "There is no such cluster"),
        (member.clone(), "/api/ui/cluster", vec![("id", "no id")], 404, "There is no such cluster"),
        (member, "/api/ui/try-it", vec![], 403, "Only administrators"),
    ];
    for (client, path, fields, status, words) in cases {
        let request = client.request(Method::POST, path).header("content-type", "application/x-www-form-urlencoded");
        let answer = request.body(serde_urlencoded::to_string(&fields).unwrap()).send().await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
        let text = answer.text().await.unwrap();
        assert!(text.contains(words), "{path}: {text}");
    }
}

/// A request that can't be read is its sender's fault: no page and no monitor takes it for a portal that is out of order.
#[tokio::test]
async fn a_request_that_a_server_function_cannot_read_is_its_senders_fault() {
    let app = TestApp::start().await;
    let json = "application/json";
    let form = "application/x-www-form-urlencoded";
    let long = format!("{{\"query\": \"{}\"}}", "x".repeat(3 << 20));
    for (path, content_type, body, status) in [
        ("/api/ui/history", json, "{\"query\": ".to_owned(), 400),
        ("/api/ui/history", json, "[]".to_owned(), 400),
        ("/api/ui/history", json, "{}".to_owned(), 400),
        ("/api/ui/history", json, String::new(), 400),
        ("/api/ui/history", form, "query=x".to_owned(), 400),
        ("/api/ui/history", json, long.clone(), 413),
        ("/api/ui/runs/report", json, "{\"id\": 7}".to_owned(), 400),
    ] {
        // In one piece its length is announced, else it comes out while it is read.
        let pieces = body.as_bytes().chunks(64 << 10).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect::<Vec<_>>();
        for sent in [reqwest::Body::from(body.clone()), reqwest::Body::wrap_stream(futures::stream::iter(pieces))] {
            let request = app.admin.request(Method::POST, path).header("content-type", content_type);
            let response = request.body(sent).send().await.unwrap();
            let begin: String = body.chars().take(20).collect();
            assert_eq!(response.status(), status, "{path} {content_type} {begin}");
        }
    }
    assert_eq!(app.admin.get("/api/ui/history").await.status, 405);
}
