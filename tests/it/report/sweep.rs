//! A kept sweep, looked at over HTTP.

use dyno::domain::event::{RunEnd, RunEvent};
use dyno::domain::user::{Actor, Role};
use dyno::store::{RunUpdate, Store};
use dyno_measure::report::{Report, RequestRecord};
use dyno_measure::run::RunStatus;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::store::samples::{at, kept_run};
use crate::support::TestApp;

/// A portal whose store had a run with such a report before it started.
async fn portal_with(report: Value) -> (TempDir, TestApp, String) {
    portal_with_records(report, Vec::new()).await
}

/// The same with records of requests.
pub async fn portal_with_records(report: Value, records: Vec<RequestRecord>) -> (TempDir, TestApp, String) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&Store::default_url(folder.path()), folder.path()).await.unwrap();
    let user = store.create_user("anna", Role::Administrator, at(0)).await.unwrap();
    let anna = Actor { id: user.id, name: user.name, role: user.role };
    let (_, run) = kept_run(&store, &anna, "a sweep", 1).await;
    let report: Report = serde_json::from_value(report).unwrap();
    let end = RunEvent::End(RunEnd { status: RunStatus::Succeeded, reason: None });
    let report = Some(Report { run_id: run.id, ..report });
    let update = RunUpdate { events: vec![(at(9), end)], report, records, ..RunUpdate::default() };
    store.update_run(run.id, &update, at(9)).await.unwrap();
    drop(store);
    let app = TestApp::on(folder.path(), |_| {}).await;
    (folder, app, run.id.to_string())
}

fn distribution(value: f64, n: u64) -> Value {
    let mut all = serde_json::Map::new();
    for name in ["mean", "min", "p25", "p50", "p75", "p90", "p95", "p99", "p999", "max"] {
        all.insert(name.to_owned(), json!(value));
    }
    all.insert("std".to_owned(), json!(0.0));
    all.insert("n".to_owned(), json!(n));
    Value::Object(all)
}

fn point(concurrency: u32, throughput: f64, speed: f64, n: u64) -> Value {
    json!({
        "concurrency": concurrency, "total_requests": n, "successful_requests": n, "output_throughput": throughput,
        "request_throughput": 2.0, "output_throughput_per_user": distribution(speed, n),
        "ttft_ms": distribution(f64::from(concurrency), n), "tpot_ms": distribution(1000.0 / speed, n),
        "errors": if concurrency == 8 { json!({ "cut_off": 1 }) } else { json!({}) },
    })
}

pub fn report(change: Value) -> Value {
    let points = json!([point(2, 100.0, 50.0, 700), point(8, 300.0, 40.0, 700), point(32, 250.0, 20.0, 5)]);
    let mut whole = json!({
        "run_id": uuid::Uuid::nil(), "kind": "measured", "status": "succeeded", "valid": true, "invalid_reasons": [],
        "summary": points[1], "load_points": points, "best": 1, "nodes": [],
        "error_examples": [
            { "class": "cut_off", "load_point": 1, "message": "the stream ended", "request_id": "r-of-eight" },
            { "class": "cut_off", "load_point": 0, "message": "another", "request_id": "r-of-two" },
        ],
        "provenance": {
            "serving_devices": [{ "node": "here", "type": "cuda", "count": 2 }],
            "plan": {
                "endpoints": [{ "node": "here", "base_url": "http://127.0.0.1:8100/v1", "metrics": "/metrics" }], "model": "m",
                "auth": { "header": "bearer", "api_key_env": "SOME_KEY" }, "extra_body": { "temperature": 0 }, "requests": "requests.ndjson", "deadline_unix_ns": 5,
                "workload": { "kind": "synthetic", "input_tokens": 64, "output_tokens": 8 },
                "load_points": [{ "load": { "kind": "closed", "concurrency": 2 } }, { "load": { "kind": "closed", "concurrency": 8 } }],
            },
        },
    });
    whole.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    whole
}

pub async fn page(app: &TestApp, path: &str) -> String {
    let answer = app.admin.request(reqwest::Method::GET, path).header("accept", "text/html").send().await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    without_scripts(&answer.text().await.unwrap())
}

