//! What an earlier version has written is read by today's code.

use dyno_measure::plan::{Load, Plan};
use dyno_measure::report::{NoteKind, Report};

#[test]
fn a_plan_and_a_report_of_0_1_0_are_read() {
    let plan: Plan = serde_json::from_str(include_str!("fixtures/0.1.0/plan.json")).unwrap();
    plan.check().unwrap();
    assert_eq!((plan.schema_version, plan.seed, plan.retry_429, plan.insecure), (1, 7, Some(2), false));
    assert!(matches!(plan.load_points[1].load, Load::Rate { max_in_flight: 16, .. }));

    let report: Report = serde_json::from_str(include_str!("fixtures/0.1.0/report.json")).unwrap();
    assert_eq!((report.load_points.len(), report.best), (2, 1));
    assert_eq!((report.summary.total_input_tokens, report.summary.total_output_tokens), (Some(168), Some(210)));
    let kinds: Vec<_> = report.notes[4..].iter().map(|note| (note.kind, note.load_point)).collect();
    let (short, input) = (NoteKind::NoSteadyState, NoteKind::InputLength);
    assert_eq!(kinds, [(short, Some(0)), (input, Some(0)), (short, Some(1)), (input, Some(1))]);
    assert_eq!(report.notes[1].text, "Prompts share 25 % of their words as a prefix.");
    let kept: Plan = report.provenance.plan().unwrap();
    assert_eq!(kept, plan);
}
