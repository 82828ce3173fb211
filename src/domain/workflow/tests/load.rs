//! Step 2.

use super::*;
use crate::domain::workflow::tests::world::*;
use dyno_measure::load::{Arrival, ArrivalProcess, Endpoint, LengthDistribution, OfferedLoad, Prefix};

fn with(more: serde_json::Value) -> serde_json::Value {
    let mut fields = own_fields(2, "configuration", GGUF);
    for (key, value) in more.as_object().unwrap() {
        fields[key] = value.clone();
    }
    fields
}

fn dataset_wizard() -> Wizard {
    let mut wizard = Wizard::new();
    wizard.go_to(1, "dataset", GGUF);
    wizard
}

#[test]
fn lengths_go_from_1_to_a_million() {
    Wizard::at(1).good(2, json!({ "max_input_tokens": 1, "max_output_tokens": 1_000_000 }));
    for bad in [json!(0), json!(1_000_001), json!("50"), json!(-3), json!(2.5)] {
        let message = "Input tokens must be a whole number between 1 and 1,000,000.";
        let errors = Wizard::at(1).bad(2, with(json!({ "max_input_tokens": bad })));
        assert_eq!(
            (errors[0].step, errors[0].field.as_str(), errors[0].message.as_str()),
            (Some(2), "max_input_tokens", message)
        );
    }
}

#[test]
fn both_lengths_are_needed() {
    Wizard::at(1).refuses(2, json!({ "max_output_tokens": 5 }), (2, "max_input_tokens", "Enter the input tokens."));
    Wizard::at(1).refuses(2, json!({ "max_input_tokens": 5 }), (2, "max_output_tokens", "Enter the output tokens."));
    assert_eq!(Wizard::at(1).bad(2, json!({})).len(), 2);
    // An embedding has no output.
    Wizard::at(1).good(2, json!({ "max_input_tokens": 5, "endpoint": "embeddings" }));
}

#[test]
fn datasets_have_three_spellings_and_one_meaning() {
    for field in ["dataset_ids", "datset_ids", "datasets"] {
        let mut wizard = dataset_wizard();
        let advance = wizard.good(2, json!({ field: [CHATS, PROMPTS], "max_output_tokens": 9 }));
        assert_eq!(advance.draft.steps.load.dataset_ids, [CHATS, PROMPTS]);
        assert_eq!(advance.draft.steps.load.max_output_tokens, Some(9));
    }
    let mut wizard = dataset_wizard();
    let message = "dataset_ids and datset_ids mean the same. Send one of them.";
    wizard.refuses(2, json!({ "datset_ids": [CHATS], "dataset_ids": [CHATS] }), (2, "datset_ids", message));
}

#[test]
fn at_least_one_dataset_and_only_those_that_are_there() {
    let mut wizard = dataset_wizard();
    wizard.refuses(2, json!({}), (2, "dataset_ids", "Choose at least one dataset."));
    wizard.refuses(2, json!({ "datset_ids": [] }), (2, "datset_ids", "Choose at least one dataset."));
    wizard.refuses(2, json!({ "dataset_ids": null }), (2, "dataset_ids", "Choose at least one dataset."));
    let unknown = format!("There is no dataset {NOWHERE}.");
    wizard.refuses(2, json!({ "dataset_ids": [CHATS, NOWHERE] }), (2, "dataset_ids", &unknown));
    wizard.refuses(2, json!({ "dataset_ids": [OLD_DATASET] }), (2, "dataset_ids", "old is archived. Choose another dataset."));
    wizard.refuses(2, json!({ "dataset_ids": ["x"] }), (2, "dataset_ids", "There is no dataset x."));
    let twice = format!("Dataset {CHATS} is chosen twice.");
    let errors = wizard.bad(2, json!({ "dataset_ids": [CHATS, CHATS] }));
    assert_eq!(errors[0].message, twice);
    assert_eq!(wizard.bad(2, json!({ "dataset_ids": CHATS }))[0].message, "Datasets must be a list of ids.");
}

#[test]
fn each_method_has_its_own_fields() {
    let errors = Wizard::at(1).bad(2, with(json!({ "datasets": [CHATS] })));
    assert_eq!((errors.len(), errors[0].field.as_str()), (1, "datasets"));
    let errors = dataset_wizard().bad(2, json!({ "dataset_ids": [CHATS], "max_input_tokens": 5 }));
    assert_eq!((errors.len(), errors[0].field.as_str()), (1, "max_input_tokens"));
}

