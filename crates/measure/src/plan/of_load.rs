//! Converts a requested load to a plan, and back. Portal and command line use the same rules.

use super::{DatasetFile, Load, Plan, PlanHeader, PlannedLoad, Workload};
use crate::load::{Arrival, ArrivalProcess, Endpoint, EvalWith, LoadSpec, OfferedLoad, Prefix, RequestHeader};
use crate::statistics::bounds::floor;

/// The source of a load's prompts.
#[derive(Debug, Clone, PartialEq)]
pub enum PromptSource {
    Synthetic,
    /// These datasets, one after the other.
    Datasets(Vec<DatasetFile>),
    Trace {
        file: DatasetFile,
        /// The model's context, where it is known.
        context_tokens: Option<u32>,
    },
}

impl Plan {
    /// The plan of a load, without endpoints.
    pub fn of_load(load: &LoadSpec, source: PromptSource) -> Self {
        let load_points = load_points(load, matches!(source, PromptSource::Trace { .. }));
        Self {
            endpoint: load.endpoint(),
            ignore_eos: load.ignore_eos == Some(true),
            seed: load.seed.unwrap_or(1),
            ramp_s: load.ramp_s,
            slo: load.slo.clone(),
            headers: load.headers.iter().map(PlanHeader::from).collect(),
            extra_body: load.extra_body.clone(),
            ..Self::new(workload(load, source), load_points)
        }
    }

    /// The load of a plan, without its files. Load points may differ in their offered loads only; other differences are lost.
    pub fn load(&self) -> LoadSpec {
        let first = self.load_points.first();
        let same = |of: fn(&PlannedLoad) -> Option<u32>| {
            first.and_then(of).filter(|value| self.load_points.iter().all(|point| of(point) == Some(*value)))
        };
        let eval_with =
            if matches!(self.workload, Workload::Synthetic { .. }) { EvalWith::Configuration } else { EvalWith::Dataset };
        let offered: Vec<OfferedLoad> = self.load_points.iter().filter_map(|point| point.load.offered()).collect();
        let mut load = LoadSpec {
            num_requests: same(|point| point.num_requests),
            duration_s: first.and_then(|point| point.duration_s),
            warmup_requests: same(|point| point.warmup_requests),
            load_points: if offered.len() > 1 { offered } else { Vec::new() },
            slo: self.slo.clone(),
            endpoint: (self.endpoint != Endpoint::default()).then_some(self.endpoint),
            seed: Some(self.seed),
            ramp_s: self.ramp_s,
            ignore_eos: self.ignore_eos.then_some(true),
            headers: self.headers.iter().filter_map(shown_header).collect(),
            extra_body: self.extra_body.clone(),
            ..LoadSpec::new(first.map_or(1, PlannedLoad::cap), eval_with)
        };
        match first.map(|point| &point.load) {
            Some(Load::Rate { rate, process, burstiness, .. }) => {
                let burstiness = (*process == ArrivalProcess::Gamma).then_some(*burstiness);
                load.arrival = Some(Arrival::Rate { rate: *rate, process: *process, burstiness });
            }
            Some(Load::Trace { time_scale, .. }) => load.time_scale = Some(*time_scale),
            Some(Load::Closed { .. }) | None => {}
        }
        match &self.workload {
            Workload::Synthetic { input_tokens, output_tokens, input_lengths, output_lengths, shared_prefix } => {
                load.max_input_tokens = Some(*input_tokens);
                load.max_output_tokens = Some(*output_tokens);
                load.input_lengths = *input_lengths;
                load.output_lengths = *output_lengths;
                load.prefix = (*shared_prefix > 0.0).then_some(Prefix { share: *shared_prefix });
            }
            Workload::Dataset { max_output_tokens, multi_turn, .. } => {
                load.max_output_tokens = *max_output_tokens;
                load.multi_turn = multi_turn.then_some(true);
            }
            Workload::Trace { max_output_tokens, .. } => load.max_output_tokens = *max_output_tokens,
        }
        load
    }
}

/// The header, unless its value comes from the environment.
fn shown_header(header: &PlanHeader) -> Option<RequestHeader> {
    Some(RequestHeader { name: header.name.clone(), value: header.value.clone()? })
}

fn workload(load: &LoadSpec, source: PromptSource) -> Workload {
    match source {
        PromptSource::Synthetic => Workload::Synthetic {
            input_tokens: load.max_input_tokens.unwrap_or(1),
            // An embedding has no output, but the plan's field is required.
            output_tokens: load.max_output_tokens.unwrap_or(1),
            input_lengths: load.input_lengths,
            output_lengths: load.output_lengths,
            shared_prefix: load.prefix.as_ref().map_or(0.0, |prefix| prefix.share),
        },
        PromptSource::Datasets(files) => {
            Workload::Dataset { files, max_output_tokens: load.max_output_tokens, multi_turn: load.is_multi_turn() }
        }
        PromptSource::Trace { file, context_tokens } => {
            Workload::Trace { file, max_output_tokens: load.max_output_tokens, context_tokens }
        }
    }
}

/// The load points of a load, each with its own number of requests unless the load sets one.
pub fn load_points(load: &LoadSpec, is_trace: bool) -> Vec<PlannedLoad> {
    let max_in_flight = load.concurrent_requests;
    let (process, burstiness) = match &load.arrival {
        Some(Arrival::Rate { process, burstiness, .. }) => (*process, burstiness.unwrap_or(1.0)),
        _ => (ArrivalProcess::default(), 1.0),
    };
    let open = |rate: f64| Load::Rate { rate, process, burstiness, max_in_flight };
    let search = load.slo.as_ref().and_then(|slo| slo.search.as_ref());
    let loads: Vec<Load> = match (load.load_points.as_slice(), &load.arrival, search) {
        _ if is_trace => vec![Load::Trace { time_scale: load.time_scale.unwrap_or(1.0), max_in_flight }],
        // A search chooses its loads; the one planned is the largest, for which prompts and connections are prepared.
        (_, Some(Arrival::Rate { .. }), Some(search)) => vec![open(search.max)],
        (_, _, Some(search)) => vec![Load::Closed { concurrency: search.max.floor().max(1.0) as u32 }],
        ([], Some(Arrival::Rate { rate, .. }), None) => vec![open(*rate)],
        ([], _, None) => vec![Load::Closed { concurrency: load.concurrent_requests }],
        (points, _, None) => points
            .iter()
            .map(|point| match point {
                OfferedLoad::Concurrency { concurrency } => Load::Closed { concurrency: *concurrency },
                OfferedLoad::Rate { rate } => open(*rate),
            })
            .collect(),
    };
    // With limits, at least as many requests as their percentile needs; a search does this for each load that it tries.
    let least = load.slo.as_ref().filter(|_| search.is_none()).and_then(|slo| floor(slo.percentile)).unwrap_or(0);
    let planned = |offered: Load| {
        let point = PlannedLoad {
            load: offered,
            warmup_requests: load.warmup_requests,
            num_requests: load.num_requests,
            duration_s: load.duration_s,
        };
        if least > 0 { point.with_at_least(least) } else { point }
    };
    loads.into_iter().map(planned).collect()
}
