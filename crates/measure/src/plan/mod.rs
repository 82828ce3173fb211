//! What a load is made by: everything `dyno load` needs to know, as JSON, without a secret in it. A report offers its
//! own plan, so that anybody can run it again by `dyno load --plan FILE`.

mod check;
mod draw;
mod header;
mod kept;
mod search;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::address_policy::AddressPolicy;
use crate::load::{ArrivalProcess, Endpoint, LengthDistribution, Slo};

pub use draw::{PlannedLengths, length_key};
pub use header::PlanHeader;

/// A load, from the first warm-up request to the report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Which form of plan this is. A plan of a later version may hold fields that are not known here: they are ignored.
    #[serde(default = "first_version")]
    pub schema_version: u32,
    /// The run; nil for a load put on by hand.
    #[serde(default)]
    pub run_id: Uuid,
    /// Where requests go; concurrency and rate are split evenly over these.
    pub endpoints: Vec<PlanEndpoint>,
    /// The model's name in each request.
    pub model: String,
    /// Which call is made.
    #[serde(default)]
    pub endpoint: Endpoint,
    /// How requests prove who sends them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<PlanAuth>,
    /// The name of the field that limits the output.
    #[serde(default = "max_tokens")]
    pub token_limit: TokenLimitField,
    /// Whether to ask the engine to go on to the output limit. Only for engines that know the field.
    #[serde(default)]
    pub ignore_eos: bool,
    /// Where prompts come from.
    pub workload: Workload,
    /// Offered loads, one after the other.
    pub load_points: Vec<PlannedLoad>,
    /// Seed of everything that is drawn.
    #[serde(default = "one")]
    pub seed: u64,
    /// Longest wait between two events of one answer, seconds.
    #[serde(default = "two_minutes")]
    pub stall_timeout_s: f64,
    /// Longest time of one request, seconds.
    #[serde(default = "ten_minutes")]
    pub timeout_s: f64,
    /// Closed loop: over how long its first requests are spread, seconds. Absent: 2 ms each, at most a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp_s: Option<f64>,
    /// How often a request that is refused by status 429 is sent again, each time after the server's `retry-after` (a second
    /// where it has none). Absent: never, a refusal is an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_429: Option<u32>,
    /// How lengths are counted.
    #[serde(default)]
    pub tokenizer: TokenizerChoice,
    /// Fields added to each request's body as they are.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub extra_body: serde_json::Map<String, serde_json::Value>,
    /// Headers added to each request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<PlanHeader>,
    /// Certificates (PEM) that are trusted beside the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// Whether any certificate is taken, whoever signed it and whatever name it has.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub insecure: bool,
    /// A load point ends the load once more than this share of its requests have failed, 0 to 1; judged after 100 requests.
    /// Absent: it goes on to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_error_rate: Option<f64>,
    /// Latency limits that goodput is counted by.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "kept::slo")]
    pub slo: Option<Slo>,
    /// Whether and how the client is checked against the reference engine before the load; absent: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_check: Option<PlannedCheck>,
    /// File to append request records to, a JSON object a line (gaps go to its sibling, `.gaps`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<PathBuf>,
    /// File to write the report to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<PathBuf>,
    /// Which addresses may be connected to; absent: any. The portal sends its own along with addresses that users named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address_policy: Option<AddressPolicy>,
    /// When the load ends at the latest, Unix ns: what was measured by then is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_unix_ns: Option<i64>,
}

/// One server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanEndpoint {
    /// The node it stands for in records.
    pub node: String,
    /// `http://host:port` or `https://…`, with or without a path; without one it gets `/v1`.
    pub base_url: String,
    /// Path of the engine's own metrics in Prometheus' format, `/metrics` say; absent: they are not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<String>,
}

/// How the client is checked before the load.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedCheck {
    /// Folder in which a check is kept, to be taken again for an hour; absent: it is measured anew each time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<PathBuf>,
}

/// How requests prove who sends them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanAuth {
    /// Which header.
    pub header: AuthHeader,
    /// The environment variable that holds the secret.
    pub api_key_env: String,
}