#[test]
fn step_2_may_change_the_method() {
    let mut wizard = Wizard::at(2);
    let advance = wizard.good(2, json!({ "eval_with": "dataset", "dataset_ids": [CHATS] }));
    assert_eq!(advance.dropped, ["max_input_tokens", "max_output_tokens"]);
    assert_eq!(advance.draft.steps.load.dataset_ids, [CHATS]);
}

#[test]
fn the_models_context_limits_the_lengths() {
    let mut wizard = Wizard::at(5);
    let message = "Input plus output is 9,216 tokens; this model's context is 8,192.";
    let long = json!({ "max_input_tokens": 9_000, "max_output_tokens": 216 });
    wizard.refuses(2, json!({ "max_input_tokens": 8_000, "max_output_tokens": 1_216 }), (2, "max_input_tokens", message));
    wizard.refuses(2, long, (2, "max_input_tokens", "Input is 9,000 tokens; this model's context is 8,192."));
    wizard.good(2, json!({ "max_input_tokens": 8_000, "max_output_tokens": 192 }));

    // Before the model is known nothing limits them; then choosing it names step 2.
    let mut wizard = Wizard::at(1);
    wizard.good(2, json!({ "max_input_tokens": 1_216, "max_output_tokens": 8_000 }));
    wizard.good(3, own_fields(3, "configuration", GGUF));
    wizard.good(4, own_fields(4, "configuration", GGUF));
    wizard.refuses(5, json!({ "model_id": GGUF }), (2, "max_output_tokens", message));
    assert_eq!(wizard.draft().steps.model_id, None);
    wizard.good(5, json!({ "model_id": HUGGING_FACE }));
}

#[test]
fn an_embeddings_output_takes_no_context() {
    let mut wizard = Wizard::at(5);
    wizard.good(2, json!({ "max_input_tokens": 8_192, "max_output_tokens": 100, "endpoint": "embeddings" }));
}

#[test]
fn a_datasets_output_limit_fits_the_context() {
    let mut wizard = Wizard::new();
    wizard.go_to(5, "dataset", GGUF);
    let message = "Output is 8,193 tokens; this model's context is 8,192.";
    wizard.refuses(2, json!({ "max_output_tokens": 8_193 }), (2, "max_output_tokens", message));
}

#[test]
fn the_load_ends_by_number_or_by_time() {
    let both = with(json!({ "num_requests": 10, "duration_s": 5 }));
    let message = "Give a number of requests or a duration, not both.";
    Wizard::at(1).refuses(2, both, (2, "duration_s", message));

    let mut wizard = Wizard::at(1);
    wizard.good(2, with(json!({ "num_requests": 10 })));
    let advance = wizard.good(2, json!({ "duration_s": 7.5 }));
    assert_eq!((advance.draft.steps.load.num_requests, advance.draft.steps.load.duration_s), (None, Some(7.5)));
    assert_eq!(advance.dropped, ["num_requests"]);
    let advance = wizard.good(2, json!({ "duration_s": null }));
    assert_eq!((advance.draft.steps.load.duration_s, advance.dropped.len()), (None, 0));
}

#[test]
fn options_are_read() {
    let advance = Wizard::at(1).good(
        2,
        with(json!({
            "warmup_requests": 0, "num_requests": 640, "endpoint": "completions", "seed": u64::MAX, "prefix": { "share": 0.5 },
            "arrival": { "kind": "rate", "rate": 20, "process": "gamma", "burstiness": 0.5 },
            "load_points": [{ "rate": 5 }, { "rate": 10.5 }],
            "slo": { "percentile": 95, "ttft_ms": 450, "tpot_ms": 40 },
        })),
    );
    let steps = &advance.draft.steps;
    assert_eq!((steps.load.warmup_requests, steps.load.num_requests, steps.load.seed), (Some(0), Some(640), Some(u64::MAX)));
    assert_eq!(steps.load.endpoint, Some(Endpoint::Completions));
    let arrival = Arrival::Rate { rate: 20.0, process: ArrivalProcess::Gamma, burstiness: Some(0.5) };
    assert_eq!(steps.load.arrival, Some(arrival));
    assert_eq!(steps.load.load_points, [OfferedLoad::Rate { rate: 5.0 }, OfferedLoad::Rate { rate: 10.5 }]);
    let slo = steps.load.slo.clone().unwrap();
    assert_eq!((slo.percentile, slo.ttft_ms, slo.e2el_ms), (95.0, Some(450.0), None));
    assert_eq!(steps.load.prefix, Some(Prefix { share: 0.5 }));
}

