//! Steps 7 and 8, and what is frozen.

use super::*;
use crate::domain::engine::EngineKind;
use crate::domain::inventory::DeviceType;
use crate::domain::problem::FieldError;
use crate::domain::workflow::sentence::requests_of_each;
use crate::domain::workflow::tests::world::*;
use crate::domain::workflow::{Refusal, draft_from, freeze, needs_to_run};

#[test]
fn the_benchmark_is_confirmed() {
    let mut wizard = Wizard::at(5);
    for fields in [json!({}), json!({ "user_confirmation": false }), json!({ "user_confirmation": null })] {
        wizard.refuses(7, fields, (7, "user_confirmation", "Confirm the benchmark to go on."));
    }
    assert_eq!(wizard.bad(7, json!({ "user_confirmation": "yes" }))[0].field, "user_confirmation");
    wizard.good(7, json!({ "user_confirmation": true }));
}

#[test]
fn nothing_is_triggered_before_step_8() {
    for step in 1..=7 {
        if step == 6 {
            continue;
        }
        let mut wizard = if step == 1 { Wizard::new() } else { Wizard::at(step - 1) };
        let mut fields = own_fields(step, "configuration", GGUF);
        fields["trigger_workflow"] = json!(true);
        let errors = wizard.bad(step, fields);
        assert_eq!((errors.len(), errors[0].field.as_str()), (1, "trigger_workflow"), "{step}");
    }
    Wizard::at(5).refuses(8, own_fields(8, "", GGUF), (7, "user_confirmation", "Confirm the benchmark first: step 7."));
    assert_eq!(Wizard::at(7).bad(8, json!({ "trigger_workflow": "yes" }))[0].field, "trigger_workflow");
}

fn simulate() -> serde_json::Value {
    json!({ "run_as_simulation": true, "trigger_workflow": true })
}

#[test]
fn obstacles_to_measurement_do_not_prevent_simulation() {
    let spec = Wizard::at(7).good(8, simulate()).start.unwrap();
    assert_eq!(spec.serving.engine, Some(EngineKind::LlamaCpp));

    // No engine, a node that is not Ready.
    let mut wizard = Wizard::new();
    wizard.go_to(7, "configuration", HUGGING_FACE);
    wizard.world.clusters[0].nodes = Ok(vec![node("fl4u42", "NotReady", &[DeviceType::Cpu])]);
    let found = wizard.bad(8, own_fields(8, "", HUGGING_FACE)).into_iter().map(|error| (error.step, error.field));
    assert_eq!(found.collect::<Vec<_>>(), [(Some(4), "nodes".to_owned()), (Some(5), "engine".to_owned())]);
    let spec = wizard.good(8, simulate()).start.unwrap();
    assert_eq!(spec.serving.engine, Some(EngineKind::Vllm));

    // an unreachable cluster: its last known nodes are used
    let mut wizard = Wizard::at(7);
    let cluster = &mut wizard.world.clusters[0];
    cluster.nodes = Err("It does not answer.".to_owned());
    let gone = wizard.bad(8, simulate());
    assert_eq!(gone, [FieldError::at(4, "nodes", "There is no node fl4u42 in cluster local.")]);
    wizard.world.clusters[0].last_seen = vec![node("fl4u42", "Ready", &[DeviceType::Cpu])];
    let message = "Cluster local can't be used. It does not answer.";
    wizard.refuses(8, own_fields(8, "", GGUF), (3, "cluster_id", message));
    assert!(wizard.good(8, simulate()).start.is_some());
}

#[test]
fn unsimulatable_benchmarks_are_refused_with_the_reason() {
    let mut wizard = Wizard::new();
    wizard.go_to(7, "configuration", OPENAI);
    let cloud = "A cloud model can't be simulated: what serves it is not known. Choose Run on cluster.";
    for trigger in [true, false] {
        let fields = json!({ "run_as_simulation": true, "trigger_workflow": trigger });
        wizard.refuses(8, fields, (8, "run_as_simulation", cloud));
    }
    for (step, fields, reason) in [
        (5, json!({ "pipeline_parallel": 2 }), "Pipeline parallelism can't be simulated yet"),
        (2, json!({ "endpoint": "embeddings", "max_output_tokens": null }), "Embeddings can't be simulated yet"),
    ] {
        let mut wizard = Wizard::at(7);
        wizard.good(step, fields);
        wizard.good(7, json!({ "user_confirmation": true }));
        let errors = wizard.bad(8, simulate());
        assert_eq!((errors.len(), errors[0].step, errors[0].field.as_str()), (1, Some(8), "run_as_simulation"));
        assert!(errors[0].message.starts_with(reason), "{}", errors[0].message);
    }
    // the simulator's own check of the nodes
    let mut wizard = Wizard::at(7);
    wizard.world.clusters[0].nodes = Ok(vec![node("fl4u42", "Ready", &[])]);
    wizard.refuses(8, simulate(), (4, "nodes", "fl4u42 has no device."));
}

