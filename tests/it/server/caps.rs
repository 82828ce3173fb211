//! Texts and lists have caps, and what is refused for them is not repeated at length.

use serde_json::{Value, json};

use crate::support::TestApp;

/// As much as fits a body.
const LONG: usize = 1_500_000;

#[tokio::test]
async fn long_texts_are_refused_and_not_repeated() {
    let app = TestApp::start().await;
    let long = "x".repeat(LONG);
    let cloud = |field: &str, value: String| {
        let mut body = json!({
            "name": "m", "source": "cloud", "provider": "openai_compatible", "base_url": "http://127.0.0.1:9/v1", "model": "m",
        });
        body[field] = value.into();
        ("/api/v1/models", body)
    };
    let hub =
        |revision: String| ("/api/v1/models", json!({ "name": "m", "source": "hub", "repository": "a/b", "revision": revision }));
    let file = |path: String, location: &str| {
        ("/api/v1/models", json!({ "name": "m", "source": "file", "path": path, "location": location }))
    };
    let draft = |field: &str, value: Value| {
        let mut body = json!({
            "workflow_total_steps": 9, "step_number": 1, "name": "d", "tags": [], "description": "", "concurrent_requests": 4,
            "eval_with": "configuration",
        });
        body[field] = value;
        ("/api/v1/benchmarks/run-workflow", body)
    };
    let credential = |field: &str, value: String| {
        let mut body = json!({
            "name": "k", "provider": "openai_compatible", "secret": "s", "base_url": "http://127.0.0.1:9/v1",
        });
        body[field] = value.into();
        ("/api/v1/credentials", body)
    };
    let calls = [
        cloud("name", long.clone()),
        cloud("model", long.clone()),
        cloud("base_url", format!("http://127.0.0.1:9/{long}")),
        hub(format!("a{}", "/a".repeat(LONG / 2))),
        file(format!("/{long}"), "portal"),
        file(format!("/{}", "a/".repeat(LONG / 2)), "node"),
        draft("name", json!(long)),
        draft("description", json!(long)),
        draft("tags", json!([long])),
        draft("tags", json!(vec!["a"; LONG / 4])),
        credential("name", long.clone()),
        credential("secret", long.clone()),
        credential("base_url", format!("http://127.0.0.1:9/{long}")),
        ("/api/v1/tokens", json!({ "name": long })),
        ("/api/v1/users", json!({ "name": long })),
    ];
    for (path, body) in calls {
        let refused = app.admin.post(path, &body).await;
        let shown: String = body.to_string().chars().take(120).collect();
        let length = refused.body.to_string().len();
        assert_eq!(refused.status, 422, "{path} {shown}");
        assert!(length < 20_000, "{path} {shown}: {length} bytes");
    }
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
    let nodes: Vec<Value> = (0..60_000).map(|number| json!({ "hostname": format!("n{number}") })).collect();
    for (step, field, list) in [(2, "dataset_ids", json!(ids)), (4, "nodes", json!(nodes))] {
        let body = json!({ "workflow_id": id, "step_number": step, field: list });
        let refused = app.admin.post("/api/v1/benchmarks/run-workflow", &body).await;
        assert!(refused.body.to_string().len() < 20_000, "{field}");
        assert_eq!(refused.fields(), [field]);
    }
}
