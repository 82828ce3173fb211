//! Documents that 0.1.0 kept, read by today's code.

use dyno::domain::benchmark::BenchmarkSpec;
use dyno::domain::event::RunEvent;
use dyno::domain::workflow::Draft;
use dyno_measure::report::Report;
use dyno_measure::run::RunStatus;
use serde_json::{Value, json};

fn kept(name: &str) -> Value {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/kept/0.1.0").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// As the store puts name and data together.
fn event(row: &Value) -> RunEvent {
    serde_json::from_value(json!({ "event": row["name"], "data": row["data"] })).unwrap()
}

#[test]
fn events() {
    let rows = kept("run_events.json");
    let events: Vec<RunEvent> = rows.as_array().unwrap().iter().map(event).collect();
    assert!(matches!(events.last(), Some(RunEvent::End(end)) if end.status == RunStatus::Succeeded));
    let mut later = rows[0].clone();
    later["data"]["weight"] = json!(3);
    assert_eq!(event(&later), events[0], "what a later version adds is passed over");
}

#[test]
fn a_benchmark_a_draft_and_a_report() {
    let spec: BenchmarkSpec = serde_json::from_value(kept("benchmark.json")).unwrap();
    assert_eq!((spec.name.as_str(), spec.load.load_points.len()), ("kept", 2));
    let mut draft = kept("draft.json");
    let of_first: Draft = serde_json::from_value(draft.clone()).unwrap();
    assert_eq!((of_first.schema_version, of_first.steps.name.as_str(), of_first.steps.nodes.len()), (1, "kept", 1));
    draft["steps"]["weight"] = json!(3);
    draft["weight"] = json!(3);
    assert_eq!(serde_json::from_value::<Draft>(draft).unwrap(), of_first, "what a later version adds is passed over");
    let report: Report = serde_json::from_value(kept("report.json")).unwrap();
    assert_eq!((report.schema_version, report.status, report.load_points.len()), (1, RunStatus::Succeeded, 2));
}
