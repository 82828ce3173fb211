//! Sending a step again: changes, dropped fields, conflicts.

use super::*;
use crate::domain::workflow::Refusal;
use crate::domain::workflow::tests::world::*;

#[test]
fn the_same_again_changes_nothing() {
    for model in [GGUF, OPENAI] {
        let mut wizard = Wizard::new();
        wizard.go_to(7, "configuration", model);
        let before = wizard.draft().clone();
        for step in (1..=7).filter(|step| *step != 6 || model == OPENAI) {
            let mut fields = own_fields(step, "configuration", model);
            for (key, value) in own_fields(1, "configuration", model).as_object().unwrap() {
                fields[key] = value.clone();
            }
            let advance = wizard.good(step, fields);
            assert!(!advance.is_changed && advance.dropped.is_empty(), "{step}");
        }
        assert_eq!(*wizard.draft(), before);
    }
}

#[test]
fn another_spelling_of_the_same_is_no_change() {
    let mut wizard = Wizard::at(7);
    assert!(!wizard.good(1, json!({ "name": "  test-111 ", "concurrent_requests": 50.0 })).is_changed);
    assert!(
        !wizard.good(4, json!({ "nodes": [{ "hostname": "fl4u42", "devices": [{ "type": "cpu" }], "status": "x" }] })).is_changed
    );

    let mut wizard = Wizard::at(2);
    wizard.good(3, json!({ "cluster_id": GPUS }));
    wizard.good(4, json!({ "nodes": [{ "hostname": "gpu-01" }, { "hostname": "gpu-02" }] }));
    assert!(!wizard.good(4, json!({ "nodes": [{ "hostname": "gpu-02" }, { "hostname": "gpu-01" }] })).is_changed);
}

#[test]
fn what_was_kept_need_not_be_sent_again() {
    let mut wizard = Wizard::at(5);
    let advance = wizard.good(2, json!({ "max_output_tokens": 64 }));
    assert_eq!((advance.draft.steps.load.max_input_tokens, advance.draft.steps.load.max_output_tokens), (Some(50), Some(64)));
    assert_eq!(advance.draft.current_step(), 7);
    let advance = wizard.good(1, json!({ "name": "other" }));
    assert_eq!((advance.draft.steps.load.concurrent_requests, advance.draft.current_step()), (50, 7));
}

#[test]
fn a_changed_cluster_drops_nodes_and_confirmation() {
    let mut wizard = Wizard::at(7);
    wizard.good(8, json!({ "run_as_simulation": false }));
    let advance = wizard.good(3, json!({ "cluster_id": GPUS }));
    assert_eq!(advance.dropped, ["nodes", "user_confirmation"]);
    assert_eq!(advance.draft.current_step(), 4);
    assert_eq!(advance.draft.steps.model_id, Some(GGUF));
    // After the nodes only the confirmation is missing.
    wizard.good(4, json!({ "nodes": [{ "hostname": "gpu-01" }] }));
    assert_eq!(wizard.draft().current_step(), 7);
}

#[test]
fn a_changed_method_drops_step_2() {
    let mut wizard = Wizard::at(1);
    wizard.good(2, json!({ "max_input_tokens": 50, "max_output_tokens": 100, "num_requests": 10, "seed": 1 }));
    wizard.good(3, own_fields(3, "", GGUF));
    let advance = wizard.good(1, json!({ "eval_with": "dataset" }));
    assert_eq!(advance.dropped, ["max_input_tokens", "max_output_tokens", "num_requests", "seed"]);
    assert_eq!(advance.draft.current_step(), 2);
    assert_eq!(advance.draft.steps.cluster_id, Some(LOCAL));
}

#[test]
fn a_changed_model_drops_the_credential() {
    let mut wizard = Wizard::new();
    wizard.go_to(7, "configuration", OPENAI);
    let advance = wizard.good(5, json!({ "model_id": OWN_CLOUD }));
    assert_eq!(advance.dropped, ["credential_id", "user_confirmation"]);
    assert_eq!(advance.draft.current_step(), 6);

    // a skipped credential has to be chosen or skipped again
    wizard.good(7, json!({ "user_confirmation": true }));
    wizard.good(5, json!({ "model_id": OPENAI }));
    assert_eq!(wizard.draft().current_step(), 6);
}

