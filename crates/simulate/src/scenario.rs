//! A scenario: a model on devices, with an engine, layout and load.

use std::fmt;

use serde::Serialize;

use crate::device::SimulatedDevice;
use crate::engine::{Engine, EngineSettings, EngineVersion, Stretches, simulate_replica};
use crate::limits::Limits;
use crate::memory::MemoryFit;
use crate::model::ModelDescriptor;
use crate::outcome::Outcome;
use crate::precision::{KvPrecision, Precision};
use crate::profile::{Efficiency, ErrorBar, ErrorBasis, Match, Profile, ProfileQuery, Profiles, Standing};
pub use crate::simulation_error::SimulationError;
use crate::step::StepModel;
use crate::workload::{SimulatedLoad, SimulatedWorkload};

#[derive(Debug, Clone, PartialEq)]
pub struct Scenario<'a> {
    pub model: &'a ModelDescriptor,
    pub device: &'a SimulatedDevice,
    pub engine: Engine,
    pub version: Option<EngineVersion>,
    pub precision: Precision,
    /// `None`: the format in the factors' measurements.
    pub kv_precision: Option<KvPrecision>,
    /// Devices that share one copy of the model.
    pub tensor_parallel: u32,
    /// Copies, over which the load is split evenly.
    pub replicas: u32,
    /// `None`: the engine's defaults on this device.
    pub settings: Option<EngineSettings>,
    /// KV cache tokens of one replica as reported by the engine; `None`: computed.
    pub kv_tokens: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PredictionBasis {
    pub standing: Standing,
    /// Measured runs behind the factors; 0: generic factors.
    pub runs: u32,
    pub error_pct: ErrorBar,
    pub error_basis: ErrorBasis,
}

impl PredictionBasis {
    /// Generic factors, whose errors were not measured.
    pub const GENERIC: Self = Self {
        standing: Standing::Prior,
        runs: 0,
        error_pct: ErrorBar { ttft: Some(80.0), tpot: Some(50.0), e2el: Some(50.0) },
        error_basis: ErrorBasis::Assumed,
    };
}

impl fmt::Display for PredictionBasis {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.standing, self.runs) {
            (_, 0) => formatter.write_str("generic factors, not fitted"),
            (Standing::Prior, runs) => write!(formatter, "prior, fitted on {runs} measurements"),
            (Standing::Calibrated, runs) => write!(formatter, "calibrated by {runs} runs"),
        }
    }
}

impl Scenario<'_> {
    /// The most requests in flight on one copy, where the load itself says so.
    pub fn in_flight(&self, workload: &SimulatedWorkload) -> Option<u32> {
        Some(workload.in_flight()?.div_ceil(self.replicas.max(1)))
    }
}

/// So many times the requests in flight of the measurements are still taken as known.
const FAR_OUT: u32 = 4;

/// Notes on a simulation's figures.
#[derive(Debug, Clone, PartialEq, Serialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SimulationNote {
    #[error("no measurements of {asked}: factors are those of {used}")]
    BorrowedFactors { asked: String, used: String },
    #[error("no measurements of devices of this kind: generic factors")]
    GenericFactors,
    #[error("{requests} requests are longer than the KV cache of {kv_tokens} tokens and are refused")]
    TooLong { requests: u32, kv_tokens: u64 },
    #[error("the KV cache was full: sequences were preempted {times} times")]
    Preempted { times: u64 },
    #[error("an earlier load point ends by time: requests' lengths are drawn alike, but are not those of the measured run")]
    OtherLengths,
    #[error("latent attention was never measured by itself: its time is a plain roofline")]
    UnmeasuredAttention,
    #[error("{in_flight} requests in flight on one copy are more than four times the {measured} that the factors were fitted on")]
    BeyondMeasured { in_flight: u32, measured: u32 },
}

/// A scenario with its factors chosen, ready to run any workload.
#[derive(Debug, Clone)]
pub struct Simulator<'a> {
    scenario: Scenario<'a>,
    efficiency: Efficiency,
    settings: EngineSettings,
    kv_precision: KvPrecision,
    steps: StepModel,
    prediction: PredictionBasis,
    notes: Vec<SimulationNote>,
    /// On one copy in the factors' measurements.
    most_in_flight: Option<u32>,
    limits: Limits,
}

