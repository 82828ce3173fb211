//! What a run measured. Every figure is defined in docs/METRICS.md; names are those of the HTTP contract.

mod from_records;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::engine_metrics::EngineSeries;
use crate::load::OfferedLoad;
use crate::run::{RunKind, RunStatus};
use crate::validity::{SearchOutcome, SelfCheck};

pub use from_records::{Circumstances, finished_load_point, load_point_figures, report, verdict};

/// Why a request counts as an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// Refused, or reset before an answer.
    Connect,
    /// The name did not resolve.
    Dns,
    /// The TLS handshake failed.
    Tls,
    /// An HTTP status other than 2xx.
    HttpStatus,
    /// An error object inside an answer of status 2xx, or a finish reason that says that generation went wrong.
    ErrorInStream,
    /// The stream was not what the protocol says.
    MalformedStream,
    /// The stream ended with neither a finish reason nor `[DONE]`.
    CutOff,
    /// No event for the stall time-out.
    Stalled,
    /// The whole request took too long.
    Timeout,
    /// Ended well without one content event.
    NoContent,
    /// An arrival over the cap, never sent.
    Dropped,
}

impl ErrorClass {
    /// The name as stored and sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Dns => "dns",
            Self::Tls => "tls",
            Self::HttpStatus => "http_status",
            Self::ErrorInStream => "error_in_stream",
            Self::MalformedStream => "malformed_stream",
            Self::CutOff => "cut_off",
            Self::Stalled => "stalled",
            Self::Timeout => "timeout",
            Self::NoContent => "no_content",
            Self::Dropped => "dropped",
        }
    }
}

/// Whether a request belongs to the measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Before the measurement, excluded from every figure.
    Warmup,
    /// Counted.
    Measured,
}

/// Where a token count came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TokenSource {
    /// The engine's `usage`.
    Usage,
    /// The model's tokenizer over the whole text.
    Tokenizer,
    /// The number of content events: an estimate.
    Events,
    /// Requests of one run differ.
    Mixed,
}

/// What was measured for one request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RequestRecord {
    /// Sent as the `x-request-id` header.
    pub id: String,
    /// The endpoint's node.
    pub node: String,
    /// Which load point, from 0.
    pub load_point: u32,
    /// Warm-up or measured.
    pub phase: Phase,
    /// Planned arrival, Unix ns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_unix_ns: Option<i64>,
    /// First byte handed to the socket, Unix ns; absent when it never was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_unix_ns: Option<i64>,
    /// First content event, Unix ns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_content_unix_ns: Option<i64>,
    /// Last content event, Unix ns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_content_unix_ns: Option<i64>,
    /// End of the request, whatever its outcome, Unix ns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_unix_ns: Option<i64>,
    /// Time to first token, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttft_ms: Option<f64>,
    /// Time to first output that is not reasoning, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttfo_ms: Option<f64>,
    /// Time per output token after the first, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tpot_ms: Option<f64>,
    /// End-to-end latency, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e2el_ms: Option<f64>,
    /// Content events.
    #[serde(default)]
    pub events: u32,
    /// Input tokens as the engine counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u32>,
    /// Output tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u32>,
    /// Of the output, tokens of reasoning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_tokens: Option<u32>,
    /// Of the input, tokens that the engine had in its prefix cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_tokens: Option<u32>,
    /// Input length asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_input_tokens: Option<u32>,
    /// Output limit asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_output_tokens: Option<u32>,
    /// Where the output count came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_source: Option<TokenSource>,
    /// `stop`, `length`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<String>,
    /// Why it counts as an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_class: Option<ErrorClass>,
    /// The error in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The answer's HTTP status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// After how long the server wants to be asked again (its `retry-after` header), seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<f64>,
    /// How often it was sent again after status 429, where the load was asked to; its times are those of the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
}

/// Figures of one metric over its samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Distribution {
    /// Arithmetic mean.
    pub mean: f64,
    /// Standard deviation over the samples (population).
    pub std: f64,
    /// Least.
    pub min: f64,
    /// Percentiles, linear interpolation over the raw samples.
    pub p25: f64,
    /// Median.
    pub p50: f64,
    /// 75th.
    pub p75: f64,
    /// 90th.
    pub p90: f64,
    /// 95th.
    pub p95: f64,
    /// 99th.
    pub p99: f64,
    /// 99.9th.
    pub p999: f64,
    /// Largest.
    pub max: f64,
    /// How many samples.
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
    /// Ended well.
    pub successful_requests: u64,
    /// Ended badly, dropped ones not included.
    pub failed_requests: u64,
    /// Arrivals over the cap.
    pub dropped_requests: u64,
    /// (errors + timeouts + drops) / issued.
    pub error_rate: f64,
    /// Count by class.
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
    /// End-to-end latency.
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
}

/// Lengths asked for, sent and received, in tokens.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Lengths {
    /// Input asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested_input: Option<Distribution>,
    /// Input as the engine counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Distribution>,
    /// Output limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested_output: Option<Distribution>,
    /// Output received.
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

/// One load point of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LoadPoint {
    /// Closed loop: the concurrency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// Open loop: the rate, requests per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// Whether it meets the SLO; absent without one, or where samples are too few to decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meets_slo: Option<bool>,
    /// Its figures.
    #[serde(flatten)]
    pub summary: Summary,
}

