//! Fits efficiency factors to measured runs: Gauss-Newton on the logarithms of a few multipliers, with a ridge towards 1.

use crate::limits::Limits;
use crate::profile::{Efficiency, Factor};
use crate::scenario::{PredictionBasis, Scenario, Simulator};
use crate::workload::SimulatedWorkload;
use crate::{KvPrecision, SimulationError};

/// A measured run, reduced to what the fit uses; milliseconds, means over requests.
#[derive(Debug, Clone)]
pub struct Observation<'a> {
    pub scenario: Scenario<'a>,
    pub kv_precision: KvPrecision,
    pub workload: &'a SimulatedWorkload,
    pub ttft_ms: Option<f64>,
    pub tpot_ms: Option<f64>,
    pub e2el_ms: Option<f64>,
    /// Output tokens per second.
    pub output_throughput: Option<f64>,
    pub limits: Limits,
}

/// Factors with a common multiplier, and how strongly it is held to 1.
#[derive(Debug, Clone)]
pub struct Multiplier {
    pub factors: Vec<Factor>,
    pub ridge: f64,
    /// Its logarithm goes so far from 0 at most.
    pub farthest: f64,
}

/// Beyond this relative error a residual counts linearly instead of by its square.
const OUTLIER: f64 = 0.1;
/// TTFT above which queueing dominates, ms.
const QUEUED_MS: f64 = 5000.0;
/// Multipliers of factors that were fitted to measurements stay within e^-1.5 to e^1.5.
pub const FARTHEST: f64 = 1.5;
/// Of generic factors, which nobody measured: a processor shared with others may reach a thirtieth of its estimated peak.
pub const FARTHEST_OF_GENERIC: f64 = 4.0;
/// Enough iterations for fits of own runs to converge.
pub const ITERATIONS: usize = 12;
const DIFFERENCE: f64 = 0.02;

/// Five multipliers and the API's constant: as much as a few runs on one node determine. They stay within e^±`farthest` of the prior.
pub fn own_runs(farthest: f64) -> Vec<Multiplier> {
    let multiplier = |factors: &[Factor]| Multiplier { factors: factors.to_vec(), ridge: 0.12, farthest };
    vec![
        multiplier(&[Factor::Compute, Factor::Attention]),
        multiplier(&[Factor::Memory]),
        multiplier(&[Factor::Kv]),
        multiplier(&[Factor::LinkLatency]),
        multiplier(&[Factor::Step, Factor::Layer, Factor::Sequence]),
        multiplier(&[Factor::Api]),
    ]
}

/// Means of TTFT, TPOT and E2E in milliseconds with given factors.
///
/// # Errors
/// What can't be simulated.
pub fn simulated_means(
    scenario: &Scenario<'_>,
    workload: &SimulatedWorkload,
    efficiency: &Efficiency,
    kv_precision: KvPrecision,
) -> Result<[Option<f64>; 3], SimulationError> {
    let observation = Observation {
        scenario: scenario.clone(),
        kv_precision,
        workload,
        ttft_ms: None,
        tpot_ms: None,
        e2el_ms: None,
        output_throughput: None,
        limits: Limits::default(),
    };
    simulated(&observation, efficiency).map(|[ttft, tpot, e2el, _]| [ttft, tpot, e2el])
}

/// Means of TTFT, TPOT and E2E in milliseconds, and output tokens per second.
pub(crate) fn simulated(observation: &Observation<'_>, efficiency: &Efficiency) -> Result<[Option<f64>; 4], SimulationError> {
    let (scenario, kv_precision) = (observation.scenario.clone(), observation.kv_precision);
    let simulator = Simulator::with_factors(scenario, *efficiency, kv_precision, PredictionBasis::GENERIC, Vec::new())?;
    let outcome = simulator.within(&observation.limits).run(observation.workload)?.outcome;
    let mean = |distribution: Option<crate::outcome::PredictedDistribution>| distribution.map(|distribution| distribution.mean);
    Ok([mean(outcome.ttft_ms), mean(outcome.tpot_ms), mean(outcome.e2el_ms), Some(outcome.output_throughput)])
}

