//! Step 2 of a draft: the load.

use dyno_measure::json_error;
use dyno_measure::load::{Arrival, Endpoint, EvalWith, LoadOption, LoadSpec, LoadVariable, OPTIONS, values};
use dyno_measure::words::grouped;
use serde_json::Value;
use uuid::Uuid;

use super::workload;
use crate::domain::problem::FieldError;
use crate::domain::workflow::facts::Facts;
use crate::domain::workflow::fields::DATASET_ALIASES;
use crate::domain::workflow::reader::{Patch, Reader};
use crate::domain::workflow::state::WorkflowSteps;

const STEP: u8 = 2;
const DATASETS: &str = "dataset_ids";

/// The changes of a body to step 2.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LoadPatch {
    /// The changes of options, except the datasets; unchanged ones are left out.
    pub options: Vec<(&'static LoadOption, Patch<Value>)>,
    /// The datasets, without repetitions.
    pub dataset_ids: Patch<Vec<Uuid>>,
    /// How the body spelled `dataset_ids`.
    pub dataset_field: &'static str,
}

impl LoadPatch {
    /// Whether the body sets an option.
    fn sets(&self, name: &str) -> bool {
        self.options.iter().any(|(option, patch)| option.name == name && patch.set().is_some())
    }
}

pub fn read(reader: &mut Reader<'_>) -> LoadPatch {
    let (dataset_field, dataset_ids) = datasets(reader);
    let options = OPTIONS
        .iter()
        .filter(|option| option.name != DATASETS)
        .map(|option| (option, reader.field(option.name, STEP, |value| option.read(value))))
        .filter(|(_, patch)| *patch != Patch::Keep);
    let patch = LoadPatch { options: options.collect(), dataset_ids, dataset_field };
    if patch.sets("num_requests") && patch.sets("duration_s") {
        reader.errors.push(FieldError::at(STEP, "duration_s", "Give a number of requests or a duration, not both."));
    }
    patch
}

/// Reads the datasets under any of the field's spellings.
fn datasets(reader: &mut Reader<'_>) -> (&'static str, Patch<Vec<Uuid>>) {
    let spellings = std::iter::once(DATASETS).chain(DATASET_ALIASES);
    let given: Vec<&'static str> = spellings.filter(|field| reader.has(field)).collect();
    match given.as_slice() {
        [] => (DATASETS, Patch::Keep),
        [field] => (field, reader.field(field, STEP, values::dataset_ids)),
        [first, second, ..] => {
            let message = format!("{first} and {second} mean the same. Send one of them.");
            reader.errors.push(FieldError::at(STEP, *second, message));
            (first, Patch::Keep)
        }
    }
}

/// Applies step 2. A changed evaluation method has emptied it before.
pub fn apply(steps: &mut WorkflowSteps, patch: &LoadPatch, facts: &Facts, errors: &mut Vec<FieldError>) {
    let before = errors.len();
    let load = &mut steps.load;
    apply_options(load, patch, errors);
    match load.eval_with {
        EvalWith::Configuration => check_configuration(load, patch, errors),
        EvalWith::Dataset => apply_datasets(load, patch, facts, errors),
    }
    if errors.len() == before {
        workload::check(load, facts, errors);
        check_model(load, facts, errors);
        check_search(load, errors);
    }
}

fn check_configuration(load: &LoadSpec, patch: &LoadPatch, errors: &mut Vec<FieldError>) {
    if patch.dataset_ids.set().is_some_and(|ids| !ids.is_empty()) {
        let message = "Datasets go with the evaluation method dataset; this benchmark's is configuration.";
        errors.push(FieldError::at(STEP, patch.dataset_field, message));
    }
    if load.max_input_tokens.is_none() {
        errors.push(FieldError::at(STEP, "max_input_tokens", "Enter the input tokens."));
    }
    // An embedding has no output tokens.
    if load.max_output_tokens.is_none() && load.endpoint() != Endpoint::Embeddings {
        errors.push(FieldError::at(STEP, "max_output_tokens", "Enter the output tokens."));
    }
}

fn apply_datasets(load: &mut LoadSpec, patch: &LoadPatch, facts: &Facts, errors: &mut Vec<FieldError>) {
    match &patch.dataset_ids {
        Patch::Keep => {}
        Patch::Clear => load.dataset_ids.clear(),
        Patch::Set(ids) => {
            let problems = missing(ids, facts);
            errors.extend(problems.into_iter().map(|message| FieldError::at(STEP, patch.dataset_field, message)));
            load.dataset_ids.clone_from(ids);
        }
    }
    if load.dataset_ids.is_empty() {
        errors.push(FieldError::at(STEP, patch.dataset_field, "Choose at least one dataset."));
    }
}

