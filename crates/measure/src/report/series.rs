//! What charts draw, binned when the report is made.

use serde::{Deserialize, Serialize};

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
