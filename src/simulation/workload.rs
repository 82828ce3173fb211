//! The workload of a plan for the simulator: the requests that the load generator would send, with their lengths and arrivals.

use dyno_load::tokens::estimate;
use dyno_load::workload::{Played, RowLengths, TraceRequest, WorkloadError, listed};
use dyno_measure::arrivals::Arrivals;
use dyno_measure::dataset::DatasetRow;
use dyno_measure::load::EvalWith;
use dyno_measure::plan::{DatasetFile, Load, Plan, PromptSource, Workload as Planned};
use dyno_measure::words::grouped;
use dyno_simulate::planned::{PlanConversionError, simulate_plan};
use dyno_simulate::scenario::Simulation;
use dyno_simulate::workload::{Request, SimulatedLoad, SimulatedWorkload};
use dyno_simulate::{SimulationError, Simulator, StopFlag};

use crate::domain::benchmark::BenchmarkSpec;
use crate::domain::dataset::Dataset as KeptDataset;

/// Most requests of all load points together: a record is kept of each, some 700 bytes in memory and more in the store.
pub(super) const MOST_REQUESTS: u64 = 250_000;
/// Most rows of all datasets together: 32 bytes are kept of each.
const MOST_ROWS: u64 = 4_000_000;
/// Approximate tokens that a chat template adds per message.
const TEMPLATE_TOKENS: u32 = 8;

