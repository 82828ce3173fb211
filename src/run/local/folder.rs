//! A run's folder as the portal reads it: events since an offset in its files, and in the end what was measured. Blocks.

use std::io;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::files;
use super::journal::{self, JournalEntry};
use super::tail::{Tail, last_lines};
use crate::run::execution::{Event, ExecutionSpec};
use crate::run::executor::{Batch, Collected, Cursor};
use dyno_measure::events::{LoadEvent, LoadEventKind};
use dyno_measure::plan::Plan;
use dyno_measure::report::{Report, RequestRecord};

/// How far journal, spool and telemetry were read, bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Offsets {
    journal: u64,
    spool: u64,
    telemetry: u64,
}

impl From<Option<&Cursor>> for Offsets {
    fn from(cursor: Option<&Cursor>) -> Self {
        // An unreadable cursor is replaced by an empty one: events are read again, none is lost.
        cursor.and_then(|cursor| serde_json::from_str(&cursor.0).ok()).unwrap_or_default()
    }
}

/// What was told since the offsets.
pub(super) fn read(folder: &Path, from: Offsets) -> io::Result<Batch> {
    let mut journal = Tail::new(folder.join(files::JOURNAL), from.journal);
    let mut spool = Tail::new(folder.join(files::SPOOL), from.spool);
    let mut telemetry = Tail::new(folder.join(files::TELEMETRY), from.telemetry);
    let (entries, lines, samples) = (journal.lines()?, spool.lines()?, telemetry.lines()?);
    let offsets = Offsets { journal: journal.offset(), spool: spool.offset(), telemetry: telemetry.offset() };
    let entries = entries.iter().filter_map(|line| serde_json::from_slice::<JournalEntry>(line).ok());
    Ok(Batch {
        events: entries.filter_map(JournalEntry::event).collect(),
        load: lines.iter().filter_map(|line| serde_json::from_slice::<LoadEvent>(line).ok()).collect(),
        telemetry: samples.iter().filter_map(|line| serde_json::from_slice(line).ok()).collect(),
        cursor: (offsets != from).then(|| serde_json::to_string(&offsets).map(Cursor)).transpose()?,
        ..Batch::default()
    })
}

/// What the run's keeper was asked to do.
pub(super) fn specification(folder: &Path) -> Option<ExecutionSpec> {
    let text = std::fs::read(folder.join(files::SPEC)).ok()?;
    match serde_json::from_slice(&text) {
        Ok(spec) => Some(spec),
        Err(error) => {
            tracing::warn!(%error, folder = %folder.display(), "a run's specification could not be read");
            None
        }
    }
}

/// Gathers what a run left.
pub(super) fn collect(folder: &Path) -> Collected {
    let spec = specification(folder);
    let carried_out = read_json::<Plan>(&folder.join(files::PLAN));
    let (planned, known) = spec.map_or_else(Default::default, |spec| (Some(spec.plan), spec.provenance));
    let plan = carried_out.or(planned);
    let events: Vec<(Timestamp, Event)> =
        journal::read(&folder.join(files::JOURNAL)).unwrap_or_default().into_iter().filter_map(JournalEntry::event).collect();
    let mut engines = Vec::new();
    let mut end = None;
    for (_, event) in events {
        match event {
            Event::Engine(facts) => engines.push(facts),
            Event::End { outcome, reason } => end = Some((outcome, reason)),
            Event::Stage { .. } | Event::Log { .. } => {}
        }
    }
    Collected {
        report: plan.as_ref().and_then(|plan| report(folder, plan)),
        plan,
        provenance: if known.is_empty() { read_json(&folder.join(files::PROVENANCE)).unwrap_or_default() } else { known },
        engines,
        tokenizer: tokenizer(folder),
        last_output: if end.is_some() { None } else { last_lines(&folder.join(files::KEEPER_LOG), 1).pop() },
        end,
        ..Collected::default()
    }
}

/// The report as the load wrote it, or one of the records that it left; absent where nothing was measured.
fn report(folder: &Path, plan: &Plan) -> Option<Report> {
    read_json(&folder.join(files::REPORT)).or_else(|| match dyno_load::report::from_folder(folder, plan) {
        Ok(report) => report,
        Err(error) => {
            tracing::warn!(%error, folder = %folder.display(), "request records could not be read");
            None
        }
    })
}

