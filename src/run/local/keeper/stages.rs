//! What a keeper does, stage by stage.

use std::path::PathBuf;

use super::child::Guarded;
use super::guard::sweep;
use super::started_engine::StartedEngine;
use super::stop::{Stop, Watch};
use super::tally;
use crate::domain::run::{StageId, StageStatus};
use crate::run::execution::{Event, ExecutionOutcome, ExecutionSpec};
use crate::run::local::files;
use crate::run::local::journal::Journal;
use crate::run::local::process;
use dyno_measure::run::RunKind;

/// Why the work is not carried on.
pub(super) enum KeeperHalt {
    Cancelled,
    Failed(String),
}

/// A run's processes, and what is known of them.
pub(super) struct Keeper {
    pub dir: PathBuf,
    pub spec: ExecutionSpec,
    pub secret: Option<String>,
    pub journal: Journal,
    pub stop: Watch,
    pub stage: Option<StageId>,
    pub engines: Vec<StartedEngine>,
    pub load: Option<Guarded>,
}

/// Carries a run out and ends the journal, whatever happens; the journal comes back, since it may not have taken everything.
pub(super) async fn carry_out(dir: PathBuf, spec: ExecutionSpec, secret: Option<String>, mut journal: Journal) -> Journal {
    let stop = match Watch::begin(dir.join(files::CANCEL), spec.deadline) {
        Ok(stop) => stop,
        Err(error) => {
            let reason = Some(format!("The keeper could not watch for signals: {error}."));
            journal.emit(Event::End { outcome: ExecutionOutcome::Failed, reason });
            return journal;
        }
    };
    let cloud = spec.engines.is_empty();
    let mut keeper = Keeper { dir, spec, secret, journal, stop, stage: None, engines: Vec::new(), load: None };
    let result = keeper.stages().await;
    let (outcome, reason) = match result {
        Ok(()) => (ExecutionOutcome::Done, None),
        Err(KeeperHalt::Failed(reason)) => {
            keeper.leave_stage(StageStatus::Failed, &reason);
            (ExecutionOutcome::Failed, Some(reason))
        }
        Err(KeeperHalt::Cancelled) => {
            // The load first, so that what it measured is on the disk and counted.
            keeper.end_load().await;
            let reason = keeper.cancelled();
            keeper.leave_stage(StageStatus::Cancelled, &reason);
            (ExecutionOutcome::Cancelled, Some(reason))
        }
    };
    keeper.skip_rest(cloud);
    keeper.clean_up().await;
    keeper.journal.emit(Event::End { outcome, reason });
    keeper.journal
}

impl Keeper {
    async fn stages(&mut self) -> Result<(), KeeperHalt> {
        if self.spec.engines.is_empty() {
            self.verify_model().await?;
        } else {
            self.deploy().await?;
            self.verify_engines().await?;
        }
        self.put_load().await
    }

    fn cancelled(&self) -> String {
        if self.stage == Some(StageId::RunPerformanceBenchmark) {
            format!("Cancelled {}", tally::read(&self.dir.join(files::SPOOL)).so_far(&self.spec.plan))
        } else {
            "Cancelled before any request was completed.".to_owned()
        }
    }

    pub(super) fn halt(&self, stop: Stop) -> KeeperHalt {
        match stop {
            Stop::Cancelled => KeeperHalt::Cancelled,
            Stop::Deadline => {
                let so_far = tally::read(&self.dir.join(files::SPOOL)).so_far(&self.spec.plan);
                KeeperHalt::Failed(format!("The run's time limit was reached {so_far}"))
            }
        }
    }

    /// Ends everything, and looks whether it did.
    async fn clean_up(&mut self) {
        self.stage = Some(StageId::CleanUp);
        self.journal.stage(StageId::CleanUp, StageStatus::Running, None);
        self.end_load().await;
        for engine in &mut self.engines {
            engine.process.stop();
        }
        for engine in &self.engines {
            engine.process.gone().await;
        }
        // No guard is left: what is still a child came from one that was killed.
        sweep();
        let groups = self.engines.iter().map(|engine| engine.process.pid).chain(self.load.as_ref().map(|load| load.pid));
        let left: Vec<u32> = groups.flat_map(process::members).collect();
        if left.is_empty() {
            let message = if self.engines.is_empty() {
                "Nothing was left running."
            } else {
                "The engine was stopped; nothing is left running."
            };
            self.done(message.to_owned());
        } else {
            self.journal.stage(StageId::CleanUp, StageStatus::Failed, Some(format!("Processes {left:?} did not end.")));
        }
    }

    pub(super) fn enter(&mut self, stage: StageId) -> Result<(), KeeperHalt> {
        self.stage = Some(stage);
        self.journal.stage(stage, StageStatus::Running, None);
        if let Some(failure) = self.journal.failure() {
            return Err(KeeperHalt::Failed(failure.to_owned()));
        }
        self.stop.seen().map_or(Ok(()), |stop| Err(self.halt(stop)))
    }

    pub(super) fn done(&mut self, message: String) {
        if let Some(stage) = self.stage {
            self.journal.stage(stage, StageStatus::Succeeded, Some(message));
        }
    }

    fn leave_stage(&mut self, status: StageStatus, message: &str) {
        if let Some(stage) = self.stage {
            self.journal.stage(stage, status, Some(message.to_owned()));
        }
    }

    /// The stages that are not reached.
    fn skip_rest(&mut self, cloud: bool) {
        let stages = StageId::of_run(RunKind::Measured, cloud);
        let reached = self.stage.and_then(|stage| stages.iter().position(|id| *id == stage)).map_or(0, |place| place + 1);
        for stage in stages.iter().skip(reached).filter(|stage| **stage != StageId::CleanUp) {
            self.journal.stage(*stage, StageStatus::Skipped, None);
        }
    }
}
