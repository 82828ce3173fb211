//! Step 1.

use super::*;
use crate::domain::benchmark::Tag;
use crate::domain::workflow::tests::world::*;

fn first(change: impl FnOnce(&mut serde_json::Value)) -> serde_json::Value {
    let mut fields = own_fields(1, "configuration", GGUF);
    change(&mut fields);
    fields
}

#[test]
fn a_name_has_1_to_50_characters_after_trimming() {
    let long = "é".repeat(63);
    for (name, message) in [
        (json!(""), "Enter a name."),
        (json!("  \t "), "Enter a name."),
        (json!(null), "Enter a name."),
        (json!(long), "Name must be 50 characters or fewer; this has 63."),
        (json!(7), "Name must be text."),
        (json!("llama\u{202e}70b"), "Name must have no invisible characters."),
        (json!("llama\u{200b}"), "Name must have no invisible characters."),
    ] {
        Wizard::new().refuses(1, first(|fields| fields["name"] = name), (1, "name", message));
    }
    let name = format!("  {}  ", "é".repeat(50));
    let advance = Wizard::new().good(1, first(|fields| fields["name"] = json!(name)));
    assert_eq!(advance.draft.steps.name, "é".repeat(50));
}

#[test]
fn missing_fields_are_all_named_at_once() {
    let errors = Wizard::new().bad(1, json!({}));
    let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
    assert_eq!(fields, ["name", "concurrent_requests", "eval_with"]);
}

#[test]
fn tags_are_texts_or_have_a_color() {
    let tags = json!(["a", { "name": "b", "color": "#1f55CF" }, { "name": "c" }, "a"]);
    let advance = Wizard::new().good(1, first(|fields| fields["tags"] = tags));
    let tag = |name: &str, color: Option<&str>| Tag { name: name.to_owned(), color: color.map(str::to_owned) };
    assert_eq!(advance.draft.steps.tags, [tag("a", None), tag("b", Some("#1f55CF")), tag("c", None)]);
}

#[test]
fn wrong_tags_are_refused() {
    let many: Vec<String> = (0..21).map(|number| number.to_string()).collect();
    for tags in [
        json!(many),
        json!(["x".repeat(51)]),
        json!([""]),
        json!([7]),
        json!("a"),
        json!([{ "color": "#123456" }]),
        json!([{ "name": "a", "color": "red" }]),
        json!([{ "name": "a", "color": "#12345g" }]),
        json!([{ "name": "a", "colour": "#123456" }]),
    ] {
        let errors = Wizard::new().bad(1, first(|fields| fields["tags"] = tags.clone()));
        assert_eq!((errors.len(), errors[0].field.as_str(), errors[0].step), (1, "tags", Some(1)), "{tags}");
    }
    let most: Vec<String> = (0..20).map(|number| format!("{number}{}", "x".repeat(48))).collect();
    Wizard::new().good(1, first(|fields| fields["tags"] = json!(most)));
}

#[test]
fn a_description_has_up_to_2000_characters() {
    Wizard::new().good(1, first(|fields| fields["description"] = json!("é".repeat(2_000))));
    let message = "Description must be 2,000 characters or fewer; this has 2,001.";
    Wizard::new().refuses(1, first(|fields| fields["description"] = json!("é".repeat(2_001))), (1, "description", message));
}

#[test]
fn texts_can_be_seen() {
    Wizard::new().good(1, first(|fields| fields["description"] = json!("two\r\nlines,\ttabbed 👩\u{200d}💻")));
    let message = "Description must have no control characters but line breaks and tabs.";
    for bad in ["a\0b", "a\u{1b}[31mb", "a\rb", "a\u{85}b"] {
        Wizard::new().refuses(1, first(|fields| fields["description"] = json!(bad)), (1, "description", message));
    }
    for blank in ["\u{200d}", "\u{200c}\u{fe0f}"] {
        Wizard::new().refuses(1, first(|fields| fields["name"] = json!(blank)), (1, "name", "Enter a name."));
    }
    let message = "Name must have no invisible characters.";
    for bad in ["\u{3164}", "a\u{2800}", "\u{115f}", "x\u{202e}y"] {
        Wizard::new().refuses(1, first(|fields| fields["name"] = json!(bad)), (1, "name", message));
    }
}

#[test]
fn concurrent_requests_go_from_1_to_10000() {
    for good in [json!(1), json!(10_000), json!(50.0)] {
        Wizard::new().good(1, first(|fields| fields["concurrent_requests"] = good));
    }
    for bad in [json!(0), json!(10_001), json!(-1), json!(1.5), json!("50"), json!(true), json!(u64::MAX), json!(1e30)] {
        let message = "Concurrent requests must be a whole number between 1 and 10,000.";
        Wizard::new().refuses(1, first(|fields| fields["concurrent_requests"] = bad), (1, "concurrent_requests", message));
    }
}

#[test]
fn the_method_is_configuration_or_dataset() {
    for bad in [json!("Dataset"), json!(""), json!(1), json!(null)] {
        let message = "Choose configuration or dataset.";
        Wizard::new().refuses(1, first(|fields| fields["eval_with"] = bad), (1, "eval_with", message));
    }
}

#[test]
fn later_calls_may_edit_step_1_by_its_rules() {
    let mut wizard = Wizard::at(2);
    let advance = wizard.good(3, json!({ "cluster_id": LOCAL, "name": " other ", "concurrent_requests": 7, "tags": ["x"] }));
    assert_eq!((advance.draft.steps.name.as_str(), advance.draft.steps.load.concurrent_requests), ("other", 7));

    let message = "Name must be 50 characters or fewer; this has 51.";
    wizard.refuses(3, json!({ "cluster_id": LOCAL, "name": "x".repeat(51) }), (1, "name", message));
    wizard.refuses(3, json!({ "cluster_id": LOCAL, "name": null }), (1, "name", "Enter a name."));
    assert_eq!(wizard.draft().steps.name, "other");
}

#[test]
fn after_step_2_the_method_is_ignored() {
    let mut wizard = Wizard::new();
    wizard.go_to(2, "dataset", GGUF);
    // As the specification's shared examples say it for dataset benchmarks, too.
    let advance = wizard.good(3, json!({ "cluster_id": LOCAL, "eval_with": "configuration" }));
    assert_eq!(advance.draft.steps.load.eval_with, dyno_measure::load::EvalWith::Dataset);
    assert_eq!(advance.draft.steps.load.dataset_ids, [CHATS]);
    assert!(advance.dropped.is_empty());
    wizard.good(4, json!({ "nodes": [{ "hostname": "fl4u42" }], "eval_with": 7 }));
}