fn tokenizer(folder: &Path) -> Option<String> {
    // It is among the first events of a load.
    let lines = Tail::new(folder.join(files::SPOOL), 0).lines().ok()?;
    lines.iter().find_map(|line| match serde_json::from_slice::<LoadEvent>(line).ok()?.kind {
        LoadEventKind::Prepared { tokenizer, .. } => Some(tokenizer),
        _ => None,
    })
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Option<T> {
    std::fs::read(path).ok().and_then(|text| serde_json::from_slice(&text).ok())
}

/// Reads a run's request records portion by portion.
pub(super) struct RecordReader {
    tail: Tail,
    skip: u64,
}

impl RecordReader {
    /// Begins after as many records as are kept already.
    pub(super) fn new(folder: &Path, skip: u64) -> Self {
        Self { tail: Tail::new(folder.join(files::REQUESTS), 0), skip }
    }

    /// The next records; none at the end.
    pub(super) fn next(&mut self) -> io::Result<Vec<RequestRecord>> {
        loop {
            let lines = self.tail.lines()?;
            if lines.is_empty() {
                return Ok(Vec::new());
            }
            let mut records: Vec<RequestRecord> = lines.iter().filter_map(|line| RequestRecord::from_json(line).ok()).collect();
            let known = usize::try_from(self.skip).unwrap_or(usize::MAX).min(records.len());
            records.drain(..known);
            self.skip -= known as u64;
            if !records.is_empty() {
                return Ok(records);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::execution::ExecutionOutcome;

    fn kept() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/kept/0.1.0")
    }

    #[test]
    fn records_that_are_kept_are_not_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let line = |id: &str| format!("{{\"id\":\"{id}\",\"node\":\"n\",\"load_point\":0,\"phase\":\"measured\"}}\n");
        std::fs::write(folder.path().join(files::REQUESTS), format!("{}{}{}{{\"id\":", line("a"), line("b"), line("c"))).unwrap();
        let mut records = RecordReader::new(folder.path(), 2);
        assert_eq!(records.next().unwrap().iter().map(|record| record.id.as_str()).collect::<Vec<_>>(), ["c"]);
        assert!(records.next().unwrap().is_empty());
    }

    #[test]
    fn a_folder_of_0_1_0_is_read() {
        let folder = kept();
        let spec = specification(&folder).unwrap();
        assert_eq!((spec.schema_version, spec.engines.len(), spec.plan.load_points.len()), (1, 1, 2));
        let first = read(&folder, Offsets::default()).unwrap();
        let lines = std::fs::read_to_string(folder.join(files::JOURNAL)).unwrap();
        let processes = lines.lines().filter(|line| line.contains("\"process\"")).count();
        assert_eq!(first.events.len() + processes, lines.lines().count(), "no line is lost");
        let told = std::fs::read_to_string(folder.join(files::SPOOL)).unwrap();
        assert_eq!(first.load.len(), told.lines().count());
        let rest = read(&folder, Offsets::from(first.cursor.as_ref())).unwrap();
        assert!(rest.events.is_empty() && rest.load.is_empty() && rest.cursor.is_none());
        let collected = collect(&folder);
        assert_eq!(collected.end, Some((ExecutionOutcome::Done, None)));
        assert_eq!((collected.engines.len(), collected.plan.unwrap().load_points.len()), (1, 2));
        assert_eq!(collected.report.unwrap().load_points.len(), 2);
        assert_eq!(collected.provenance.dyno_version.as_deref(), Some("0.1.0"));
        assert!(collected.tokenizer.is_some());
        let mut records = RecordReader::new(&folder, 0);
        assert_eq!(records.next().unwrap().len(), std::fs::read_to_string(folder.join(files::REQUESTS)).unwrap().lines().count());
    }

    #[test]
    fn fields_of_a_later_version_are_passed_over() {
        let text = std::fs::read_to_string(kept().join(files::SPEC)).unwrap();
        let mut later: serde_json::Value = serde_json::from_str(&text).unwrap();
        later["schema_version"] = 2.into();
        later["priority"] = "high".into();
        later["engines"][0]["accounting"] = 7.into();
        let read: ExecutionSpec = serde_json::from_value(later).unwrap();
        assert_eq!((read.schema_version, read.engines.len()), (2, 1));
    }
}
