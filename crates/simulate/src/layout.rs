//! Layout advice: tensor-parallel degree and replicas for given devices, ranked, with the reasons for which others don't fit.

use dyno_measure::load::Slo;
use serde::Serialize;

use crate::limits::Limits;
use crate::profile::Profiles;
use crate::scenario::{Scenario, Simulation, SimulationError, Simulator};
use crate::workload::SimulatedWorkload;

const DEGREES: [u32; 4] = [1, 2, 4, 8];

/// Identical nodes over which a model is laid out. No copy spans nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nodes {
    pub count: u32,
    /// Devices of each that may serve.
    pub devices: u32,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ParallelLayout {
    /// Devices that share one copy of the model.
    pub tensor_parallel: u32,
    /// Copies on each node.
    pub replicas: u32,
    /// Devices in use over all nodes; the others are idle.
    pub devices: u32,
    pub verdict: Result<Estimate, SimulationError>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Estimate {
    /// Whether the load stays within the limits; absent without limits.
    pub meets_limits: Option<bool>,
    /// Output tokens per second of all replicas.
    pub output_throughput: f64,
    /// Requests within the limits per second, where there are limits.
    pub goodput: Option<f64>,
    pub simulation: Simulation,
}

/// Every layout, best first: those within the limits by throughput, then the others by throughput, then those that can't be. Of layouts
/// as fast as each other the one with fewer devices comes first. Of a degree that can't be there is one entry, with all devices.
/// The scenario's own degree and replicas are not looked at. The limits are those of each layout's simulation.
pub fn layouts(
    scenario: &Scenario<'_>,
    nodes: Nodes,
    workload: &SimulatedWorkload,
    slo: Option<&Slo>,
    profiles: &Profiles,
    limits: &Limits,
) -> Vec<ParallelLayout> {
    let most = nodes.devices.min(scenario.device.devices_per_node);
    let mut layouts = Vec::new();
    for tensor_parallel in DEGREES.into_iter().filter(|&degree| degree <= most) {
        let all = nodes.devices / tensor_parallel;
        let layout = |replicas: u32, verdict| {
            let devices = nodes.count * replicas * tensor_parallel;
            ParallelLayout { tensor_parallel, replicas, devices, verdict }
        };
        for replicas in (1..=all).rev() {
            let copies = nodes.count * replicas;
            match estimate(Scenario { tensor_parallel, replicas: copies, ..scenario.clone() }, workload, slo, profiles, limits) {
                Ok(estimate) => layouts.push(layout(replicas, Ok(estimate))),
                Err(error) => {
                    layouts.push(layout(replicas, Err(error)));
                    // Whether a copy fits does not depend on how many there are.
                    break;
                }
            }
        }
    }
    layouts.sort_by(|one, other| {
        let by_figures = rank(other).partial_cmp(&rank(one)).unwrap_or(std::cmp::Ordering::Equal);
        by_figures.then(one.devices.cmp(&other.devices)).then(one.tensor_parallel.cmp(&other.tensor_parallel))
    });
    layouts
}

fn estimate(
    scenario: Scenario<'_>,
    workload: &SimulatedWorkload,
    slo: Option<&Slo>,
    profiles: &Profiles,
    limits: &Limits,
) -> Result<Estimate, SimulationError> {
    let simulation = Simulator::new(scenario, profiles)?.within(limits).run(workload)?;
    let outcome = &simulation.outcome;
    Ok(Estimate {
        meets_limits: slo.map(|slo| outcome.meets(slo)),
        output_throughput: outcome.output_throughput,
        goodput: slo.map(|slo| outcome.goodput(slo).0),
        simulation,
    })
}

fn rank(layout: &ParallelLayout) -> (bool, bool, f64) {
    match &layout.verdict {
        Ok(estimate) => (true, estimate.meets_limits != Some(false), estimate.output_throughput),
        Err(_) => (false, false, 0.0),
    }
}