#[test]
fn what_is_sent_is_read() {
    let advance = Wizard::at(1).good(
        2,
        with(json!({
            "input_lengths": { "kind": "uniform", "min": 5 }, "output_lengths": { "kind": "lognormal", "mean": 12, "std": 30.5 },
            "ramp_s": 0, "ignore_eos": false, "multi_turn": false,
        })),
    );
    let load = advance.draft.steps.load;
    assert_eq!(load.input_lengths, Some(LengthDistribution::Uniform { min: 5 }));
    assert_eq!(load.output_lengths, Some(LengthDistribution::Lognormal { mean: 12.0, std: 30.5 }));
    assert_eq!((load.ramp_s, load.ignore_eos, load.multi_turn), (Some(0.0), Some(false), Some(false)));
    let mut wizard = dataset_wizard();
    let load = wizard.good(2, json!({ "dataset_ids": [CHATS], "multi_turn": true, "ramp_s": 3.5 })).draft.steps.load;
    assert!(load.is_multi_turn() && load.ramp_s == Some(3.5));
}

#[test]
fn incompatible_workload_options_are_refused() {
    let own = |more: serde_json::Value| Wizard::at(1).bad(2, with(more));
    let of_dataset = |more: serde_json::Value| {
        let mut fields = json!({ "dataset_ids": [CHATS] });
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        dataset_wizard().bad(2, fields)
    };
    let rate = json!({ "kind": "rate", "rate": 5 });
    for (errors, field) in [
        (own(json!({ "input_lengths": { "kind": "uniform", "min": 900_000 } })), "input_lengths"),
        (own(json!({ "output_lengths": { "kind": "normal", "mean": 900_000, "std": 1 } })), "output_lengths"),
        (own(json!({ "output_lengths": { "kind": "uniform", "min": 1 }, "endpoint": "embeddings" })), "output_lengths"),
        (own(json!({ "multi_turn": true })), "multi_turn"),
        (own(json!({ "slo": { "ttft_ms": 5 }, "endpoint": "embeddings" })), "slo"),
        (own(json!({ "time_scale": 2 })), "time_scale"),
        (own(json!({ "ramp_s": 2, "arrival": rate })), "ramp_s"),
        (own(json!({ "ramp_s": 2, "load_points": [{ "rate": 1 }] })), "ramp_s"),
        (of_dataset(json!({ "input_lengths": { "kind": "fixed" } })), "input_lengths"),
        (of_dataset(json!({ "output_lengths": { "kind": "fixed" } })), "output_lengths"),
        (of_dataset(json!({ "multi_turn": true, "endpoint": "completions" })), "multi_turn"),
        (of_dataset(json!({ "multi_turn": true, "arrival": rate })), "multi_turn"),
        (of_dataset(json!({ "time_scale": 2 })), "time_scale"),
    ] {
        assert_eq!((errors.len(), errors[0].field.as_str(), errors[0].step), (1, field, Some(2)), "{errors:?}");
    }
}

#[test]
fn a_trace_stands_alone() {
    let mut wizard = dataset_wizard();
    wizard.good(2, json!({ "dataset_ids": [TRACE], "time_scale": 2, "num_requests": 5 }));
    for (fields, field) in [
        (json!({ "dataset_ids": [TRACE, CHATS] }), "dataset_ids"),
        // the dataset was chosen before
        (json!({ "arrival": { "kind": "closed" } }), "arrival"),
        (json!({ "load_points": [{ "concurrency": 8 }] }), "load_points"),
        (json!({ "ramp_s": 1 }), "ramp_s"),
        (json!({ "multi_turn": true }), "multi_turn"),
        (json!({ "slo": { "ttft_ms": 1, "search": { "min": 1, "max": 5 } } }), "slo"),
        (json!({ "dataset_ids": [CHATS] }), "time_scale"),
    ] {
        let errors = wizard.bad(2, fields);
        assert_eq!((errors.len(), errors[0].field.as_str()), (1, field), "{errors:?}");
    }
}

