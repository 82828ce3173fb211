//! The state of a live run's page: built from the stored events, and updated with further events by the same rules.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::event::{LogLine, RunEvent};
use super::run::{Run, Stage, StageId, StageStatus};
use dyno_measure::events::{LogLevel, Progress};
use dyno_measure::live_figures::{Latencies, Percentiles};
use dyno_measure::load::OfferedLoad;
use dyno_measure::report::{Distribution, LoadPoint, Report};
use dyno_measure::run::RunStatus;

/// Most lines of a stage's log on the page.
pub const LOG_LINES: usize = 1000;
/// Most points of a live chart; beyond that every second one is dropped.
const POINTS: usize = 600;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveRun {
    /// The run with its stages.
    pub run: Run,
    /// The latest snapshot of the load.
    pub progress: Option<Progress>,
    /// What came of the run, once it is over and has measured something.
    pub report: Option<Box<Report>>,
    /// Earlier snapshots, about one a second.
    pub points: Vec<LivePoint>,
    /// The logs of the stages that wrote one.
    pub logs: Vec<StageLog>,
    /// The number of the last event applied.
    pub last_seq: i64,
}

/// One point of the live charts; unknown values are absent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LivePoint {
    /// Seconds since the load began.
    pub at_s: f64,
    /// Which load point, from 0.
    pub load_point: u32,
    /// Requests in flight, on average over the last second.
    pub in_flight: f64,
    /// Over the last second.
    pub output_tokens_per_s: Option<f64>,
    /// Of the load point so far.
    pub so_far: Latencies,
    /// Of the last 10 seconds.
    pub recent: Latencies,
}

impl From<&Progress> for LivePoint {
    fn from(progress: &Progress) -> Self {
        // snapshots of earlier versions have medians only
        let median = |p50| Percentiles { p50, ..Percentiles::default() };
        let medians = Latencies { ttft_ms: median(progress.ttft_ms), tpot_ms: median(progress.tpot_ms) };
        Self {
            at_s: progress.elapsed_ms as f64 / 1000.0,
            load_point: progress.load_point,
            in_flight: progress.mean_in_flight.unwrap_or(progress.in_flight as f64),
            output_tokens_per_s: progress.output_tokens_per_s,
            so_far: progress.so_far.unwrap_or(medians),
            recent: progress.recent.unwrap_or_default(),
        }
    }
}

/// The figures of a run that is over, from its report: those of its only load point, or of the best.
#[derive(Debug, Clone, PartialEq)]
pub struct RunFigures {
    /// The best load of a sweep or search; absent where there was one load.
    pub best: Option<OfferedLoad>,
    /// Why the figures can't be trusted; empty where they can.
    pub invalid_reasons: Vec<String>,
    pub issued: u64,
    /// Of these, ended well.
    pub completed: u64,
    /// Of these, failed or dropped.
    pub failed: u64,
    /// Mean requests in flight.
    pub in_flight: Option<f64>,
    /// Output tokens per second.
    pub output_throughput: Option<f64>,
    /// Latencies of all requests.
    pub latencies: Latencies,
}

impl From<&Report> for RunFigures {
    fn from(report: &Report) -> Self {
        let summary = &report.summary;
        let percentiles = |figures: &Option<Distribution>| figures.as_ref().map(Percentiles::from).unwrap_or_default();
        let best = report.load_points.get(report.best).filter(|_| report.load_points.len() > 1);
        Self {
            best: best.and_then(LoadPoint::offered),
            invalid_reasons: report.invalid_reasons.clone(),
            issued: summary.total_requests,
            completed: summary.successful_requests,
            failed: summary.failed_requests + summary.dropped_requests,
            in_flight: summary.achieved_concurrency,
            output_throughput: summary.output_throughput,
            latencies: Latencies { ttft_ms: percentiles(&summary.ttft_ms), tpot_ms: percentiles(&summary.tpot_ms) },
        }
    }
}

/// The last lines of a stage's log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageLog {
    pub stage: StageId,
    /// The lines, oldest first.
    pub lines: VecDeque<LogEntry>,
    /// Number of earlier lines that are not kept here.
    pub earlier: u64,
}

/// A line of a log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogEntry {
    pub seq: i64,
    /// How much it matters.
    pub level: LogLevel,
    pub text: String,
}

/// What an event changed: decides what is rendered and announced.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Nothing: the event had been applied before.
    Nothing,
    Stage(Stage),
    Progress,
    Log(StageId),
    End(RunStatus),
}

impl LiveRun {
    /// A run without events.
    pub fn new(run: Run) -> Self {
        Self { run, progress: None, report: None, points: Vec::new(), logs: Vec::new(), last_seq: 0 }
    }

    /// Applies the next event.
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
                self.progress = Some(*progress);
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

    /// Adds a chart point. Snapshots come twice a second, points once a second: of snapshots that are closer the last one
    /// counts, so that lines end where the load does.
    fn point(&mut self, progress: &Progress) {
        let point = LivePoint::from(progress);
        let [.., before, last] = self.points.as_mut_slice() else {
            self.points.push(point);
            return;
        };
        if last.load_point == point.load_point && last.at_s < before.at_s + 0.9 {
            *last = point;
            return;
        }
        if self.points.len() >= POINTS {
            let mut keep = false;
            self.points.retain(|_| {
                keep = !keep;
                keep
            });
        }
        self.points.push(point);
    }

    fn line(&mut self, seq: i64, line: LogLine) {
        let index = self.logs.iter().position(|log| log.stage == line.stage).unwrap_or_else(|| {
            self.logs.push(StageLog { stage: line.stage, lines: VecDeque::new(), earlier: 0 });
            self.logs.len() - 1
        });
        let log = &mut self.logs[index];
        log.lines.push_back(LogEntry { seq, level: line.level, text: line.line });
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
    use super::*;
    use dyno_measure::run::RunKind;

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
        RunEvent::Progress(Box::new(Progress { elapsed_ms, completed, total: Some(100), ..Progress::default() }))
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
        assert_eq!(live.points.last().unwrap().at_s, 2999.5, "lines end where the load does");
    }

    #[test]
    fn a_snapshot_of_an_earlier_version_has_medians_and_what_was_in_flight_at_that_moment() {
        let stored = r#"{"load_point":0,"issued":9,"completed":5,"failed":0,"in_flight":4,"output_tokens_per_s":null,
            "ttft_ms":20.0,"tpot_ms":null,"eta_ms":null}"#;
        let point = LivePoint::from(&serde_json::from_str::<Progress>(stored).unwrap());
        assert_eq!((point.in_flight, point.so_far.ttft_ms.p50, point.recent), (4.0, Some(20.0), Latencies::default()));
        let today = Progress { mean_in_flight: Some(3.5), ..Progress::default() };
        assert_eq!(LivePoint::from(&today).in_flight, 3.5);
    }

    #[test]
    fn a_share_needs_a_known_end() {
        let at = |completed| Progress { completed, failed: 1, total: Some(100), ..Progress::default() };
        assert_eq!(at(24).share(), Some(0.25));
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
