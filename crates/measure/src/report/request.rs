//! What was measured for one request, and how it ended.

use serde::{Deserialize, Serialize};

/// Why a request counts as an error.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, strum::IntoStaticStr, strum::VariantArray,
)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", const_into_str)]
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

/// Whether a request belongs to the measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, strum::IntoStaticStr, strum::VariantArray)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Phase {
    /// Before the measurement, excluded from every figure.
    Warmup,
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
    pub node: String,
    /// Which load point, from 0.
    pub load_point: u32,
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e2el_ms: Option<f64>,
    #[serde(default)]
    pub events: u32,
    /// Input tokens as the engine counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u32>,
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

/// Compiled in this crate and not where it is called, with optimisation, which the portal is built without: there may be a million.
impl RequestRecord {
    /// Reads a line of records.
    ///
    /// # Errors
    /// For what is no record.
    pub fn from_json(line: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(line)
    }

    /// As a line of records, without its end.
    ///
    /// # Errors
    /// None for a record that was measured or read.
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }
}