/// Why a load can't be simulated; a sentence for people.
#[derive(Debug, thiserror::Error)]
pub enum WorkloadFailure {
    #[error(transparent)]
    Unreadable(#[from] WorkloadError),
    #[error("Too large to be simulated: more than {} requests in all load points together.", grouped(MOST_REQUESTS))]
    TooManyRequests,
    #[error("Too large to be simulated: more than {} rows in all datasets together.", grouped(MOST_ROWS))]
    TooManyRows,
    #[error(transparent)]
    Simulation(#[from] SimulationError),
    #[error("The load can't be simulated: {0}.")]
    Plan(PlanConversionError),
}

impl From<PlanConversionError> for WorkloadFailure {
    fn from(error: PlanConversionError) -> Self {
        match error {
            PlanConversionError::Simulation(error) => Self::Simulation(error),
            PlanConversionError::TooManyRequests => Self::TooManyRequests,
            other => Self::Plan(other),
        }
    }
}

/// The source of lengths.
pub(super) enum DrawnLengths {
    /// From the plan's seed.
    Drawn,
    /// From the rows of datasets.
    Rows(RowLengths),
    /// From a trace, with its arrivals.
    Trace(Vec<TraceRequest>),
}

/// Refuses datasets with more rows than are read.
pub(super) fn check_rows(spec: &BenchmarkSpec) -> Result<(), WorkloadFailure> {
    let rows = spec.datasets.iter().map(|dataset| dataset.samples).fold(0, u64::saturating_add);
    if spec.load.eval_with == EvalWith::Dataset && rows > MOST_ROWS { Err(WorkloadFailure::TooManyRows) } else { Ok(()) }
}

/// The plan's source of prompts: the stored files of datasets.
pub(super) fn source(spec: &BenchmarkSpec, data_dir: &std::path::Path) -> PromptSource {
    if spec.load.eval_with == EvalWith::Configuration {
        return PromptSource::Synthetic;
    }
    let file = |dataset: &KeptDataset| DatasetFile {
        path: dyno_datasets::path_of(data_dir, dataset.id),
        id: dataset.id,
        name: dataset.name.clone(),
        sha256: Some(dataset.sha256.clone()),
        notes: dyno_datasets::notes(&dataset.left_out, dataset.replaced, dataset.samples, &dataset.name),
    };
    match spec.datasets.iter().find(|dataset| dataset.format.is_trace()) {
        Some(trace) => {
            let context_tokens = spec.model.facts.as_ref().and_then(|facts| facts.context_length);
            PromptSource::Trace { file: file(trace), context_tokens }
        }
        None => PromptSource::Datasets(spec.datasets.iter().map(file).collect()),
    }
}

impl DrawnLengths {
    /// Reads the plan's lengths, until it is stopped; with sentences about assumptions.
    pub fn read(plan: &Plan, stop: &StopFlag) -> Result<(Self, Vec<String>), WorkloadFailure> {
        match &plan.workload {
            Planned::Synthetic { shared_prefix, .. } => {
                let shared = (*shared_prefix > 0.0)
                    .then(|| "A prefix cache is not simulated: shared prompts are computed each time.".to_owned());
                Ok((Self::Drawn, shared.into_iter().collect()))
            }
            Planned::Dataset { files, max_output_tokens, .. } => {
                let input = |row: &DatasetRow| {
                    let lengths = row.messages.iter().map(|message| estimate(&message.content).saturating_add(TEMPLATE_TOKENS));
                    lengths.fold(0, u32::saturating_add)
                };
                let (rows, mut notes) = RowLengths::read(files, *max_output_tokens, plan.seed, input, || stop.is_stopped())?;
                notes.push(
                    "Prompts' lengths are estimates, four characters a token; answers are as long as their limits.".to_owned(),
                );
                notes.extend(files.iter().flat_map(|file| file.notes.clone()));
                Ok((Self::Rows(rows), notes))
            }
            Planned::Trace { file, max_output_tokens, context_tokens } => {
                let time_scale = match plan.load_points.first().map(|point| &point.load) {
                    Some(Load::Trace { time_scale, .. }) => *time_scale,
                    _ => 1.0,
                };
                let played = Played {
                    time_scale,
                    max_output_tokens: *max_output_tokens,
                    context_tokens: *context_tokens,
                    embeddings: false,
                };
                let (rows, mut notes) = listed(file, played)?;
                notes.push("A prefix cache is not simulated: what the trace's prompts share is computed each time.".to_owned());
                Ok((Self::Trace(rows), notes))
            }
        }
    }

    /// Simulates a load point; `earlier` requests were sent in the load points before it.
    pub fn simulate(
        &self,
        simulator: &Simulator<'_>,
        plan: &Plan,
        number: u32,
        earlier: u64,
    ) -> Result<Simulation, WorkloadFailure> {
        let Some(point) = plan.load_points.get(number as usize) else {
            return Err(PlanConversionError::NoLoadPoint(number).into());
        };
        if point.requests().is_some_and(|count| earlier + u64::from(count) > MOST_REQUESTS) {
            return Err(WorkloadFailure::TooManyRequests);
        }
        let request = |place: usize| match self {
            Self::Drawn => None,
            Self::Rows(rows) => {
                let (input, output) = rows.of(earlier + place as u64);
                Some((input, output, 0.0))
            }
            Self::Trace(rows) => rows.get(place).map(|row| (row.input, row.output, row.at as f64 / 1e9)),
        };
        let workload = |count: usize| {
            let (load, mut arrivals) = match point.load {
                Load::Closed { concurrency } => (SimulatedLoad::Closed { concurrency, ramp: plan.ramp_of(concurrency) }, None),
                Load::Rate { rate, process, burstiness, max_in_flight } => {
                    let arrivals = Arrivals::new(rate, process, burstiness, plan.arrivals_seed(number));
                    (SimulatedLoad::Open { max_in_flight: Some(max_in_flight) }, Some(arrivals))
                }
                Load::Trace { max_in_flight, .. } => (SimulatedLoad::Open { max_in_flight: Some(max_in_flight) }, None),
            };
            let requests = (0..count).map_while(request).map(|(input, output, listed)| {
                let arrival = arrivals.as_mut().map_or(listed, |arrivals| {
                    let at = arrivals.peek() as f64 / 1e9;
                    arrivals.advance();
                    at
                });
                Request { arrival, input, output }
            });
            SimulatedWorkload { requests: requests.collect(), load, warmup: 0, until: point.duration_s }
        };
        match (self, point.requests()) {
            (Self::Drawn, _) => Ok(simulate_plan(simulator, plan, number)?),
            (Self::Trace(rows), count) => {
                let count = count.filter(|_| point.num_requests.is_some()).map_or(rows.len(), |count| count as usize);
                if earlier + count as u64 > MOST_REQUESTS {
                    return Err(WorkloadFailure::TooManyRequests);
                }
                Ok(simulator.run(&workload(count))?)
            }
            (Self::Rows(_), Some(count)) => Ok(simulator.run(&workload(count as usize))?),
            (Self::Rows(_), None) => {
                // the number of requests sent by the end is not known in advance
                let counts = std::iter::successors(Some(1_024), |count| Some(count * 4))
                    .take_while(|count| *count as u64 <= MOST_REQUESTS);
                for count in counts {
                    let simulation = simulator.run(&workload(count))?;
                    if !simulation.outcome.ran_out {
                        return Ok(simulation);
                    }
                }
                Err(WorkloadFailure::TooManyRequests)
            }
        }
    }
}
