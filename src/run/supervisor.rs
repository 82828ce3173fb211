//! The supervisor: claims runs, begins them when their nodes are free, goes on with those that were begun before, ends
//! those that a person cancels.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::claims;
use super::event_mapper::change;
use super::executor::{Cursor, ExecutorError};
use super::executors::Executors;
use super::run_executor::{RunExecutor, early_end, nothing_to_clean_up};
use super::simulation::SimulationRun;
use super::text;
use crate::domain::benchmark::Benchmark;
use crate::domain::inventory::Cluster;
use crate::domain::run::StageStatus;
use crate::state::{AppState as App, RunNotifier};
use crate::store::{OpenRun, RunUpdate, StoreError};
use dyno_measure::run::{RunKind, RunStatus};

/// How often runs are looked at and claims renewed when nothing woke the supervisor.
const POLL: Duration = Duration::from_secs(5);
/// How often clusters are looked at for what runs left there.
const SWEEP: Duration = Duration::from_mins(10);

/// Has runs taken through their stages. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Supervisor(Arc<SupervisorInner>);

#[derive(Debug)]
struct SupervisorInner {
    notifier: RunNotifier,
    executors: Executors,
    /// Who this portal is in claims.
    portal: Uuid,
    state: Mutex<Supervised>,
}

#[derive(Debug, Default)]
struct Supervised {
    active: HashMap<Uuid, ActiveRun>,
}

/// A run that this portal takes through its stages.
#[derive(Debug, Clone)]
struct ActiveRun {
    cancel: CancellationToken,
    detach: CancellationToken,
}

/// Why a run could not be supervised.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SuperviseError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Executor(#[from] ExecutorError),
}

impl Supervisor {
    /// Works from [`Supervisor::start`] on.
    pub fn new(app: &App) -> Self {
        Self::with(app, Executors::new(app))
    }

    fn with(app: &App, executors: Executors) -> Self {
        let portal = claims::portal_id(&app.config.data_dir).unwrap_or_else(|error| {
            tracing::warn!(%error, "the portal's id could not be kept: its runs wait for their claims to expire after a restart");
            Uuid::new_v4()
        });
        let notifier = app.run_notifier.clone();
        Self(Arc::new(SupervisorInner { notifier, executors, portal, state: Mutex::default() }))
    }

    /// Begins to work, until the portal stops.
    pub fn start(&self, app: &App) {
        self.start_sweeps(app);
        let (supervisor, app) = (self.clone(), app.clone());
        tokio::spawn(async move {
            while !app.shutdown.is_cancelled() {
                if let Err(error) = supervisor.reconcile(&app).await {
                    tracing::error!(%error, "the supervisor could not look for runs");
                }
                tokio::select! {
                    () = supervisor.0.notifier.woken() => {}
                    () = tokio::time::sleep(POLL) => {}
                    () = app.shutdown.cancelled() => return,
                }
            }
        });
    }

    /// Looks from time to time for what runs left on clusters, in a task of its own.
    fn start_sweeps(&self, app: &App) {
        let (supervisor, app) = (self.clone(), app.clone());
        tokio::spawn(async move {
            loop {
                if let Err(error) = supervisor.0.executors.sweep().await {
                    tracing::error!(%error, "what runs left could not be looked for");
                }
                tokio::select! {
                    () = tokio::time::sleep(SWEEP) => {}
                    () = app.shutdown.cancelled() => return,
                }
            }
        });
    }

    fn sender(&self, run: Uuid) -> watch::Sender<i64> {
        self.0.notifier.sender(run)
    }

