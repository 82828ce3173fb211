//! Layout advice: tensor-parallel degree and replicas for given devices, ranked, with why the others don't fit.

use dyno_measure::load::Slo;
use serde::Serialize;

use crate::profile::Profiles;
use crate::scenario::{Scenario, Simulation, SimulationError, Simulator};
use crate::workload::Workload;

const DEGREES: [u32; 4] = [1, 2, 4, 8];

/// What is known of one layout.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    /// Devices that share one copy of the model.
    pub tensor_parallel: u32,
    pub replicas: u32,
    /// Devices in use; the rest of the node lies idle.
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
    /// Per million output tokens, where devices have a price.
    pub cost_per_million_tokens: Option<f64>,
    pub simulation: Simulation,
}

/// Every layout on `devices` devices of one node, best first: those within the limits by throughput, then the others by throughput,
/// then those that can't be. The scenario's own degree and replicas are not looked at.
pub fn layouts(
    scenario: &Scenario<'_>,
    devices: u32,
    workload: &Workload,
    slo: Option<&Slo>,
    price_per_device_hour: Option<f64>,
    profiles: &Profiles,
) -> Vec<Layout> {
    let most = devices.min(scenario.device.devices_per_node);
    let mut layouts: Vec<Layout> = DEGREES
        .into_iter()
        .filter(|&degree| degree <= most)
        .map(|tensor_parallel| {
            let replicas = devices / tensor_parallel;
            let used = replicas * tensor_parallel;
            let verdict = Simulator::new(Scenario { tensor_parallel, replicas, ..scenario.clone() }, profiles)
                .and_then(|simulator| simulator.run(workload))
                .map(|simulation| {
                    let outcome = &simulation.outcome;
                    let throughput = outcome.output_throughput;
                    Estimate {
                        meets_limits: slo.map(|slo| outcome.meets(slo)),
                        output_throughput: throughput,
                        goodput: slo.map(|slo| outcome.goodput(slo).0),
                        cost_per_million_tokens: price_per_device_hour
                            .filter(|_| throughput > 0.0)
                            .map(|price| price * f64::from(used) / (3600.0 * throughput) * 1e6),
                        simulation,
                    }
                });
            Layout { tensor_parallel, replicas, devices: used, verdict }
        })
        .collect();
    // Stable: of equals the smaller degree stays first.
    layouts.sort_by(|one, other| rank(other).partial_cmp(&rank(one)).unwrap_or(std::cmp::Ordering::Equal));
    layouts
}

fn rank(layout: &Layout) -> (bool, bool, f64) {
    match &layout.verdict {
        Ok(estimate) => (true, estimate.meets_limits != Some(false), estimate.output_throughput),
        Err(_) => (false, false, 0.0),
    }
}
