//! Texts and lists have caps, and what is refused for them is not repeated at length.

use serde_json::{Value, json};

use crate::support::TestApp;

/// As much as fits a body.
const LONG: usize = 1_500_000;

/// A cloud model with one field changed, and where it is sent.
fn cloud(field: &str, value: impl Into<Value>) -> (&'static str, Value) {
    let mut body = json!({
        "name": "m", "source": "cloud", "provider": "openai_compatible", "base_url": "http://127.0.0.1:9/v1", "model": "m",
    });
    body[field] = value.into();
    ("/api/v1/models", body)
}

/// A draft's first step with one field changed, and where it is sent.
fn draft(field: &str, value: Value) -> (&'static str, Value) {
    let mut body = json!({
        "workflow_total_steps": 9, "step_number": 1, "name": "d", "tags": [], "description": "", "concurrent_requests": 4,
        "eval_with": "configuration",
    });
    body[field] = value;
    ("/api/v1/benchmarks/run-workflow", body)
}

#[tokio::test]
async fn long_texts_are_refused_and_not_repeated() {
    let app = TestApp::start().await;
    let long = "x".repeat(LONG);
    let hub =
        |revision: String| ("/api/v1/models", json!({ "name": "m", "source": "hub", "repository": "a/b", "revision": revision }));
    let file = |path: String, location: &str| {
        ("/api/v1/models", json!({ "name": "m", "source": "file", "path": path, "location": location }))
    };
    let credential = |field: &str, value: String| {
        let mut body = json!({
            "name": "k", "provider": "openai_compatible", "secret": "s", "base_url": "http://127.0.0.1:9/v1",
        });
        body[field] = value.into();
        ("/api/v1/credentials", body)
    };
    let named = |path: &'static str, name: String| (path, json!({ "name": name }));
    let price = |device: String| ("/api/v1/prices", json!({ "device": device, "per_hour": 1.0, "currency": "EUR" }));
    let https = |field: &str, value: String| {
        let (path, mut body) = cloud(field, value);
        body["base_url"] = json!("https://127.0.0.1:9/v1");
        (path, body)
    };
    // Each with the field that is too long, and what that field may say: then it is not complained of.
    let calls = [
        (cloud("name", long.clone()), "name", json!("short")),
        (cloud("model", long.clone()), "model", json!("short")),
        (cloud("base_url", format!("http://127.0.0.1:9/{long}")), "base_url", json!("http://127.0.0.1:9/short")),
        (hub(format!("a{}", "/a".repeat(LONG / 2))), "revision", json!("main")),
        (file(format!("/{long}"), "node"), "path", json!("/short")),
        (file(format!("/{}", "a/".repeat(LONG / 2)), "node"), "path", json!("/a/b")),
        (draft("name", json!(long)), "name", json!("short")),
        (draft("description", json!(long)), "description", json!("short")),
        (draft("tags", json!([long])), "tags", json!(["short"])),
        (draft("tags", json!(vec!["a"; LONG / 4])), "tags", json!(["a"])),
        (credential("name", long.clone()), "name", json!("short")),
        (credential("secret", long.clone()), "secret", json!("short")),
        (credential("base_url", format!("http://127.0.0.1:9/{long}")), "base_url", json!("http://127.0.0.1:9/short")),
        (named("/api/v1/tokens", long.clone()), "name", json!("short")),
        (named("/api/v1/users", long.clone()), "name", json!("short")),
        // each of its words is one of a device's, so that it could mean several
        (price("h100 ".repeat(LONG / 5)), "device", json!("L4")),
        (https("ca_certificate", long.clone()), "ca_certificate", json!(null)),
    ];
    for ((path, mut body), field, short) in calls {
        let shown: String = body.to_string().chars().take(120).collect();
        let refused = app.admin.post(path, &body).await;
        let length = refused.body.to_string().len();
        assert!(length < 20_000, "{path} {shown}: {length} bytes");
        assert_eq!(refused.fields(), [field], "{path} {shown}");
        body[field] = short;
        let allowed = app.admin.post(path, &body).await;
        assert!(allowed.status != 422 || !allowed.fields().contains(&field.to_owned()), "{path} {field} {shown}");
    }
    // A file of the portal is looked for: a name that is too long is refused before.
    let (path, body) = file(format!("/{long}"), "portal");
    let refused = app.admin.post(path, &body).await;
    assert!(refused.body.to_string().len() < 20_000);
    assert_eq!(refused.fields(), ["path"]);
}

