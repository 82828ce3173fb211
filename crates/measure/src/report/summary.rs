//! Figures over a set of requests.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::request::TokenSource;
use crate::telemetry::{EnergyUse, NodeTelemetry};

/// Figures of one metric over its samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Distribution {
    pub mean: f64,
    /// Standard deviation over the samples (population).
    pub std: f64,
    pub min: f64,
    /// Percentiles, linear interpolation over the raw samples.
    pub p25: f64,
    pub p50: f64,
    pub p75: f64,
    pub p90: f64,
    pub p95: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
    pub n: u64,
    /// Of inter-token latencies, how many arrival clusters: the independent samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clusters: Option<u64>,
    /// Distribution-free upper bounds at 99 % confidence, by percentile's name; absent where there are too few samples.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub bounds: BTreeMap<String, f64>,
}

/// Figures over a set of requests: a load point, a node, or the steady-state window.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Summary {
    /// From the first send to the last content event, seconds.
    pub duration_s: f64,
    /// Issued, dropped ones included.
    pub total_requests: u64,
    /// Requests that ended well.
    pub successful_requests: u64,
    /// Ended badly, dropped ones not included.
    pub failed_requests: u64,
    /// Arrivals over the cap.
    pub dropped_requests: u64,
    /// (errors + timeouts + drops) / issued.
    pub error_rate: f64,
    pub errors: BTreeMap<String, u64>,
    /// Input tokens of the successful requests; absent where one of them is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_input_tokens: Option<u64>,
    /// Output tokens of the successful requests; absent where one of them is not known, or has none (an embedding).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_output_tokens: Option<u64>,
    /// Of the input, tokens that were cached, where the engine says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached_tokens: Option<u64>,
    /// Completed requests per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_throughput: Option<f64>,
    /// Output tokens per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_throughput: Option<f64>,
    /// Input and output tokens per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_throughput: Option<f64>,
    /// Requests that meet all latency limits, per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub goodput: Option<f64>,
    /// The same, per issued request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub good_fraction: Option<f64>,
    /// Mean requests in flight, by sweep line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub achieved_concurrency: Option<f64>,
    /// Most requests in flight at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_concurrency: Option<u64>,
    /// Open loop: the rate asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested_rate: Option<f64>,
    /// Open loop: the rate at which requests were sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub achieved_rate: Option<f64>,
    /// Output tokens per content event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_event: Option<f64>,
    /// Where output counts came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_source: Option<TokenSource>,
    /// Largest relative difference between token sources, where more than one is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_disagreement: Option<f64>,
    /// Figures of the steady-state window; absent where there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steady_state: Option<Box<SteadyState>>,
    /// Names such as `ttft_ms.p99` whose sample count is under the floor: pages and decisions don't use them.
    pub below_floor: Vec<String>,
    /// Time to first token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttft_ms: Option<Distribution>,
    /// Time to first output that is not reasoning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttfo_ms: Option<Distribution>,
    /// Time per output token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tpot_ms: Option<Distribution>,
    /// Gaps between content events, pooled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub itl_ms: Option<Distribution>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub e2el_ms: Option<Distribution>,
    /// TTFT from the planned arrival.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttft_from_schedule_ms: Option<Distribution>,
    /// End-to-end latency from the planned arrival.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub e2el_from_schedule_ms: Option<Distribution>,
    /// How late requests were sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule_lag_ms: Option<Distribution>,
    /// 1/TPOT of each request, tokens per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_throughput_per_user: Option<Distribution>,
    /// Input lengths asked for and sent, output lengths asked for and received.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lengths: Option<Lengths>,
    /// What the nodes under test and their devices did meanwhile; absent where nothing was measured.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub telemetry: Vec<NodeTelemetry>,
    /// Energy of the accelerators that served, where they have a counter of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub energy: Option<EnergyUse>,
}

/// Lengths asked for, sent and received, in tokens.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Lengths {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested_input: Option<Distribution>,
    /// Input as the engine counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Distribution>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested_output: Option<Distribution>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Distribution>,
}

/// The steady-state window and its own figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SteadyState {
    /// From the first send to the window's begin, seconds.
    pub begin_s: f64,
    /// From the first send to the window's end, seconds.
    pub end_s: f64,
    /// Figures of the window.
    #[serde(flatten)]
    #[cfg_attr(feature = "openapi", schema(no_recursion))]
    pub figures: Summary,
}
