//! Events of a run while it is carried out: stages, log lines, its end.

use dyno_kubernetes::{PodState, PodStep};
use jiff::Timestamp;

use super::progress::{RunPhase, RunProgress};
use super::reconcile::Reconciliation;
use crate::domain::run::{StageId, StageStatus};
use crate::run::execution::{Event, ExecutionOutcome};
use crate::run::text;
use dyno_measure::events::LogLevel;
use dyno_measure::run::RunKind;

/// The stage that a phase shows as.
pub(super) fn stage_of(phase: RunPhase) -> Option<StageId> {
    match phase {
        RunPhase::NotBegun => None,
        RunPhase::Deploying => Some(StageId::DeployToEngine),
        RunPhase::Verifying => Some(StageId::VerifyDeploymentStatus),
        RunPhase::Loading => Some(StageId::RunPerformanceBenchmark),
    }
}

/// A line for the log of the stage that a run is in.
pub(super) fn warning(progress: &RunProgress, line: &str) -> Event {
    let stage = stage_of(progress.phase).unwrap_or(StageId::DeployToEngine);
    Event::Log { stage, level: LogLevel::Warning, line: text::clean(line) }
}

/// How far a pod is, in words; absent where nothing is to be said.
pub(super) fn words_of(pod: &PodState) -> Option<String> {
    match &pod.step {
        PodStep::Unscheduled(why) => Some(match why {
            Some(why) => format!("waits for its node: {why}"),
            None => "waits for its node.".to_owned(),
        }),
        PodStep::Preparing(what) => Some(format!("has its node. {what}")),
        PodStep::Starting => Some("was started.".to_owned()),
        PodStep::Loading => Some("was started and is loading the model.".to_owned()),
        PodStep::Answering => Some("has loaded the model.".to_owned()),
        PodStep::Ready => Some("is ready.".to_owned()),
        PodStep::Succeeded => Some("has ended.".to_owned()),
        PodStep::Failed(_) => None,
    }
}

impl Reconciliation<'_> {
    pub(super) fn emit(&mut self, event: Event) {
        self.events.push((Timestamp::now(), event));
    }

    pub(super) fn log(&mut self, level: LogLevel, line: &str) {
        let stage = stage_of(self.progress.phase).unwrap_or(StageId::DeployToEngine);
        self.emit(Event::Log { stage, level, line: text::clean(line) });
    }

    /// A line about a pod, unless it was the last one about it.
    pub(super) fn tell(&mut self, who: &str, pod: &PodState) {
        let Some(words) = words_of(pod) else { return };
        if self.progress.told.get(&pod.name) != Some(&words) {
            self.progress.told.insert(pod.name.clone(), words.clone());
            self.log(LogLevel::Info, &format!("{who} {words}"));
        }
    }

    pub(super) fn enter(&mut self, phase: RunPhase) {
        self.progress.phase = phase;
        self.progress.since = Some(Timestamp::now());
        if let Some(stage) = stage_of(phase) {
            self.emit(Event::Stage { stage, status: StageStatus::Running, message: None });
        }
    }

    /// Since the phase began, ms.
    pub(super) fn elapsed_ms(&self) -> u64 {
        let since = self.progress.since.unwrap_or_else(Timestamp::now);
        u64::try_from(Timestamp::now().as_millisecond() - since.as_millisecond()).unwrap_or_default()
    }

    pub(super) fn done(&mut self, message: String) {
        if let Some(stage) = stage_of(self.progress.phase) {
            self.emit(Event::Stage { stage, status: StageStatus::Succeeded, message: Some(message) });
        }
    }

    /// The run's end. What is left on the cluster is removed once everything was taken over.
    pub(super) fn end(&mut self, outcome: ExecutionOutcome, reason: Option<String>) {
        let status = match outcome {
            ExecutionOutcome::Done => None,
            ExecutionOutcome::Failed => Some(StageStatus::Failed),
            ExecutionOutcome::Cancelled => Some(StageStatus::Cancelled),
        };
        let is_cloud = self.open.document.execution.engines.is_empty();
        let stages = StageId::of_run(RunKind::Measured, is_cloud);
        let current = stage_of(self.progress.phase);
        if let (Some(stage), Some(status)) = (current, status) {
            self.emit(Event::Stage { stage, status, message: reason.clone() });
        }
        let reached = current.and_then(|stage| stages.iter().position(|id| *id == stage)).map_or(0, |place| place + 1);
        for stage in stages.iter().skip(reached).filter(|stage| **stage != StageId::CleanUp) {
            self.emit(Event::Stage { stage: *stage, status: StageStatus::Skipped, message: None });
        }
        self.emit(Event::Stage { stage: StageId::CleanUp, status: StageStatus::Running, message: None });
        self.emit(Event::End { outcome, reason: reason.clone() });
        self.progress.ended = Some((outcome, reason));
    }

    pub(super) fn fail(&mut self, reason: impl Into<String>) {
        self.end(ExecutionOutcome::Failed, Some(text::clean(&reason.into())));
    }

    /// `after 412 of 1,280 requests. Those are kept.`
    pub(super) fn so_far(&self) -> String {
        self.progress.tally.so_far(&self.open.document.execution.plan)
    }

    /// The same where the load's pod can't be asked any more.
    pub(super) fn so_far_without_load(&self) -> String {
        self.progress.so_far_without_load(&self.open.document.execution.plan)
    }

    pub(super) fn is_over(&self) -> bool {
        let RunProgress { ended, .. } = &self.progress;
        ended.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn between_its_start_and_its_readiness_an_engine_loads_its_model() {
        let pod = |step| PodState {
            name: "dyno-run-1-engine-0".to_owned(),
            uid: "u".to_owned(),
            ip: None,
            image_id: None,
            step,
            has_ended: false,
            startup_ms: None,
        };
        let words = [PodStep::Loading, PodStep::Answering, PodStep::Ready].map(|step| words_of(&pod(step)).unwrap());
        assert_eq!(words, ["was started and is loading the model.", "has loaded the model.", "is ready."]);
        assert_eq!(words_of(&pod(PodStep::Starting)).as_deref(), Some("was started."), "a load pod loads nothing");
    }
}
