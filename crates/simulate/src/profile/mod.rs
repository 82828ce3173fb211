//! Efficiency factors: the share of a device's data-sheet rates that an engine reaches, and its overheads.

mod fitted;

pub use dyno_measure::report::Standing;
use serde::{Deserialize, Serialize};

use crate::device::{Generation, SimulatedDevice};
use crate::engine::{Engine, EngineVersion};
use crate::model::ModelDescriptor;
use crate::precision::{KvPrecision, Precision};

/// Efficiencies are shares of the data-sheet rate (1 is all of it); times are in the unit of the field's name.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Efficiency {
    /// Matrix multiplications of dense layers.
    pub compute: f64,
    /// Tokens by which a step's dense multiplications are padded: small batches do not fill the device.
    pub padding_tokens: f64,
    /// Matrix multiplications of experts, relative to `compute`.
    pub expert_compute: f64,
    /// Reading the weights of dense layers.
    pub memory: f64,
    /// Reading experts' weights, relative to `memory`.
    pub expert_memory: f64,
    /// Reading the KV cache.
    pub kv: f64,
    /// Attention of prompt tokens, of the compute rate.
    pub attention: f64,
    /// Links between the devices of a copy.
    pub link: f64,
    /// One collective of two devices.
    pub link_latency_us: f64,
    /// Each step, whatever is in it.
    pub step_us: f64,
    /// Each layer of each step.
    pub layer_us: f64,
    /// Each sequence in a step.
    pub sequence_us: f64,
    /// Each step with prompt tokens, further.
    pub prefill_step_us: f64,
    /// Each request before the engine has it: HTTP and queueing.
    pub api_ms: f64,
    /// Each input token before the engine has it: tokenisation.
    pub api_us_per_token: f64,
}

/// One factor, for fitting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
pub enum Factor {
    Compute,
    PaddingTokens,
    ExpertCompute,
    Memory,
    ExpertMemory,
    Kv,
    Attention,
    Link,
    LinkLatency,
    Step,
    Layer,
    Sequence,
    PrefillStep,
    Api,
    ApiPerToken,
}

impl Factor {
    /// Whether it only matters for mixtures of experts.
    pub fn of_mixtures(self) -> bool {
        matches!(self, Self::ExpertCompute | Self::ExpertMemory)
    }

    /// Whether it is a share of a data-sheet rate and so at most 1.
    pub fn is_share(self) -> bool {
        matches!(self, Self::Compute | Self::Memory | Self::Kv | Self::Attention | Self::Link)
    }

    /// Whether it only matters where several devices serve one replica.
    pub fn of_links(self) -> bool {
        matches!(self, Self::Link | Self::LinkLatency)
    }
}

impl Efficiency {
    /// Starting values where nothing was measured.
    pub fn generic(generation: Generation) -> Self {
        let accelerator = Self {
            compute: 0.5,
            padding_tokens: 60.0,
            expert_compute: 0.3,
            memory: 0.85,
            expert_memory: 0.8,
            kv: 0.85,
            attention: 0.4,
            link: 0.6,
            link_latency_us: 8.0,
            step_us: 1000.0,
            layer_us: 30.0,
            sequence_us: 10.0,
            prefill_step_us: 1000.0,
            api_ms: 25.0,
            api_us_per_token: 2.5,
        };
        match generation {
            // A core is filled by a single token. llama.cpp with weights of 4 bits reaches an eighth of a processor's peak, 16 bits on
            // matrix units more.
            Generation::Cpu => Self {
                compute: 0.2,
                padding_tokens: 1.0,
                memory: 0.4,
                kv: 0.3,
                attention: 0.2,
                link_latency_us: 60.0,
                step_us: 3000.0,
                sequence_us: 100.0,
                ..accelerator
            },
            Generation::Blackwell => Self { compute: 0.4, ..accelerator },
            Generation::Cdna3 | Generation::Gaudi => {
                Self { compute: 0.4, memory: 0.7, kv: 0.6, link_latency_us: 12.0, ..accelerator }
            }
            _ => accelerator,
        }
    }

    pub fn get(&self, factor: Factor) -> f64 {
        let mut copy = *self;
        *copy.get_mut(factor)
    }