/// What is seen: scripts carry the page's data for those browsers that run them.
fn without_scripts(html: &str) -> String {
    let mut parts = html.split("<script");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |seen, part| seen + part.split_once("</script>").map_or("", |(_, after)| after))
}

#[track_caller]
pub fn says(html: &str, texts: &[&str]) {
    for text in texts {
        assert!(html.contains(text), "no {text:?} in\n{html}");
    }
}

#[tokio::test]
async fn a_sweep_is_drawn_and_each_load_point_has_a_report_of_its_own() {
    let (_folder, app, run) = portal_with(report(json!({}))).await;
    let html = page(&app, &format!("/runs/{run}/report")).await;
    says(
        &html,
        &[
            "id=\"sweep-pareto\"",
            "id=\"sweep-capacity\"",
            "id=\"sweep-ttft\"",
            "id=\"sweep-tpot\"",
            "Output tokens/s per GPU",
            "Throughput is divided by the 2 GPUs that served.",
            "better: up and right",
            "8 in flight: 300 output tokens/s, TTFT p99 8.00 ms<!></h1>",
            "Load point: 8 in flight",
            "not enough samples (5 of 11)",
            "r-of-eight",
            "popovertarget=\"tip-ttft_ms\"",
            "id=\"tip-ttft_ms\"",
        ],
    );
    assert!(!html.contains("r-of-two"), "errors are those of the load point");
    assert!(!html.contains(" style=\""), "the content policy forbids styles in place");
    // On a phone each load point is a line with the figures that decide; the others are folded.
    let folds = html.split_once("load-folds").unwrap().1.split_once("</ul>").unwrap().0;
    let (lines, rest): (Vec<&str>, Vec<&str>) =
        folds.split("<summary>").skip(1).map(|fold| fold.split_once("</summary>").unwrap()).unzip();
    assert_eq!(lines.len(), 3, "{folds}");
    for (line, rest) in lines.into_iter().zip(rest) {
        says(line, &["in flight", "Output tokens/s ", "TTFT p99, ms ", "TPOT p99, ms "]);
        says(rest, &["Requests", "Errors, %", "TTFT p50, ms"]);
        assert!(!line.contains("p50") && !rest.contains("TTFT p99"), "{line} {rest}");
    }
    // The two drawings of each chart have a name and a description of their own.
    assert_eq!(html.matches("id=\"sweep-pareto-wide-title\"").count(), 1);
    assert_eq!(html.matches("id=\"sweep-pareto-narrow-desc\"").count(), 1);

    let html = page(&app, &format!("/runs/{run}/report?point=0")).await;
    says(&html, &["Load point: 2 in flight"]);
    assert!(!html.contains("r-of-eight"));
    says(&page(&app, &format!("/runs/{run}/report?point=77")).await, &["Load point: 8 in flight"]);
}

#[tokio::test]
async fn each_chart_is_to_be_had_as_a_file_by_those_who_may_see_the_run() {
    let (_folder, app, run) = portal_with(report(json!({}))).await;
    let html = page(&app, &format!("/runs/{run}/report")).await;
    says(&html, &[&format!("/runs/{run}/report/charts/sweep-capacity.svg?point=1"), "sweep-capacity.csv"]);
    let file = async |name: &str| {
        let path = format!("/runs/{run}/report/charts/{name}");
        let answer = app.admin.request(reqwest::Method::GET, &path).send().await.unwrap();
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        (answer.status().as_u16(), kind, answer.text().await.unwrap())
    };
    let (status, kind, svg) = file("sweep-capacity.svg").await;
    assert_eq!((status, kind.as_str()), (200, "image/svg+xml; charset=utf-8"));
    assert!(svg.starts_with("<svg xmlns=") && svg.contains("Throughput against load"));
    let (status, kind, csv) = file("sweep-capacity.csv?point=0").await;
    assert_eq!((status, kind.as_str()), (200, "text/csv; charset=utf-8"));
    assert_eq!(csv.lines().nth(2), Some("8,300,yes"), "{csv}");
    for missing in ["nothing.svg", "sweep-capacity.png", "sweep-capacity"] {
        assert_eq!(file(missing).await.0, 404, "{missing}");
    }
    let member = app.member("bert").await;
    assert_eq!(member.get(&format!("/runs/{run}/report/charts/sweep-capacity.csv")).await.status, 404, "another person's");
}

