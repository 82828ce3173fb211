//! Profiles fitted to a portal's own measured runs.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::calibrate::{FARTHEST, FARTHEST_OF_GENERIC, ITERATIONS, Observation, fit, own_runs, simulated};
use crate::device::SimulatedDevice;
use crate::engine::{Engine, EngineSettings, EngineVersion};
use crate::limits::{Limits, StopFlag};
use crate::model::ModelDescriptor;
use crate::precision::KvPrecision;
use crate::profile::{Efficiency, ErrorBar, Profile, ProfileQuery, Profiles, Standing};
use crate::scenario::Scenario;
use crate::workload::SimulatedWorkload;

/// With fewer runs none is left out of the fit: what is left tells too little.
const LEAST_RUNS_FOR_ERROR: usize = 4;
/// Of many runs, so many are left out in turn.
const MOST_LEFT_OUT: usize = 8;
/// Share of left-out errors that lie within the error bar.
const WITHIN: f64 = 0.9;

/// What was served in a measured run, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeasuredSetup {
    pub model: ModelDescriptor,
    pub device: SimulatedDevice,
    pub engine: Engine,
    pub version: Option<EngineVersion>,
    pub tensor_parallel: u32,
    pub replicas: u32,
    pub settings: EngineSettings,
}

/// One load point: what was sent, and the means that were measured, in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeasuredPoint {
    pub workload: SimulatedWorkload,
    pub ttft_ms: Option<f64>,
    pub tpot_ms: Option<f64>,
    pub e2el_ms: Option<f64>,
}

/// A measured run, with all that simulating it takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeasuredRun {
    pub setup: MeasuredSetup,
    pub points: Vec<MeasuredPoint>,
}

/// What the factors of one profile hold for. Its text names a profile.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProfileKey {
    pub device: String,
    pub engine: Engine,
    pub version: Option<EngineVersion>,
    pub precision: &'static str,
    pub mixture: bool,
}

impl fmt::Display for ProfileKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { device, engine, version, precision, mixture } = self;
        write!(formatter, "{device}, {engine}")?;
        match version {
            Some(EngineVersion { major: 0, minor }) => write!(formatter, " 0.{minor}")?,
            Some(EngineVersion { major, .. }) => write!(formatter, " {major}")?,
            None => {}
        }
        write!(formatter, ", {precision}, {}", if *mixture { "mixtures of experts" } else { "dense models" })
    }
}

impl MeasuredSetup {
    pub fn key(&self) -> ProfileKey {
        ProfileKey {
            device: self.device.name.clone(),
            engine: self.engine,
            version: self.version,
            precision: self.model.precision.class_name(),
            mixture: self.model.mixture.is_some(),
        }
    }

    fn query(&self) -> ProfileQuery<'_> {
        let (engine, version, precision) = (self.engine, self.version, self.model.precision);
        ProfileQuery { device: &self.device, engine, version, precision, model: &self.model }
    }

    fn scenario(&self) -> Scenario<'_> {
        Scenario {
            model: &self.model,
            device: &self.device,
            engine: self.engine,
            version: self.version,
            precision: self.model.precision,
            kv_precision: None,
            tensor_parallel: self.tensor_parallel,
            replicas: self.replicas,
            settings: Some(self.settings),
            kv_tokens: None,
        }
    }
}

impl MeasuredRun {
    fn observations(&self, kv_precision: KvPrecision, limits: &Limits) -> impl Iterator<Item = Observation<'_>> {
        self.points.iter().map(move |point| Observation {
            scenario: self.setup.scenario(),
            kv_precision,
            workload: &point.workload,
            ttft_ms: point.ttft_ms,
            tpot_ms: point.tpot_ms,
            e2el_ms: point.e2el_ms,
            // In a closed loop it follows from the latencies; of an open loop it is what was asked for.
            output_throughput: None,
            limits: limits.clone(),
        })
    }
}

/// The factors that fit these runs best, held to those of the closest of the priors. All runs have the first one's key: others are
/// passed over, as are runs that can't be simulated. `None` where nothing is left, and once `stop` is set.
pub fn calibrated(runs: &[MeasuredRun], priors: &Profiles, stop: &StopFlag) -> Option<Profile> {
    let limits = Limits { stop: stop.clone(), ..Limits::default() };
    let setup = &runs.first()?.setup;
    let key = setup.key();
    let (prior, kv_precision, farthest) = match priors.closest(&setup.query()) {
        Some((profile, matched)) if matched.device && matched.engine => (profile.efficiency, profile.kv_precision, FARTHEST),
        Some((profile, _)) => (profile.efficiency, KvPrecision::Bits16, FARTHEST),
        None => (Efficiency::generic(setup.device.generation), KvPrecision::Bits16, FARTHEST_OF_GENERIC),
    };
    let can_be_simulated = |run: &MeasuredRun| {
        let mut observations = run.observations(kv_precision, &limits).peekable();
        observations.peek().is_some() && observations.all(|observation| simulated(&observation, &prior).is_ok())
    };
    let observed: Vec<Vec<Observation<'_>>> = runs
        .iter()
        .filter(|run| run.setup.key() == key && can_be_simulated(run))
        .map(|run| run.observations(kv_precision, &limits).collect())
        .collect();
    if observed.is_empty() {
        return None;
    }
    let fitted = |observations: &[Observation<'_>]| fit(observations, &prior, &own_runs(farthest), ITERATIONS);
    let profile = Profile {
        device: key.device,
        generation: setup.device.generation,
        engine: key.engine,
        version: key.version,
        precision: setup.model.precision,
        mixture: key.mixture,
        kv_precision,
        efficiency: fitted(&observed.concat()),
        standing: Standing::Calibrated,
        runs: observed.len() as u32,
        most_in_flight: observed
            .iter()
            .flatten()
            .filter_map(|observation| observation.scenario.in_flight(observation.workload))
            .max(),
        error_pct: left_out(&observed, fitted),
    };
    (!stop.is_stopped()).then_some(profile)
}

/// Errors of runs that were left out of the fit in turn.
fn left_out<'a>(observed: &[Vec<Observation<'a>>], fitted: impl Fn(&[Observation<'a>]) -> Efficiency) -> ErrorBar {
    if observed.len() < LEAST_RUNS_FOR_ERROR {
        return ErrorBar::default();
    }
    let mut errors: [Vec<f64>; 3] = Default::default();
    for (left, run) in observed.iter().enumerate().take(MOST_LEFT_OUT) {
        let others = observed.iter().enumerate().filter(|(index, _)| *index != left);
        let efficiency = fitted(&others.flat_map(|(_, run)| run.iter().cloned()).collect::<Vec<_>>());
        for observation in run {
            let simulated = simulated(observation, &efficiency).unwrap_or_default();
            let measured = [observation.ttft_ms, observation.tpot_ms, observation.e2el_ms];
            for ((errors, simulated), measured) in errors.iter_mut().zip(simulated).zip(measured) {
                if let (Some(simulated), Some(measured)) = (simulated, measured.filter(|measured| *measured > 0.0)) {
                    errors.push(100.0 * (simulated / measured - 1.0).abs());
                }
            }
        }
    }
    let [ttft, tpot, e2el] = errors.map(bar);
    ErrorBar { ttft, tpot, e2el }
}

/// The error that nine of ten are within.
fn bar(mut errors: Vec<f64>) -> Option<f64> {
    errors.sort_by(f64::total_cmp);
    let place = (WITHIN * errors.len() as f64).ceil() as usize;
    errors.get(place.saturating_sub(1)).copied()
}
