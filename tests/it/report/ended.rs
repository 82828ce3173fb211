//! The page of a run that is over: how it ended and what was found, and nothing of its progress.

use dyno::domain::event::{RunEnd, RunEvent};
use dyno::domain::user::{Actor, Role};
use dyno::store::{RunUpdate, Store};
use dyno_measure::load::{Slo, SloSearch};
use dyno_measure::report::Report;
use dyno_measure::run::RunStatus;
use serde_json::{Value, json};

use super::sweep::{page, says};
use crate::store::samples::{at, benchmark, kept_run_of};
use crate::support::TestApp;

/// The page of a search that ended like this, its last snapshot and its report.
async fn ended(end: RunEnd, progress: Value, report: Option<Value>, search: bool) -> String {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&Store::default_url(folder.path()), folder.path()).await.unwrap();
    let user = store.create_user("anna", Role::Administrator, at(0)).await.unwrap();
    let anna = Actor { id: user.id, name: user.name, role: user.role };
    let mut asked = benchmark(&anna, "how many at once", None);
    let bounds = search.then_some(SloSearch { min: 1.0, max: 64.0 });
    asked.spec.load.slo = Some(Slo { percentile: 90.0, ttft_ms: None, tpot_ms: Some(8.0), e2el_ms: None, search: bounds });
    let (_, run) = kept_run_of(&store, &anna, asked, 1).await;
    let report = report.map(|report| Report { run_id: run.id, ..serde_json::from_value(report).unwrap() });
    let snapshot = RunEvent::Progress(serde_json::from_value(progress).unwrap());
    let events = vec![(at(5), snapshot), (at(9), RunEvent::End(end))];
    store.update_run(run.id, &RunUpdate { events, report, ..RunUpdate::default() }, at(9)).await.unwrap();
    drop(store);
    let app = TestApp::on(folder.path(), |_| {}).await;
    page(&app, &format!("/runs/{}", run.id)).await
}

fn in_flight(concurrency: u32) -> Value {
    json!({ "kind": "concurrency", "concurrency": concurrency })
}

fn finished(concurrency: u32, requests: u64, meets: bool) -> Value {
    json!({
        "load": in_flight(concurrency), "requests": requests, "failed": 0, "output_throughput": 1240.0, "latencies": {},
        "limits": [{ "latency": "tpot_ms", "value_ms": 7.5, "meets": meets }], "meets_slo": meets, "ended_early": !meets,
    })
}

/// The third load of a search, of whose 100 requests so many have ended.
fn snapshot(completed: u64, finished: &[Value]) -> Value {
    json!({
        "load_point": 2, "load_points": 8, "phase": "measured", "elapsed_ms": 9000, "issued": 100, "completed": completed,
        "failed": 0, "in_flight": 0, "total": 100, "output_tokens_per_s": 900.0, "ttft_ms": 20.0, "tpot_ms": 7.5,
        "eta_ms": 61000, "load": in_flight(13), "finished": finished,
        "next": { "kind": "depends", "if_met": in_flight(18), "if_not": in_flight(12) },
    })
}

fn report() -> Value {
    let point = |concurrency: u32, meets: bool| {
        json!({
            "concurrency": concurrency, "total_requests": 100, "successful_requests": 100, "output_throughput": 1240.0,
            "meets_slo": meets,
        })
    };
    let points = json!([point(12, true), point(24, false), point(13, false)]);
    json!({
        "run_id": uuid::Uuid::nil(), "kind": "measured", "status": "succeeded", "valid": true, "invalid_reasons": [],
        "summary": points[0], "load_points": points, "best": 0, "nodes": [], "provenance": {},
    })
}

#[track_caller]
fn shows_no_progress(html: &str) {
    for leftover in ["<progress", " left", "of at most", "Load point 3", "Next: ", "To come"] {
        assert!(!html.contains(leftover), "{leftover:?} in\n{html}");
    }
    says(html, &["View report"]);
}

#[tokio::test]
async fn a_search_that_succeeded_says_what_it_found() {
    let all = [finished(12, 100, true), finished(24, 34, false), finished(13, 100, false)];
    let end = RunEnd { status: RunStatus::Succeeded, reason: None };
    let html = ended(end, snapshot(100, &all), Some(report()), true).await;
    shows_no_progress(&html);
    let verdict = "12 requests in flight meet TPOT p90 ≤ 8 ms; 13 do not";
    says(&html, &["The run has succeeded.", verdict, "234 requests at 3 load points"]);
}

#[tokio::test]
async fn one_that_was_cancelled_says_where_and_what_was_measured_until_then() {
    let end = || RunEnd { status: RunStatus::Cancelled, reason: Some("Cancelled by anna.".to_owned()) };
    let some = [finished(12, 100, true), finished(24, 34, false)];
    let html = ended(end(), snapshot(40, &some), Some(report()), true).await;
    shows_no_progress(&html);
    let where_to = "174 requests at 3 load points; the last, 13 in flight, had 40 of its 100";
    says(&html, &["Cancelled by anna.", where_to, "Not finished: 40 of 100"]);
    let sweep = ended(end(), snapshot(40, &some), None, false).await;
    shows_no_progress(&sweep);
    says(&sweep, &["174 requests at 3 of 8 load points; the last, 13 in flight, had 40 of its 100", "Nothing was measured"]);
}

#[tokio::test]
async fn one_that_failed_says_why_and_that_nothing_was_found() {
    let reason = "Engine stopped (exit 137) after 0 of 100 requests.";
    let end = RunEnd { status: RunStatus::Failed, reason: Some(reason.to_owned()) };
    let html = ended(end, snapshot(0, &[finished(12, 100, true), finished(24, 34, false)]), None, true).await;
    shows_no_progress(&html);
    says(&html, &[reason, "Nothing was measured"]);
}
