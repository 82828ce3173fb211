//! What a run's page shows while it goes on: made on the server from the stored events, carried on in the browser by the
//! same rules from the events that follow.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::event::{LogLevel, LogLine, Progress, RunEvent};
use super::run::{Run, RunStatus, Stage, StageId, StageStatus};

/// Lines of a stage's log that are kept on the page.
pub const LOG_LINES: usize = 1000;
/// Points of a live chart; beyond, every second one is dropped.
const POINTS: usize = 600;

/// A run so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveRun {
    /// The run with its stages.
    pub run: Run,
    /// The last snapshot of the load.
    pub progress: Option<Progress>,
    /// Earlier snapshots, about one a second.
    pub points: Vec<LivePoint>,
    /// A log for each stage that wrote one.
    pub logs: Vec<StageLog>,
    /// The number of the last event that is in here.
    pub last_seq: i64,
}

/// One point of the live charts; what is not known yet is absent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LivePoint {
    /// Seconds since the load began.
    pub at_s: f64,
    /// Sent and not ended.
    pub in_flight: f64,
    /// Over the last second or so.
    pub output_tokens_per_s: Option<f64>,
    pub ttft_ms: Option<f64>,
    pub tpot_ms: Option<f64>,
}

/// The last lines of a stage's log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageLog {
    pub stage: StageId,
    /// The lines, oldest first.
    pub lines: VecDeque<Line>,
    /// Lines before these that are no longer kept here.
    pub earlier: u64,
}

/// A line of a log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    pub seq: i64,
    /// How much it matters.
    pub level: LogLevel,
    pub text: String,
}

/// What an event changed, for who draws or reads it out.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Nothing: the event was known already.
    Nothing,
    Stage(Stage),
    Progress,
    Log(StageId),
    End(RunStatus),
}

impl LiveRun {
    /// A run of which no event is known yet.
    pub fn new(run: Run) -> Self {
        Self { run, progress: None, points: Vec::new(), logs: Vec::new(), last_seq: 0 }
    }

    /// Takes the next event in.
    pub fn apply(&mut self, seq: i64, event: RunEvent) -> Change {
        if seq <= self.last_seq {
            return Change::Nothing;
        }
        self.last_seq = seq;
        match event {
            RunEvent::Stage(stage) => {
                self.stage(stage.clone());
                Change::Stage(stage)
            }
            RunEvent::Progress(progress) => {
                self.point(&progress);
                self.progress = Some(progress);
                Change::Progress
            }
            RunEvent::Log(line) => {
                let stage = line.stage;
                self.line(seq, line);
                Change::Log(stage)
            }
            RunEvent::End(end) => {
                self.run.status = end.status;
                self.run.reason = end.reason;
                self.run.queue_position = None;
                Change::End(end.status)
            }
        }
    }

    fn stage(&mut self, stage: Stage) {
        if stage.status == StageStatus::Running && self.run.status == RunStatus::Queued {
            self.run.status = RunStatus::Running;
            self.run.queue_position = None;
            self.run.started_at = stage.started_at;
        }
        match self.run.stages.iter_mut().find(|known| known.id == stage.id) {
            Some(known) => *known = stage,
            None => self.run.stages.push(stage),
        }
    }

    fn point(&mut self, progress: &Progress) {
        let at_s = progress.elapsed_ms as f64 / 1000.0;
        // Snapshots come about twice a second, and charts follow once a second.
        if self.points.last().is_some_and(|last| at_s < last.at_s + 0.9) {
            return;
        }
        if self.points.len() >= POINTS {
            let mut keep = false;
            self.points.retain(|_| {
                keep = !keep;
                keep
            });
        }
        self.points.push(LivePoint {
            at_s,
            in_flight: progress.in_flight as f64,
            output_tokens_per_s: progress.output_tokens_per_s,
            ttft_ms: progress.ttft_ms,
            tpot_ms: progress.tpot_ms,
        });
    }

