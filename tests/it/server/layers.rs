//! What is around every route: host names, other sites, headers, limits, event streams' end.

use reqwest::Method;
use serde_json::json;

use crate::support::{TestApp, answer, page_routes};

#[tokio::test]
async fn a_foreign_host_is_misdirected() {
    let app = TestApp::start().await;
    for host in ["evil.example", "127.0.0.1.evil.example:3000", "localhost.evil.example", "10.1.2.3"] {
        let got = answer(app.admin.request(Method::GET, "/healthz").header("host", host)).await;
        assert_eq!(got.status, 421, "{host}");
    }
    for host in ["localhost:3000", "127.0.0.1:9", "[::1]:3000"] {
        assert_eq!(answer(app.admin.request(Method::GET, "/healthz").header("host", host)).await.status, 200, "{host}");
    }
    let two = app.admin.request(Method::GET, "/healthz").header("host", "localhost:3000").header("host", "evil.example");
    assert_eq!(answer(two).await.status, 400, "nobody knows which of two is meant");
}

#[tokio::test]
async fn the_public_address_is_the_portals_own_and_secure() {
    let app = TestApp::with(|args| args.public_url = Some("https://dyno.example.org".to_owned())).await;
    let response = app.admin.request(Method::GET, "/healthz").header("host", "dyno.example.org").send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["strict-transport-security"], "max-age=31536000");
    let local = app.admin.request(Method::GET, "/healthz").send().await.unwrap();
    assert!(local.headers().get("strict-transport-security").is_none());
}

#[tokio::test]
async fn other_sites_can_not_post() {
    let app = TestApp::start().await;
    let post = |headers: &[(&str, &str)]| {
        let mut request = app.admin.request(Method::POST, "/api/v1/tokens").json(&json!({ "name": "x" }));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer(request)
    };
    let own = app.admin.url.clone();
    assert_eq!(post(&[]).await.status, 201, "a script sends neither header");
    assert_eq!(post(&[("origin", &own)]).await.status, 201);
    assert_eq!(post(&[("sec-fetch-site", "same-origin")]).await.status, 201);
    for headers in [
        [("origin", "https://evil.example"), ("accept", "*/*")],
        [("origin", "null"), ("accept", "*/*")],
        [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")],
        [("sec-fetch-site", "same-site"), ("origin", "http://127.0.0.1:1")],
    ] {
        let refused = post(&headers).await;
        assert_eq!(refused.status, 403, "{headers:?}");
        assert_eq!(refused.content_type, "application/problem+json");
    }
    // Server functions are behind the same guard.
    let form = app.nobody().form("/api/ui/sign-in", &[("name", "x"), ("password", "y")]);
    assert_eq!(answer(form.header("origin", "https://evil.example")).await.status, 403);
}

#[tokio::test]
async fn every_answer_has_its_headers() {
    let app = TestApp::start().await;
    for path in ["/sign-in", "/healthz", "/api/v1/openapi.json", "/api/v1/users", "/no-such", "/pkg/no-such.js"] {
        let response = app.nobody().request(Method::GET, path).send().await.unwrap();
        let headers = response.headers();
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["referrer-policy"], "same-origin", "{path}");
        assert_eq!(headers["cross-origin-opener-policy"], "same-origin", "{path}");
        assert_eq!(headers["cross-origin-resource-policy"], "same-origin", "{path}");
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe-inline"), "{path}: {policy}");
    }
}

#[tokio::test]
async fn a_pages_scripts_carry_the_nonce_of_its_policy() {
    let app = TestApp::start().await;
    let response = app.nobody().request(Method::GET, "/sign-in").send().await.unwrap();
    let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
    let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap().to_owned();
    assert!(nonce.len() >= 16, "{policy}");
    assert!(policy.contains("'strict-dynamic'") && policy.contains("'wasm-unsafe-eval'"), "{policy}");
    let html = response.text().await.unwrap();
    let scripts = html.matches("<script").count();
    assert!(scripts > 0);
    assert_eq!(
        html.matches("<script").count(),
        html.split("<script")
            .skip(1)
            .filter(|tag| { tag.split('>').next().is_some_and(|attributes| attributes.contains(&format!("nonce=\"{nonce}\""))) })
            .count(),
        "{html}"
    );
    let again = app.nobody().request(Method::GET, "/sign-in").send().await.unwrap();
    assert!(!again.headers()["content-security-policy"].to_str().unwrap().contains(&nonce), "each page has its own");
}

#[tokio::test]
async fn a_large_body_is_refused() {
    let app = TestApp::start().await;
    let body = "x".repeat(3 * 1024 * 1024);
    let announced = answer(app.admin.request(Method::POST, "/api/v1/tokens").body(body.clone())).await;
    assert_eq!(announced.status, 413);
    // In pieces, its length comes out while it is read.
    let pieces = reqwest::Body::wrap_stream(futures::stream::iter(
        body.as_bytes().chunks(64 * 1024).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect::<Vec<_>>(),
    ));
    assert_eq!(answer(app.admin.request(Method::POST, "/api/v1/tokens").body(pieces)).await.status, 413);
}

#[tokio::test]
async fn a_folder_can_be_taken_up_again_once_its_portal_has_stopped() {
    let app = TestApp::start().await;
    let folder = app.stop().await.unwrap();
    let again = TestApp::on(folder.path(), |_| {}).await;
    assert_eq!(again.admin.get("/readyz").await.status, 200);
}

#[tokio::test]
async fn a_data_folder_has_one_portal() {
    let first = TestApp::start().await;
    let args = dyno::server::ServeArgs {
        addr: Some(std::net::SocketAddr::from(([127, 0, 0, 1], 0))),
        data_dir: first.app.config.data_dir.clone(),
        ..Default::default()
    };
    let refused = dyno::server::Portal::open(args, page_routes()).await.err().unwrap();
    assert!(refused.to_string().contains("another portal"), "{refused}");
}

#[tokio::test]
async fn a_portal_that_can_not_write_is_not_ready() {
    let app = TestApp::start().await;
    // stands for a disk without room
    let room = app.app.config.data_dir.join("dyno.room");
    std::fs::create_dir(&room).unwrap();
    let got = app.nobody().get("/readyz").await;
    assert_eq!((got.status.as_u16(), got.content_type.as_str()), (503, "application/problem+json"));
    assert!(!got.body.to_string().contains("dyno.room"), "nothing of the inside: {}", got.body);
    std::fs::remove_dir(&room).unwrap();
    assert_eq!(app.nobody().get("/readyz").await.status, 200);
}
