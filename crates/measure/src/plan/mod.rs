//! The plan: everything `dyno load` needs to know, as JSON without secrets. A report contains its plan, so that anybody can
//! repeat the load with `dyno load --plan FILE`.

mod check;
mod draw;
mod header;
mod of_load;
mod part;
mod planned_load;
mod search;
mod worker_count;
mod workload;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::address_policy::AddressPolicy;
use crate::load::{Endpoint, Slo};

pub(crate) use self::check::OWN_FIELDS;
pub use self::check::PlanError;
pub use self::draw::{PlannedLengths, length_key};
pub use self::header::{HeaderError, PlanHeader};
pub use self::of_load::{PromptSource, load_points};
pub use self::part::{MOST_WORKERS, Part, Shard, stream_start};
pub use self::planned_load::{Load, PlannedLoad};
pub use self::worker_count::{RATE_OF_ONE_WORKER, STREAMS_OF_ONE_WORKER, WorkerCapacity, check_workers, suggested_workers};
pub use self::workload::{DatasetFile, Workload};

/// A load, from the first warm-up request to the report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Version of the plan's format. Unknown fields of a later version are ignored.
    #[serde(default = "first_version")]
    pub schema_version: u32,
    /// The run; nil for a load from the command line.
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
    /// Whether to ask the engine to generate up to the output limit. Only for engines that know the field.
    #[serde(default)]
    pub ignore_eos: bool,
    /// Where prompts come from.
    pub workload: Workload,
    /// Offered loads, one after the other.
    pub load_points: Vec<PlannedLoad>,
    /// How many workers put the load on, each with its part and on a core of its own.
    #[serde(default = "one_worker", skip_serializing_if = "is_one")]
    pub workers: u32,
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
    /// How often a request refused with status 429 is retried, each time after the server's `retry-after` (a second where it
    /// has none). Absent: never, a refusal is an error.
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
    /// Further ones, as text instead of a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_certificates: Option<String>,
    /// Whether certificates are not checked at all.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub insecure: bool,
    /// Ends the load once more than this share of a load point's requests have failed, 0 to 1; judged after 100 requests.
    /// Absent: no such limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_error_rate: Option<f64>,
    /// Latency limits that goodput is counted by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slo: Option<Slo>,
    /// The self-check before the load; absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_check: Option<PlannedCheck>,
    /// File to append request records to, one JSON object per line (gaps go to its sibling, `.gaps`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<PathBuf>,
    /// File to write the report to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<PathBuf>,
    /// The addresses that may be connected to; absent: any. The portal sets it where users entered the addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address_policy: Option<AddressPolicy>,
    /// When the load ends at the latest, Unix ns: what was measured by then is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_unix_ns: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanEndpoint {
    /// The node's name in records.
    pub node: String,
    /// `http://host:port` or `https://…`, with or without a path; without one it gets `/v1`.
    pub base_url: String,
    /// Path of the engine's own metrics in Prometheus' format, such as `/metrics`; absent: they are not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<String>,
}

/// The self-check before the load.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedCheck {
    /// Folder that caches checks for an hour; absent: no cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<PathBuf>,
}

/// How requests prove who sends them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanAuth {
    pub header: AuthHeader,
    /// The environment variable that holds the secret.
    pub api_key_env: String,
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
    /// None: lengths are estimates.
    None,
}

/// The header that authenticates a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthHeader {
    /// `Authorization: Bearer SECRET`
    Bearer,
    /// `api-key: SECRET`
    ApiKey,
}

/// The name of the field that limits the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum TokenLimitField {
    MaxTokens,
    MaxCompletionTokens,
}

impl TokenLimitField {
    /// The alternative field name.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::MaxTokens => Self::MaxCompletionTokens,
            Self::MaxCompletionTokens => Self::MaxTokens,
        }
    }
}

/// The version of plans that this program writes.
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
fn one_worker() -> u32 {
    1
}
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_one(workers: &u32) -> bool {
    *workers == 1
}
fn two_minutes() -> f64 {
    120.0
}
fn ten_minutes() -> f64 {
    600.0
}
impl Plan {
    /// A plan with every default and no endpoints.
    pub fn new(workload: Workload, load_points: Vec<PlannedLoad>) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            run_id: Uuid::nil(),
            endpoints: Vec::new(),
            model: String::new(),
            endpoint: Endpoint::default(),
            auth: None,
            token_limit: max_tokens(),
            ignore_eos: false,
            workload,
            load_points,
            workers: one_worker(),
            seed: one(),
            stall_timeout_s: two_minutes(),
            timeout_s: ten_minutes(),
            ramp_s: None,
            retry_429: None,
            tokenizer: TokenizerChoice::default(),
            extra_body: serde_json::Map::new(),
            headers: Vec::new(),
            ca: None,
            ca_certificates: None,
            insecure: false,
            max_error_rate: None,
            slo: None,
            self_check: None,
            requests: None,
            report: None,
            address_policy: None,
            deadline_unix_ns: None,
        }
    }

    /// Time over which a closed loop's first requests are spread, seconds.
    pub fn ramp_of(&self, concurrency: u32) -> f64 {
        self.ramp_s.unwrap_or_else(|| default_ramp_s(concurrency))
    }
}

/// Seconds over which the users of a closed loop begin unless it is said: 2 ms apart, a second at most.
pub fn default_ramp_s(concurrency: u32) -> f64 {
    (f64::from(concurrency.saturating_sub(1)) * 0.002).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::LengthDistribution;

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
    fn a_plan_of_absurd_size_is_refused() {
        let check = |workload: &str, concurrency: u64| {
            let plan = format!(
                r#"{{"endpoints":[{{"node":"n","base_url":"http://127.0.0.1:1"}}],"model":"m","workload":{workload},
                    "load_points":[{{"load":{{"kind":"closed","concurrency":{concurrency}}}}}]}}"#
            );
            serde_json::from_str::<Plan>(&plan).unwrap().check()
        };
        let lengths =
            |input: u64, output: u64| format!(r#"{{"kind":"synthetic","input_tokens":{input},"output_tokens":{output}}}"#);
        assert_eq!(check(&lengths(1_000_000, 1_000_000), 100_000), Ok(()));
        for (input, output, concurrency) in [(4_000_000_000, 1, 1), (1, 4_000_000_000, 1), (0, 1, 1), (1, 1, 4_000_000_000)] {
            assert!(check(&lengths(input, output), concurrency).is_err(), "{input} {output} {concurrency}");
        }
        let dataset = r#"{"kind":"dataset","files":[{"path":"x","id":"01890a5d-ac96-774b-bcce-b302099a8057"}],"max_output_tokens":4000000000}"#;
        assert!(check(dataset, 1).unwrap_err().to_string().contains("1,000,000"));
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
