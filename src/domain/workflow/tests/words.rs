//! Wording.

use strum::VariantArray as _;

use super::*;
use crate::domain::dataset::Dataset;
use crate::domain::workflow::fields::{labels, title};
use crate::domain::workflow::sentence::{all_requests, amount_words, load_words, untimed_sentence, whole_sentence};
use crate::domain::workflow::tests::world::*;
use crate::domain::workflow::{WizardPage, WorkflowAnswer, WorkflowRow, load_sentence, trace_sentence};
use dyno_measure::dataset::TraceFacts;
use dyno_measure::load::LoadSpec;
use dyno_measure::words::{about as duration, grouped};

fn load(step_2: serde_json::Value, concurrency: u32, eval_with: &str) -> LoadSpec {
    let mut wizard = Wizard::new();
    wizard.go_to(1, eval_with, GGUF);
    wizard.good(1, json!({ "concurrent_requests": concurrency }));
    wizard.good(2, step_2).draft.steps.load.clone()
}

#[test]
fn the_load_in_one_sentence() {
    let lengths = json!({ "max_input_tokens": 512, "max_output_tokens": 128 });
    let with = |more: serde_json::Value| {
        let mut fields = lengths.clone();
        for (key, value) in more.as_object().unwrap() {
            fields[key] = value.clone();
        }
        fields
    };
    for (load, rows, seconds, sentence) in [
        (
            load(with(json!({})), 128, "configuration"),
            None,
            Some(240.0),
            "1,280 requests, 128 in flight, 512 tokens in and 128 out, about 4 minutes by simulation.",
        ),
        (
            load(with(json!({ "num_requests": 1 })), 1, "configuration"),
            None,
            None,
            "1 request, 1 in flight, 512 tokens in and 128 out. How long it takes depends on how fast the model answers.",
        ),
        (
            load(with(json!({ "duration_s": 60, "arrival": { "kind": "rate", "rate": 2.5 } })), 8, "configuration"),
            None,
            None,
            "60 seconds, 2.5 requests per second, at most 8 in flight, 512 tokens in and 128 out.",
        ),
        (
            load(json!({ "dataset_ids": [CHATS, PROMPTS] }), 2, "dataset"),
            Some(1_200),
            Some(45.0),
            "100 requests, 2 in flight, prompts of 2 datasets (1,200 rows), about 45 seconds by simulation.",
        ),
        (
            load(
                with(json!({ "load_points": [{ "concurrency": 1 }, { "concurrency": 8 }], "num_requests": 50 })),
                8,
                "configuration",
            ),
            None,
            Some(7_200.0),
            "50 requests at each load, 1 and 8 in flight, 512 tokens in and 128 out, about 2 hours by simulation.",
        ),
        (
            load(
                with(json!({
                    "input_lengths": { "kind": "uniform", "min": 64 },
                    "output_lengths": { "kind": "normal", "mean": 90, "std": 30 },
                })),
                8,
                "configuration",
            ),
            None,
            Some(60.0),
            "100 requests, 8 in flight, 64 to 512 tokens in and about 90 (at most 128) out, about 60 seconds by simulation.",
        ),
        (
            load(json!({ "dataset_ids": [CHATS], "multi_turn": true }), 4, "dataset"),
            Some(10),
            Some(60.0),
            "100 requests, 4 conversations at a time, turns of the conversations of 1 dataset (10 rows), about 60 seconds by \
             simulation.",
        ),
        (
            load(with(json!({ "load_points": [{ "concurrency": 8 }, { "concurrency": 64 }] })), 8, "configuration"),
            None,
            None,
            "100 to 640 requests at each load, 8 and 64 in flight, 512 tokens in and 128 out. How long it takes depends on how fast \
             the model answers.",
        ),
        (
            load(
                with(json!({
                    "arrival": { "kind": "rate", "rate": 20, "process": "gamma", "burstiness": 0.5 }, "slo": { "ttft_ms": 450 },
                })),
                64,
                "configuration",
            ),
            None,
            None,
            "662 requests, 20 requests per second in bursts (burstiness 0.5), at most 64 in flight, 512 tokens in and 128 out, \
             p99 TTFT up to 450 ms, about 33 seconds.",
        ),
        (
            load(
                with(json!({
                    "arrival": { "kind": "rate", "rate": 5, "process": "constant" }, "duration_s": 60,
                    "load_points": [{ "rate": 5 }, { "rate": 10 }, { "rate": 20 }],
                })),
                64,
                "configuration",
            ),
            None,
            None,
            "60 seconds at each load, 5, 10 and 20 requests per second in even steps, at most 64 in flight, 512 tokens in and 128 \
             out, about 3 minutes.",
        ),
        (
            load(with(json!({ "slo": { "ttft_ms": 450 }, "num_requests": 100 })), 8, "configuration"),
            None,
            None,
            "100 requests, 8 in flight, 512 tokens in and 128 out, p99 TTFT up to 450 ms. How long it takes depends on how fast the \
             model answers. A p99 needs 662 requests at each load: with 100 the limit is not judged.",
        ),
        (
            load(
                with(json!({ "slo": { "ttft_ms": 450, "tpot_ms": 40, "search": { "min": 1, "max": 256 } } })),
                8,
                "configuration",
            ),
            None,
            None,
            "A search between 1 and 256 in flight, in at most 11 load points, for the largest load with p99 TTFT up to 450 ms and \
             TPOT up to 40 ms, as many requests at each load as the percentile needs, 512 tokens in and 128 out. How long it \
             takes depends on how many loads have to be tried, and how fast the model answers.",
        ),
    ] {
        assert_eq!(load_sentence(&load, rows, seconds), sentence);
    }
}