impl<'a> Simulator<'a> {
    /// Selects the closest profile.
    pub fn new(scenario: Scenario<'a>, profiles: &Profiles) -> Result<Self, SimulationError> {
        let query = ProfileQuery {
            device: scenario.device,
            engine: scenario.engine,
            version: scenario.version,
            precision: scenario.precision,
            model: scenario.model,
        };
        let mut notes = Vec::new();
        let (efficiency, kv_precision, prediction, most_in_flight) = if let Some((profile, matched)) = profiles.closest(&query) {
            if !matched.exact() {
                notes.push(SimulationNote::BorrowedFactors { asked: asked(&scenario), used: used(profile) });
            }
            let kv = if matched.device && matched.engine { profile.kv_precision } else { KvPrecision::Bits16 };
            (profile.efficiency, kv, prediction(profile, matched), profile.most_in_flight)
        } else {
            notes.push(SimulationNote::GenericFactors);
            (Efficiency::generic(scenario.device.generation), KvPrecision::Bits16, PredictionBasis::GENERIC, None)
        };
        let kv_precision = scenario.kv_precision.unwrap_or(kv_precision);
        let simulator = Self::with_factors(scenario, efficiency, kv_precision, prediction, notes)?;
        Ok(Self { most_in_flight, ..simulator })
    }

    /// Uses given factors, for fitting them.
    pub fn with_factors(
        scenario: Scenario<'a>,
        efficiency: Efficiency,
        kv_precision: KvPrecision,
        prediction: PredictionBasis,
        mut notes: Vec<SimulationNote>,
    ) -> Result<Self, SimulationError> {
        if scenario.replicas == 0 || scenario.tensor_parallel == 0 {
            return Err(SimulationError::NoDevice);
        }
        if !scenario.model.divides(scenario.tensor_parallel) {
            return Err(SimulationError::Indivisible {
                heads: scenario.model.attention.heads(),
                tensor_parallel: scenario.tensor_parallel,
            });
        }
        if matches!(scenario.model.attention, crate::model::Attention::Latent { .. }) {
            notes.push(SimulationNote::UnmeasuredAttention);
        }
        let settings = scenario
            .settings
            .unwrap_or_else(|| EngineSettings::defaults(scenario.engine, scenario.device, scenario.tensor_parallel));
        let steps = StepModel::new(
            scenario.model,
            scenario.precision,
            kv_precision,
            scenario.device,
            scenario.tensor_parallel,
            &efficiency,
        );
        Ok(Self {
            scenario,
            efficiency,
            settings,
            kv_precision,
            steps,
            prediction,
            notes,
            most_in_flight: None,
            limits: Limits::default(),
        })
    }

    /// Gives up what takes more than so much work ([`Outcome::work`]), for answers that have to be there in a moment.
    #[must_use]
    pub fn with_most_work(self, most_work: u64) -> Self {
        Self { limits: Limits { most_work, ..self.limits }, ..self }
    }

    #[must_use]
    pub fn within(self, limits: &Limits) -> Self {
        Self { limits: limits.clone(), ..self }
    }

    pub fn memory(&self, longest_request: u64) -> MemoryFit {
        MemoryFit::of(
            self.scenario.model,
            self.scenario.precision,
            self.kv_precision,
            self.scenario.device,
            self.scenario.tensor_parallel,
            &self.settings,
            longest_request,
        )
    }

    pub fn steps(&self) -> &StepModel {
        &self.steps
    }

    pub fn efficiency(&self) -> &Efficiency {
        &self.efficiency
    }

    pub fn kv_precision(&self) -> KvPrecision {
        self.kv_precision
    }

    pub fn prediction(&self) -> &PredictionBasis {
        &self.prediction
    }

    pub fn notes(&self) -> &[SimulationNote] {
        &self.notes
    }

    pub fn run(&self, workload: &SimulatedWorkload) -> Result<Simulation, SimulationError> {
        self.run_with(workload, Stretches::Summed)
    }

