//! What says how far a report can be trusted, and what an SLO search found.

pub mod judge;

use serde::{Deserialize, Serialize};

use crate::load::LoadVariable;

/// Error of a client against known true times, ms.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClientError {
    /// Median of the absolute errors.
    pub p50: f64,
    /// 99th percentile of the absolute errors.
    pub p99: f64,
    pub max: f64,
    /// How many were compared.
    pub n: u64,
}

/// The same client at the same concurrency against the reference engine, whose true times are known, before the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SelfCheck {
    /// Streams in flight during the check.
    pub concurrency: u32,
    /// Whether the check went over TLS, as the load did.
    #[serde(default)]
    pub tls: bool,
    /// Requests that were compared.
    pub requests: u64,
    /// The reference engine's time to first token, ms.
    pub true_ttft_ms: f64,
    /// The reference engine's inter-token latency, ms.
    pub true_itl_ms: f64,
    /// Error of time to first token, ms; absent where nothing could be compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttft_error_ms: Option<ClientError>,
    /// Error of the gaps between events, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub itl_error_ms: Option<ClientError>,
    /// When it was measured, Unix ms.
    pub checked_at_unix_ms: i64,
    /// Whether an earlier check of this machine at this concurrency, at most an hour old, was taken.
    pub cached: bool,
    /// Why there are no figures, where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// What a search for the largest load within the limits found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SearchOutcome {
    pub variable: LoadVariable,
    /// Least load that was allowed.
    pub min: f64,
    /// Largest load that was allowed.
    pub max: f64,
    /// Largest load that was seen to meet the limits; absent where none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meets_at: Option<f64>,
    /// Least load above it that was seen not to meet them; absent where the largest allowed load met them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fails_at: Option<f64>,
    /// Whether both were measured a second time, in full, and came to the same.
    #[serde(default)]
    pub is_confirmed: bool,
    /// The answer in a sentence, with the bracket it is known to lie in.
    pub sentence: String,
}
