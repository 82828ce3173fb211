//! The requested load: which requests, how many, when they are sent, and the latency limits.

mod length_distribution;
mod length_sampler;
mod offered;
mod option_table;
pub mod options;
pub mod values;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

pub use self::length_distribution::{LengthDistribution, LengthTextError};
pub use self::length_sampler::{LengthError, LengthSampler};
pub use self::offered::{LoadVariable, OfferedLoad};
pub use self::option_table::{OPTIONS, option};
pub use self::options::LoadOption;
pub use self::values::{MOST_RATE, MOST_TOKENS, ValueError};

/// How the load's prompts are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum EvalWith {
    /// Synthetic prompts of given lengths.
    Configuration,
    Dataset,
}

/// Which OpenAI-compatible endpoint is called.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    #[default]
    Chat,
    /// `/v1/completions`
    Completions,
    /// `/v1/embeddings`
    Embeddings,
}

/// When requests are sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Arrival {
    /// As soon as one ends, the next is sent.
    Closed {},
    /// On a schedule, whether or not earlier ones have ended.
    Rate {
        rate: f64,
        /// How the gaps are drawn.
        #[serde(default)]
        process: ArrivalProcess,
        /// Shape of the gamma distribution: below 1 burstier than Poisson.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        burstiness: Option<f64>,
    },
}

/// How the gaps between scheduled arrivals are drawn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr, strum::VariantArray)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum ArrivalProcess {
    Constant,
    /// Exponential.
    #[default]
    Poisson,
    /// Gamma, with a burstiness.
    Gamma,
}

/// Latency limits at a percentile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Slo {
    /// The percentile that must be within the limits, 99 when absent.
    #[serde(default = "ninety_nine")]
    pub percentile: f64,
    /// Time to first token, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttft_ms: Option<f64>,
    /// Time per output token, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tpot_ms: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e2el_ms: Option<f64>,
    /// Bounds of a search for the largest load that meets the limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<SloSearch>,
}

fn ninety_nine() -> f64 {
    99.0
}

/// Bounds of a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SloSearch {
    /// Least concurrency or rate.
    pub min: f64,
    /// Largest concurrency or rate.
    pub max: f64,
}

/// A prefix that prompts share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Prefix {
    /// Share of the input, 0 to 1.
    pub share: f64,
}

/// A header that is added to each request. One that holds a secret belongs to a credential: a load is kept and shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RequestHeader {
    pub name: String,
    pub value: String,
}

/// What load is put on the model: fields of the workflow's steps 1 and 2, with the request's names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LoadSpec {
    /// Requests in flight (closed loop), or their cap (open loop); the run's total.
    pub concurrent_requests: u32,
    /// Where prompts come from.
    pub eval_with: EvalWith,
    /// Input length in tokens, chat template included; the longest where lengths are spread (configuration).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_input_tokens: Option<u32>,
    /// Output limit in tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<u32>,
    /// Which datasets, one after the other (dataset).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dataset_ids: Vec<Uuid>,
    /// Requests before the measurement, excluded from it; absent: as many as are in flight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warmup_requests: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_requests: Option<u32>,
    /// Or how long to measure, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_s: Option<f64>,
    /// Which endpoint is called; absent: chat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Endpoint>,
    /// When requests are sent; absent: closed loop, or as a trace says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrival: Option<Arrival>,
    /// A sweep's loads; empty: one point.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub load_points: Vec<OfferedLoad>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slo: Option<Slo>,
    /// Seed of everything that is drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// A prefix that prompts share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<Prefix>,
    /// How input lengths are spread; absent: all are `max_input_tokens` (configuration).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_lengths: Option<LengthDistribution>,
    /// How output limits are spread; absent: all are `max_output_tokens` (configuration).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_lengths: Option<LengthDistribution>,
    /// Closed loop: over how long the first requests are spread, seconds; absent: 2 ms each, at most a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp_s: Option<f64>,
    /// Conversations are played turn by turn, with the model's own answers in between (dataset).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multi_turn: Option<bool>,
    /// Whether the engine is told to go on to the output limit; absent: told where Dyno starts an engine that knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignore_eos: Option<bool>,
    /// How many times as fast as it was recorded a trace is played; absent: 1 (dataset).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_scale: Option<f64>,
    /// Headers added to each request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<RequestHeader>,
    /// Fields added to each request's body as they are.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub extra_body: Map<String, Value>,
}

impl LoadSpec {
    /// A load with every other option unset.
    pub fn new(concurrent_requests: u32, eval_with: EvalWith) -> Self {
        Self {
            concurrent_requests,
            eval_with,
            max_input_tokens: None,
            max_output_tokens: None,
            dataset_ids: Vec::new(),
            warmup_requests: None,
            num_requests: None,
            duration_s: None,
            endpoint: None,
            arrival: None,
            load_points: Vec::new(),
            slo: None,
            seed: None,
            prefix: None,
            input_lengths: None,
            output_lengths: None,
            ramp_s: None,
            multi_turn: None,
            ignore_eos: None,
            time_scale: None,
            headers: Vec::new(),
            extra_body: Map::new(),
        }
    }

    /// The options that are set, by name.
    pub fn values(&self) -> serde_json::Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(values)) => values,
            // unreachable: a struct serializes to an object
            _ => serde_json::Map::new(),
        }
    }

    /// Sets an option to a value from [`LoadOption::read`], or unsets it.
    ///
    /// # Errors
    /// When the value does not fit the field's type.
    pub fn set(&mut self, option: &LoadOption, value: Option<Value>) -> Result<(), serde_json::Error> {
        let mut values = self.values();
        match value {
            Some(value) => values.insert(option.name.to_owned(), value),
            None => values.remove(option.name),
        };
        *self = serde_json::from_value(Value::Object(values))?;
        Ok(())
    }

    /// Whether requests arrive at a rate.
    pub fn is_open(&self) -> bool {
        matches!(self.arrival, Some(Arrival::Rate { .. }))
            || self.load_points.first().is_some_and(|load| load.variable() == LoadVariable::Rate)
    }

    pub fn endpoint(&self) -> Endpoint {
        self.endpoint.unwrap_or_default()
    }

    /// Whether conversations are sent turn by turn.
    pub fn is_multi_turn(&self) -> bool {
        self.multi_turn == Some(true)
    }

    /// The default number of measured requests at a concurrency: the larger of ten times the concurrency and 100.
    pub fn default_requests(concurrency: u32) -> u32 {
        concurrency.saturating_mul(10).max(100)
    }
}
