//! The events of `dyno load`: one JSON object per line of its spool file, which is only appended to, so that a reader can stop
//! and resume at any line.

use serde::{Deserialize, Serialize};

use crate::live_figures::{FinishedLoadPoint, Latencies, Upcoming};
use crate::load::OfferedLoad;
use crate::report::{LoadPoint, Phase};

/// A snapshot of the load so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Progress {
    /// Which load point, from 0.
    pub load_point: u32,
    /// How many load points there will be.
    #[serde(default)]
    pub load_points: u32,
    /// `warmup` or `measured`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// Milliseconds since the load began.
    #[serde(default)]
    pub elapsed_ms: u64,
    /// Requests sent in this load point, warm-up excluded.
    pub issued: u64,
    /// Of these, ended well.
    pub completed: u64,
    /// Of these, ended badly.
    pub failed: u64,
    /// Sent and not ended at this moment.
    pub in_flight: u64,
    /// Requests in flight on average over the last second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_in_flight: Option<f64>,
    /// How many requests the load point will have; absent when it ends by time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// Output tokens per second over the last second or so; events stand in for tokens until usage is known.
    pub output_tokens_per_s: Option<f64>,
    /// Median TTFT of the load point so far, ms.
    pub ttft_ms: Option<f64>,
    /// Median TPOT of the load point so far, ms.
    pub tpot_ms: Option<f64>,
    /// Estimated time to the end of the whole plan, ms.
    pub eta_ms: Option<u64>,
    /// Latencies of the load point so far; absent in snapshots of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub so_far: Option<Latencies>,
    /// Latencies of those of its requests that ended in the last 10 seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recent: Option<Latencies>,
    /// The load of this load point; absent of a trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<OfferedLoad>,
    /// The load points that are over, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub finished: Vec<FinishedLoadPoint>,
    /// What follows this load point; absent where nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Upcoming>,
}

impl Progress {
    /// Requests that ended, successful or failed.
    pub fn ended(&self) -> u64 {
        self.completed + self.failed
    }

    /// Completed share of the load point, 0 to 1; absent when it has no known end.
    pub fn share(&self) -> Option<f64> {
        self.total.filter(|total| *total > 0).map(|total| (self.ended() as f64 / total as f64).min(1.0))
    }
}

/// How much a log line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr, strum::VariantArray)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum LogLevel {
    Info,
    /// Something is odd; the load goes on.
    Warning,
    /// The reason of a failure.
    Error,
}

/// Version of [`LoadEvent`] as it is written.
pub const SCHEMA_VERSION: u32 = 1;

/// Events of 0.1.0 name none.
fn first_version() -> u32 {
    1
}

/// One line of the spool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoadEvent {
    /// Version of the format. Unknown fields of a later version are ignored.
    #[serde(default = "first_version")]
    pub v: u32,
    /// When it was written, Unix ns.
    pub at_unix_ns: i64,
    #[serde(flatten)]
    pub kind: LoadEventKind,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
pub enum LoadEventKind {
    /// The process is up and has read its plan.
    Started {
        pid: u32,
        version: String,
        /// How many load points there will be.
        load_points: u32,
    },
    /// A line for people.
    Log {
        /// How much it matters.
        level: LogLevel,
        line: String,
    },
    /// Prompts are made and connections are open: the load begins.
    Prepared {
        /// Requests that will be sent, warm-up included; absent where the load ends by time.
        requests: Option<u64>,
        /// How lengths were counted, in words.
        tokenizer: String,
        /// What a reader of the report should know.
        notes: Vec<String>,
    },
    /// A snapshot of the load so far, about two a second.
    Progress(Box<Progress>),
    /// A load point is over.
    LoadPointEnd { load_point: u32, figures: Box<LoadPoint> },
    /// The end: nothing follows. The report, if there is one, is complete on disk.
    End {
        status: LoadStatus,
        /// Why, for any end other than ok.
        reason: Option<String>,
    },
}

/// How a load ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoadStatus {
    /// The plan was carried out, and at least one request succeeded.
    Ok,
    /// Ended early; measurements were kept.
    Partial,
    /// Not one request succeeded.
    Failed,
}