/// A time that is known and "depends on how fast the model answers" never stand side by side.
#[test]
fn a_simulated_duration_takes_the_place_of_what_it_depends_on() {
    let lengths = json!({ "max_input_tokens": 512, "max_output_tokens": 128 });
    let mut searching = lengths.clone();
    searching["slo"] = json!({ "ttft_ms": 450, "search": { "min": 1, "max": 256 } });
    for fields in [lengths, searching] {
        let load = load(fields, 8, "configuration");
        let known = whole_sentence(&load, &[], Some(600.0));
        assert!(known.contains("about 10 minutes by simulation") && !known.contains("depends on"), "{known}");
        assert!(whole_sentence(&load, &[], None).contains("How long it takes depends on"));
        let untimed = untimed_sentence(&load, &[]);
        assert!(untimed.ends_with("512 tokens in and 128 out.") && !untimed.contains("long it takes"), "{untimed}");
    }
}

#[test]
fn all_requests_of_a_sweep_are_counted_warm_up_included() {
    let of = |more: serde_json::Value| {
        let mut fields = json!({ "max_input_tokens": 1, "max_output_tokens": 1 });
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all_requests(&load(fields, 8, "configuration"))
    };
    assert_eq!(of(json!({})), Some(108));
    assert_eq!(of(json!({ "load_points": [{ "concurrency": 4 }, { "concurrency": 20 }] })), Some(100 + 4 + 200 + 20));
    assert_eq!(of(json!({ "arrival": { "kind": "rate", "rate": 20 }, "warmup_requests": 0 })), Some(200));
    assert_eq!(of(json!({ "duration_s": 9 })), None);
    assert_eq!(of(json!({ "slo": { "ttft_ms": 1, "search": { "min": 1, "max": 9 } } })), None);
}

#[test]
fn the_load_in_a_few_words() {
    assert_eq!(
        load_words(&load(json!({ "max_input_tokens": 1, "max_output_tokens": 1 }), 128, "configuration"), &[]),
        "128 in flight"
    );
    let points = json!([{ "concurrency": 1 }, { "concurrency": 64 }, { "concurrency": 8 }]);
    let sweep = load(json!({ "max_input_tokens": 1, "max_output_tokens": 1, "load_points": points }), 8, "configuration");
    assert_eq!(load_words(&sweep, &[]), "3 loads, 1 to 64 in flight");
    let conversations = load(json!({ "dataset_ids": [CHATS], "multi_turn": true }), 4, "dataset");
    assert_eq!(load_words(&conversations, &[]), "4 conversations at a time");
    let trace = trace();
    let played = load(json!({ "dataset_ids": [TRACE], "time_scale": 2.5 }), 64, "dataset");
    assert_eq!(load_words(&played, std::slice::from_ref(&trace)), "trace, at most 64 in flight");
    let sentence = "10 arrivals over 24 minutes, as the trace day says, 2.5 times as fast, at most 64 in flight.";
    assert_eq!(trace_sentence(&played, &trace), sentence);
    assert_eq!(whole_sentence(&played, &World::new().datasets, None).split(',').nth(1), Some(" as the trace day says"));
    assert_eq!(amount_words(&played, std::slice::from_ref(&trace)), "10 arrivals");
    let played = LoadSpec { num_requests: Some(3), time_scale: None, max_output_tokens: Some(9), ..played };
    assert_eq!(amount_words(&played, std::slice::from_ref(&trace)), "3 arrivals");
    let sentence = "3 arrivals, as the trace day says, at most 64 in flight, at most 9 tokens out.";
    assert_eq!(trace_sentence(&played, &trace), sentence);
}

