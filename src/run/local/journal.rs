//! A keeper's journal: a JSON object a line, appended and never changed. A reader can stop and resume at any line.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::process;
use crate::domain::run::{StageId, StageStatus};
use crate::run::execution::{Event, SCHEMA_VERSION, first_schema};
use dyno_measure::events::LogLevel;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JournalEntry {
    pub at: Timestamp,
    /// The schema of the line.
    #[serde(default = "first_schema")]
    pub v: u32,
    #[serde(flatten)]
    pub content: Content,
}

/// What a line holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Content {
    /// An event of a run on any kind of cluster.
    Event(Event),
    /// What only this machine's executor needs to know.
    Local(LocalEvent),
}

/// What only this machine's executor needs to know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum LocalEvent {
    Process(Process),
}

/// A process that was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// `keeper`, `engine-0`, `load`, …
    pub name: String,
    /// Of all but the keeper, it is also the id of its group.
    pub pid: u32,
    /// When it began, ticks since boot.
    pub start: Option<u64>,
    /// The boot these ticks count from.
    pub boot: Option<String>,
}

impl JournalEntry {
    /// The process that was started, if the line is about one.
    pub fn process(self) -> Option<Process> {
        match self.content {
            Content::Local(LocalEvent::Process(process)) => Some(process),
            Content::Event(_) => None,
        }
    }

    /// The run's event, if the line holds one.
    pub fn event(self) -> Option<(Timestamp, Event)> {
        match self.content {
            Content::Event(event) => Some((self.at, event)),
            Content::Local(_) => None,
        }
    }
}

#[derive(Debug)]
pub struct Journal {
    file: File,
    failed: Option<String>,
}

impl Journal {
    /// Opens it for appending.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { file: OpenOptions::new().create(true).append(true).open(path)?, failed: None })
    }

    /// Appends a line; the end is on the disk before this returns. A line that can't be written must not keep the keeper
    /// from stopping what it started: it is remembered, see [`Journal::failure`].
    pub fn emit(&mut self, event: Event) {
        let last = matches!(event, Event::End { .. });
        self.append(Content::Event(event), last);
    }

    /// Tells of a process that was started.
    pub fn process(&mut self, name: &str, pid: u32) {
        let process = Process { name: name.to_owned(), pid, start: process::start_ticks(pid), boot: process::boot_id() };
        self.append(Content::Local(LocalEvent::Process(process)), false);
    }

    /// Why a line could not be written, a sentence for people: later events could not be written either, so that the run ends.
    pub fn failure(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    fn append(&mut self, content: Content, sync: bool) {
        let entry = JournalEntry { at: Timestamp::now(), v: SCHEMA_VERSION, content };
        let written = serde_json::to_vec(&entry).map_err(io::Error::from).and_then(|mut line| {
            line.push(b'\n');
            self.file.write_all(&line)?;
            if sync { self.file.sync_all() } else { Ok(()) }
        });
        if let Err(error) = written
            && self.failed.is_none()
        {
            self.failed = Some(format!("The run's journal could not be written: {error}."));
        }
    }

    pub fn stage(&mut self, stage: StageId, status: StageStatus, message: Option<String>) {
        self.emit(Event::Stage { stage, status, message });
    }

    /// A line for a stage's log.
    pub fn log(&mut self, stage: StageId, level: LogLevel, line: impl Into<String>) {
        self.emit(Event::Log { stage, level, line: crate::run::text::clean(&line.into()) });
    }
}

/// Reads all whole lines of a journal; a missing file has none.
pub fn read(path: &Path) -> io::Result<Vec<JournalEntry>> {
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
    use crate::run::execution::ExecutionOutcome;

    #[test]
    fn what_is_told_is_read_and_half_a_line_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        assert_eq!(read(&path).unwrap(), []);
        let mut journal = Journal::open(&path).unwrap();
        journal.stage(StageId::DeployToEngine, StageStatus::Running, None);
        journal.log(StageId::DeployToEngine, LogLevel::Info, "a\u{1b}[31mred\u{7}");
        journal.process("load", 7);
        journal.emit(Event::End { outcome: ExecutionOutcome::Done, reason: None });
        assert_eq!(journal.failure(), None);
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"at\":").unwrap();
        let entries = read(&path).unwrap();
        assert_eq!(entries.len(), 4);
        assert!(matches!(&entries[1].content, Content::Event(Event::Log { line, .. }) if line == "ared"));
        assert_eq!(entries[2].clone().process().unwrap().pid, 7);
        assert!(matches!(entries[3].content, Content::Event(Event::End { outcome: ExecutionOutcome::Done, .. })));
    }

    #[test]
    fn a_journal_that_can_not_be_written_says_so() {
        // Takes no byte: every write fails as on a full disk.
        let mut journal = Journal::open(Path::new("/dev/full")).unwrap();
        journal.stage(StageId::DeployToEngine, StageStatus::Running, None);
        assert!(journal.failure().unwrap().starts_with("The run's journal could not be written: No space left"));
    }
}