    pub fn get_mut(&mut self, factor: Factor) -> &mut f64 {
        match factor {
            Factor::Compute => &mut self.compute,
            Factor::PaddingTokens => &mut self.padding_tokens,
            Factor::ExpertCompute => &mut self.expert_compute,
            Factor::Memory => &mut self.memory,
            Factor::ExpertMemory => &mut self.expert_memory,
            Factor::Kv => &mut self.kv,
            Factor::Attention => &mut self.attention,
            Factor::Link => &mut self.link,
            Factor::LinkLatency => &mut self.link_latency_us,
            Factor::Step => &mut self.step_us,
            Factor::Layer => &mut self.layer_us,
            Factor::Sequence => &mut self.sequence_us,
            Factor::PrefillStep => &mut self.prefill_step_us,
            Factor::Api => &mut self.api_ms,
            Factor::ApiPerToken => &mut self.api_us_per_token,
        }
    }
}

/// Errors of the means in per cent that nine of ten are within; `None`: not known.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct ErrorBar {
    pub ttft: Option<f64>,
    pub tpot: Option<f64>,
    pub e2el: Option<f64>,
}

impl ErrorBar {
    pub fn is_known(self) -> bool {
        self != Self::default()
    }
}

/// The basis of an error bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorBasis {
    /// Errors on measurements that were left out of fitting.
    Measured,
    /// Assumed, without measurements.
    Assumed,
}

/// Factors and the measurements they were fitted on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    pub device: String,
    pub generation: Generation,
    pub engine: Engine,
    /// `None`: fitted on measurements that do not state it.
    pub version: Option<EngineVersion>,
    pub precision: Precision,
    /// Whether the models measured were mixtures of experts.
    pub mixture: bool,
    /// Format of the KV cache in those measurements, and unless another is asked for.
    pub kv_precision: KvPrecision,
    pub efficiency: Efficiency,
    /// Calibrated ones are fitted to the portal's own runs, and go before published ones that match as well.
    pub standing: Standing,
    /// Measured runs behind it.
    pub runs: u32,
    /// The most requests in flight on one copy in those measurements; `None`: not known.
    #[serde(default)]
    pub most_in_flight: Option<u32>,
    /// On measurements left out of fitting; empty where there were too few.
    pub error_pct: ErrorBar,
}

/// Which properties of a profile match a query; all true: it was measured with exactly these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match {
    pub device: bool,
    pub engine: bool,
    pub version: bool,
    pub precision: bool,
    pub mixture: bool,
}

impl Match {
    pub fn exact(self) -> bool {
        self.device && self.engine && self.version && self.precision && self.mixture
    }
}

/// The properties of a scenario on which factors depend.
#[derive(Debug, Clone, Copy)]
pub struct ProfileQuery<'a> {
    pub device: &'a SimulatedDevice,
    pub engine: Engine,
    pub version: Option<EngineVersion>,
    pub precision: Precision,
    pub model: &'a ModelDescriptor,
}

/// The profiles to choose from.
#[derive(Debug, Clone, Default)]
pub struct Profiles(pub Vec<Profile>);

impl Profiles {
    /// Fitted on published measurements.
    pub fn published() -> Self {
        Self(fitted::profiles())
    }

    /// The closest profile: of the same device or at least its generation and vendor, then the engine, precision and version.
    pub fn closest(&self, query: &ProfileQuery<'_>) -> Option<(&Profile, Match)> {
        let mixture = query.model.mixture.is_some();
        self.0
            .iter()
            .filter(|profile| profile.generation.same_vendor(query.device.generation))
            .map(|profile| {
                let matched = Match {
                    device: profile.device == query.device.name,
                    engine: profile.engine == query.engine,
                    version: profile.version == query.version,
                    precision: profile.precision.same_class(query.precision),
                    mixture: profile.mixture == mixture,
                };
                (profile, matched)
            })
            .max_by_key(|(profile, matched)| score(profile, *matched, query))
    }
}

/// Whether the model is a mixture comes first, since mixtures behave so differently; versions count by their distance.
fn score(profile: &Profile, matched: Match, query: &ProfileQuery<'_>) -> (u32, Standing, u32, u32) {
    let generation = profile.generation == query.device.generation;
    let closeness = 16 * u32::from(matched.mixture)
        + 12 * u32::from(matched.engine)
        + 6 * u32::from(generation)
        + 5 * u32::from(matched.device)
        + 4 * u32::from(matched.precision);
    let distance = match (profile.version, query.version) {
        (Some(ours), Some(theirs)) => ours.distance(theirs),
        (None, None) => 0,
        _ => 500,
    };
    // Of the portal's own runs only those of this version go before published measurements of any.
    let standing = if matched.version { profile.standing } else { Standing::Prior };
    (closeness, standing, 1000_u32.saturating_sub(distance), profile.runs)
}