/// What names nothing is said, as far as it is read.
#[tokio::test]
async fn a_long_context_is_not_repeated() {
    let app = TestApp::start().await;
    let kubeconfig = "{apiVersion: v1, kind: Config, clusters: [{name: a, cluster: {server: 'https://10.0.0.1'}}], \
        users: [{name: a, user: {token: t}}], contexts: [{name: a, context: {cluster: a, user: a}}]}";
    let cluster = json!({ "kind": "kubernetes", "name": "k", "kubeconfig": kubeconfig, "context": "x".repeat(LONG) });
    let refused = app.admin.post("/api/v1/clusters", &cluster).await;
    let length = refused.body.to_string().len();
    assert!(length < 20_000, "{length} bytes");
    assert_eq!(refused.fields(), ["context"]);
}

#[tokio::test]
async fn long_lists_are_refused_soon() {
    let app = TestApp::start().await;
    let first = json!({
        "workflow_total_steps": 9, "step_number": 1, "name": "d", "tags": [], "description": "", "concurrent_requests": 4,
        "eval_with": "dataset",
    });
    let id = app.admin.post("/api/v1/benchmarks/run-workflow", &first).await.expect(200)["workflow_id"].clone();
    let ids: Vec<String> = (0..40_000).map(|_| uuid::Uuid::new_v4().to_string()).collect();
    let nodes: Vec<Value> = (0..30_000).map(|number| json!({ "hostname": format!("n{number}") })).collect();
    // Without a cap each id and each node would be looked for, to be told that there is no such one.
    let said = ["Choose at most 100 datasets.", "Choose at most 1,000 nodes."];
    for ((step, field, list), said) in [(2, "dataset_ids", json!(ids)), (4, "nodes", json!(nodes))].into_iter().zip(said) {
        let body = json!({ "workflow_id": id, "step_number": step, field: list });
        let refused = app.admin.post("/api/v1/benchmarks/run-workflow", &body).await;
        assert!(refused.body.to_string().len() < 20_000, "{field}");
        let message = refused.body["errors"][0]["message"].as_str().unwrap_or_default().to_owned();
        assert_eq!((refused.fields(), message.as_str()), (vec![field.to_owned()], said));
    }
}

/// A name with an invisible letter looks like another, and one that turns the direction reads as another.
#[tokio::test]
async fn names_that_hide_something_are_refused() {
    let app = TestApp::start().await;
    for odd in ["run\u{202e}gnp", "run\u{200b}one", "run\u{feff}"] {
        let credential = json!({ "name": odd, "provider": "openai", "secret": "s" });
        for ((path, body), field) in [
            (cloud("name", odd), "name"),
            (cloud("model", odd), "model"),
            (draft("name", json!(odd)), "name"),
            (draft("tags", json!([odd])), "tags"),
            (("/api/v1/credentials", credential), "name"),
            (("/api/v1/tokens", json!({ "name": odd })), "name"),
            (("/api/v1/users", json!({ "name": odd })), "name"),
            (("/api/v1/clusters", json!({ "kind": "kubernetes", "name": odd, "namespace": "-" })), "name"),
        ] {
            let fields = app.admin.post(path, &body).await.fields();
            assert_eq!(fields[0], field, "{path} {body}");
        }
        let upload = super::uploads::multipart(&[("name", None, odd), ("file", Some("x.jsonl"), "{\"prompt\": \"q\"}")]);
        let request = app.admin.request(reqwest::Method::POST, "/api/v1/datasets").body(upload);
        let request = request.header("content-type", super::uploads::TYPE);
        assert_eq!(crate::support::answer(request).await.fields(), ["name"], "{odd:?}");
    }
}
