//! What a run tells while it goes on. Stored before it is shown; sent to pages as server-sent events.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::run::{RunStatus, Stage, StageId};

/// One event of a run: `seq` rises by one, and is the server-sent event's id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredEvent {
    /// Rising number, from 1 in each run.
    pub seq: i64,
    /// When it was stored.
    pub at: Timestamp,
    /// What happened.
    pub event: RunEvent,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
pub enum RunEvent {
    /// A stage changed.
    Stage(Stage),
    /// A snapshot of the load so far.
    Progress(Progress),
    /// A line of a stage's log.
    Log(LogLine),
    /// The run ended; nothing follows.
    End(RunEnd),
}

impl RunEvent {
    /// The name in the event stream.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Stage(_) => "stage",
            Self::Progress(_) => "progress",
            Self::Log(_) => "log",
            Self::End(_) => "end",
        }
    }
}

/// A snapshot of the load so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Progress {
    /// Which load point, from 0.
    pub load_point: u32,
    /// How many load points there will be.
    #[serde(default)]
    pub load_points: u32,
    /// `warmup` or `measured`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<super::report::Phase>,
    /// Milliseconds since the load began.
    #[serde(default)]
    pub elapsed_ms: u64,
    /// Requests sent in this load point, warm-up excluded.
    pub issued: u64,
    /// Of these, ended well.
    pub completed: u64,
    /// Of these, ended badly.
    pub failed: u64,
    /// Sent and not ended.
    pub in_flight: u64,
    /// How many requests the load point will have; absent when it ends by time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// Output tokens per second over the last second or so; events stand in for tokens until usage is known.
    pub output_tokens_per_s: Option<f64>,
    /// Median TTFT so far, ms.
    pub ttft_ms: Option<f64>,
    /// Median TPOT so far, ms.
    pub tpot_ms: Option<f64>,
    /// Estimated time to the end of the whole plan, ms.
    pub eta_ms: Option<u64>,
}

/// How much a log line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// As expected.
    Info,
    /// Worth a look.
    Warning,
    /// The reason of a failure.
    Error,
}

/// A line of a stage's log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct LogLine {
    /// Which stage wrote it.
    pub stage: StageId,
    /// How much it matters.
    pub level: LogLevel,
    /// The text, control characters removed.
    pub line: String,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct RunEnd {
    /// The final status.
    pub status: RunStatus,
    /// Why, for any end other than succeeded.
    pub reason: Option<String>,
}