#[test]
fn a_changed_model_drops_an_engine_that_cannot_read_it() {
    let mut wizard = Wizard::at(4);
    wizard.good(5, json!({ "model_id": HUGGING_FACE, "engine": "vllm", "tensor_parallel": 2, "engine_args": ["--seed=1"] }));
    let advance = wizard.good(5, json!({ "model_id": GGUF }));
    assert_eq!(advance.dropped, ["engine", "engine_args"]);
    assert_eq!(advance.draft.steps.serving.tensor_parallel, Some(2));
    let advance = wizard.good(5, json!({ "model_id": OPENAI }));
    assert_eq!(advance.dropped, ["tensor_parallel"]);
}

#[test]
fn any_change_drops_the_confirmation() {
    for (step, fields) in [
        (1, json!({ "description": "more" })),
        (2, json!({ "max_input_tokens": 51 })),
        (2, json!({ "warmup_requests": 3 })),
        (5, json!({ "replicas": 2 })),
        (3, json!({ "cluster_id": LOCAL, "tags": ["x"] })),
    ] {
        let mut wizard = Wizard::at(7);
        let advance = wizard.good(step, fields);
        assert_eq!(advance.dropped, ["user_confirmation"], "{step}");
        assert_eq!(advance.draft.current_step(), 7);
    }
}

#[test]
fn a_confirmation_confirms_what_its_own_body_changes() {
    let mut wizard = Wizard::at(7);
    let advance = wizard.good(7, json!({ "user_confirmation": true, "name": "other" }));
    assert!(advance.dropped.is_empty() && advance.draft.steps.user_confirmation);
    assert_eq!(advance.draft.steps.name, "other");
}

#[test]
fn a_trigger_does_not_change_what_was_confirmed() {
    let mut wizard = Wizard::at(7);
    let mut fields = own_fields(8, "", GGUF);
    fields["name"] = json!("other");
    let errors = wizard.bad(8, fields);
    assert_eq!((errors.len(), errors[0].step, errors[0].field.as_str()), (1, Some(7), "user_confirmation"));
    assert_eq!(wizard.draft().steps.name, "test-111");
    assert!(wizard.draft().steps.user_confirmation);
}

#[test]
fn a_body_applies_wholly_or_not_at_all() {
    let mut wizard = Wizard::at(2);
    let before = wizard.draft().clone();
    let errors = wizard.bad(3, json!({ "cluster_id": NOWHERE, "name": "new name", "concurrent_requests": 0 }));
    assert_eq!(errors.len(), 1, "what can't be read is told first: {errors:?}");
    let errors = wizard.bad(3, json!({ "cluster_id": NOWHERE, "name": "new name" }));
    assert_eq!(errors[0].field, "cluster_id");
    assert_eq!(*wizard.draft(), before);
}

#[test]
fn a_stale_revision_is_told_what_changed() {
    let mut wizard = Wizard::at(5);
    let seen = wizard.draft().revision;
    wizard.good(1, json!({ "name": "theirs" }));
    wizard.good(3, json!({ "cluster_id": GPUS }));
    let before = wizard.draft().clone();
    let refusal = wizard.send(2, json!({ "max_input_tokens": 60, "if_revision": seen })).unwrap_err();
    let changed = ["cluster_id", "name", "nodes"].map(str::to_owned).to_vec();
    assert_eq!(refusal, Refusal::Stale { changed: changed.clone() });
    assert_eq!(*wizard.draft(), before);
    let problem = crate::domain::problem::Problem::from(refusal);
    assert_eq!((problem.kind.status(), problem.changed), (409, Some(changed)));
    assert_eq!(problem.detail, "This draft was changed elsewhere meanwhile: cluster, name and nodes. Nothing was saved.");

    // with the current revision, or without one, it is saved: the last write wins
    let now = wizard.draft().revision;
    let advance = wizard.good(2, json!({ "max_input_tokens": 60, "if_revision": now }));
    assert_eq!(advance.draft.revision, now + 1);
    wizard.good(2, json!({ "max_input_tokens": 61 }));
    assert!(matches!(wizard.send(2, json!({ "if_revision": 99 })), Err(Refusal::Stale { .. })));
    assert_eq!(wizard.bad(2, json!({ "if_revision": "1" }))[0].field, "if_revision");
}