#[test]
fn a_provider_is_not_asked_to_ignore_the_end() {
    let mut wizard = Wizard::at(4);
    wizard.good(2, json!({ "ignore_eos": true }));
    let message = "gpt runs at OpenAI, which can't be told to ignore the end of an answer.";
    wizard.refuses(5, json!({ "model_id": OPENAI }), (2, "ignore_eos", message));
    wizard.good(5, json!({ "model_id": OWN_CLOUD }));
    wizard.good(2, json!({ "ignore_eos": false }));
    wizard.good(5, json!({ "model_id": OPENAI }));
    wizard.refuses(2, json!({ "ignore_eos": true }), (2, "ignore_eos", message));
}

#[test]
fn wrong_options_are_refused_at_their_field() {
    for (field, bad) in [
        ("warmup_requests", json!(-1)),
        ("num_requests", json!(0)),
        ("num_requests", json!("many")),
        ("duration_s", json!(0)),
        ("duration_s", json!(-5)),
        ("endpoint", json!("images")),
        ("seed", json!(-1)),
        ("prefix", json!({ "share": 1.5 })),
        ("prefix", json!({ "share": 0.5, "x": 1 })),
        ("prefix", json!(0.5)),
        ("arrival", json!("closed")),
        ("arrival", json!({ "kind": "open" })),
        ("arrival", json!({ "kind": "closed", "rate": 5 })),
        ("arrival", json!({ "kind": "rate" })),
        ("arrival", json!({ "kind": "rate", "rate": 0 })),
        ("arrival", json!({ "kind": "rate", "rate": "5" })),
        ("arrival", json!({ "kind": "rate", "rate": 5, "process": "uniform" })),
        ("arrival", json!({ "kind": "rate", "rate": 5, "process": "gamma", "burstiness": 0 })),
        ("arrival", json!({ "kind": "rate", "rate": 5, "burstiness": 2 })),
        ("load_points", json!([{ "concurrency": 8 }, { "rate": 5 }])),
        ("load_points", json!([{ "concurrency": 0 }])),
        ("load_points", json!([{ "concurrency": 10_001 }])),
        ("load_points", json!([{ "rate": -1 }])),
        ("load_points", json!([{ "concurrency": 8, "rate": 5 }])),
        ("load_points", json!([{}])),
        ("load_points", json!([8])),
        ("load_points", json!([{ "concurrency": 8 }, { "concurrency": 8 }])),
        ("load_points", json!({ "concurrency": 8 })),
        ("slo", json!({})),
        ("slo", json!({ "percentile": 99 })),
        ("slo", json!({ "ttft_ms": 0 })),
        ("slo", json!({ "ttft_ms": 1, "percentile": 100 })),
        ("slo", json!({ "ttft_ms": 1, "search": { "min": 5, "max": 5 } })),
        ("slo", json!({ "ttft_ms": 1, "search": { "min": 5 } })),
        ("slo", json!({ "ttft": 1 })),
        ("input_lengths", json!("uniform")),
        ("input_lengths", json!({ "kind": "gamma" })),
        ("input_lengths", json!({ "kind": "fixed", "min": 1 })),
        ("input_lengths", json!({ "kind": "uniform" })),
        ("input_lengths", json!({ "kind": "uniform", "min": 0 })),
        ("output_lengths", json!({ "kind": "normal", "mean": 5 })),
        ("output_lengths", json!({ "kind": "lognormal", "mean": 5, "std": 0 })),
        ("ramp_s", json!(-1)),
        ("ramp_s", json!(3_601)),
        ("multi_turn", json!("yes")),
        ("ignore_eos", json!(1)),
        ("time_scale", json!(0)),
    ] {
        let errors = Wizard::at(1).bad(2, with(json!({ field: bad })));
        assert_eq!((errors.len(), errors[0].field.as_str(), errors[0].step), (1, field, Some(2)), "{field} {bad}: {errors:?}");
    }
}

#[test]
fn load_points_go_with_the_arrival() {
    let rate = json!({ "kind": "rate", "rate": 5 });
    for (arrival, points) in [(rate, json!([{ "concurrency": 8 }])), (json!({ "kind": "closed" }), json!([{ "rate": 5 }]))] {
        let errors = Wizard::at(1).bad(2, with(json!({ "arrival": arrival, "load_points": points })));
        assert_eq!((errors.len(), errors[0].field.as_str()), (1, "load_points"));
    }
    Wizard::at(1).good(2, with(json!({ "load_points": [{ "concurrency": 8 }, { "concurrency": 16 }] })));
}