#[test]
fn nothing_is_measured_on_the_catalogue() {
    let mut wizard = Wizard::at(2);
    let advance = wizard.good(3, json!({ "cluster_id": CATALOGUE }));
    let message = "Cluster catalogue is for simulation only. Choose Simulate, or another cluster.";
    let warning = FieldError::at(3, "cluster_id", message);
    assert_eq!(advance.warnings, std::slice::from_ref(&warning));
    wizard.good(4, json!({ "nodes": [{ "hostname": "h100-x8" }] }));
    wizard.good(5, json!({ "model_id": GGUF }));
    wizard.good(7, json!({ "user_confirmation": true }));
    assert_eq!(wizard.bad(8, own_fields(8, "", GGUF)), [warning]);
    assert!(wizard.good(8, simulate()).start.is_some());
}

#[test]
fn without_a_trigger_the_choice_is_saved() {
    let mut wizard = Wizard::at(7);
    wizard.refuses(8, json!({}), (8, "run_as_simulation", "Choose Simulate or Run on cluster."));
    let advance = wizard.good(8, json!({ "run_as_simulation": false, "trigger_workflow": false }));
    assert!(advance.start.is_none() && advance.is_changed && advance.dropped.is_empty());
    assert_eq!(advance.draft.steps.run_as_simulation, Some(false));
    assert!(advance.draft.steps.user_confirmation);
    // saved fields need not be sent again
    assert!(wizard.good(8, json!({ "trigger_workflow": true })).start.is_some());
}

#[test]
fn the_trigger_freezes_what_was_chosen() {
    let mut wizard = Wizard::at(7);
    let spec = wizard.good(8, own_fields(8, "", GGUF)).start.unwrap();
    assert_eq!((spec.name.as_str(), spec.cluster_name.as_str(), spec.model.name.as_str()), ("test-111", "local", "small"));
    assert_eq!(spec.serving.engine, Some(EngineKind::LlamaCpp));
    assert_eq!((spec.load.max_input_tokens, spec.load.max_output_tokens), (Some(50), Some(100)));
    assert_eq!(requests_of_each(&spec.load), Some(vec![500]), "ten for each of the 50 in flight");
    assert_eq!(spec.nodes[0].hostname, "fl4u42");

    let mut wizard = Wizard::new();
    wizard.go_to(1, "dataset", OPENAI);
    wizard.good(2, json!({ "datasets": [PROMPTS, CHATS] }));
    for step in 3..=7 {
        wizard.good(step, own_fields(step, "dataset", OPENAI));
    }
    let spec = wizard.good(8, own_fields(8, "", OPENAI)).start.unwrap();
    let names: Vec<&str> = spec.datasets.iter().map(|dataset| dataset.name.as_str()).collect();
    assert_eq!(names, ["prompts", "chats"]);
    assert_eq!((spec.serving.engine, spec.credential_id), (None, Some(OPENAI_KEY)));
}

#[test]
fn a_missing_engine_is_refused_at_the_trigger_and_saved_before() {
    let mut wizard = Wizard::new();
    wizard.go_to(7, "configuration", HUGGING_FACE);
    wizard.good(8, json!({ "run_as_simulation": false }));
    wizard.refuses(8, own_fields(8, "", HUGGING_FACE), (5, "engine", "vLLM is not installed. Install it with pip."));
}

#[test]
fn a_search_is_carried_out() {
    let mut wizard = Wizard::at(5);
    wizard.good(2, json!({ "slo": { "ttft_ms": 450, "search": { "min": 1, "max": 256 } } }));
    wizard.good(7, json!({ "user_confirmation": true }));
    let spec = wizard.good(8, own_fields(8, "", GGUF)).start.unwrap();
    assert_eq!(spec.load.slo.unwrap().search.unwrap().max, 256.0);
}

