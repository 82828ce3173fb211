//! Documents that 0.1.0 kept, read by today's code.

use dyno::domain::benchmark::BenchmarkSpec;
use dyno::domain::event::RunEvent;
use dyno::domain::workflow::WorkflowSteps;
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
    let draft = kept("draft.json");
    let steps: WorkflowSteps = serde_json::from_value(draft.get("steps").unwrap_or(&draft).clone()).unwrap();
    assert_eq!((steps.name.as_str(), steps.nodes.len()), ("kept", 1));
    let report: Report = serde_json::from_value(kept("report.json")).unwrap();
    assert_eq!((report.status, report.load_points.len()), (RunStatus::Succeeded, 2));
}
