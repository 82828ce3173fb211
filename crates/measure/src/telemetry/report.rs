//! What a report says of a node under test while one load point ran.

use serde::{Deserialize, Serialize};

use super::{ClockLimit, Levels, TelemetrySource};

/// A node during a load point.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct NodeTelemetry {
    pub hostname: String,
    /// What means and maxima are of.
    pub window: TimeWindow,
    /// CPU and memory of the node over time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub series: Vec<TelemetryPoint>,
    /// Over the window, by time.
    #[serde(skip_serializing_if = "Levels::is_empty")]
    pub mean: Levels,
    #[serde(skip_serializing_if = "Levels::is_empty")]
    pub max: Levels,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<DeviceTelemetry>,
    /// Energy of the devices that served (of all, where it is not known which did), J; absent where one of them has no counter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub energy_j: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<SourceFacts>,
    /// When a source told nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<TelemetryGap>,
}

/// A stretch of a load point's time, ms since its first measured send.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TimeWindow {
    pub begin_ms: f64,
    pub end_ms: f64,
    /// Whether it is the steady-state window; else the whole load point, which had none.
    pub is_steady: bool,
}

/// A device during a load point.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct DeviceTelemetry {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its number on the node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    /// Whether it served; absent where that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serves: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub series: Vec<TelemetryPoint>,
    /// Over the window, by time.
    #[serde(skip_serializing_if = "Levels::is_empty")]
    pub mean: Levels,
    #[serde(skip_serializing_if = "Levels::is_empty")]
    pub max: Levels,
    /// Difference of its energy counter between the first and the last reading in the window, J; absent without a counter, or where it
    /// was reset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub energy_j: Option<f64>,
    /// The time between these two readings, ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub energy_time_ms: Option<f64>,
    /// Why its clocks were limited, for which share of the window; empty where they were not. Idleness is no limit. Absent where its source
    /// told no reasons in the window: then it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_limits: Option<Vec<ClockLimitShare>>,
}

/// How long clocks were limited for a reason.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClockLimitShare {
    pub reason: ClockLimit,
    /// 0 to 1.
    pub share: f64,
}

/// A step of a series: the values stood for the time before `t_ms`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct TelemetryPoint {
    /// Since the load point's first measured send, ms.
    pub t_ms: f64,
    /// For how long, ms.
    pub span_ms: f64,
    /// The reading; where several were put together, their mean by time.
    #[serde(flatten)]
    pub levels: Levels,
    /// Least of several readings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<Levels>,
    /// Largest of several readings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<Levels>,
}

/// A source's part in a load point.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SourceFacts {
    pub source: TelemetrySource,
    /// How often it has something new, ms.
    pub pace_ms: u32,
    /// Readings during the load point.
    pub readings: u64,
    /// By how much the load's clock was ahead of the reader's, ms: times are moved by it. Absent where no other clock is in it, or the
    /// source told its own time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_offset_ms: Option<f64>,
}

/// A stretch of a load point's time without readings of a source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TelemetryGap {
    pub source: TelemetrySource,
    /// Since the load point's first measured send, ms.
    pub begin_ms: f64,
    pub end_ms: f64,
    /// What was said of it, a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Energy of what served a load point.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct EnergyUse {
    /// By the energy counters, between their first and last reading in the window; W.
    pub mean_power_w: f64,
    /// Mean power over output tokens per second in the same window; absent where tokens are not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub j_per_output_token: Option<f64>,
    pub window: TimeWindow,
    /// How many accelerators are in it.
    pub devices: u32,
    /// What is in it and what is not, a sentence.
    pub boundary: String,
}
