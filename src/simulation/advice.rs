//! Layouts of a model on the chosen nodes, compared by simulation.

use std::path::PathBuf;

use dyno_measure::load::{EvalWith, LoadSpec};
use dyno_measure::plan::{Plan, PlannedLoad, PromptSource};
use dyno_measure::words::{capital, grouped};
use dyno_simulate::engine::EngineSettings;
use dyno_simulate::layout::{Estimate, Nodes, ParallelLayout, layouts};
use dyno_simulate::outcome::PredictedDistribution;
use dyno_simulate::planned::{PlanConversionError, first_requests};
use dyno_simulate::{EngineVersion, Limits, Profiles, Scenario, SimulatedWorkload, SimulationError, StopFlag};

use super::layout::{LayoutError, layout};
use super::model::{ModelFailure, descriptor};
use super::simulate::prediction;
use crate::domain::benchmark::{NodeChoice, Serving};
use crate::domain::engine::EngineKind;
use crate::domain::inventory::{Device, Model, Node};
use crate::domain::layouts::{LatencyFigures, LayoutAdvice, LayoutFigures, LayoutRow};
use crate::domain::price::DevicePrice;
use crate::domain::workflow::sentence::load_words;
use crate::engine::devices::{in_words, serving};
use crate::models::Roots;

/// Requests with which each layout is simulated, unless more are in flight: enough for a steady state.
const ENOUGH_REQUESTS: usize = 2_000;
/// Requests per concurrent one; the first of them are the opening burst.
const REQUESTS_PER_USER: usize = 4;
/// Upper limit of the requests, so that a comparison takes seconds.
const MOST_REQUESTS: usize = 20_000;
/// Upper limit of the work for one layout: ten times that of so many requests of 1,024 tokens in and out.
const MOST_WORK: u64 = 200_000_000;

/// The model, nodes and load to be compared.
#[derive(Debug, Clone)]
pub struct LayoutQuestion {
    pub model: Model,
    pub engine: EngineKind,
    pub load: LoadSpec,
    pub choices: Vec<NodeChoice>,
    /// The cluster's current nodes.
    pub nodes: Vec<Node>,
    /// Folders from which model files may be read.
    pub roots: Roots,
    pub data_dir: PathBuf,
    /// The part of the engine's version that factors depend on, where it is known.
    pub version: Option<EngineVersion>,
    pub profiles: Profiles,
    pub prices: Vec<DevicePrice>,
}

