//! What a keeper tells: a JSON object a line, appended and never changed. Whoever reads it can stop and go on at any line.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::event::LogLevel;
use crate::domain::run::{StageId, StageStatus};

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub news: News,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum News {
    /// A process was started; of all but the keeper, the id is also that of its group.
    Process {
        /// `keeper`, `engine-0`, `load`, …
        name: String,
        /// Its id.
        pid: u32,
        /// When it began, ticks since boot.
        start: Option<u64>,
        /// The boot these ticks count from.
        boot: Option<String>,
    },
    /// A stage changed.
    Stage {
        /// Which.
        stage: StageId,
        /// To what.
        status: StageStatus,
        /// What it did, or why it failed.
        message: Option<String>,
    },
    /// A line for a stage's log.
    Log {
        /// Which stage.
        stage: StageId,
        /// How much it matters.
        level: LogLevel,
        /// The text.
        line: String,
    },
    /// An engine is ready.
    Engine(EngineFacts),
    /// The end: nothing follows, and nothing is left running.
    End {
        /// How.
        outcome: Outcome,
        /// Why, for any outcome other than done.
        reason: Option<String>,
    },
}

/// What is known of an engine once it is ready; goes into the report's provenance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EngineFacts {
    /// The node it stands for.
    pub node: String,
    /// Name and version for people.
    pub title: String,
    /// The version that the running engine gave.
    pub version: Option<String>,
    /// Program and arguments, as started.
    pub argv: Vec<String>,
    /// Variables that were set for it.
    pub env: std::collections::BTreeMap<String, String>,
    /// Where it answers.
    pub base_url: String,
    /// The model id that it listed.
    pub model: String,
    /// From start to ready, ms.
    pub startup_ms: u64,
}

/// How a keeper's work ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The plan was carried out.
    Done,
    /// Something went wrong; what was measured is kept.
    Failed,
    /// Ended by a person.
    Cancelled,
}

/// Writes the journal.
#[derive(Debug)]
pub struct Journal(File);

impl Journal {
    /// Opens it for appending.
    pub fn open(path: &Path) -> io::Result<Self> {
        OpenOptions::new().create(true).append(true).open(path).map(Self)
    }

    /// Appends a line. The end is on the disk before this returns.
    pub fn tell(&mut self, news: News) {
        let last = matches!(news, News::End { .. });
        if let Err(error) = self.append(&Entry { at: Timestamp::now(), news }, last) {
            // A full disk must not keep the keeper from stopping what it started.
            tracing::error!(%error, "could not write the journal");
        }
    }

    fn append(&mut self, entry: &Entry, sync: bool) -> io::Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        self.0.write_all(&line)?;
        if sync { self.0.sync_all() } else { Ok(()) }
    }

    /// A stage changed.
    pub fn stage(&mut self, stage: StageId, status: StageStatus, message: Option<String>) {
        self.tell(News::Stage { stage, status, message });
    }

    /// A line for a stage's log.
    pub fn log(&mut self, stage: StageId, level: LogLevel, line: impl Into<String>) {
        self.tell(News::Log { stage, level, line: crate::run::text::clean(&line.into()) });
    }
}

/// Reads all whole lines of a journal; a missing file has none.
pub fn read(path: &Path) -> io::Result<Vec<Entry>> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    Ok(text[..whole].split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_read_and_half_a_line_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        assert_eq!(read(&path).unwrap(), []);
        let mut journal = Journal::open(&path).unwrap();
        journal.stage(StageId::DeployToEngine, StageStatus::Running, None);
        journal.log(StageId::DeployToEngine, LogLevel::Info, "a\u{1b}[31mred\u{7}");
        journal.tell(News::End { outcome: Outcome::Done, reason: None });
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"at\":").unwrap();
        let entries = read(&path).unwrap();
        assert_eq!(entries.len(), 3);
        assert!(matches!(&entries[1].news, News::Log { line, .. } if line == "ared"));
        assert!(matches!(entries[2].news, News::End { outcome: Outcome::Done, .. }));
    }
}
