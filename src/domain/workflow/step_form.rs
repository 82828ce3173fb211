//! Forms of the steps with text fields: converts entries to the call's body, and checks them by the step's own rules. The
//! server uses it to save, the browser to check while somebody types; checks that need facts are left to the server.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::facts::Facts;
use super::load_form::{Amount, DECIDES_P99, LoadForm, option_of, optional, whole};
use super::reader::{Patch, Reader};
use super::sentence::{amount_words, whole_sentence};
use super::steps::{DetailsPatch, details, load, model, nodes};
use crate::domain::dataset::Dataset;
use crate::domain::problem::FieldError;
use dyno_measure::dataset::{DatasetFormat, TraceFacts};
use dyno_measure::load::{EvalWith, LoadSpec};

/// Names and values of a form; a field may be repeated.
pub type Entries = Vec<(String, String)>;

/// A step's form, with the data that its rules need beside the entries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum FormRules {
    Details,
    Load {
        /// Requests in flight, from step 1.
        concurrent_requests: u32,
        datasets: Vec<OfferedDataset>,
    },
    /// Step 4, but for the nodes themselves.
    Nodes,
    /// Step 5, for a model that is deployed.
    Model,
}

/// An available dataset, with the fields that the rules need.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OfferedDataset {
    id: Uuid,
    name: String,
    format: DatasetFormat,
    samples: u64,
    trace: Option<TraceFacts>,
    archived: bool,
}

impl From<&Dataset> for OfferedDataset {
    fn from(dataset: &Dataset) -> Self {
        Self {
            id: dataset.id,
            name: dataset.name.clone(),
            format: dataset.format,
            samples: dataset.samples,
            trace: dataset.trace.clone(),
            archived: dataset.archived,
        }
    }
}

impl From<&OfferedDataset> for Dataset {
    fn from(offered: &OfferedDataset) -> Self {
        Self {
            id: offered.id,
            name: offered.name.clone(),
            format: offered.format,
            samples: offered.samples,
            trace: offered.trace.clone(),
            archived: offered.archived,
            left_out: Vec::new(),
            replaced: 0,
            with_reference: 0,
            mean_prompt_chars: None,
            sha256: String::new(),
            builtin: false,
            owner: None,
            created_at: Timestamp::UNIX_EPOCH,
        }
    }
}

/// The result of checking a form's entries.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Checked {
    /// The errors, at most one per field.
    pub errors: Vec<FieldError>,
    /// The load in one sentence, where the entries describe one.
    pub sentence: Option<String>,
    /// The wording of each `Amount` by its name, where the entries describe a load.
    pub amounts: Vec<(&'static str, String)>,
}

impl FormRules {
    /// Checks entries by the step's rules.
    pub fn check(&self, entries: &[(String, String)]) -> Checked {
        let mut checked = match self {
            Self::Details => Checked { errors: check_details(entries), ..Checked::default() },
            Self::Load { concurrent_requests, datasets } => check_load(*concurrent_requests, datasets, entries),
            Self::Nodes => Checked { errors: check_nodes(entries), ..Checked::default() },
            Self::Model => Checked { errors: check_serving(entries), ..Checked::default() },
        };
        let mut known: Vec<String> = Vec::new();
        checked.errors.retain(|error| {
            let is_first = !known.contains(&error.field);
            known.push(error.field.clone());
            is_first
        });
        checked
    }
}

fn entry<'a>(entries: &'a [(String, String)], field: &str) -> &'a str {
    entries.iter().find(|(name, _)| name == field).map(|(_, value)| value.as_str()).unwrap_or_default()
}

