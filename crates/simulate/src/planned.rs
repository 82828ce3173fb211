//! Converts the load generator's plan to a simulated workload: the same arrivals and lengths, from the same seed.

use dyno_measure::arrivals::Arrivals;
use dyno_measure::plan::{self, Plan, PlannedLengths, length_key};

use crate::scenario::{Simulation, SimulationError, SimulationNote, Simulator};
use crate::workload::{Request, SimulatedLoad, SimulatedWorkload};

/// Most requests for a load point that ends by time.
const MOST_REQUESTS: usize = 1 << 20;

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlanConversionError {
    #[error("the plan has no load point {0}")]
    NoLoadPoint(u32),
    #[error("lengths of requests are said by a dataset or a trace, not by the plan")]
    LengthsElsewhere,
    #[error("more than {MOST_REQUESTS} requests")]
    TooManyRequests,
    #[error(transparent)]
    Simulation(#[from] SimulationError),
}

/// Simulates the measured phase of one load point of made-up requests. The load generator awaits its warm-up before that, so
/// that it leaves nothing behind in an engine without prefix cache. Prompts are numbered through all load points; how many one sends
/// that ends by time is not known, so that lengths after it are drawn alike but are not the same, and a note says so.
pub fn simulate_plan(simulator: &Simulator<'_>, plan: &Plan, load_point: u32) -> Result<Simulation, PlanConversionError> {
    let point = plan.load_points.get(load_point as usize).ok_or(PlanConversionError::NoLoadPoint(load_point))?;
    let mut simulation = match point.requests() {
        Some(count) => simulator.run(&workload(plan, load_point, count as usize)?)?,
        None => simulate_until_end(simulator, plan, load_point)?,
    };
    let drawn = matches!(&plan.workload, plan::Workload::Synthetic { input_lengths, output_lengths, .. }
        if input_lengths.is_some() || output_lengths.is_some());
    if drawn && plan.load_points[..load_point as usize].iter().any(|earlier| earlier.requests().is_none()) {
        simulation.notes.push(SimulationNote::OtherLengths);
    }
    Ok(simulation)
}

/// Simulates a load point that ends by time, with more requests until they last: their number is not known in advance.
fn simulate_until_end(simulator: &Simulator<'_>, plan: &Plan, load_point: u32) -> Result<Simulation, PlanConversionError> {
    let mut count = 1024;
    while count <= MOST_REQUESTS {
        let simulation = simulator.run(&workload(plan, load_point, count)?)?;
        if !simulation.outcome.ran_out {
            return Ok(simulation);
        }
        count *= 4;
    }
    Err(PlanConversionError::TooManyRequests)
}

/// The first requests of a load point's measured phase, at most `most`: enough to compare layouts.
pub fn first_requests(plan: &Plan, load_point: u32, most: usize) -> Result<SimulatedWorkload, PlanConversionError> {
    let point = plan.load_points.get(load_point as usize).ok_or(PlanConversionError::NoLoadPoint(load_point))?;
    workload(plan, load_point, point.requests().map_or(most, |count| most.min(count as usize)))
}

fn workload(plan: &Plan, load_point: u32, count: usize) -> Result<SimulatedWorkload, PlanConversionError> {
    let plan::Workload::Synthetic { input_tokens, output_tokens, input_lengths, output_lengths, .. } = plan.workload else {
        return Err(PlanConversionError::LengthsElsewhere);
    };
    let point = plan.load_points.get(load_point as usize).ok_or(PlanConversionError::NoLoadPoint(load_point))?;
    let lengths = PlannedLengths::new((input_lengths, input_tokens), (output_lengths, output_tokens), plan.seed);
    let earlier =
        plan.load_points[..load_point as usize].iter().filter_map(plan::PlannedLoad::requests).map(u64::from).sum::<u64>();
    let (load, mut arrivals) = match point.load {
        plan::Load::Closed { concurrency } => (SimulatedLoad::Closed { concurrency, ramp: plan.ramp_of(concurrency) }, None),
        plan::Load::Rate { rate, process, burstiness, max_in_flight } => {
            let arrivals = Arrivals::new(rate, process, burstiness, plan.arrivals_seed(load_point));
            (SimulatedLoad::Open { max_in_flight: Some(max_in_flight) }, Some(arrivals))
        }
        plan::Load::Trace { .. } => return Err(PlanConversionError::LengthsElsewhere),
    };
    let requests = (0..count as u64)
        .map(|number| {
            let key = length_key(earlier + number, false);
            let arrival = arrivals.as_mut().map_or(0.0, |arrivals| {
                let at = arrivals.peek() as f64 / 1e9;
                arrivals.advance();
                at
            });
            Request { arrival, input: lengths.input.length(key), output: lengths.output.length(key) }
        })
        .collect();
    Ok(SimulatedWorkload { requests, load, warmup: 0, until: point.duration_s })
}
