//! Times on pages are the reader's.

use dyno::domain::user::{Actor, Role};
use dyno::store::Store;
use jiff::Timestamp;
use reqwest::Method;
use serde_json::json;

use crate::store::samples::{at, kept_run};
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

/// The moments at which days begin and end in UTC, ten hours before it, and eight or seven behind it: clocks in Los Angeles are
/// set back on that day.
const MOMENTS: [&str; 8] = [
    "2026-10-31T13:59:59Z",
    "2026-10-31T14:00:00Z",
    "2026-10-31T23:59:59Z",
    "2026-11-01T06:59:59Z",
    "2026-11-01T07:00:00Z",
    "2026-11-01T14:00:00Z",
    "2026-11-02T07:59:59Z",
    "2026-11-02T08:00:00Z",
];

#[tokio::test]
async fn the_days_that_the_history_is_filtered_by_are_the_readers() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&Store::default_url(folder.path()), folder.path()).await.unwrap();
    let user = store.create_user("anna", Role::Administrator, at(0)).await.unwrap();
    let anna = Actor { id: user.id, name: user.name, role: user.role };
    for moment in MOMENTS {
        let created: Timestamp = moment.parse().unwrap();
        kept_run(&store, &anna, moment, created.as_second() - at(0).as_second()).await;
    }
    drop(store);
    let app = TestApp::on(folder.path(), |_| {}).await;
    let days = "from=2026-11-01&to=2026-11-01";
    let found = async |path: &str, zone: &str| {
        let request = app.admin.request(Method::GET, path).header("cookie", format!("dyno_zone={zone}"));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        let text = answer.text().await.unwrap();
        let named = |moment: &&str| {
            [format!("\"{moment}\""), format!(",{moment},"), format!(">{moment}<")].iter().any(|name| text.contains(name))
        };
        MOMENTS.into_iter().filter(named).collect::<Vec<_>>()
    };
    for path in [format!("/?{days}"), format!("/runs/figures.csv?{days}")] {
        assert_eq!(found(&path, "Australia/Brisbane").await, MOMENTS[1..5], "{path}");
        assert_eq!(found(&path, "America/Los_Angeles").await, MOMENTS[4..7], "{path}: a day of 25 hours");
        assert_eq!(found(&path, "No/Where").await, MOMENTS[3..6], "{path}: where the zone is not known, UTC");
        let only_from = path.replace("&to=2026-11-01", "");
        assert_eq!(found(&only_from, "America/Los_Angeles").await, MOMENTS[4..], "{only_from}");
        let only_to = path.replace("from=2026-11-01&", "");
        assert_eq!(found(&only_to, "Australia/Brisbane").await, MOMENTS[..5], "{only_to}");
    }
    // The API speaks of UTC, whatever cookies are sent along, and of any other zone by instants.
    let api = format!("/api/v1/runs?{days}");
    assert_eq!(found(&api, "Australia/Brisbane").await, MOMENTS[3..6]);
    let instants = "/api/v1/runs?from=2026-11-01T00:00:00%2B10:00&to=2026-11-02T00:00:00%2B10:00";
    assert_eq!(found(instants, "America/Los_Angeles").await, MOMENTS[1..5]);
    // What is chosen stays in the form as it was entered, and what is no day is said at the filter.
    let page = async |path: &str| {
        let request = app.admin.request(Method::GET, path).header("cookie", "dyno_zone=America/Los_Angeles");
        request.send().await.unwrap().text().await.unwrap()
    };
    let filtered = page(&format!("/?{days}")).await;
    assert!(filtered.contains("value=\"2026-11-01\"") && filtered.contains("in America/Los Angeles time"), "{filtered}");
    assert!(page("/?from=yesterday").await.contains("Enter a day such as 2026-11-01."));
}