/// Weighted logarithms of simulated over measured; an observation that can't be simulated is left out.
pub fn residuals(observations: &[Observation<'_>], efficiency: &Efficiency) -> Vec<f64> {
    let mut residuals = Vec::with_capacity(4 * observations.len());
    for observation in observations {
        let simulated = simulated(observation, efficiency).unwrap_or_default();
        let measured = [observation.ttft_ms, observation.tpot_ms, observation.e2el_ms, observation.output_throughput];
        let weights = [if observation.ttft_ms.is_some_and(|ttft| ttft > QUEUED_MS) { 0.15 } else { 0.5 }, 1.0, 1.0, 1.0];
        for ((simulated, measured), weight) in simulated.into_iter().zip(measured).zip(weights) {
            residuals.push(match (simulated, measured) {
                (Some(simulated), Some(measured)) if simulated > 0.0 && measured > 0.0 => weight * (simulated / measured).ln(),
                _ => 0.0,
            });
        }
    }
    residuals
}

fn applied(start: &Efficiency, multipliers: &[Multiplier], logarithms: &[f64]) -> Efficiency {
    let mut efficiency = *start;
    for (multiplier, logarithm) in multipliers.iter().zip(logarithms) {
        for &factor in &multiplier.factors {
            let value = efficiency.get_mut(factor);
            *value *= logarithm.exp();
            if factor.is_share() {
                *value = value.min(1.0);
            }
        }
    }
    efficiency
}

fn loss(residuals: &[f64], multipliers: &[Multiplier], logarithms: &[f64]) -> f64 {
    let soft = |residual: &f64| 2.0 * OUTLIER * OUTLIER * ((1.0 + (residual / OUTLIER).powi(2)).sqrt() - 1.0);
    let held = multipliers.iter().zip(logarithms).map(|(multiplier, value)| (multiplier.ridge * value).powi(2));
    residuals.iter().map(soft).sum::<f64>() + held.sum::<f64>()
}

/// The factors that explain the observations best, after at most `iterations` iterations.
pub fn fit(observations: &[Observation<'_>], start: &Efficiency, multipliers: &[Multiplier], iterations: usize) -> Efficiency {
    let count = multipliers.len();
    let at = |logarithms: &[f64]| residuals(observations, &applied(start, multipliers, logarithms));
    let mut logarithms = vec![0.0; count];
    let mut current = at(&logarithms);
    let mut best = loss(&current, multipliers, &logarithms);
    let mut damping = 1e-2;
    for _ in 0..iterations {
        let columns: Vec<Vec<f64>> = (0..count)
            .map(|column| {
                let mut moved = logarithms.clone();
                moved[column] += DIFFERENCE;
                at(&moved).iter().zip(&current).map(|(new, old)| (new - old) / DIFFERENCE).collect()
            })
            .collect();
        let weights: Vec<f64> = current.iter().map(|residual| 1.0 / (1.0 + (residual / OUTLIER).powi(2)).sqrt()).collect();
        let product = |one: &[f64], other: &[f64]| -> f64 {
            one.iter().zip(other).zip(&weights).map(|((one, other), weight)| one * other * weight).sum()
        };
        let mut matrix = vec![vec![0.0; count]; count];
        let mut right = vec![0.0; count];
        for row in 0..count {
            let ridge = multipliers[row].ridge.powi(2);
            for column in 0..count {
                matrix[row][column] = product(&columns[row], &columns[column]);
            }
            matrix[row][row] += ridge;
            right[row] = -product(&columns[row], &current) - ridge * logarithms[row];
        }
        let mut improved = false;
        for _ in 0..6 {
            let mut damped = matrix.clone();
            for (index, row) in damped.iter_mut().enumerate() {
                row[index] *= 1.0 + damping;
                row[index] += 1e-9;
            }
            let step = solve(damped, right.clone());
            let tried: Vec<f64> = logarithms
                .iter()
                .zip(&step)
                .zip(multipliers)
                .map(|((value, change), multiplier)| {
                    (value + change.clamp(-0.7, 0.7)).clamp(-multiplier.farthest, multiplier.farthest)
                })
                .collect();
            let residuals = at(&tried);
            let new = loss(&residuals, multipliers, &tried);
            if new < best {
                improved = best - new > 1e-3 * best;
                (logarithms, current, best) = (tried, residuals, new);
                damping = (damping / 5.0).max(1e-6);
                break;
            }
            damping *= 5.0;
        }
        if !improved {
            break;
        }
    }
    applied(start, multipliers, &logarithms)
}

/// Gaussian elimination with pivoting; a singular direction stays unchanged.
fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Vec<f64> {
    let count = right.len();
    for column in 0..count {
        let pivot = (column..count).max_by(|&one, &other| matrix[one][column].abs().total_cmp(&matrix[other][column].abs()));
        let pivot = pivot.unwrap_or(column);
        matrix.swap(column, pivot);
        right.swap(column, pivot);
        let divisor = matrix[column][column];
        if divisor.abs() < 1e-12 {
            continue;
        }
        let pivot_row = matrix[column].clone();
        for row in column + 1..count {
            let share = matrix[row][column] / divisor;
            for (value, above) in matrix[row].iter_mut().zip(&pivot_row).skip(column) {
                *value -= share * above;
            }
            right[row] -= share * right[column];
        }
    }
    let mut solution = vec![0.0; count];
    for row in (0..count).rev() {
        let known: f64 = (row + 1..count).map(|column| matrix[row][column] * solution[column]).sum();
        let divisor = matrix[row][row];
        solution[row] = if divisor.abs() < 1e-12 { 0.0 } else { (right[row] - known) / divisor };
    }
    solution
}
