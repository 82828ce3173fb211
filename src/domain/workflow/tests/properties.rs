//! Properties that hold for any body.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::domain::workflow::Body;
use crate::domain::workflow::fields::{CALL, DETAILS, of_steps};
use crate::domain::workflow::tests::world::*;

/// Any JSON, not too deep.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (0..12_000_i64).prop_map(Value::from),
        ".{0,60}".prop_map(Value::from),
        prop::sample::select(vec!["configuration", "dataset", "closed", "rate", "gamma", "vllm", "fl4u42"]).prop_map(Value::from),
        prop::sample::select(vec![LOCAL, GPUS, GGUF, OPENAI, CHATS, OPENAI_KEY, NOWHERE])
            .prop_map(|id| Value::from(id.to_string())),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        let key = prop_oneof![
            prop::sample::select(vec![
                "kind",
                "rate",
                "concurrency",
                "hostname",
                "devices",
                "type",
                "name",
                "color",
                "share",
                "min",
                "max"
            ])
            .prop_map(str::to_owned),
            "[a-z]{1,6}",
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(key, inner, 0..5).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// A body with real field names and arbitrary values.
fn any_body() -> impl Strategy<Value = Value> {
    let names: Vec<&'static str> = CALL.into_iter().chain(DETAILS).chain(of_steps()).collect();
    let fields = prop::collection::vec((prop::sample::select(names), any_json()), 0..8);
    (fields, 0..10_u8, any::<bool>()).prop_map(|(fields, step, later)| {
        let mut body: serde_json::Map<String, Value> = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        body.insert("step_number".to_owned(), step.into());
        if later {
            body.insert("workflow_id".to_owned(), id(0x99).to_string().into());
            body.remove("workflow_total_steps");
        }
        Value::Object(body)
    })
}

/// A body of one step with mostly valid values, so that many are accepted.
fn likely_body() -> impl Strategy<Value = (u8, Value)> {
    let pick = |options: Vec<Value>| prop::sample::select(options);
    let names = pick(vec![json!("a"), json!("b"), json!(""), json!(" a ")]);
    let step = prop_oneof![
        names.prop_map(|name| (1, json!({ "name": name }))),
        pick(vec![json!("configuration"), json!("dataset")]).prop_map(|method| (1, json!({ "eval_with": method }))),
        (0..9_000_u32, 0..9_000_u32)
            .prop_map(|(input, output)| (2, json!({ "max_input_tokens": input, "max_output_tokens": output }))),
        pick(vec![json!([CHATS]), json!([PROMPTS, CHATS]), json!([OLD_DATASET]), json!([])])
            .prop_map(|datasets| (2, json!({ "datasets": datasets }))),
        pick(vec![json!(5), json!(null)]).prop_map(|number| (2, json!({ "num_requests": number }))),
        pick(vec![json!(5), json!(null)]).prop_map(|seconds| (2, json!({ "duration_s": seconds }))),
        pick(vec![json!(LOCAL), json!(GPUS), json!(SILENT)]).prop_map(|cluster| (3, json!({ "cluster_id": cluster }))),
        pick(vec![json!("fl4u42"), json!("gpu-01"), json!("gpu-03")])
            .prop_map(|hostname| (4, json!({ "nodes": [{ "hostname": hostname, "devices": [{ "type": "cpu" }] }] }))),
        (pick(vec![json!(1), json!(60), json!(null)]), pick(vec![json!(500), json!(null)]))
            .prop_map(|(pods, cpu)| (4, json!({ "load_pods": pods, "load_cpu_millicores": cpu }))),
        (pick(vec![json!(GGUF), json!(HUGGING_FACE), json!(OPENAI), json!(OWN_CLOUD)]), pick(vec![json!("vllm"), json!(null)]))
            .prop_map(|(model, engine)| (5, json!({ "model_id": model, "engine": engine }))),
        pick(vec![json!(OPENAI_KEY), json!(OWN_KEY), json!(null)]).prop_map(|key| (6, json!({ "credential_id": key }))),
        any::<bool>().prop_map(|confirmed| (7, json!({ "user_confirmation": confirmed }))),
        any::<bool>().prop_map(|trigger| (8, json!({ "run_as_simulation": false, "trigger_workflow": trigger }))),
    ];
    step.boxed()
}

proptest! {
    #[test]
    fn reading_never_panics(body in any_json()) {
        let _ = Body::parse(&body);
    }

    #[test]
    fn a_body_of_any_values_never_panics_and_is_refused_with_fields(body in any_body(), done in 0..=7_u8) {
        let mut wizard = if done == 0 { Wizard::new() } else { Wizard::at(done) };
        let before = wizard.draft.clone();
        if let Err(crate::domain::workflow::Refusal::Invalid(errors)) = wizard.raw(&body) {
            prop_assert!(!errors.is_empty());
            prop_assert!(errors.iter().all(|error| !error.field.is_empty() && error.message.ends_with('.')), "{errors:?}");
            prop_assert_eq!(&wizard.draft, &before);
        }
    }

    #[test]
    fn invariants_hold_for_any_sequence_of_bodies(walk in prop::collection::vec(likely_body(), 1..30)) {
        let mut wizard = Wizard::at(1);
        for (step, fields) in walk {
            let before = wizard.draft().clone();
            let Ok(advance) = wizard.send(step, fields.clone()) else {
                prop_assert_eq!(wizard.draft(), &before);
                continue;
            };
            let after = advance.draft;
            prop_assert_eq!(after.revision, before.revision + u64::from(advance.is_changed));
            // dropped fields existed before and not after
            for field in &advance.dropped {
                prop_assert!(before.steps.fields().contains_key(field) && !after.steps.fields().contains_key(field));
            }
            // only a finished draft is started, and confirmed values don't change unnoticed
            prop_assert!(advance.start.is_none() || (after.missing_before(8).is_none() && after.steps.user_confirmation));
            if after.steps.user_confirmation && step < 7 {
                prop_assert_eq!(&after.steps, &before.steps);
            }
            // sending the same again changes nothing
            let again = wizard.send(step, fields).unwrap();
            prop_assert!(!again.is_changed && again.dropped.is_empty());
            // a sender with the current revision is not stale, and the answer can be stored
            prop_assert!(after.changed_since(after.revision).is_empty());
            let stored = serde_json::to_value(&after).unwrap();
            prop_assert_eq!(serde_json::from_value::<crate::domain::workflow::Draft>(stored).unwrap(), after);
        }
    }
}
