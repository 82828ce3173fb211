//! One run through its stages, from the nodes to the report, on whatever cluster.

mod begin;
mod follow;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::event_mapper::{change, log};
use super::executor::{ClusterExecutor, Cursor, ExecutionState, ExecutorError};
use crate::domain::benchmark::Benchmark;
use crate::domain::event::{RunEnd, RunEvent};
use crate::domain::inventory::Cluster;
use crate::domain::run::{Run, Stage, StageId, StageStatus};
use crate::state::AppState as App;
use crate::store::{RunUpdate, StoreError};
use dyno_measure::events::LogLevel;
use dyno_measure::run::RunStatus;

/// Tries to reach a store that fails for the moment.
const TRIES: u32 = 20;
/// Between two of them, and between two calls of a cluster that does not answer.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// Why a run's execution is not carried on here.
enum Halt {
    /// A person asked for its end.
    Cancelled,
    /// It can't go on; a sentence for people.
    Failed(String),
    /// The portal stops, another portal has the run, it is no longer there, or the store fails: whoever has it next
    /// carries on.
    Detached,
}

impl Halt {
    fn failed(error: impl std::fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Ends a run before its last stage, with what its clean-up came to.
pub(super) fn early_end(
    stages: &mut [Stage],
    status: RunStatus,
    reason: &str,
    (cleaned, message): (StageStatus, String),
    now: Timestamp,
) -> RunUpdate {
    let stage = if status == RunStatus::Cancelled { StageStatus::Cancelled } else { StageStatus::Failed };
    let mut events = close_stages(stages, stage, Some(reason), now);
    events.extend(change(stages, StageId::CleanUp, cleaned, Some(message), now));
    events.push(RunEvent::End(RunEnd { status, reason: Some(reason.to_owned()) }));
    RunUpdate { events: events.into_iter().map(|event| (now, event)).collect(), ..RunUpdate::default() }
}

/// The clean-up of a run for which nothing was started.
pub(super) fn nothing_to_clean_up() -> (StageStatus, String) {
    (StageStatus::Succeeded, "Nothing had been started.".to_owned())
}

/// The stage at work (or else the first that waits) gets a status, those after it are skipped.
pub(super) fn close_stages(stages: &mut [Stage], status: StageStatus, reason: Option<&str>, now: Timestamp) -> Vec<RunEvent> {
    let open = |stage: &Stage| matches!(stage.status, StageStatus::Running | StageStatus::Pending);
    let ids: Vec<StageId> =
        stages.iter().filter(|stage| stage.id != StageId::CleanUp && open(stage)).map(|stage| stage.id).collect();
    let changed = ids.iter().enumerate().filter_map(|(index, id)| {
        let (status, reason) = if index == 0 { (status, reason) } else { (StageStatus::Skipped, None) };
        change(stages, *id, status, reason.map(str::to_owned), now)
    });
    changed.collect()
}

/// Takes one run through its stages.
#[derive(Clone)]
pub(super) struct RunExecutor {
    pub app: App,
    pub cluster: Cluster,
    pub executor: Arc<dyn ClusterExecutor>,
    /// Its stages are kept up to date here.
    pub run: Run,
    pub benchmark: Benchmark,
    /// How far the execution's events were read.
    pub cursor: Option<Cursor>,
    /// Whose claim on the run this works under.
    pub claimant: Uuid,
    /// Cancelled when a person asks for the end.
    pub cancel: CancellationToken,
    /// Cancelled when the portal stops, or another portal has the run.
    pub detach: CancellationToken,
    /// Tells listeners the number of the last event.
    pub news: watch::Sender<i64>,
}

impl RunExecutor {
    /// Takes the run to its end; false if it is not over and not carried on here. `resumed`: it was begun before, perhaps by
    /// another process.
    pub(super) async fn run(mut self, resumed: bool) -> bool {
        let Ok(begun) = self.is_begun(resumed).await else { return false };
        if !begun {
            match self.begin().await {
                Ok(()) => {}
                Err(Halt::Detached) => return false,
                Err(Halt::Cancelled) => {
                    return self.end_unbegun(RunStatus::Cancelled, "Cancelled before anything was started.").await;
                }
                Err(Halt::Failed(reason)) => return self.end_unbegun(RunStatus::Failed, &reason).await,
            }
        }
        match self.follow(begun).await {
            Ok(end) => Box::pin(self.finish(end)).await.is_ok(),
            Err(_) => false,
        }
    }

    async fn is_begun(&self, resumed: bool) -> Result<bool, Halt> {
        if !resumed {
            return Ok(false);
        }
        let batch = self.answered(|| self.executor.pull(self.run.id, self.cursor.as_ref())).await?;
        // A run with a cursor was launched, even if none of its objects is left on the cluster.
        Ok(batch.state != ExecutionState::NotStarted || self.cursor.is_some())
    }

    /// Ends a run whose execution broke off by a fault of Dyno's own.
    pub(super) async fn end_broken(mut self) -> bool {
        // What broke off had brought the stages further than they were at its beginning.
        if let Ok(found) = self.app.store.run_of_portal(self.run.id).await {
            self.run = found;
        }
        self.executor.cancel(self.run.id, true).await;
        let cleaned = match self.executor.tidy_up(self.run.id).await {
            Ok(()) => (StageStatus::Succeeded, "What the run had started was ended.".to_owned()),
            Err(left) => (StageStatus::Failed, left.to_string()),
        };
        self.end_early(RunStatus::Failed, "Something went wrong on the server. Its log says what.", cleaned).await
    }

    /// Ends a run that was not handed over. What brought its files may still be there.
    async fn end_unbegun(&mut self, status: RunStatus, reason: &str) -> bool {
        let cleaned = match self.executor.tidy_up(self.run.id).await {
            Ok(()) => nothing_to_clean_up(),
            Err(left) => (StageStatus::Failed, left.to_string()),
        };
        self.end_early(status, reason, cleaned).await
    }

    /// Ends a run before its last stage, with what its clean-up came to.
    async fn end_early(&mut self, status: RunStatus, reason: &str, cleaned: (StageStatus, String)) -> bool {
        let update = early_end(&mut self.run.stages, status, reason, cleaned, Timestamp::now());
        self.keep(update).await.is_ok()
    }

    async fn stage(&mut self, id: StageId, status: StageStatus, message: Option<String>) -> Result<(), Halt> {
        let now = Timestamp::now();
        let events = change(&mut self.run.stages, id, status, message, now).map(|event| (now, event));
        self.keep(RunUpdate { events: events.into_iter().collect(), ..RunUpdate::default() }).await
    }

    async fn log(&mut self, stage: StageId, level: LogLevel, line: &str) -> Result<(), Halt> {
        let events = vec![(Timestamp::now(), log(stage, level, line))];
        self.keep(RunUpdate { events, ..RunUpdate::default() }).await
    }

    /// Stores an update, and notifies subscribers.
    async fn keep(&mut self, update: RunUpdate) -> Result<(), Halt> {
        let update = RunUpdate { claimant: Some(self.claimant), ..update };
        let stored = self.stored(|| self.app.store.update_run(self.run.id, &update, Timestamp::now())).await?;
        if let Some(last) = stored.last() {
            self.news.send_replace(last.seq);
        }
        Ok(())
    }

    /// What the store answers; one that fails for the moment is asked again, after a pause.
    async fn stored<T, F>(&self, ask: impl Fn() -> F) -> Result<T, Halt>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        for attempt in 1..=TRIES {
            match ask().await {
                Ok(answer) => return Ok(answer),
                Err(StoreError::NotFound(_) | StoreError::Conflict(_)) => return Err(Halt::Detached),
                Err(error) => {
                    tracing::warn!(run.id = %self.run.id, %error, attempt, "the store failed a run");
                    self.pause().await?;
                }
            }
        }
        Err(Halt::Detached)
    }

    /// What the cluster answers; one that does not is asked again, as long as this portal has the run.
    async fn answered<T, F>(&self, ask: impl Fn() -> F) -> Result<T, Halt>
    where
        F: Future<Output = Result<T, ExecutorError>>,
    {
        loop {
            match ask().await {
                Ok(answer) => return Ok(answer),
                Err(error) => {
                    tracing::warn!(run.id = %self.run.id, %error, "a run's cluster could not be asked");
                    self.pause().await?;
                }
            }
        }
    }

    async fn pause(&self) -> Result<(), Halt> {
        tokio::select! {
            () = tokio::time::sleep(RETRY_AFTER) => Ok(()),
            () = self.detach.cancelled() => Err(Halt::Detached),
        }
    }

    async fn unless_halted<T, E: std::fmt::Display>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, Halt> {
        tokio::select! {
            done = work => done.map_err(Halt::failed),
            () = self.cancel.cancelled() => Err(Halt::Cancelled),
            () = self.detach.cancelled() => Err(Halt::Detached),
        }
    }
}