    fn state(&self) -> MutexGuard<'_, Supervised> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Renews the claims on runs that are at work here, then looks at every run that is not over, oldest first.
    async fn reconcile(&self, app: &App) -> Result<(), StoreError> {
        self.renew(app).await?;
        let open = app.store.open_runs().await?;
        // Who needs which node, in the order of asking: a run begins when it is the first on each of its nodes.
        let mut before: HashMap<String, HashSet<Uuid>> = HashMap::new();
        for found in &open {
            let id = found.run.id;
            let ahead: HashSet<Uuid> = found.nodes.iter().filter_map(|node| before.get(node)).flatten().copied().collect();
            for node in &found.nodes {
                before.entry(node.clone()).or_default().insert(id);
            }
            // One run that can't be dealt with holds up no other.
            if let Err(error) = self.dispatch(app, found, ahead.len() as u32).await {
                tracing::error!(run.id = %id, %error, "a run could not be dealt with");
            }
        }
        let still: HashSet<Uuid> = open.iter().map(|found| found.run.id).collect();
        self.0.notifier.retain(|run| still.contains(&run));
        Ok(())
    }

    /// A run that another portal has claimed meanwhile (this one was stopped for longer than a claim holds) is left to it.
    async fn renew(&self, app: &App) -> Result<(), StoreError> {
        let active: Vec<(Uuid, ActiveRun)> = self.state().active.iter().map(|(run, active)| (*run, active.clone())).collect();
        for (run, active) in active {
            if !app.store.claim_run(run, self.0.portal, Timestamp::now(), claims::expiry()).await? {
                active.detach.cancel();
            }
        }
        Ok(())
    }

    async fn dispatch(&self, app: &App, found: &OpenRun, ahead: u32) -> Result<(), SuperviseError> {
        let id = found.run.id;
        let active = self.state().active.get(&id).cloned();
        if let Some(active) = active {
            if found.cancel_requested {
                active.cancel.cancel();
            }
            return Ok(());
        }
        match found.run.status {
            RunStatus::Queued if found.cancel_requested => {
                return self.end_unbegun(app, found, RunStatus::Cancelled, "Cancelled while it waited for its nodes.").await;
            }
            RunStatus::Queued if ahead > 0 => return Ok(self.announce_wait(app, found, ahead).await?),
            _ => {}
        }
        // Looked up before the run is claimed: where that fails, another portal may know better.
        let benchmark = app.store.benchmark_of_portal(found.run.benchmark_id).await?;
        let cluster = app.store.cluster_of_portal(benchmark.spec.cluster_id).await?;
        if found.run.kind == RunKind::Simulated {
            return Ok(self.simulate(app, found, benchmark, cluster).await?);
        }
        let executor = match self.0.executors.of(&cluster) {
            Ok(executor) => executor,
            // The error is permanent.
            Err(error) if found.run.status == RunStatus::Queued => {
                return self.end_unbegun(app, found, RunStatus::Failed, &error.to_string()).await;
            }
            Err(error) => return Err(error.into()),
        };
        let resumed = found.run.status != RunStatus::Queued;
        let Some(active) = self.take(app, found).await? else { return Ok(()) };
        let run = RunExecutor {
            app: app.clone(),
            cluster,
            executor,
            run: found.run.clone(),
            benchmark,
            cursor: found.cursor.clone().map(Cursor),
            claimant: self.0.portal,
            cancel: active.cancel,
            detach: active.detach,
            news: self.sender(id),
        };
        self.spawn(app, run, resumed);
        Ok(())
    }

    /// Claims a run and begins it, unless it was begun before; nothing when another portal has it, or it was cancelled in this
    /// moment.
    async fn take(&self, app: &App, found: &OpenRun) -> Result<Option<ActiveRun>, StoreError> {
        let id = found.run.id;
        if !app.store.claim_run(id, self.0.portal, Timestamp::now(), claims::expiry()).await? {
            return Ok(None);
        }
        if found.run.status == RunStatus::Queued && !app.store.begin_run(id, Timestamp::now()).await? {
            // Looked at once more.
            self.0.notifier.wake();
            return Ok(None);
        }
        let active = ActiveRun { cancel: CancellationToken::new(), detach: app.shutdown.child_token() };
        if found.cancel_requested {
            active.cancel.cancel();
        }
        self.state().active.insert(id, active.clone());
        Ok(Some(active))
    }

