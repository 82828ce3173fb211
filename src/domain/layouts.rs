//! Layouts of a model on the chosen nodes, with their predicted performance.

use serde::{Deserialize, Serialize};

use dyno_measure::report::Prediction;

/// The layouts of a model on the chosen nodes, compared by simulation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct LayoutAdvice {
    /// Best first: those within the latency limits by throughput, then the others, then those that can't be.
    pub layouts: Vec<LayoutRow>,
    /// The chosen nodes, all alike.
    pub nodes: u32,
    /// Devices that serve on each of them, in words.
    pub devices: String,
    /// The load they were compared at, the largest of the benchmark's, in words.
    pub load: String,
    /// What the figures rest on; absent where no layout fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prediction: Option<Prediction>,
    /// What one should know about the figures.
    pub notes: Vec<String>,
}

/// One layout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct LayoutRow {
    /// Devices that hold one copy together.
    pub tensor_parallel: u32,
    /// Copies on each node; of a layout that can't be, as many as the devices would be enough for.
    pub replicas: u32,
    /// Devices in use, over all nodes.
    pub devices: u32,
    pub fits: bool,
    /// What is predicted; absent where the layout can't be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub figures: Option<LayoutFigures>,
    /// Why the layout can't be, with the numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Bytes that each device lacks, where it is memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing_bytes: Option<u64>,
}

/// What a layout is predicted to reach.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct LayoutFigures {
    /// Whether the latency limits are met; absent where the benchmark has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meets_limits: Option<bool>,
    /// Output tokens per second, over all copies.
    pub output_throughput: f64,
    pub output_throughput_per_device: f64,
    /// Completed requests per second.
    pub request_throughput: f64,
    /// Requests within the limits, per second; absent without limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goodput: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttft_ms: Option<LatencyFigures>,
    /// Absent where every request has one output token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tpot_ms: Option<LatencyFigures>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e2el_ms: Option<LatencyFigures>,
    /// Tokens that each copy's KV cache holds.
    pub kv_tokens: u64,
    /// Requests of the longest length that each copy's KV cache holds at once.
    pub concurrent_requests: u64,
}

/// A latency, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct LatencyFigures {
    pub mean: f64,
    pub p50: f64,
    pub p99: f64,
}
