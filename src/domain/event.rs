//! Events of a run. Stored before they are shown; sent to pages as server-sent events.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use dyno_measure::events::{LogLevel, Progress};

use super::run::{Stage, StageId};
use dyno_measure::run::RunStatus;

/// One event of a run: `seq` rises by one, and is the server-sent event's id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredEvent {
    /// Rising number, from 1 in each run.
    pub seq: i64,
    /// When it was stored.
    pub at: Timestamp,
    pub event: RunEvent,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum RunEvent {
    Stage(Stage),
    /// A snapshot of the load so far.
    Progress(Box<Progress>),
    /// A line of a stage's log.
    Log(LogLine),
    /// The run ended; nothing follows.
    End(RunEnd),
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
    pub status: RunStatus,
    /// Why, for any end other than succeeded.
    pub reason: Option<String>,
}
