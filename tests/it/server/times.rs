//! Times on pages are the reader's.

use reqwest::Method;
use serde_json::json;

use crate::support::TestApp;

#[tokio::test]
async fn times_are_in_the_zone_that_the_browser_told_and_else_in_utc_which_is_said() {
    let app = TestApp::start().await;
    app.admin.post("/api/v1/tokens", &json!({ "name": "nightly" })).await.expect(201);
    let draft = json!({
        "workflow_total_steps": 9, "step_number": 1, "name": "begun", "concurrent_requests": 4, "eval_with": "configuration",
    });
    app.admin.post("/api/v1/benchmarks/run-workflow", &draft).await.expect(200);
    for path in ["/settings", "/drafts"] {
        // The texts of all times of the page, with their tooltips before them.
        let times = async |zone: &str| {
            let request = app.admin.request(Method::GET, path).header("cookie", format!("dyno_zone={zone}"));
            let html = request.send().await.unwrap().text().await.unwrap();
            let times: Vec<(String, String)> = html
                .split("<time ")
                .skip(1)
                .map(|rest| rest.split_once("</time>").unwrap().0.split_once('>').unwrap())
                .map(|(attributes, text)| (attributes.to_owned(), text.replace("<!>", "").trim().to_owned()))
                .collect();
            assert!(!times.is_empty(), "{path}: {html}");
            times
        };
        for (attributes, text) in times("Asia/Tokyo").await {
            assert!(!text.contains("UTC") && attributes.contains(" UTC\""), "{path}: {text} {attributes}");
        }
        assert!(times("No/Where").await.iter().all(|(_, text)| text.ends_with(" UTC")), "{path}");
    }
}
