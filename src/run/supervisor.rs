//! The supervisor: begins runs when their nodes are free, goes on with those that were begun before the portal's start,
//! ends those that a person cancels.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::folder_of;
use super::follow::change;
use super::launch::Launcher;
use super::local::Local;
use super::text;
use super::walk::Walk;
use crate::domain::run::{RunKind, RunStatus, StageStatus};
use crate::state::{AppState as App, RunNotifier};
use crate::store::{OpenRun, RunUpdate, StoreError};

/// How often is looked when nobody woke the supervisor.
const LOOK: Duration = Duration::from_secs(5);

/// Takes runs through their stages. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Supervisor(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    notifier: RunNotifier,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Runs that are on their way, each with what cancels it.
    active: HashMap<Uuid, CancellationToken>,
    /// How many runs were said to be before a waiting one.
    waiting: HashMap<Uuid, u32>,
}

impl Supervisor {
    /// One that does nothing yet.
    pub fn new(notifier: RunNotifier) -> Self {
        Self(Arc::new(Inner { notifier, state: Mutex::default() }))
    }

    /// Begins to work; goes on with runs that were begun before. Ends with the portal.
    pub fn start(&self, app: &App) {
        let launcher: Arc<dyn Launcher> = Arc::new(Local::new(app.config.program.clone()));
        let (supervisor, app) = (self.clone(), app.clone());
        tokio::spawn(async move {
            while !app.shutdown.is_cancelled() {
                if let Err(error) = supervisor.look(&app, &launcher).await {
                    tracing::error!(%error, "the supervisor could not look for runs");
                }
                tokio::select! {
                    () = supervisor.0.notifier.woken() => {}
                    () = tokio::time::sleep(LOOK) => {}
                    () = app.shutdown.cancelled() => return,
                }
            }
        });
    }

    fn sender(&self, run: Uuid) -> watch::Sender<i64> {
        self.0.notifier.sender(run)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at every run that is not over, oldest first.
    async fn look(&self, app: &App, launcher: &Arc<dyn Launcher>) -> Result<(), StoreError> {
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
            if let Err(error) = self.deal_with(app, launcher, found, ahead.len() as u32).await {
                tracing::error!(run.id = %id, %error, "a run could not be dealt with");
            }
        }
        let still: HashSet<Uuid> = open.iter().map(|found| found.run.id).collect();
        self.0.notifier.retain(|run| still.contains(&run));
        self.state().waiting.retain(|run, _| still.contains(run));
        Ok(())
    }

    async fn deal_with(&self, app: &App, launcher: &Arc<dyn Launcher>, found: &OpenRun, ahead: u32) -> Result<(), StoreError> {
        let id = found.run.id;
        let active = self.state().active.get(&id).cloned();
        match (active, found.run.status) {
            (Some(cancel), _) => {
                if found.cancel_requested {
                    cancel.cancel();
                }
                Ok(())
            }
            (None, RunStatus::Queued) if found.cancel_requested => self.set_off(app, launcher, found, Way::End).await,
            (None, RunStatus::Queued) if ahead > 0 => self.tell_waiting(app, found, ahead).await,
            (None, RunStatus::Queued) if found.run.kind == RunKind::Measured => {
                if app.store.begin_run(id, Timestamp::now()).await? {
                    return self.set_off(app, launcher, found, Way::Begin).await;
                }
                // Cancelled in this moment: looked at once more.
                self.0.notifier.wake();
                Ok(())
            }
            // Nothing here carries out a simulation.
            (None, RunStatus::Queued) => Ok(()),
            (None, _) => self.set_off(app, launcher, found, Way::GoOn).await,
        }
    }

    async fn set_off(&self, app: &App, launcher: &Arc<dyn Launcher>, found: &OpenRun, way: Way) -> Result<(), StoreError> {
        let id = found.run.id;
        let benchmark = app.store.benchmark_of_portal(found.run.benchmark_id).await?;
        let cancel = CancellationToken::new();
        if found.cancel_requested {
            cancel.cancel();
        }
        let walk = || Walk {
            app: app.clone(),
            launcher: Arc::clone(launcher),
            run: found.run.clone(),
            benchmark: benchmark.clone(),
            folder: folder_of(&app.config.data_dir, id),
            offsets: (found.journal_offset, found.spool_offset),
            cancel: cancel.clone(),
            news: self.sender(id),
        };
        self.state().active.insert(id, cancel.clone());
        let (walk, spare) = (walk(), walk());
        let supervisor = self.clone();
        tokio::spawn(async move {
            let went = tokio::spawn(async move {
                match way {
                    Way::Begin => walk.go(false).await,
                    Way::GoOn => walk.go(true).await,
                    Way::End => walk.end_queued().await,
                }
            });
            if let Err(error) = went.await
                && error.is_panic()
            {
                tracing::error!(run.id = %id, "a run's way broke off");
                spare.end_broken().await;
            }
            supervisor.state().active.remove(&id);
            supervisor.0.notifier.wake();
        });
        Ok(())
    }

    /// Says at a waiting run's first stage how many are before it, when that has changed.
    async fn tell_waiting(&self, app: &App, found: &OpenRun, ahead: u32) -> Result<(), StoreError> {
        let id = found.run.id;
        if self.state().waiting.insert(id, ahead) == Some(ahead) {
            return Ok(());
        }
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

/// What is done with a run.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// It is its turn.
    Begin,
    /// It was begun before the portal's start.
    GoOn,
    /// It waits, and a person cancelled it.
    End,
}

#[cfg(test)]
mod tests;