fn trace() -> Dataset {
    let trace = World::new().datasets.into_iter().find(|dataset| dataset.id == TRACE).unwrap();
    let facts = TraceFacts { span_s: 3_600.0, mean_input_tokens: 1.0, mean_output_tokens: 1.0 };
    Dataset { trace: Some(facts), ..trace }
}

#[test]
fn pages_and_steps() {
    assert!(WizardPage::VARIANTS.iter().map(|page| page.number()).eq(1..=8));
    assert_eq!([1, 2, 3, 4, 5, 6, 7, 8].map(WizardPage::of_step).map(WizardPage::number), [1, 2, 3, 4, 5, 5, 6, 7]);
    for &page in WizardPage::VARIANTS {
        assert_eq!(page.into_str().parse(), Ok(page));
    }
    assert_eq!(WizardPage::of_field("credential_id"), Some(WizardPage::Model));
    assert_eq!(WizardPage::of_field("datset_ids"), Some(WizardPage::Load));
    assert_eq!(WizardPage::of_field("colour"), None);
}

#[test]
fn a_draft_says_where_to_go_on() {
    let row = WorkflowRow::new(Wizard::at(3).draft());
    assert_eq!((row.next_page.as_str(), row.next_page_number, row.pages, row.current_step), ("Nodes", 4, 8, 4));
    let mut wizard = Wizard::at(7);
    assert_eq!(WorkflowRow::new(wizard.draft()).next_page, "Simulate or run");
    let draft = wizard.draft.as_mut().unwrap();
    draft.run_id = Some(id(8));
    assert_eq!(WorkflowAnswer::new(draft, Vec::new(), None).next_page(), WizardPage::Deployment);
    assert!(draft.current_step() <= draft.total_steps);
}

#[test]
fn the_steps_are_flat_and_have_the_requests_names() {
    let mut wizard = Wizard::at(4);
    wizard.good(5, json!({ "model_id": GGUF, "engine": "llama.cpp", "replicas": 2 }));
    wizard.good(7, json!({ "user_confirmation": true }));
    let answer = serde_json::to_value(WorkflowAnswer::new(wizard.draft(), Vec::new(), None)).unwrap();
    assert_eq!(
        answer["workflow_steps"],
        json!({
            "name": "test-111", "tags": [], "description": "", "concurrent_requests": 50, "eval_with": "configuration",
            "max_input_tokens": 50, "max_output_tokens": 100, "cluster_id": LOCAL, "nodes": [{ "hostname": "fl4u42" }],
            "model_id": GGUF, "engine": "llama.cpp", "replicas": 2, "user_confirmation": true,
        })
    );
    assert_eq!((&answer["status"], &answer["reason"]), (&json!("in_progress"), &json!(null)));
    // And a draft survives being stored.
    let stored = serde_json::to_value(wizard.draft()).unwrap();
    assert_eq!(serde_json::from_value::<crate::domain::workflow::Draft>(stored).unwrap(), *wizard.draft());
}

#[test]
fn words_and_numbers() {
    assert_eq!(labels(&["nodes", "credential_id", "user_confirmation"]), "nodes, credential and confirmation");
    assert_eq!(title("max_input_tokens"), "Input tokens");
    assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    assert_eq!([0.2, 1.0, 89.0, 90.0, 5_400.0].map(duration), ["1 second", "1 second", "89 seconds", "2 minutes", "1.5 hours"]);
}