    fn line(&mut self, seq: i64, line: LogLine) {
        let index = self.logs.iter().position(|log| log.stage == line.stage).unwrap_or_else(|| {
            self.logs.push(StageLog { stage: line.stage, lines: VecDeque::new(), earlier: 0 });
            self.logs.len() - 1
        });
        let log = &mut self.logs[index];
        log.lines.push_back(Line { seq, level: line.level, text: line.line });
        if log.lines.len() > LOG_LINES {
            log.lines.pop_front();
            log.earlier += 1;
        }
    }

    /// The log of a stage.
    pub fn log(&self, stage: StageId) -> Option<&StageLog> {
        self.logs.iter().find(|log| log.stage == stage)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use uuid::Uuid;

    use super::super::event::RunEnd;
    use super::super::run::RunKind;
    use super::*;

    fn run() -> LiveRun {
        LiveRun::new(Run {
            id: Uuid::nil(),
            benchmark_id: Uuid::nil(),
            owner: Uuid::nil(),
            kind: RunKind::Measured,
            status: RunStatus::Queued,
            reason: None,
            queue_position: Some(1),
            created_at: Timestamp::UNIX_EPOCH,
            started_at: None,
            ended_at: None,
            stages: StageId::of_run(RunKind::Measured, false).iter().map(|id| Stage::pending(*id)).collect(),
        })
    }

    fn log(text: &str) -> RunEvent {
        RunEvent::Log(LogLine { stage: StageId::DeployToEngine, level: LogLevel::Info, line: text.to_owned() })
    }

    fn progress(elapsed_ms: u64, completed: u64) -> RunEvent {
        RunEvent::Progress(Progress { elapsed_ms, completed, total: Some(100), ..Progress::default() })
    }

    #[test]
    fn the_first_running_stage_begins_the_run() {
        let mut live = run();
        let stage = Stage { status: StageStatus::Running, ..Stage::pending(StageId::VerifyClusterConnection) };
        assert!(matches!(live.apply(1, RunEvent::Stage(stage)), Change::Stage(_)));
        assert_eq!((live.run.status, live.run.queue_position), (RunStatus::Running, None));
        assert_eq!(live.run.stages.len(), 6);
    }

    #[test]
    fn a_replayed_event_changes_nothing() {
        let mut live = run();
        assert_eq!(live.apply(1, log("a")), Change::Log(StageId::DeployToEngine));
        assert_eq!(live.apply(1, log("a")), Change::Nothing);
        assert_eq!(live.log(StageId::DeployToEngine).unwrap().lines.len(), 1);
    }

    #[test]
    fn logs_keep_their_last_lines() {
        let mut live = run();
        for seq in 1..=1005 {
            live.apply(seq, log(&seq.to_string()));
        }
        let kept = live.log(StageId::DeployToEngine).unwrap();
        assert_eq!((kept.lines.len(), kept.earlier, kept.lines[0].text.as_str()), (1000, 5, "6"));
    }

    #[test]
    fn points_come_once_a_second_and_stay_few() {
        let mut live = run();
        for half in 0..6000_u64 {
            live.apply(half as i64 + 1, progress(half * 500, 1));
        }
        assert!(live.points.len() <= POINTS);
        assert!(live.points.last().unwrap().at_s > 2990.0);
    }

    #[test]
    fn shares_and_quarters() {
        let at = |completed| Progress { completed, failed: 1, total: Some(100), ..Progress::default() };
        assert_eq!(at(24).quarters(), 1);
        assert_eq!(at(99).quarters(), 4);
        assert_eq!(Progress::default().share(), None);
    }

    #[test]
    fn the_end_has_its_reason() {
        let mut live = run();
        let end = RunEnd { status: RunStatus::Failed, reason: Some("Engine stopped (exit 137).".to_owned()) };
        assert_eq!(live.apply(3, RunEvent::End(end)), Change::End(RunStatus::Failed));
        assert_eq!(live.run.reason.as_deref(), Some("Engine stopped (exit 137)."));
    }
}