/// Where prompts come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Workload {
    /// Made up, at exact lengths, every one different.
    Synthetic {
        /// Input tokens as the engine counts, chat template included; the longest where lengths are spread.
        input_tokens: u32,
        /// Output limit; the longest where limits are spread.
        output_tokens: u32,
        /// How input lengths are spread; absent: all are the longest.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "kept::lengths")]
        input_lengths: Option<LengthDistribution>,
        /// How output limits are spread; absent: all are the longest.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "kept::lengths")]
        output_lengths: Option<LengthDistribution>,
        /// Share of the input that all prompts begin with, 0 to 1.
        #[serde(default)]
        shared_prefix: f64,
    },
    /// Rows of datasets, one dataset after the other, each row once before any is repeated.
    Dataset {
        /// Which, in order.
        files: Vec<DatasetFile>,
        /// Output limit; absent: the reference's length, else 256.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_output_tokens: Option<u32>,
        /// Conversations are played turn by turn, with the model's own answers; the concurrency counts conversations.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        multi_turn: bool,
    },
    /// Made up, with the arrivals and lengths of a trace; goes with [`Load::Trace`].
    Trace {
        /// Azure's table or Mooncake's lines.
        file: DatasetFile,
        /// Most output tokens of a request, whatever the trace says.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_output_tokens: Option<u32>,
        /// The model's context: requests that are longer, input and output together, are left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        context_tokens: Option<u32>,
    },
}

/// A dataset's normalised rows: a `domain::inventory::DatasetRow` a line; or a trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetFile {
    /// Where.
    pub path: PathBuf,
    /// Which dataset.
    pub id: Uuid,
    /// Its name, for notes.
    #[serde(default)]
    pub name: String,
    /// Digest of the file, hex; checked where given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// What is to be said of its rows in the report: how many were left out and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// One load point: its load, its warm-up, its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedLoad {
    /// When requests are sent.
    pub load: Load,
    /// Requests before the measurement; absent: as many as are in flight (with a rate: a second's worth).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warmup_requests: Option<u32>,
    /// Requests to measure; absent, and no duration either: ten times the concurrency, at least 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_requests: Option<u32>,
    /// Or how long requests are sent, seconds; those in flight then are awaited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_s: Option<f64>,
}

/// When requests are sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Load {
    /// As soon as one ends, the next is sent.
    Closed {
        /// Requests in flight.
        concurrency: u32,
    },
    /// On an absolute schedule, whether or not earlier ones have ended.
    Rate {
        /// Requests per second.
        rate: f64,
        /// How the gaps are drawn.
        #[serde(default)]
        process: ArrivalProcess,
        /// Shape of the gamma distribution; 1 is Poisson.
        #[serde(default = "unit")]
        burstiness: f64,
        /// Most requests in flight; arrivals over it are dropped and counted.
        #[serde(default = "default_cap")]
        max_in_flight: u32,
    },
    /// When the workload's trace says, on an absolute schedule.
    Trace {
        /// How many times as fast as it was recorded.
        #[serde(default = "unit")]
        time_scale: f64,
        /// Most requests in flight; arrivals over it are dropped and counted.
        #[serde(default = "default_cap")]
        max_in_flight: u32,
    },
}

impl Load {
    /// Whether requests are sent on a schedule.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Rate { .. } | Self::Trace { .. })
    }
}

/// How lengths are counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TokenizerChoice {
    /// By the engine's own tokenize call, where it has one; else lengths are estimates, which the report says.
    #[default]
    Engine,
    /// By a `tokenizer.json`, with the chat template of the `tokenizer_config.json` beside it.
    File {
        /// The `tokenizer.json`, or the folder that holds it.
        path: PathBuf,
    },
    /// Not at all: lengths are estimates.
    None,
}

/// Requests before a trace, at most: enough to have connections and engine awake.
const TRACE_WARMUP: u32 = 16;

/// How a request proves who sends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthHeader {
    /// `Authorization: Bearer SECRET`
    Bearer,
    /// `api-key: SECRET`
    ApiKey,
}

/// The name of the field that limits the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenLimitField {
    /// `max_tokens`
    MaxTokens,
    /// `max_completion_tokens`
    MaxCompletionTokens,
}

impl TokenLimitField {
    /// The name in the request.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MaxTokens => "max_tokens",
            Self::MaxCompletionTokens => "max_completion_tokens",
        }
    }

    /// The other name for the same.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::MaxTokens => Self::MaxCompletionTokens,
            Self::MaxCompletionTokens => Self::MaxTokens,
        }
    }
}

/// The version of the plans that are written today.
pub const SCHEMA_VERSION: u32 = 1;

fn first_version() -> u32 {
    1
}
fn max_tokens() -> TokenLimitField {
    TokenLimitField::MaxTokens
}
fn one() -> u64 {
    1
}
fn unit() -> f64 {
    1.0
}
fn two_minutes() -> f64 {
    120.0
}
fn ten_minutes() -> f64 {
    600.0
}
fn default_cap() -> u32 {
    1024
}