    /// Runs a simulation in a task of its own. An interrupted one starts again.
    async fn simulate(&self, app: &App, found: &OpenRun, benchmark: Benchmark, cluster: Cluster) -> Result<(), StoreError> {
        let Some(ActiveRun { cancel, detach }) = self.take(app, found).await? else { return Ok(()) };
        let id = found.run.id;
        let run = SimulationRun {
            app: app.clone(),
            cluster,
            run: found.run.clone(),
            benchmark,
            claimant: self.0.portal,
            cancel,
            detach,
            news: self.sender(id),
        };
        let (supervisor, app, spare) = (self.clone(), app.clone(), run.clone());
        tokio::spawn(async move {
            let ended = match tokio::spawn(Box::pin(run.run())).await {
                Ok(ended) => ended,
                Err(error) if error.is_panic() => {
                    tracing::error!(run.id = %id, "a simulation broke off");
                    spare.end_broken().await
                }
                Err(_) => false,
            };
            supervisor.give_back(&app, id, ended).await;
        });
        Ok(())
    }

    /// After a run was carried on here: its claim goes back, and those that waited are looked at.
    async fn give_back(&self, app: &App, id: Uuid, ended: bool) {
        self.state().active.remove(&id);
        if let Err(error) = app.store.release_run(id, self.0.portal).await {
            tracing::debug!(run.id = %id, %error, "a claim was not given back; it expires");
        }
        // One that is not over is looked at again at the next round, not at once: the store may be failing.
        if ended {
            self.0.notifier.tell_end();
            self.0.notifier.wake();
        }
    }

    /// Takes a claimed run through its stages, in a task of its own.
    fn spawn(&self, app: &App, run: RunExecutor, resumed: bool) {
        let (supervisor, app, spare) = (self.clone(), app.clone(), run.clone());
        tokio::spawn(async move {
            let id = spare.run.id;
            let ended = match tokio::spawn(Box::pin(run.run(resumed))).await {
                Ok(ended) => ended,
                Err(error) if error.is_panic() => {
                    tracing::error!(run.id = %id, "a run's execution broke off");
                    spare.end_broken().await
                }
                Err(_) => false,
            };
            supervisor.give_back(&app, id, ended).await;
        });
    }

    /// Ends a queued run.
    async fn end_unbegun(&self, app: &App, found: &OpenRun, status: RunStatus, reason: &str) -> Result<(), SuperviseError> {
        let (id, now) = (found.run.id, Timestamp::now());
        if !app.store.claim_run(id, self.0.portal, now, claims::expiry()).await? {
            return Ok(());
        }
        let mut stages = found.run.stages.clone();
        let update = early_end(&mut stages, status, reason, nothing_to_clean_up(), now);
        let update = RunUpdate { claimant: Some(self.0.portal), ..update };
        if let Some(last) = app.store.update_run(id, &update, now).await?.last() {
            self.sender(id).send_replace(last.seq);
        }
        app.store.release_run(id, self.0.portal).await?;
        // Runs that waited behind it may start now.
        self.0.notifier.wake();
        Ok(())
    }

    /// Says at a waiting run's first stage how many are before it, when that has changed.
    async fn announce_wait(&self, app: &App, found: &OpenRun, ahead: u32) -> Result<(), StoreError> {
        let id = found.run.id;
        let mut stages = found.run.stages.clone();
        let Some(first) = stages.first().map(|stage| stage.id) else { return Ok(()) };
        let message = match ahead {
            1 => "Waits for 1 run on its nodes.".to_owned(),
            more => format!("Waits for {} runs on its nodes.", text::number(more.into())),
        };
        if stages.first().and_then(|stage| stage.message.as_deref()) == Some(&message) {
            return Ok(());
        }
        let now = Timestamp::now();
        let events = change(&mut stages, first, StageStatus::Pending, Some(message), now).map(|event| (now, event));
        let update = RunUpdate { events: events.into_iter().collect(), ..RunUpdate::default() };
        let stored = app.store.update_run(id, &update, now).await?;
        if let Some(last) = stored.last() {
            self.sender(id).send_replace(last.seq);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