/// Reads a body like a call of the step.
fn read<P>(body: Value, read: impl FnOnce(&mut Reader<'_>) -> P) -> (P, Vec<FieldError>) {
    let fields: Map<String, Value> = match body {
        Value::Object(fields) => fields,
        // unreachable: a step's body is an object
        _ => Map::new(),
    };
    let mut reader = Reader::new(&fields);
    let patch = read(&mut reader);
    (patch, reader.errors)
}

fn check_details(entries: &[(String, String)]) -> Vec<FieldError> {
    let of = |field| entry(entries, field);
    let tags = tag_names(of("tags")).map(|name| json!({ "name": name })).collect();
    let body = details_body(of("name"), Value::Array(tags), of("description"), of("concurrent_requests"), of("eval_with"));
    let (patch, mut errors) = read(body, |reader| details::read(reader, 1));
    details::create(&patch, &mut errors);
    errors
}

fn check_load(concurrent_requests: u32, datasets: &[OfferedDataset], entries: &[(String, String)]) -> Checked {
    let form = LoadForm::of_entries(entries);
    let chosen: Vec<&str> = entries.iter().filter(|(name, _)| name == "dataset_ids").map(|(_, id)| id.as_str()).collect();
    let eval_with = if form.eval_with == "dataset" { EvalWith::Dataset } else { EvalWith::Configuration };
    let ((details_patch, patch), mut errors) =
        read(load_body(&form, &chosen), |reader| (details::read(reader, 2), load::read(reader)));
    let begun = DetailsPatch {
        name: Patch::Set(String::new()),
        concurrent_requests: Patch::Set(concurrent_requests),
        eval_with: Patch::Set(eval_with),
        ..DetailsPatch::default()
    };
    let Some(mut steps) = details::create(&begun, &mut errors) else { return Checked { errors, ..Checked::default() } };
    details::apply(&mut steps, &details_patch, &mut errors);
    let mut facts = Facts::none(false, |_, _, _| Ok(()), |_, _, _| Ok(()));
    facts.datasets = datasets.iter().map(Dataset::from).collect();
    load::apply(&mut steps, &patch, &facts, &mut errors);
    with_parts(&mut errors, form.part_errors());
    if !errors.is_empty() {
        return Checked { errors, ..Checked::default() };
    }
    let amounts = offered_amounts(&steps.load, &facts.datasets);
    Checked { errors, sentence: Some(whole_sentence(&steps.load, &facts.datasets, None)), amounts: amounts.into() }
}

/// Adds the errors of options' parts, and removes those of the option rules that they make redundant.
fn with_parts(errors: &mut Vec<FieldError>, parts: Vec<FieldError>) {
    let is_said = |error: &FieldError| {
        parts.iter().any(|part| {
            option_of(&part.field) == Some(error.field.as_str())
                || part.field == error.field
                // a search by rate takes its rate from its lower bound
                || (part.field == "search_min" && error.field == "arrival")
        })
    };
    errors.retain(|error| !is_said(error));
    errors.extend(parts);
}

/// The wording of the default number of requests, and of that for a p99.
pub fn offered_amounts(load: &LoadSpec, datasets: &[Dataset]) -> [(&'static str, String); 2] {
    let of = |num_requests| amount_words(&LoadSpec { num_requests, duration_s: None, ..load.clone() }, datasets);
    [(Amount::Quick.into_str(), of(None)), (Amount::DecidesP99.into_str(), of(Some(DECIDES_P99)))]
}

fn check_nodes(entries: &[(String, String)]) -> Vec<FieldError> {
    read(nodes_body(entries, Vec::new()), nodes::read).1
}

fn check_serving(entries: &[(String, String)]) -> Vec<FieldError> {
    read(serving_body(entries), model::read).1
}

/// The body of step 1; `tags` is a list of tags.
pub fn details_body(name: &str, tags: Value, description: &str, concurrent_requests: &str, eval_with: &str) -> Value {
    json!({
        "name": name,
        "tags": tags,
        "description": description,
        "concurrent_requests": optional(concurrent_requests, whole),
        "eval_with": optional(eval_with, text),
    })
}

/// The body of step 2.
pub fn load_body<D: AsRef<str>>(form: &LoadForm, dataset_ids: &[D]) -> Value {
    let mut body = form.body();
    if form.eval_with == "dataset" {
        body["dataset_ids"] = dataset_ids.iter().map(|id| json!(id.as_ref())).collect();
    }
    body
}

/// The body of step 4, with the nodes as the API has them.
pub fn nodes_body(entries: &[(String, String)], nodes: Vec<Value>) -> Value {
    let of = |field| entry(entries, field);
    json!({
        "nodes": nodes,
        "load_node": optional(of("load_node"), text),
        "load_pods": optional(of("load_pods"), whole),
        "load_cpu_millicores": optional(of("load_cpu_millicores"), whole),
    })
}

/// The body of step 5, for a model that is deployed.
pub fn serving_body(entries: &[(String, String)]) -> Value {
    let of = |field| entry(entries, field);
    json!({
        "model_id": optional(of("model_id"), text),
        "engine": optional(of("engine"), text),
        "tensor_parallel": optional(of("tensor_parallel"), whole),
        "replicas": optional(of("replicas"), whole),
        "engine_args": lines(of("engine_args")),
        "engine_image": optional(of("engine_image"), text),
        "engine_memory_limit_mib": optional(of("engine_memory_limit_mib"), whole),
    })
}

/// The names between commas.
pub fn tag_names(line: &str) -> impl Iterator<Item = &str> {
    line.split(',').map(str::trim).filter(|name| !name.is_empty())
}

/// Text as it is.
pub fn text(value: &str) -> Value {
    json!(value)
}

/// A list from lines.
fn lines(value: &str) -> Value {
    let lines: Vec<&str> = value.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    json!(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(of: &[(&str, &str)]) -> Entries {
        of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn wrong(checked: &Checked) -> Vec<&str> {
        checked.errors.iter().map(|error| error.field.as_str()).collect()
    }

    #[test]
    fn fields_become_values() {
        assert_eq!(lines("--a\r\n\r\n --b \n"), json!(["--a", "--b"]));
    }

    #[test]
    fn details_are_checked_by_the_rules_of_step_1() {
        let good = entries(&[("name", "A"), ("concurrent_requests", "1,000"), ("eval_with", "dataset"), ("tags", "a, b,")]);
        assert_eq!(FormRules::Details.check(&good), Checked::default());
        let long = "x".repeat(51);
        let bad = FormRules::Details.check(&entries(&[("name", ""), ("concurrent_requests", "0"), ("tags", &long)]));
        assert_eq!(wrong(&bad), ["name", "tags", "concurrent_requests", "eval_with"]);
        assert!(bad.errors[2].message.contains("between 1 and 10,000"), "{}", bad.errors[2].message);
    }

    #[test]
    fn a_load_is_checked_and_worded() {
        let step = FormRules::Load { concurrent_requests: 32, datasets: Vec::new() };
        let typed = |more: &[(&str, &str)]| {
            let mut all = vec![("eval_with", "configuration"), ("max_input_tokens", "512"), ("max_output_tokens", "128")];
            all.extend(more);
            step.check(&entries(&all))
        };
        assert_eq!(
            typed(&[("num_requests", "700")]).sentence.as_deref(),
            Some(
                "700 requests, 32 in flight, 512 tokens in and 128 out. How long it takes depends on how fast the model answers."
            )
        );
        let clash = typed(&[("num_requests", "700"), ("duration_s", "60")]);
        assert_eq!((wrong(&clash), &clash.sentence), (vec!["duration_s"], &None));
        assert_eq!(wrong(&typed(&[("arrival", "rate")])), ["rate"]);
        assert_eq!(
            wrong(&step.check(&entries(&[("num_requests", "many")]))),
            ["num_requests", "max_input_tokens", "max_output_tokens"]
        );
    }

    #[test]
    fn every_part_that_is_wrong_is_named_at_once_in_the_forms_words() {
        let step = FormRules::Load { concurrent_requests: 8, datasets: Vec::new() };
        let checked = step.check(&entries(&[
            ("eval_with", "configuration"),
            ("goal", "search"),
            ("arrival", "closed"),
            ("search_min", "few"),
            ("ttft_ms", "fast"),
            ("percentile", "100"),
            ("lengths_preset", "own"),
            ("max_input_tokens", "512"),
            ("input_lengths", "normal"),
            ("amount", "own"),
        ]));
        let mut fields = wrong(&checked);
        fields.sort_unstable();
        let want =
            ["input_mean", "input_std", "max_output_tokens", "num_requests", "percentile", "search_max", "search_min", "ttft_ms"];
        assert_eq!(fields, want, "{checked:?}");
        let identifiers = ["ttft_ms", "min ", "mean,", "std"];
        for error in &checked.errors {
            assert!(identifiers.iter().all(|word| !error.message.contains(word)), "{}", error.message);
        }
    }

    #[test]
    fn the_load_step_may_change_the_requests_in_flight() {
        let step = FormRules::Load { concurrent_requests: 8, datasets: Vec::new() };
        let typed = |concurrency: &str| {
            step.check(&entries(&[
                ("eval_with", "configuration"),
                ("goal", "one"),
                ("arrival", "closed"),
                ("concurrent_requests", concurrency),
                ("lengths_preset", "chat"),
                ("amount", "quick"),
            ]))
        };
        let checked = typed("64");
        assert!(checked.sentence.unwrap().starts_with("640 requests, 64 in flight, 512 tokens in and 128 out"));
        assert_eq!(checked.amounts, [("quick", "640 requests".to_owned()), ("p99", "700 requests".to_owned())]);
        assert_eq!(wrong(&typed("0")), ["concurrent_requests"]);
        assert_eq!(wrong(&typed("")), ["concurrent_requests"]);
    }

    #[test]
    fn how_long_each_number_of_requests_takes_is_said_where_it_is_known() {
        let step = FormRules::Load { concurrent_requests: 64, datasets: Vec::new() };
        let checked = step.check(&entries(&[
            ("eval_with", "configuration"),
            ("goal", "one"),
            ("arrival", "rate"),
            ("rate", "10"),
            ("concurrent_requests", "64"),
            ("lengths_preset", "chat"),
            ("amount", "quick"),
        ]));
        assert_eq!(
            checked.amounts,
            [("quick", "100 requests, about 10 seconds".to_owned()), ("p99", "700 requests, about 70 seconds".to_owned())]
        );
    }

    #[test]
    fn a_trace_is_worded_as_one_and_stands_alone() {
        let trace = OfferedDataset {
            id: Uuid::from_u128(1),
            name: "day".to_owned(),
            format: DatasetFormat::AzureTrace,
            samples: 8_819,
            trace: Some(TraceFacts { span_s: 3_540.0, mean_input_tokens: 1.0, mean_output_tokens: 1.0 }),
            archived: false,
        };
        let step = FormRules::Load { concurrent_requests: 64, datasets: vec![trace.clone()] };
        let typed = entries(&[("eval_with", "dataset"), ("dataset_ids", &trace.id.to_string())]);
        assert_eq!(
            step.check(&typed).sentence.as_deref(),
            Some("8,819 arrivals over 59 minutes, as the trace day says, at most 64 in flight.")
        );
        let swept = entries(&[("eval_with", "dataset"), ("dataset_ids", &trace.id.to_string()), ("load_points", "1 2")]);
        assert_eq!(wrong(&step.check(&swept)), ["load_points"]);
        assert_eq!(wrong(&step.check(&entries(&[("eval_with", "dataset")]))), ["dataset_ids"]);
    }

    #[test]
    fn the_loads_side_of_the_nodes_is_checked() {
        let typed = |load_pods, cpu| FormRules::Nodes.check(&entries(&[("load_pods", load_pods), ("load_cpu_millicores", cpu)]));
        assert_eq!(typed("", ""), Checked::default());
        assert_eq!(typed("2", "1,500"), Checked::default());
        assert_eq!(wrong(&typed("65", "99")), ["load_pods", "load_cpu_millicores"]);
        assert_eq!(wrong(&typed("some", "")), ["load_pods"]);
        let asked = nodes_body(&entries(&[("load_node", "node-2")]), Vec::new());
        assert_eq!(asked, json!({ "nodes": [], "load_node": "node-2", "load_pods": null, "load_cpu_millicores": null }));
    }

    #[test]
    fn the_engines_numbers_are_checked() {
        let typed = entries(&[("model_id", ""), ("engine", "vllm"), ("tensor_parallel", "0"), ("replicas", "2")]);
        assert_eq!(wrong(&FormRules::Model.check(&typed)), ["tensor_parallel"]);
    }
}
