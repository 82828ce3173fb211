//! First and later calls, step numbering, and fields that don't belong.

use super::*;
use crate::domain::workflow::tests::world::*;
use crate::domain::workflow::{Body, Refusal};

fn errors_of(body: &serde_json::Value) -> Vec<(String, Option<u8>)> {
    Body::parse(body).unwrap_err().into_iter().map(|error| (error.field, error.step)).collect()
}

#[test]
fn many_errors_are_cut() {
    let mut body = json!({ "workflow_total_steps": 9, "step_number": 1 });
    for number in 0..1_000 {
        body[format!("{number}{}", "x".repeat(1_000))] = json!(0);
    }
    let errors = Body::parse(&body).unwrap_err();
    assert_eq!(errors.len(), 51);
    assert_eq!((errors[50].field.as_str(), errors[50].message.as_str()), ("body", "There are more errors. These are the first."));
    let text: usize = errors.iter().map(|error| error.field.len() + error.message.len()).sum();
    assert!(text < 51 * 250, "long names are not repeated whole: {text} bytes");
}

#[test]
fn the_first_call_has_total_steps_and_later_ones_the_id() {
    let details = own_fields(1, "configuration", GGUF);
    let with = |more: serde_json::Value| {
        let mut body = details.clone();
        body["step_number"] = json!(1);
        for (key, value) in more.as_object().unwrap() {
            body[key] = value.clone();
        }
        body
    };
    assert_eq!(errors_of(&with(json!({}))), [("workflow_id".to_owned(), None)]);
    assert_eq!(
        errors_of(&with(json!({ "workflow_id": NOWHERE, "workflow_total_steps": 9 }))),
        [("workflow_total_steps".to_owned(), None)]
    );
    for total in [8, 9] {
        let advance = Wizard::new().raw(&with(json!({ "workflow_total_steps": total }))).unwrap();
        assert_eq!((advance.draft.total_steps, advance.draft.revision, advance.draft.current_step()), (total, 1, 2));
    }
    for total in [json!(7), json!(10), json!(0), json!("9"), json!(8.5)] {
        assert_eq!(errors_of(&with(json!({ "workflow_total_steps": total })))[0].0, "workflow_total_steps");
    }
    assert_eq!(errors_of(&with(json!({ "workflow_id": "seven" })))[0].0, "workflow_id");
    // null counts as missing
    assert!(Body::parse(&with(json!({ "workflow_id": null, "workflow_total_steps": 9 }))).is_ok());
}

#[test]
fn a_workflow_begins_with_step_1() {
    let body = json!({ "workflow_total_steps": 9, "step_number": 3, "cluster_id": LOCAL });
    assert_eq!(errors_of(&body), [("step_number".to_owned(), Some(1))]);
}

#[test]
fn steps_go_from_1_to_8() {
    for step in [json!(0), json!(9), json!(-1), json!("2"), json!(2.5), json!(null), json!(1e300), json!(256)] {
        let body = json!({ "workflow_id": NOWHERE, "step_number": step });
        assert_eq!(errors_of(&body), [("step_number".to_owned(), None)], "{step}");
    }
    assert_eq!(errors_of(&json!({ "workflow_id": NOWHERE })), [("step_number".to_owned(), None)]);
}

#[test]
fn a_body_is_an_object() {
    for body in [json!(null), json!([]), json!("x"), json!(1)] {
        assert_eq!(errors_of(&body), [("body".to_owned(), None)]);
    }
}

#[test]
fn unknown_fields_and_those_of_another_step_are_named() {
    let mut wizard = Wizard::at(2);
    let errors = wizard.bad(3, json!({ "cluster_id": LOCAL, "colour": 1, "max_input_tokens": 5, "user_confirmation": true }));
    let mut found: Vec<(&str, Option<u8>)> = errors.iter().map(|error| (error.field.as_str(), error.step)).collect();
    found.sort_unstable();
    assert_eq!(found, [("colour", None), ("max_input_tokens", Some(2)), ("user_confirmation", Some(7))]);
    assert_eq!(wizard.draft().steps.cluster_id, None);
}

#[test]
fn no_step_is_skipped() {
    for (done, sent) in [(1, 3), (1, 8), (2, 4), (3, 5), (4, 7), (5, 8)] {
        let mut wizard = Wizard::at(done);
        let errors = wizard.bad(sent, own_fields(sent, "configuration", GGUF));
        let next = wizard.draft().current_step();
        assert_eq!(errors.len(), 1, "{done} {sent}: {errors:?}");
        assert_eq!(errors[0].step, Some(next), "after {done}, sending {sent}");
    }
}

#[test]
fn each_step_leads_to_the_next() {
    let mut wizard = Wizard::new();
    for (step, next) in [(1, 2), (2, 3), (3, 4), (4, 5), (5, 7), (7, 8)] {
        let advance = wizard.good(step, own_fields(step, "configuration", GGUF));
        assert_eq!(advance.draft.current_step(), next);
        assert!(advance.is_changed && advance.dropped.is_empty() && advance.start.is_none());
    }
    assert_eq!(wizard.draft().revision, 6);
}

#[test]
fn a_cloud_model_has_step_6() {
    let mut wizard = Wizard::new();
    wizard.go_to(5, "configuration", OPENAI);
    assert_eq!(wizard.draft().current_step(), 6);
    wizard.good(6, json!({ "credential_id": OPENAI_KEY }));
    assert_eq!(wizard.draft().current_step(), 7);
}

#[test]
fn a_call_for_no_draft_and_a_first_call_for_one_are_refused() {
    let body = json!({ "workflow_id": NOWHERE, "step_number": 3, "cluster_id": LOCAL });
    assert!(matches!(Wizard::new().raw(&body), Err(Refusal::Invalid(_))));
    let mut first = own_fields(1, "configuration", GGUF);
    first["step_number"] = json!(1);
    first["workflow_total_steps"] = json!(9);
    assert!(matches!(Wizard::at(1).raw(&first), Err(Refusal::Invalid(_))));
}

#[test]
fn the_specifications_examples_are_read_as_they_stand() {
    for (text, step) in [
        (include_str!("../../../../tests/fixtures/workflow/1-details-configuration.json"), 1),
        (include_str!("../../../../tests/fixtures/workflow/1-details-dataset.json"), 1),
        (include_str!("../../../../tests/fixtures/workflow/2-evaluation-configuration.json"), 2),
        (include_str!("../../../../tests/fixtures/workflow/2-evaluation-dataset.json"), 2),
        (include_str!("../../../../tests/fixtures/workflow/3-cluster.json"), 3),
        (include_str!("../../../../tests/fixtures/workflow/4-nodes.json"), 4),
        (include_str!("../../../../tests/fixtures/workflow/5-model.json"), 5),
        (include_str!("../../../../tests/fixtures/workflow/6-credential.json"), 6),
        (include_str!("../../../../tests/fixtures/workflow/7-confirmation.json"), 7),
        (include_str!("../../../../tests/fixtures/workflow/8-execute.json"), 8),
    ] {
        let body = Body::parse(&serde_json::from_str(text).unwrap()).unwrap();
        assert_eq!((body.step, body.trigger), (step, step == 8));
    }
}