#[tokio::test]
async fn a_deleted_run_is_told_of_on_the_history() {
    let (_folder, app, run) = portal_with(report(json!({}))).await;
    let answer = app.admin.form("/api/ui/runs/delete", &[("id", &run), ("next", "/")]).send().await.unwrap();
    let next = answer.headers()["location"].to_str().unwrap().to_owned();
    assert!(next.starts_with("/?flash="), "{next}");
    says(&page(&app, &next).await, &["Deleted: a sweep."]);
}

#[tokio::test]
async fn the_history_shows_medians_beside_p90_and_only_what_is_unusual() {
    let (_folder, app, run) = portal_with(report(json!({}))).await;
    let html = page(&app, "/").await;
    says(&html, &["TTFT p50\u{a0}·\u{a0}p90, ms", "8.00\u{a0}·\u{a0}8.00", "Short", &format!("menu-{run}")]);
    assert!(!html.contains(">Measured<") && !html.contains("badge-succeeded"), "an ordinary run has no marks");
    let found = app.admin.get("/api/v1/runs?search=MODEL+OF").await.expect(200);
    assert_eq!((&found["total"], &found["items"][0]["ttft_p90_ms"]), (&json!(1), &json!(8.0)));
}

#[tokio::test]
async fn figures_that_are_not_valid_are_behind_a_button_badged_and_never_chosen() {
    let reasons = json!({ "valid": false, "invalid_reasons": ["The client was the bottleneck."] });
    let (_folder, app, run) = portal_with(report(reasons)).await;
    let html = page(&app, &format!("/runs/{run}/report")).await;
    says(&html, &["The client was the bottleneck.", "Show figures anyway"]);
    assert!(!html.contains("id=\"sweep-pareto\"") && !html.contains("id=\"headline\""));
    let html = page(&app, &format!("/runs/{run}/report?figures=shown")).await;
    says(&html, &["id=\"sweep-pareto\"", "Not valid"]);
    assert!(!html.contains("chart-star"), "none is best");
}

#[tokio::test]
async fn a_search_and_the_self_check_are_told_in_words() {
    let (_folder, app, run) = portal_with(report(json!({
        "search": {
            "variable": "concurrency", "min": 1.0, "max": 64.0, "meets_at": 8.0, "fails_at": 32.0,
            "sentence": "At least 8 and fewer than 32 in flight meet the limits.",
        },
        "self_check": {
            "concurrency": 8, "requests": 200, "true_ttft_ms": 50.0, "true_itl_ms": 10.0, "checked_at_unix_ms": 1_795_000_000_000_i64,
            "cached": true, "ttft_error_ms": { "p50": 0.01, "p99": 0.05, "max": 0.2, "n": 200 },
        },
    })))
    .await;
    let html = page(&app, &format!("/runs/{run}/report")).await;
    says(
        &html,
        &[
            "At least 8 and fewer than 32 in flight meet the limits.",
            "1 and 64 requests in flight",
            "at most 0.0500 ms in 99 % of cases",
            "Taken over from a check of this machine",
        ],
    );
    assert!(!html.contains("true_ttft_ms"), "no raw names");
}

#[tokio::test]
async fn the_plan_can_be_had_and_repeats_without_a_secret() {
    let (_folder, app, run) = portal_with(report(json!({}))).await;
    let plan = app.admin.get(&format!("/api/v1/runs/{run}/plan")).await.expect(200);
    assert_eq!(plan["auth"]["api_key_env"], "SOME_KEY");
    assert!(plan.get("deadline_unix_ns").is_none() && plan.get("requests").is_none());
    assert_eq!(plan["load_points"].as_array().unwrap().len(), 2);
    let html = page(&app, &format!("/runs/{run}/report")).await;
    says(&html, &["dyno load --base-url", "--extra-body", "--api-key-env SOME_KEY"]);
    assert_eq!(app.nobody().get(&format!("/api/v1/runs/{run}/plan")).await.status, 401);
}
