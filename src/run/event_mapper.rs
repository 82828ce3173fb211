//! From what a cluster tells of a run to the run's events. What was read is kept together with how far it was read, so that
//! a portal that stops at any moment neither loses nor doubles anything.

use jiff::Timestamp;

use super::execution::{Event, ExecutionOutcome};
use super::executor::{Batch, RecordPortion};
use super::text;
use crate::domain::event::{LogLine, RunEvent};
use crate::domain::run::{Stage, StageId, StageStatus};
use crate::store::RunUpdate;
use dyno_measure::events::{LoadEventKind, LogLevel, Progress};

/// Snapshots that a run keeps at most for each of its load points, roughly: the longer it goes on, the rarer they are.
const SNAPSHOTS: i64 = 600;

/// How the work ended, as it was told.
pub(super) type Ended = (ExecutionOutcome, Option<String>);

/// Maps an execution's events to a run's; keeps its stages up to date.
#[derive(Debug, Default)]
pub(super) struct EventMapper {
    last: Option<KeptProgress>,
}

/// The snapshot that was kept last.
#[derive(Debug, PartialEq)]
struct KeptProgress {
    at: Timestamp,
    load_point: u32,
    phase: Option<dyno_measure::report::Phase>,
    finished: usize,
}

impl EventMapper {
    /// The update for the store, and the end if it was reported.
    pub(super) fn map(&mut self, batch: Batch, stages: &mut [Stage]) -> (RunUpdate, Option<Ended>) {
        let mut ended = None;
        let mut events: Vec<(Timestamp, RunEvent)> = Vec::new();
        for (at, event) in batch.events {
            let event = match event {
                Event::Stage { stage, status, message } => change(stages, stage, status, message, at),
                Event::Log { stage, level, line } => Some(log(stage, level, line)),
                Event::Engine(facts) => {
                    let version = facts.version.map(|version| format!(", version {version}")).unwrap_or_default();
                    let after = text::duration(facts.startup_ms);
                    let line = format!("Node {}: ready after {after}, model {}{version}.", facts.node, facts.model);
                    Some(log(StageId::VerifyDeploymentStatus, LogLevel::Info, line))
                }
                Event::End { outcome, reason } => {
                    ended = Some((outcome, reason));
                    None
                }
            };
            events.extend(event.map(|event| (at, event)));
        }
        for event in batch.load {
            let at = Timestamp::from_nanosecond(i128::from(event.at_unix_ns)).unwrap_or_else(|_| Timestamp::now());
            events.extend(self.load_event(event.kind, at).into_iter().map(|event| (at, event)));
        }
        // Load events come from another file than the rest: both are merged by time.
        events.sort_by_key(|(at, _)| *at);
        let cursor = batch.cursor.map(|cursor| cursor.0);
        let RecordPortion { records, is_anew } = batch.records;
        let telemetry = batch.telemetry;
        (RunUpdate { events, records, replaces_records: is_anew, telemetry, cursor, ..RunUpdate::default() }, ended)
    }

    fn load_event(&mut self, kind: LoadEventKind, at: Timestamp) -> Vec<RunEvent> {
        let stage = StageId::RunPerformanceBenchmark;
        match kind {
            LoadEventKind::Started { version, .. } => {
                vec![log(stage, LogLevel::Info, format!("The load process is up, dyno {version}."))]
            }
            LoadEventKind::Log { level, line } => vec![log(stage, level, line)],
            LoadEventKind::Prepared { requests, tokenizer, notes } => {
                let number = requests.map_or_else(|| "Requests".to_owned(), text::requests);
                let mut lines =
                    vec![log(stage, LogLevel::Info, format!("{number} prepared; lengths are counted by {tokenizer}."))];
                lines.extend(notes.into_iter().map(|note| log(stage, LogLevel::Info, note)));
                lines
            }
            LoadEventKind::Progress(progress) => {
                if self.is_worth_keeping(&progress, at) {
                    vec![RunEvent::Progress(progress)]
                } else {
                    Vec::new()
                }
            }
            LoadEventKind::LoadPointEnd { load_point, figures } => {
                let summary = &figures.summary;
                let done = text::number(summary.successful_requests);
                let line =
                    format!("Load point {}: {done} of {} succeeded.", load_point + 1, text::requests(summary.total_requests));
                vec![log(stage, LogLevel::Info, line)]
            }
            // The execution's own end has the last word.
            LoadEventKind::End { .. } => Vec::new(),
        }
    }

