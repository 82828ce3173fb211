//! Step 2.

use serde_json::Value;
use uuid::Uuid;

use super::{options, values, workload};
use crate::domain::benchmark::{Arrival, Endpoint, EvalWith, LengthDistribution, LoadSpec, OfferedLoad, Prefix, Slo};
use crate::domain::problem::FieldError;
use crate::domain::workflow::body::{Patch, Reader};
use crate::domain::workflow::facts::Facts;
use crate::domain::workflow::fields::grouped;
use crate::domain::workflow::state::WorkflowSteps;

const STEP: u8 = 2;
const MOST_TOKENS: u32 = 1_000_000;
const MOST_DATASETS: usize = 100;
const MOST_REQUESTS: u32 = 10_000_000;
/// Longest load by time: a week.
const MOST_SECONDS: f64 = 604_800.0;
/// Longest ramp: an hour.
const MOST_RAMP_S: f64 = 3_600.0;
/// Most times as fast as recorded.
const MOST_SCALE: f64 = 1_000.0;

/// What a body does with step 2.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LoadPatch {
    /// Exact input length.
    pub max_input_tokens: Patch<u32>,
    /// Output limit.
    pub max_output_tokens: Patch<u32>,
    /// Which datasets, without repetitions.
    pub dataset_ids: Patch<Vec<Uuid>>,
    /// How the body spelled `dataset_ids`.
    pub dataset_field: &'static str,
    /// Requests before the measurement.
    pub warmup_requests: Patch<u32>,
    /// Requests to measure.
    pub num_requests: Patch<u32>,
    /// Or seconds.
    pub duration_s: Patch<f64>,
    /// Which endpoint.
    pub endpoint: Patch<Endpoint>,
    /// When requests are sent.
    pub arrival: Patch<Arrival>,
    /// A sweep.
    pub load_points: Patch<Vec<OfferedLoad>>,
    /// Latency limits.
    pub slo: Patch<Slo>,
    /// Seed.
    pub seed: Patch<u64>,
    /// Shared prefix.
    pub prefix: Patch<Prefix>,
    /// Spread of input lengths.
    pub input_lengths: Patch<LengthDistribution>,
    /// Spread of output limits.
    pub output_lengths: Patch<LengthDistribution>,
    /// Ramp of a closed loop, seconds.
    pub ramp_s: Patch<f64>,
    /// Conversations turn by turn.
    pub multi_turn: Patch<bool>,
    /// On to the output limit.
    pub ignore_eos: Patch<bool>,
    /// Speed of a trace.
    pub time_scale: Patch<f64>,
}

pub fn read(reader: &mut Reader<'_>) -> LoadPatch {
    let (dataset_field, dataset_ids) = datasets(reader);
    let patch = LoadPatch {
        max_input_tokens: reader.whole32("max_input_tokens", STEP, 1, MOST_TOKENS),
        max_output_tokens: reader.whole32("max_output_tokens", STEP, 1, MOST_TOKENS),
        dataset_ids,
        dataset_field,
        warmup_requests: reader.whole32("warmup_requests", STEP, 0, MOST_REQUESTS),
        num_requests: reader.whole32("num_requests", STEP, 1, MOST_REQUESTS),
        duration_s: reader.field("duration_s", STEP, |value| values::positive(value, "Duration", MOST_SECONDS)),
        endpoint: reader.field("endpoint", STEP, options::endpoint),
        arrival: reader.field("arrival", STEP, options::arrival),
        load_points: reader.field("load_points", STEP, options::load_points),
        slo: reader.field("slo", STEP, options::slo),
        seed: reader.whole("seed", STEP, 0, u64::MAX),
        prefix: reader.field("prefix", STEP, options::prefix),
        input_lengths: reader.field("input_lengths", STEP, |value| options::lengths(value, "Input lengths", MOST_TOKENS)),
        output_lengths: reader.field("output_lengths", STEP, |value| options::lengths(value, "Output lengths", MOST_TOKENS)),
        ramp_s: reader.field("ramp_s", STEP, |value| values::not_negative(value, "Ramp", MOST_RAMP_S)),
        multi_turn: reader.flag("multi_turn", STEP),
        ignore_eos: reader.flag("ignore_eos", STEP),
        time_scale: reader.field("time_scale", STEP, |value| values::positive(value, "Time scale", MOST_SCALE)),
    };
    if patch.num_requests.set().is_some() && patch.duration_s.set().is_some() {
        reader.errors.push(FieldError::at(STEP, "duration_s", "Give a number of requests or a duration, not both."));
    }
    patch
}

/// The datasets under whichever of their names.
fn datasets(reader: &mut Reader<'_>) -> (&'static str, Patch<Vec<Uuid>>) {
    let given: Vec<&'static str> =
        ["dataset_ids", "datset_ids", "datasets"].into_iter().filter(|field| reader.has(field)).collect();
    match given.as_slice() {
        [] => ("dataset_ids", Patch::Keep),
        [field] => (field, reader.field(field, STEP, ids)),
        [first, second, ..] => {
            let message = format!("{first} and {second} mean the same. Send one of them.");
            reader.errors.push(FieldError::at(STEP, *second, message));
            (first, Patch::Keep)
        }
    }
}