/// A sentence for each dataset that can't be used.
fn missing(ids: &[Uuid], facts: &Facts) -> Vec<String> {
    ids.iter()
        .filter_map(|id| match facts.datasets.iter().find(|dataset| dataset.id == *id) {
            None => Some(format!("There is no dataset {id}.")),
            Some(dataset) if dataset.archived => Some(format!("{} is archived. Choose another dataset.", dataset.name)),
            Some(_) => None,
        })
        .collect()
}

fn apply_options(load: &mut LoadSpec, patch: &LoadPatch, errors: &mut Vec<FieldError>) {
    // the load ends by number or by time: setting one clears the other
    if patch.sets("num_requests") {
        load.duration_s = None;
    }
    if patch.sets("duration_s") {
        load.num_requests = None;
    }
    for (option, patch) in &patch.options {
        if let Err(error) = load.set(option, patch.set().cloned()) {
            errors.push(FieldError::at(STEP, option.name, json_error::words(&error)));
        }
    }
    let clash = match (&load.arrival, load.load_points.first().map(|load| load.variable())) {
        (Some(Arrival::Rate { .. }), Some(LoadVariable::Concurrency)) => {
            Some("Load points are concurrencies, but requests arrive at a rate.")
        }
        (Some(Arrival::Closed {}), Some(LoadVariable::Rate)) => Some("Load points are rates, but a closed loop has none."),
        _ => None,
    };
    if let Some(message) = clash {
        errors.push(FieldError::at(STEP, "load_points", message));
    }
}

/// Checks the load against the model, where it is known.
pub fn check_model(load: &LoadSpec, facts: &Facts, errors: &mut Vec<FieldError>) {
    workload::check_ignore_eos(load, facts, errors);
    check_context(load, facts, errors);
}

/// Checks the lengths against the model's context.
fn check_context(load: &LoadSpec, facts: &Facts, errors: &mut Vec<FieldError>) {
    let context = facts.model.as_ref().and_then(|model| model.facts.as_ref()).and_then(|facts| facts.context_length);
    let Some(context) = context else { return };
    let input = load.max_input_tokens.unwrap_or(0);
    // An embedding has no output.
    let output = load.max_output_tokens.filter(|_| load.endpoint() != Endpoint::Embeddings).unwrap_or(0);
    if u64::from(input) + u64::from(output) <= u64::from(context) {
        return;
    }
    let context_words = grouped(context.into());
    let error = if input > context {
        let message = format!("Input is {} tokens; this model's context is {context_words}.", grouped(input.into()));
        FieldError::at(STEP, "max_input_tokens", message)
    } else if input == 0 {
        let message = format!("Output is {} tokens; this model's context is {context_words}.", grouped(output.into()));
        FieldError::at(STEP, "max_output_tokens", message)
    } else {
        let sum = grouped(u64::from(input) + u64::from(output));
        let message = format!("Input plus output is {sum} tokens; this model's context is {context_words}.");
        // the error is at the larger of the two
        let field = if output > input { "max_output_tokens" } else { "max_input_tokens" };
        FieldError::at(STEP, field, message)
    };
    errors.push(error);
}

/// Checks datasets and lengths again before they are used.
pub fn check(steps: &WorkflowSteps, facts: &Facts, errors: &mut Vec<FieldError>) {
    let load = &steps.load;
    let problems = missing(&load.dataset_ids, facts);
    errors.extend(problems.into_iter().map(|message| FieldError::at(STEP, DATASETS, message)));
    workload::check(load, facts, errors);
    check_model(load, facts, errors);
    check_search(load, errors);
}

/// Checks a search's bounds; its load points can't be given.
fn check_search(load: &LoadSpec, errors: &mut Vec<FieldError>) {
    let Some(search) = load.slo.as_ref().and_then(|slo| slo.search.as_ref()) else { return };
    if !load.load_points.is_empty() {
        let message = "A search finds its load points by itself. Remove the load points, or the search.";
        errors.push(FieldError::at(STEP, "load_points", message));
    }
    let most = f64::from(values::MOST_CONCURRENT);
    let closed = !matches!(load.arrival, Some(Arrival::Rate { .. }));
    if closed && (search.min < 1.0 || search.min.ceil() > search.max.floor() || search.max > most) {
        let message = format!("A search for a concurrency goes from 1 at least to {} at most.", grouped(most as u64));
        errors.push(FieldError::at(STEP, "slo", message));
    }
}
