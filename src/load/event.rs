//! What `dyno load` tells while it works: a JSON object a line in its spool file, appended and never changed, so that
//! whoever tails it can stop and go on at any line.

use serde::{Deserialize, Serialize};

use crate::domain::event::{LogLevel, Progress};
use crate::domain::report::LoadPoint;

/// One line of the spool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoadEvent {
    /// When it was written, Unix ns.
    pub at_unix_ns: i64,
    /// What happened.
    #[serde(flatten)]
    pub news: LoadNews,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
pub enum LoadNews {
    /// The process is up and has read its plan.
    Started {
        /// Its process id.
        pid: u32,
        /// Dyno's version.
        version: String,
        /// How many load points there will be.
        load_points: u32,
    },
    /// A line for people.
    Log {
        /// How much it matters.
        level: LogLevel,
        /// The text.
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
    Progress(Progress),
    /// A load point is over.
    LoadPointEnd {
        /// Which, from 0.
        load_point: u32,
        /// Its figures.
        figures: Box<LoadPoint>,
    },
    /// The end: nothing follows. The report, if there is one, is complete on disk.
    End {
        /// How.
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
    /// Nothing usable.
    Failed,
}