impl Workload {
    /// Made up, all of the same lengths, nothing shared.
    pub fn synthetic(input_tokens: u32, output_tokens: u32) -> Self {
        Self::Synthetic { input_tokens, output_tokens, input_lengths: None, output_lengths: None, shared_prefix: 0.0 }
    }
}

impl PlannedLoad {
    /// A closed loop with every default.
    pub fn closed(concurrency: u32) -> Self {
        Self { load: Load::Closed { concurrency }, warmup_requests: None, num_requests: None, duration_s: None }
    }

    /// The same with so many requests at least, where neither their number nor a duration is fixed.
    #[must_use]
    pub fn with_at_least(mut self, requests: u64) -> Self {
        if self.num_requests.is_none() && self.duration_s.is_none() {
            let least = u32::try_from(requests).unwrap_or(u32::MAX);
            self.num_requests = self.requests().map(|requests| requests.max(least));
        }
        self
    }

    /// The load: requests in flight, or per second.
    pub fn at(&self) -> f64 {
        match self.load {
            Load::Closed { concurrency } => f64::from(concurrency),
            Load::Rate { rate, .. } => rate,
            // a trace has no single load
            Load::Trace { .. } => f64::NAN,
        }
    }

    /// Most requests in flight.
    pub fn cap(&self) -> u32 {
        match self.load {
            Load::Closed { concurrency } => concurrency,
            Load::Rate { max_in_flight, .. } | Load::Trace { max_in_flight, .. } => max_in_flight,
        }
    }

    /// Requests to measure; absent where the load ends by time, or with its trace.
    pub fn requests(&self) -> Option<u32> {
        match (self.num_requests, self.duration_s) {
            (Some(number), _) => Some(number),
            (None, Some(_)) => None,
            (None, None) => match self.load {
                Load::Closed { concurrency } => Some(crate::load::LoadSpec::default_requests(concurrency)),
                Load::Rate { rate, .. } => Some(crate::load::LoadSpec::default_requests(rate.ceil() as u32)),
                Load::Trace { .. } => None,
            },
        }
    }

    /// Requests before the measurement.
    pub fn warmup(&self) -> u32 {
        self.warmup_requests.unwrap_or_else(|| match self.load {
            Load::Closed { concurrency } => concurrency,
            Load::Rate { rate, max_in_flight, .. } => (rate.ceil() as u32).clamp(1, max_in_flight.max(1)),
            Load::Trace { max_in_flight, .. } => max_in_flight.min(TRACE_WARMUP),
        })
    }
}

impl Plan {
    /// Over how long a closed loop's first requests are spread, seconds.
    pub fn ramp_of(&self, concurrency: u32) -> f64 {
        self.ramp_s.unwrap_or_else(|| (f64::from(concurrency.saturating_sub(1)) * 0.002).min(1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_plan_is_enough() {
        let plan: Plan = serde_json::from_str(
            r#"{"endpoints":[{"node":"n","base_url":"http://127.0.0.1:1"}],"model":"m",
                "workload":{"kind":"synthetic","input_tokens":8,"output_tokens":4},
                "load_points":[{"load":{"kind":"closed","concurrency":20}}]}"#,
        )
        .unwrap();
        plan.check().unwrap();
        assert_eq!(plan.load_points[0].requests(), Some(200));
        assert_eq!(plan.load_points[0].warmup(), 20);
        assert_eq!(plan.tokenizer, TokenizerChoice::Engine);
        let again: Plan = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
        assert_eq!(again, plan);
    }

    #[test]
    fn a_plan_of_a_later_version_is_read_as_far_as_it_is_known() {
        let plan: Plan = serde_json::from_str(
            r#"{"schema_version":2,"later":1,"endpoints":[{"node":"n","base_url":"http://h","later":1}],"model":"m",
                "workload":{"kind":"synthetic","input_tokens":8,"output_tokens":4,"later":1,"input_lengths":{"kind":"uniform","min":2,"later":1}},
                "slo":{"percentile":99,"ttft_ms":5,"later":1,"search":{"min":1,"max":8,"later":1}},
                "load_points":[{"load":{"kind":"closed","concurrency":2,"later":1},"later":1}],"tokenizer":{"kind":"none","later":1}}"#,
        )
        .unwrap();
        assert_eq!((plan.schema_version, plan.load_points[0].at()), (2, 2.0));
        let spread = Some(LengthDistribution::Uniform { min: 2 });
        assert!(matches!(plan.workload, Workload::Synthetic { input_tokens: 8, input_lengths, .. } if input_lengths == spread));
        assert_eq!(plan.slo.and_then(|slo| slo.search).map(|search| search.max), Some(8.0));
    }
}