    /// Computing every step is slow, and is there to test the closed-form sums.
    pub fn run_with(&self, workload: &SimulatedWorkload, stretches: Stretches) -> Result<Simulation, SimulationError> {
        let longest = workload.requests.iter().map(|request| u64::from(request.input) + u64::from(request.output)).max();
        let memory = self.memory(longest.ok_or(SimulationError::NoRequests)?);
        let kv_tokens = self.scenario.kv_tokens.unwrap_or(memory.kv_tokens);
        if !memory.fits() && self.scenario.kv_tokens.is_none() {
            return Err(SimulationError::DoesNotFit(memory));
        }
        let shares = split(workload, self.scenario.replicas as usize);
        let mut runs = Vec::with_capacity(shares.len());
        let mut left = self.limits.clone();
        for (replica, share) in shares.iter().enumerate() {
            let mut run = simulate_replica(share, &self.steps, &self.settings, &self.efficiency, kv_tokens, stretches, &left)?;
            left.most_work = left.most_work.saturating_sub(run.work);
            left.most_gap_runs = left.most_gap_runs.saturating_sub(run.gaps.len());
            for sample in &mut run.samples {
                sample.request = sample.request * shares.len() as u32 + replica as u32;
            }
            runs.push(run);
        }
        let outcome = Outcome::new(runs, workload.warmup, memory);
        let mut notes = self.notes.clone();
        if let (Some(in_flight), Some(measured)) = (self.scenario.in_flight(workload), self.most_in_flight)
            && in_flight > measured.saturating_mul(FAR_OUT)
        {
            notes.push(SimulationNote::BeyondMeasured { in_flight, measured });
        }
        if outcome.too_long > 0 {
            notes.push(SimulationNote::TooLong { requests: outcome.too_long, kv_tokens });
        }
        if outcome.preemptions > 0 {
            notes.push(SimulationNote::Preempted { times: outcome.preemptions });
        }
        Ok(Simulation { outcome, prediction: self.prediction, notes })
    }
}

/// Outcome with its standing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Simulation {
    pub outcome: Outcome,
    pub prediction: PredictionBasis,
    pub notes: Vec<SimulationNote>,
}

/// Splits a workload: requests are assigned in turn, users and caps as evenly as possible. Replicas in excess of the requests
/// in flight stay idle.
fn split(workload: &SimulatedWorkload, replicas: usize) -> Vec<SimulatedWorkload> {
    let in_flight = match workload.load {
        SimulatedLoad::Closed { concurrency, .. } => Some(concurrency),
        SimulatedLoad::Open { max_in_flight } => max_in_flight,
    };
    let replicas = in_flight.map_or(replicas, |most| replicas.min((most as usize).max(1)));
    let share = |amount: u32, replica: usize| ((amount as usize + replicas - 1 - replica) / replicas) as u32;
    (0..replicas)
        .map(|replica| SimulatedWorkload {
            requests: workload.requests.iter().skip(replica).step_by(replicas).copied().collect(),
            load: match workload.load {
                SimulatedLoad::Closed { concurrency, ramp } => {
                    SimulatedLoad::Closed { concurrency: share(concurrency, replica), ramp }
                }
                SimulatedLoad::Open { max_in_flight } => {
                    SimulatedLoad::Open { max_in_flight: max_in_flight.map(|cap| share(cap, replica)) }
                }
            },
            warmup: share(workload.warmup as u32, replica) as usize,
            until: workload.until,
        })
        .collect()
}

fn asked(scenario: &Scenario<'_>) -> String {
    describe(&scenario.device.name, scenario.engine, scenario.version, scenario.precision, scenario.model.mixture.is_some())
}

fn used(profile: &Profile) -> String {
    describe(&profile.device, profile.engine, profile.version, profile.precision, profile.mixture)
}

fn describe(device: &str, engine: Engine, version: Option<EngineVersion>, precision: Precision, mixture: bool) -> String {
    let version = match version {
        Some(EngineVersion { major: 0, minor }) => format!(" 0.{minor}"),
        Some(EngineVersion { major, .. }) => format!(" {major}"),
        None => String::new(),
    };
    let kind = if mixture { "mixtures of experts" } else { "dense models" };
    format!("{kind} in {precision} on {device} with {engine}{version}")
}

/// The errors: measured ones, where the factors match exactly; otherwise assumed, growing with what was borrowed.
fn prediction(profile: &Profile, matched: Match) -> PredictionBasis {
    // factors calibrated on something else are a prior here
    let standing = if matched.exact() { profile.standing } else { Standing::Prior };
    if matched.exact() && profile.error_pct.is_known() {
        let (error_pct, error_basis) = (profile.error_pct, ErrorBasis::Measured);
        return PredictionBasis { standing, runs: profile.runs, error_pct, error_basis };
    }
    let least = if matched.exact() || (matched.device && matched.engine && matched.mixture) { 30.0_f64 } else { 45.0 };
    let at_least = |least: f64, known: Option<f64>| Some(known.map_or(least, |known| known.max(least)));
    let ErrorBar { ttft, tpot, e2el } = profile.error_pct;
    let error_pct = ErrorBar { ttft: at_least(2.0 * least, ttft), tpot: at_least(least, tpot), e2el: at_least(least, e2el) };
    PredictionBasis { standing, runs: profile.runs, error_pct, error_basis: ErrorBasis::Assumed }
}