    /// Whether a snapshot tells something that the one before did not: a new phase, the end of a load point, or a second (more
    /// of a long load) later.
    fn is_worth_keeping(&mut self, progress: &Progress, at: Timestamp) -> bool {
        let complete = progress.total.is_some_and(|total| progress.completed + progress.failed >= total);
        let gap_ms = (progress.elapsed_ms as i64 / SNAPSHOTS).max(1_000);
        let now = KeptProgress { at, load_point: progress.load_point, phase: progress.phase, finished: progress.finished.len() };
        let is_news = self.last.as_ref().is_none_or(|last| {
            complete || *last != KeptProgress { at: last.at, ..now } || at.as_millisecond() - last.at.as_millisecond() >= gap_ms
        });
        if is_news {
            self.last = Some(now);
        }
        is_news
    }
}

/// A line of a stage's log.
pub(super) fn log(stage: StageId, level: LogLevel, line: impl AsRef<str>) -> RunEvent {
    RunEvent::Log(LogLine { stage, level, line: text::clean(line.as_ref()) })
}

/// Changes a stage of a run and answers the event of it; nothing for a stage that the run does not have.
pub(super) fn change(
    stages: &mut [Stage],
    id: StageId,
    status: StageStatus,
    message: Option<String>,
    at: Timestamp,
) -> Option<RunEvent> {
    let stage = stages.iter_mut().find(|stage| stage.id == id)?;
    stage.status = status;
    match status {
        StageStatus::Pending | StageStatus::Skipped => {}
        StageStatus::Running => {
            stage.started_at = Some(stage.started_at.unwrap_or(at));
            stage.ended_at = None;
        }
        StageStatus::Succeeded | StageStatus::Failed | StageStatus::Cancelled => stage.ended_at = Some(at),
    }
    stage.message = message.map(|message| text::clean(&message));
    Some(RunEvent::Stage(stage.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::executor::Cursor;
    use dyno_measure::events::LoadEvent;
    use dyno_measure::live_figures::FinishedLoadPoint;
    use dyno_measure::run::RunKind;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    fn progress(completed: u64, elapsed_ms: u64) -> Progress {
        Progress { completed, elapsed_ms, total: Some(100), ..Progress::default() }
    }

    #[test]
    fn snapshots_get_rarer_and_the_last_is_kept() {
        let mut mapper = EventMapper::default();
        assert!(mapper.is_worth_keeping(&progress(0, 0), at(0)));
        assert!(!mapper.is_worth_keeping(&progress(1, 500), at(500)));
        assert!(mapper.is_worth_keeping(&progress(2, 1_000), at(1_000)));
        assert!(!mapper.is_worth_keeping(&progress(3, 3_600_000), at(4_000)), "an hour in, six seconds apart");
        assert!(mapper.is_worth_keeping(&progress(100, 3_600_000), at(4_500)));
    }

    #[test]
    fn the_snapshot_that_ends_a_load_point_is_kept_however_soon_it_comes() {
        let mut mapper = EventMapper::default();
        assert!(mapper.is_worth_keeping(&progress(40, 1_000), at(1_000)));
        let ended = Progress { finished: vec![FinishedLoadPoint::default()], ..progress(41, 1_001) };
        assert!(mapper.is_worth_keeping(&ended, at(1_001)));
        assert!(!mapper.is_worth_keeping(&ended, at(1_002)));
    }

    #[test]
    fn what_engine_and_load_tell_is_in_the_order_of_its_times() {
        let mut stages: Vec<Stage> = StageId::of_run(RunKind::Measured, false).iter().map(|id| Stage::pending(*id)).collect();
        let stage = StageId::RunPerformanceBenchmark;
        let batch = Batch {
            events: vec![
                (at(1), Event::Stage { stage, status: StageStatus::Running, message: None }),
                (at(9), Event::Stage { stage, status: StageStatus::Succeeded, message: Some("Done.".into()) }),
                (at(9), Event::End { outcome: ExecutionOutcome::Done, reason: None }),
            ],
            load: vec![LoadEvent { v: 1, at_unix_ns: 5_000_000, kind: LoadEventKind::Progress(Box::new(progress(1, 5))) }],
            cursor: Some(Cursor("3".to_owned())),
            ..Batch::default()
        };
        let (update, ended) = EventMapper::default().map(batch, &mut stages);
        let names: Vec<&str> = update.events.iter().map(|(_, event)| event.into_str()).collect();
        assert_eq!(names, ["stage", "progress", "stage"]);
        assert_eq!(ended, Some((ExecutionOutcome::Done, None)));
        assert_eq!(update.cursor.as_deref(), Some("3"));
        assert_eq!(stages[4].started_at, Some(at(1)));
        assert_eq!(stages[4].ended_at, Some(at(9)));
    }
}
