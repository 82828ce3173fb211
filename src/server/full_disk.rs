//! What is answered while the disk is full.

use std::net::SocketAddr;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use jiff::Timestamp;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::{PageRoutes, ServeArgs, router};
use crate::credentials::Secret;
use crate::state::{AppState, Config};

const TOKEN: &str = "administrator-of-the-tests";

/// A portal with an administrator, whose disk is full.
async fn portal() -> (tempfile::TempDir, Router) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let args = ServeArgs {
        addr: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
        data_dir: folder.path().to_owned(),
        admin_token: Some(Secret::new(TOKEN)),
        ..ServeArgs::default()
    };
    let (config, options) = Config::from_args(args).unwrap();
    let url = config.database_url.clone();
    let app = AppState::open(config, options).await.unwrap();
    app.store.first_administrator(Timestamp::now()).await.unwrap();
    let store = app.store.clone().on_full_disk(&url).await.unwrap();
    (folder, router(&app.with_store(store), &PageRoutes::generate()))
}

fn request(method: &str, path: &str) -> axum::http::request::Builder {
    Request::builder().method(method).uri(path).header("host", "127.0.0.1").header("authorization", format!("Bearer {TOKEN}"))
}

async fn text(response: axum::response::Response) -> String {
    String::from_utf8(to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn scripts_and_forms_are_told_that_the_disk_is_full() {
    let (_folder, portal) = portal().await;
    // more than a page of the database
    let description = "ä".repeat(2_000);
    let body = json!({
        "workflow_total_steps": 9, "step_number": 1, "name": "d", "tags": [], "description": description,
        "concurrent_requests": 4, "eval_with": "configuration",
    });
    let call = request("POST", "/api/v1/benchmarks/run-workflow").header("content-type", "application/json");
    let refused = portal.clone().oneshot(call.body(Body::from(body.to_string())).unwrap()).await.unwrap();
    assert_eq!(refused.status(), 507);
    let problem: Value = serde_json::from_str(&text(refused).await).unwrap();
    assert_eq!(problem["type"], "urn:dyno:problem:insufficient-storage");
    assert!(problem["detail"].as_str().unwrap().contains("disk is full"), "{problem}");

    let fields = [("name", "d"), ("description", &description), ("concurrent_requests", "4"), ("eval_with", "configuration")];
    let call = request("POST", "/api/ui/wizard-details")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("accept", "text/html")
        .header("referer", "http://127.0.0.1/benchmarks/new");
    let refused =
        portal.clone().oneshot(call.body(Body::from(serde_urlencoded::to_string(fields).unwrap())).unwrap()).await.unwrap();
    assert_eq!((refused.status().as_u16(), refused.headers().get(header::LOCATION)), (507, None));
    assert_eq!(refused.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
    assert!(text(refused).await.contains("disk is full"));

    let read = portal.oneshot(request("GET", "/api/v1/models").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(read.status(), 200, "what is there can be read");
}
