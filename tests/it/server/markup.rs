//! Stored text is text, wherever a page shows it.

use reqwest::Method;
use serde_json::json;

use crate::support::{TestApp, TestClient};

/// Ends the two elements in which a browser reads no markup but their own end.
const MARKUP: &str = "</title></textarea><b id=stored>";

async fn page(client: &TestClient, path: &str) -> String {
    let response = client.request(Method::GET, path).send().await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    response.text().await.unwrap()
}

#[tokio::test]
async fn markup_in_names_and_descriptions_is_shown_as_it_was_typed() {
    let app = TestApp::start().await;
    let model = json!({
        "name": MARKUP, "source": "cloud", "provider": "openai_compatible", "base_url": "http://127.0.0.1:9/v1", "model": MARKUP,
    });
    let model = app.admin.post("/api/v1/models", &model).await.expect(201)["id"].as_str().unwrap().to_owned();
    let draft = json!({
        "workflow_total_steps": 9, "step_number": 1, "name": MARKUP, "tags": [MARKUP], "description": MARKUP,
        "concurrent_requests": 4, "eval_with": "configuration",
    });
    let draft = app.admin.post("/api/v1/benchmarks/run-workflow", &draft).await.expect(200);
    let draft = draft["workflow_id"].as_str().unwrap().to_owned();
    for path in [format!("/models/{model}"), "/models".to_owned(), "/drafts".to_owned(), format!("/wizard/{draft}/details")] {
        let html = page(&app.admin, &path).await;
        assert!(html.contains("&lt;b id=stored"), "{path} shows it: {html}");
        assert!(!html.contains("<b id=stored"), "{path}: {html}");
        assert_eq!(html.matches("</title>").count(), html.matches("<title").count(), "{path}");
    }
}