/// Why no layouts can be compared; a sentence for people.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AdviceFailure {
    #[error(transparent)]
    Layout(#[from] LayoutError),
    #[error(transparent)]
    Model(#[from] ModelFailure),
    #[error("Layouts are compared for lengths that the load says itself, not for a dataset's.")]
    Dataset,
    #[error("The load can't be simulated: {0}.")]
    Plan(#[from] PlanConversionError),
    #[error("The comparison of layouts was stopped.")]
    Stopped,
}

/// Compares every layout at the largest load of the benchmark.
///
/// # Errors
/// When nothing can be simulated in any layout.
pub fn advise(asked: &LayoutQuestion, stop: &StopFlag) -> Result<LayoutAdvice, AdviceFailure> {
    // the device of a single-device copy; also checks that all nodes are alike
    let alone = Serving { engine: Some(asked.engine), tensor_parallel: Some(1), replicas: Some(1), ..Serving::default() };
    let single = layout(&alone, &asked.choices, &asked.nodes)?;
    let (model, _) = descriptor(&asked.model, &asked.roots, &asked.data_dir)?;
    let (workload, words, mut notes) = largest_load(&asked.load)?;
    let devices = serving_devices(asked);
    let defaults = EngineSettings::defaults(single.engine, &single.device, 1);
    let scenario = Scenario {
        model: &model,
        device: &single.device,
        engine: single.engine,
        version: asked.version,
        precision: model.precision,
        kv_precision: None,
        tensor_parallel: 1,
        replicas: 1,
        settings: Some(EngineSettings { max_sequences: defaults.max_sequences.min(single.most_slots), ..defaults }),
        kv_tokens: None,
    };
    // layouts are the same on each node, so the smallest number of devices counts
    let fewest = devices.iter().map(Vec::len).min().unwrap_or(0) as u32;
    let nodes = Nodes { count: devices.len() as u32, devices: fewest };
    let limits = Limits { stop: stop.clone(), most_work: MOST_WORK, ..Limits::default() };
    let found = layouts(&scenario, nodes, &workload, asked.load.slo.as_ref(), &asked.profiles, &limits);
    if stop.is_stopped() {
        return Err(AdviceFailure::Stopped);
    }

    let best = found.iter().find_map(|layout| layout.verdict.as_ref().ok()).map(|best| &best.simulation);
    notes.extend(best.into_iter().flat_map(|best| &best.notes).map(|note| format!("{}.", capital(&note.to_string()))));
    let price = asked.prices.iter().find(|price| price.device.eq_ignore_ascii_case(&single.device.name)).cloned();
    let advice = LayoutAdvice {
        prediction: best.map(|best| prediction(&best.prediction)),
        layouts: found.into_iter().map(row).collect(),
        nodes: nodes.count,
        devices: devices.first().map(|devices| in_words(&devices[..fewest as usize])).unwrap_or_default(),
        load: words,
        price: None,
        notes,
    };
    Ok(advice.priced(price))
}

/// The serving devices of each chosen node.
fn serving_devices(asked: &LayoutQuestion) -> Vec<Vec<Device>> {
    let of = |choice: &NodeChoice| {
        let node = asked.nodes.iter().find(|node| node.hostname == choice.hostname)?;
        Some(serving(node, choice).into_iter().map(|(_, device)| device).collect())
    };
    asked.choices.iter().filter_map(of).collect()
}

/// The first requests of the largest load point, its wording, and notes about it.
fn largest_load(load: &LoadSpec) -> Result<(SimulatedWorkload, String, Vec<String>), AdviceFailure> {
    if load.eval_with == EvalWith::Dataset {
        return Err(AdviceFailure::Dataset);
    }
    let plan = Plan::of_load(load, PromptSource::Synthetic);
    let points = plan.load_points.iter().enumerate();
    let largest = points.max_by(|(_, one), (_, other)| one.at().total_cmp(&other.at()));
    let (index, point) = largest.ok_or(PlanConversionError::NoLoadPoint(0))?;
    let most = ENOUGH_REQUESTS.max(REQUESTS_PER_USER * point.cap() as usize).min(MOST_REQUESTS);
    let workload = first_requests(&plan, index as u32, most)?;
    let simulated = workload.requests.len();
    let cut = point.requests().filter(|&all| all as usize > simulated);
    let cut = cut.map(|all| {
        let (some, all) = (grouped(simulated as u64), grouped(all.into()));
        format!("Each layout was simulated with the first {some} of {all} requests.")
    });
    Ok((workload, in_sentence(load, point), cut.into_iter().collect()))
}

/// The wording of a load point: "16 in flight, 512 tokens in and 128 out".
fn in_sentence(load: &LoadSpec, point: &PlannedLoad) -> String {
    let mut alone = load.clone();
    alone.load_points = point.load.offered().into_iter().collect();
    if let Some(slo) = &mut alone.slo {
        slo.search = None;
    }
    let length = |length: Option<u32>, is_drawn: bool| {
        let most = if is_drawn { "up to " } else { "" };
        format!("{most}{}", grouped(length.unwrap_or(1).into()))
    };
    let input = length(load.max_input_tokens, load.input_lengths.is_some());
    let output = length(load.max_output_tokens, load.output_lengths.is_some());
    format!("{}, {input} tokens in and {output} out", load_words(&alone, &[]))
}

fn row(layout: ParallelLayout) -> LayoutRow {
    let ParallelLayout { tensor_parallel, replicas, devices, verdict } = layout;
    let (figures, reason, missing_bytes) = match verdict {
        Ok(estimate) => (Some(figures(&estimate, devices)), None, None),
        Err(SimulationError::DoesNotFit(memory)) => (None, Some(memory.shortage()), Some(memory.missing() as u64)),
        Err(error) => (None, Some(format!("{}.", capital(&error.to_string()))), None),
    };
    LayoutRow { tensor_parallel, replicas, devices, fits: figures.is_some(), figures, reason, missing_bytes }
}

fn figures(estimate: &Estimate, devices: u32) -> LayoutFigures {
    let outcome = &estimate.simulation.outcome;
    let of = |PredictedDistribution { mean, p50, p99, .. }: PredictedDistribution| LatencyFigures { mean, p50, p99 };
    LayoutFigures {
        meets_limits: estimate.meets_limits,
        output_throughput: estimate.output_throughput,
        cost_per_million_output_tokens: None,
        cost_rank: None,
        output_throughput_per_device: estimate.output_throughput / f64::from(devices.max(1)),
        request_throughput: outcome.request_throughput,
        goodput: estimate.goodput,
        ttft_ms: outcome.ttft_ms.map(of),
        tpot_ms: outcome.tpot_ms.map(of),
        e2el_ms: outcome.e2el_ms.map(of),
        kv_tokens: outcome.memory.kv_tokens,
        concurrent_requests: outcome.memory.concurrent_requests,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::hypothetical_nodes;
    use super::*;
    use crate::domain::inventory::{FileLocation, ModelSource};

    fn question(model: &str, hostnames: &[&str], load: Value) -> LayoutQuestion {
        let mut whole = json!({ "concurrent_requests": 16, "eval_with": "configuration", "max_input_tokens": 512,
            "max_output_tokens": 128 });
        whole.as_object_mut().unwrap().extend(load.as_object().unwrap().clone());
        let source = ModelSource::File { path: format!("/models/{model}"), location: FileLocation::Node };
        let created_at = jiff::Timestamp::UNIX_EPOCH;
        LayoutQuestion {
            model: Model {
                id: uuid::Uuid::nil(),
                name: model.to_owned(),
                source,
                facts: None,
                owner: None,
                archived: false,
                created_at,
            },
            engine: EngineKind::Vllm,
            load: serde_json::from_value(whole).unwrap(),
            choices: hostnames.iter().map(|name| NodeChoice { hostname: (*name).to_owned(), device_types: Vec::new() }).collect(),
            nodes: hypothetical_nodes(),
            roots: Roots::default(),
            data_dir: PathBuf::from("/nowhere"),
            version: None,
            profiles: Profiles::published(),
            prices: Vec::new(),
        }
    }

    #[test]
    fn every_layout_is_ranked_or_explained_in_numbers() {
        let advice = advise(&question("Llama-3.1-70B", &["h100-sxm-80gb-x8"], json!({})), &StopFlag::default()).unwrap();
        assert_eq!((advice.nodes, advice.devices.as_str()), (1, "8 × H100-SXM-80GB"));
        assert_eq!(advice.load, "16 in flight, 512 tokens in and 128 out");
        let throughput = |row: &LayoutRow| row.figures.as_ref().map(|figures| figures.output_throughput);
        let possible: Vec<f64> = advice.layouts.iter().filter_map(throughput).collect();
        // two devices have hardly any memory left beside 141 GB of weights: 4 x 1, 4 x 2, 8 x 1
        assert!(possible.len() >= 3 && possible.is_sorted_by(|one, other| one >= other), "{possible:?}");
        let single = advice.layouts.iter().find(|row| row.tensor_parallel == 1).unwrap();
        assert!(!single.fits && single.missing_bytes.unwrap() > 60_000_000_000);
        assert!(single.reason.as_ref().unwrap().contains("141 GB of weights"), "{:?}", single.reason);
        assert!(advice.prediction.is_some());
    }

    #[test]
    fn limits_and_the_largest_load_decide() {
        let mut load =
            json!({ "load_points": [{ "concurrency": 4 }, { "concurrency": 256 }, { "concurrency": 16 }], "num_requests": 5000 });
        let of =
            |load: &Value| advise(&question("Llama-3.1-8B", &["h100-sxm-80gb-x4"], load.clone()), &StopFlag::default()).unwrap();
        let tpot = |row: &LayoutRow| Some(row.figures.as_ref()?.tpot_ms?.p99);
        let (least, most) = of(&load)
            .layouts
            .iter()
            .filter_map(tpot)
            .fold((f64::MAX, 0.0_f64), |(least, most), tpot| (least.min(tpot), most.max(tpot)));
        // a limit that some layouts meet and some don't
        load["slo"] = json!({ "percentile": 99.0, "tpot_ms": f64::midpoint(least, most) });
        let advice = of(&load);
        assert!(advice.load.contains("256 in flight"), "{}", advice.load);
        assert_eq!(advice.notes[0], "Each layout was simulated with the first 2,000 of 5,000 requests.");
        let meets: Vec<bool> = advice.layouts.iter().filter_map(|row| row.figures.as_ref()?.meets_limits).collect();
        assert!(meets.is_sorted_by(|one, other| one >= other) && meets.contains(&false) && meets[0], "{meets:?}");
    }

    #[test]
    fn nodes_alike_serve_together_and_others_are_refused() {
        let two = advise(&question("Llama-3.1-8B", &["l4-24gb-x2", "l4-24gb-x4"], json!({})), &StopFlag::default()).unwrap();
        // as many devices as each node has
        assert_eq!((two.nodes, two.devices.as_str()), (2, "2 × L4-24GB"));
        assert!(two.layouts.iter().all(|row| row.devices == 2 * row.tensor_parallel * row.replicas));
        let mixed =
            advise(&question("Llama-3.1-8B", &["l4-24gb-x1", "h100-sxm-80gb-x1"], json!({})), &StopFlag::default()).unwrap_err();
        assert!(mixed.to_string().contains("alike"), "{mixed}");
        let dataset = json!({ "eval_with": "dataset" });
        assert_eq!(
            advise(&question("Llama-3.1-8B", &["l4-24gb-x1"], dataset), &StopFlag::default()),
            Err(AdviceFailure::Dataset)
        );
    }
}