#[test]
fn a_search_that_can_not_be_carried_out_is_refused_where_it_is_given() {
    let points = "A search finds its load points by itself. Remove the load points, or the search.";
    let bounds = "A search for a concurrency goes from 1 at least to 10,000 at most.";
    for (fields, field, message) in [
        (
            json!({ "slo": { "ttft_ms": 1, "search": { "min": 1, "max": 9 } }, "load_points": [{ "concurrency": 8 }] }),
            "load_points",
            points,
        ),
        (json!({ "slo": { "ttft_ms": 1, "search": { "min": 0.2, "max": 9 } } }), "slo", bounds),
        (json!({ "slo": { "ttft_ms": 1, "search": { "min": 1, "max": 10_001 } } }), "slo", bounds),
        (json!({ "slo": { "ttft_ms": 1, "search": { "min": 1.2, "max": 1.8 } } }), "slo", bounds),
    ] {
        let mut wizard = Wizard::at(5);
        wizard.refuses(2, fields, (2, field, message));
    }
}

#[test]
fn everything_is_looked_at_again_at_the_trigger() {
    type Change = fn(&mut World);
    let changes: [(Change, u8, &str); 8] = [
        (|world| world.clusters.clear(), 3, "cluster_id"),
        (|world| world.clusters[0].nodes = Err("It is gone.".to_owned()), 3, "cluster_id"),
        (|world| world.clusters[0].nodes = Ok(vec![node("fl4u42", "NotReady", &[])]), 4, "nodes"),
        (|world| world.clusters[0].nodes = Ok(vec![node("other", "Ready", &[])]), 4, "nodes"),
        (|world| world.models[0].archived = true, 5, "model_id"),
        (|world| world.models.clear(), 5, "model_id"),
        (|world| world.models[0].facts.as_mut().unwrap().context_length = Some(100), 2, "max_output_tokens"),
        (|world| world.engines[0].available = false, 5, "engine"),
    ];
    for (change, step, field) in changes {
        let mut wizard = Wizard::at(7);
        change(&mut wizard.world);
        let errors = wizard.bad(8, own_fields(8, "", GGUF));
        let found: Vec<_> = errors.iter().map(|error| (error.step, error.field.as_str())).collect();
        assert_eq!(found, [(Some(step), field)], "{errors:?}");
        assert!(wizard.draft().run_id.is_none());
    }
    let mut wizard = Wizard::new();
    wizard.go_to(7, "dataset", OPENAI);
    wizard.world.datasets.clear();
    wizard.world.credentials.clear();
    let found: Vec<_> = wizard.bad(8, own_fields(8, "", OPENAI)).into_iter().map(|error| (error.step, error.field)).collect();
    assert_eq!(found, [(Some(2), "dataset_ids".to_owned()), (Some(6), "credential_id".to_owned())]);
}

#[test]
fn a_started_workflow_answers_again_and_is_not_edited() {
    let mut wizard = Wizard::at(7);
    wizard.good(8, own_fields(8, "", GGUF));
    let mut draft = wizard.draft().clone();
    (draft.benchmark_id, draft.run_id) = (Some(id(7)), Some(id(8)));
    wizard.draft = Some(draft.clone());

    // whatever the repeated body contains, and with an old revision
    for mut fields in [own_fields(8, "", GGUF), json!({ "run_as_simulation": true, "name": "other", "trigger_workflow": false })]
    {
        fields["if_revision"] = json!(1);
        let advance = wizard.good(8, fields);
        assert!(advance.start.is_none() && !advance.is_changed);
        assert_eq!(advance.draft, draft);
    }
    for step in 1..=7 {
        let result = wizard.send(step, own_fields(step, "configuration", GGUF));
        assert_eq!(result.unwrap_err(), Refusal::Started, "{step}");
    }
}

#[test]
fn a_copy_has_everything_but_the_confirmation() {
    for (eval_with, model) in [("configuration", GGUF), ("dataset", OPENAI), ("configuration", OWN_CLOUD)] {
        let mut wizard = Wizard::new();
        wizard.go_to(7, eval_with, model);
        let spec = wizard.good(8, own_fields(8, "", model)).start.unwrap();
        let mut copy = draft_from(&spec, id(5), id(6), jiff::Timestamp::UNIX_EPOCH);
        assert_eq!((copy.id, copy.owner, copy.current_step()), (id(5), id(6), 7));
        copy.steps.user_confirmation = true;
        let facts = wizard.world.look_up(&needs_to_run(&copy));
        assert_eq!(freeze(&copy, &facts), Ok(spec));
    }
}