fn ids(value: &Value) -> Result<Vec<Uuid>, String> {
    let Value::Array(items) = value else { return Err("Datasets must be a list of ids.".to_owned()) };
    if items.len() > MOST_DATASETS {
        return Err(format!("Choose at most {MOST_DATASETS} datasets."));
    }
    let mut ids: Vec<Uuid> = Vec::with_capacity(items.len());
    for item in items {
        let id = values::id(item).ok_or_else(|| match item.as_str() {
            Some(text) => format!("There is no dataset {}.", text.chars().take(50).collect::<String>()),
            None => "Datasets must be a list of ids.".to_owned(),
        })?;
        if ids.contains(&id) {
            return Err(format!("Dataset {id} is chosen twice."));
        }
        ids.push(id);
    }
    Ok(ids)
}

/// Applies step 2. A changed evaluation method has emptied it before.
pub fn apply(steps: &mut WorkflowSteps, patch: &LoadPatch, facts: &Facts, errors: &mut Vec<FieldError>) {
    let before = errors.len();
    let load = &mut steps.load;
    options_apply(load, patch, errors);
    patch.max_output_tokens.clone().apply(&mut load.max_output_tokens);
    match load.eval_with {
        EvalWith::Configuration => configuration(load, patch, errors),
        EvalWith::Dataset => dataset(load, patch, facts, errors),
    }
    if errors.len() == before {
        workload::check(load, facts, errors);
        check_model(load, facts, errors);
        check_search(load, errors);
    }
}

fn configuration(load: &mut LoadSpec, patch: &LoadPatch, errors: &mut Vec<FieldError>) {
    patch.max_input_tokens.clone().apply(&mut load.max_input_tokens);
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

fn dataset(load: &mut LoadSpec, patch: &LoadPatch, facts: &Facts, errors: &mut Vec<FieldError>) {
    if patch.max_input_tokens.set().is_some() {
        let message = "Input tokens go with the evaluation method configuration; datasets bring their own lengths.";
        errors.push(FieldError::at(STEP, "max_input_tokens", message));
    }
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

fn options_apply(load: &mut LoadSpec, patch: &LoadPatch, errors: &mut Vec<FieldError>) {
    patch.warmup_requests.clone().apply(&mut load.warmup_requests);
    // The load ends by number or by time: one takes the other's place.
    if patch.num_requests.set().is_some() {
        load.duration_s = None;
    }
    if patch.duration_s.set().is_some() {
        load.num_requests = None;
    }
    patch.num_requests.clone().apply(&mut load.num_requests);
    patch.duration_s.clone().apply(&mut load.duration_s);
    patch.endpoint.clone().apply(&mut load.endpoint);
    patch.arrival.clone().apply(&mut load.arrival);
    match &patch.load_points {
        Patch::Keep => {}
        Patch::Clear => load.load_points.clear(),
        Patch::Set(points) => load.load_points.clone_from(points),
    }
    patch.slo.clone().apply(&mut load.slo);
    patch.seed.clone().apply(&mut load.seed);
    patch.prefix.clone().apply(&mut load.prefix);
    patch.input_lengths.clone().apply(&mut load.input_lengths);
    patch.output_lengths.clone().apply(&mut load.output_lengths);
    patch.ramp_s.clone().apply(&mut load.ramp_s);
    patch.multi_turn.clone().apply(&mut load.multi_turn);
    patch.ignore_eos.clone().apply(&mut load.ignore_eos);
    patch.time_scale.clone().apply(&mut load.time_scale);

    let clash = match (&load.arrival, load.load_points.first()) {
        (Some(Arrival::Rate { .. }), Some(OfferedLoad::Concurrency { .. })) => {
            Some("Load points are concurrencies, but requests arrive at a rate.")
        }
        (Some(Arrival::Closed {}), Some(OfferedLoad::Rate { .. })) => Some("Load points are rates, but a closed loop has none."),
        _ => None,
    };
    if let Some(message) = clash {
        errors.push(FieldError::at(STEP, "load_points", message));
    }
}

/// What the load asks of the model, where that is known.
pub fn check_model(load: &LoadSpec, facts: &Facts, errors: &mut Vec<FieldError>) {
    workload::check_ignore_eos(load, facts, errors);
    check_context(load, facts, errors);
}

/// Lengths against the model's context.
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
        // The larger of the two is the one to shorten.
        let field = if output > input { "max_output_tokens" } else { "max_input_tokens" };
        FieldError::at(STEP, field, message)
    };
    errors.push(error);
}

/// Looks at the datasets and lengths once more before they are used.
pub fn check(steps: &WorkflowSteps, facts: &Facts, errors: &mut Vec<FieldError>) {
    let load = &steps.load;
    let problems = missing(&load.dataset_ids, facts);
    errors.extend(problems.into_iter().map(|message| FieldError::at(STEP, "dataset_ids", message)));
    workload::check(load, facts, errors);
    check_model(load, facts, errors);
    check_search(load, errors);
}

/// A search finds its load points by itself, within its bounds and those of a concurrency.
fn check_search(load: &LoadSpec, errors: &mut Vec<FieldError>) {
    let Some(search) = load.slo.as_ref().and_then(|slo| slo.search.as_ref()) else { return };
    if !load.load_points.is_empty() {
        let message = "A search finds its load points by itself. Remove the load points, or the search.";
        errors.push(FieldError::at(STEP, "load_points", message));
    }
    let most = f64::from(super::details::MOST_CONCURRENT);
    let closed = !matches!(load.arrival, Some(crate::domain::benchmark::Arrival::Rate { .. }));
    if closed && (search.min < 1.0 || search.min.ceil() > search.max.floor() || search.max > most) {
        let message = format!("A search for a concurrency goes from 1 at least to {} at most.", grouped(most as u64));
        errors.push(FieldError::at(STEP, "slo", message));
    }
}
