//! Step 2: checks that the options are compatible with each other, the datasets and the model.

use dyno_measure::load::{Endpoint, EvalWith, LengthDistribution, LoadOption, LoadSpec, OPTIONS, Slo};
use dyno_measure::words::grouped;
use serde_json::Value;

use crate::domain::dataset::Dataset;
use crate::domain::inventory::ModelSource;
use crate::domain::problem::FieldError;
use crate::domain::provider::ProviderId;
use crate::domain::workflow::facts::Facts;

const STEP: u8 = 2;

/// Checks for incompatible options, length distributions, conversations and traces.
pub fn check(load: &LoadSpec, facts: &Facts, errors: &mut Vec<FieldError>) {
    let mut refuse = |field: &str, message: String| errors.push(FieldError::at(STEP, field, message));
    let is_open = load.is_open();
    let set = set_options(load);
    for option in &set {
        let refusals = option.refusals;
        let of_method = match load.eval_with {
            EvalWith::Configuration => refusals.of_configuration,
            EvalWith::Dataset => refusals.of_datasets,
        };
        let messages = [of_method, refusals.at_a_rate.filter(|_| is_open)];
        messages.into_iter().flatten().for_each(|message| refuse(option.name, message.to_owned()));
    }
    let limits_stream = |slo: &Slo| slo.ttft_ms.is_some() || slo.tpot_ms.is_some();
    if load.endpoint() == Endpoint::Embeddings && load.slo.as_ref().is_some_and(limits_stream) {
        refuse(
            "slo",
            "An embedding comes in one piece and has no first token. Give a limit for the E2E latency alone.".to_owned(),
        );
    }
    match load.eval_with {
        EvalWith::Configuration => {
            spread(load.input_lengths, load.max_input_tokens, "input", &mut refuse);
            spread(load.output_lengths, load.max_output_tokens, "output", &mut refuse);
            if load.output_lengths.is_some() && load.endpoint() == Endpoint::Embeddings {
                refuse("output_lengths", "An embedding has no output whose lengths could be spread.".to_owned());
            }
        }
        EvalWith::Dataset => {
            if load.is_multi_turn() && load.endpoint() != Endpoint::Chat {
                refuse("multi_turn", "Conversations are played turn by turn over the endpoint chat only.".to_owned());
            }
            traces(load, &set, facts, &mut refuse);
        }
    }
}

/// The options that have an effect: a switch that is off has none.
fn set_options(load: &LoadSpec) -> Vec<&'static LoadOption> {
    let values = load.values();
    let says = |option: &&LoadOption| values.get(option.name).is_some_and(|value| *value != Value::Bool(false));
    OPTIONS.iter().filter(says).collect()
}

/// Checks a distribution against the maximum that clips it: one beyond it would nearly always be clipped.
fn spread(lengths: Option<LengthDistribution>, most: Option<u32>, what: &str, refuse: &mut impl FnMut(&str, String)) {
    let (Some(lengths), Some(most)) = (lengths, most) else { return };
    let least = match lengths {
        LengthDistribution::Fixed {} => return,
        LengthDistribution::Uniform { min } => f64::from(min),
        LengthDistribution::Normal { mean, .. } | LengthDistribution::Lognormal { mean, .. } => mean,
    };
    if least > f64::from(most) {
        let which = if matches!(lengths, LengthDistribution::Uniform { .. }) { "least" } else { "mean" };
        let message = format!("The {which} {what} length is above the {what} tokens, {}, which limit it.", grouped(most.into()));
        refuse(&format!("{what}_lengths"), message);
    }
}

/// Checks that a trace, which has its own arrivals and lengths, is used alone. Needs the datasets' facts.
fn traces(load: &LoadSpec, set: &[&LoadOption], facts: &Facts, refuse: &mut impl FnMut(&str, String)) {
    let chosen: Vec<&Dataset> =
        load.dataset_ids.iter().filter_map(|id| facts.datasets.iter().find(|dataset| dataset.id == *id)).collect();
    let Some(trace) = chosen.iter().find(|dataset| dataset.format.is_trace()) else {
        if load.time_scale.is_some() && !chosen.is_empty() {
            refuse("time_scale", "A time scale goes with a trace; these datasets are none.".to_owned());
        }
        return;
    };
    let name = &trace.name;
    if load.dataset_ids.len() > 1 {
        refuse("dataset_ids", format!("{name} is a trace: it can't be mixed with other datasets."));
    }
    for option in set {
        if let Some(message) = option.refusals.of_a_trace {
            refuse(option.name, format!("{name} is a trace{message}"));
        }
    }
    if load.slo.as_ref().is_some_and(|slo| slo.search.is_some()) {
        refuse("slo", format!("{name} is a trace: there is no load to search for. Leave the search out."));
    }
}

/// Refuses `ignore_eos` for providers, which reject unknown fields. An own server with an OpenAI-compatible API may know it.
pub fn check_ignore_eos(load: &LoadSpec, facts: &Facts, errors: &mut Vec<FieldError>) {
    let Some(model) = &facts.model else { return };
    if let ModelSource::Cloud { provider, .. } = &model.source
        && *provider != ProviderId::OpenaiCompatible
        && load.ignore_eos == Some(true)
    {
        let message =
            format!("{} runs at {}, which can't be told to ignore the end of an answer.", model.name, provider.preset().title);
        errors.push(FieldError::at(STEP, "ignore_eos", message));
    }
}