impl LoadPoint {
    /// The load that was offered; absent where a trace has no arrivals to reckon its rate from.
    pub fn offered(&self) -> Option<OfferedLoad> {
        let concurrency = self.concurrency.map(|concurrency| OfferedLoad::Concurrency { concurrency });
        concurrency.or(self.rate.map(|rate| OfferedLoad::Rate { rate }))
    }
}

/// One node's share of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NodeReport {
    /// Which.
    pub hostname: String,
    /// Its figures.
    #[serde(flatten)]
    pub summary: Summary,
}

/// A count per bin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Histogram {
    /// Bin edges, one more than there are counts.
    pub edges: Vec<f64>,
    /// Samples in each bin.
    pub counts: Vec<u64>,
}

/// One point of a percentile curve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CurvePoint {
    /// Percentile, 0 to 100.
    pub percentile: f64,
    /// Value.
    pub value: f64,
    /// Distribution-free upper bound at 99 % confidence, where the samples give one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound: Option<f64>,
}

/// One point on the run's time axis: a request (few) or one second of them (many).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TimePoint {
    /// Seconds since the first send.
    pub at_s: f64,
    /// Value, or the second's median.
    pub value: f64,
    /// Least of the second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// Largest of the second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
}

/// What charts of one metric draw, binned when the report is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MetricSeries {
    /// The metric's name, `ttft_ms` say.
    pub metric: String,
    /// How often which value.
    pub histogram: Histogram,
    /// Value by percentile, as far as the samples carry.
    pub curve: Vec<CurvePoint>,
    /// Value over the run's time, by send time.
    pub over_time: Vec<TimePoint>,
}

/// What charts of one load point draw.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct LoadPointSeries {
    /// A series a metric.
    pub metrics: Vec<MetricSeries>,
    /// Requests in flight over time.
    pub in_flight: Vec<TimePoint>,
    /// Output tokens per second over time.
    pub tokens_per_s: Vec<TimePoint>,
    /// When requests failed, seconds since the first send.
    pub failures_s: Vec<f64>,
    /// The first measured send, Unix ns: where the time axis begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin_unix_ns: Option<i64>,
    /// When the warm-up began, seconds relative to the first measured send (negative).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warmup_begin_s: Option<f64>,
}

/// An example of an error, for people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorExample {
    /// Its class.
    pub class: ErrorClass,
    /// In which load point, from 0.
    #[serde(default)]
    pub load_point: u32,
    /// The HTTP status, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// In words.
    pub message: String,
    /// The request it happened to.
    pub request_id: String,
}

/// How well the client itself did, measured during the run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct ClientHealth {
    /// Share of one core that the client used, 0 to 1: of the phase in which it was largest (warm-ups and load points of at
    /// least a second).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_share: Option<f64>,
    /// Share of the time that the client's thread was ready to run and had no core, 0 to 1: of the phase in which it was
    /// largest. More than nothing means that others kept the machine busy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_wait_share: Option<f64>,
    /// Where receive times come from: `kernel` or `user`.
    pub timestamps: String,
    /// Largest jump between the wall clock and the monotonic clock, ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_jump_ms: Option<f64>,
    /// Content events that share one receive stamp with another of their stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coalesced_events: Option<u64>,
    /// Content events in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_events: Option<u64>,
    /// Mean in flight over (throughput × mean latency), the time of failed requests added: 1 when Little's law holds, as it
    /// does for all records that agree with each other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub littles_law_ratio: Option<f64>,
    /// Largest resident memory, bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_rss_bytes: Option<u64>,
    /// Requests tried once more because a kept connection had been closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reconnects: Option<u64>,
    /// 99th percentile of the time between two waits of the client's event loop, ms (upper edge of a bin).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loop_p99_ms: Option<f64>,
    /// Longest time between two waits of the client's event loop, ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loop_max_ms: Option<f64>,
}

/// What a run measured, and whether it can be trusted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Report {
    /// The run; nil for a load put on by hand.
    pub run_id: Uuid,
    /// Measured or simulated.
    pub kind: RunKind,
    /// How the run ended.
    pub status: RunStatus,
    /// Whether the figures can be trusted.
    pub valid: bool,
    /// Why not.
    pub invalid_reasons: Vec<String>,
    /// What a reader should know, without the figures being wrong.
    #[serde(default)]
    pub notes: Vec<String>,
    /// The load point that lists show: the only one, or the best.
    pub summary: Summary,
    /// Each load point.
    pub load_points: Vec<LoadPoint>,
    /// Index of the load point that `summary` is of.
    #[serde(default)]
    pub best: usize,
    /// Each node.
    pub nodes: Vec<NodeReport>,
    /// What charts draw, a load point each.
    #[serde(default)]
    pub series: Vec<LoadPointSeries>,
    /// Some errors of each class.
    #[serde(default)]
    pub error_examples: Vec<ErrorExample>,
    /// What produced the figures: engine and version, arguments, model and its digest, tokenizer, dataset digest, seed,
    /// nodes and devices as they were, Dyno's version.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub provenance: serde_json::Map<String, serde_json::Value>,
    /// The client's error, measured before the run; absent where it was not checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_check: Option<SelfCheck>,
    /// What an SLO search found; absent where none was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<SearchOutcome>,
    /// What the engines said about themselves during the run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub engine_metrics: Vec<EngineSeries>,
    /// How well the client did during the run.
    #[serde(default)]
    pub client: ClientHealth,
}
