//! The one load of a pod: started once, ended once.

use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dyno_load::workers::WorkerPlaces;
use dyno_measure::plan::{Plan, PlanError, PlannedCheck};
use dyno_measure::validity::SelfCheck;
use nix::sys::signal::Signal;
use tokio::sync::{Mutex, watch};

use super::child::LoadProcess;
use super::spool::{EVENTS, LOG, LoadSpool, PLAN, REPORT, REQUESTS, SELF_CHECKS};
use crate::protocol::{EndCause, LoadEnd, LoadState, StartRequest, Status};
use crate::self_check;
use crate::token::Token;

/// Why the load was not started.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadStartError {
    #[error("The load was started with other addresses.")]
    Started,
    #[error("The pod's load has ended, or was cancelled before it was started.")]
    Over,
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error("The spool can't be written: {0}.")]
    LoadSpool(#[from] io::Error),
}

/// Cause and manner of stopping the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wish {
    cause: EndCause,
    force: bool,
    /// Between TERM and KILL.
    grace: Duration,
}

#[derive(Debug, Clone)]
enum State {
    Waiting,
    Running,
    Ended(LoadEnd),
}

enum ClientCheck {
    Pending,
    /// With what it came to, where it was made.
    Over(Option<Box<SelfCheck>>),
}

pub(super) struct Settings {
    pub program: PathBuf,
    /// What workers in other pods admit the load by.
    pub token: Token,
    /// The variable with the pod's token, which the load does not see.
    pub withheld: String,
    /// What a load that is asked to end has to write down what it measured.
    pub grace: Duration,
}

pub(super) struct Runner {
    settings: Settings,
    plan: Plan,
    spool: LoadSpool,
    /// What the load was started with; held while it is decided whether it is.
    started: Mutex<Option<StartRequest>>,
    state: watch::Sender<State>,
    wish: watch::Sender<Option<Wish>>,
    check: watch::Sender<ClientCheck>,
}

impl Runner {
    /// The load of a plan with this spool. Where an earlier process of this pod has started it, it has ended.
    pub(super) fn new(settings: Settings, plan: Plan, spool: LoadSpool) -> io::Result<Arc<Self>> {
        let started = spool.started()?;
        let runner = Self {
            settings,
            plan: plan_in(plan, &spool),
            spool,
            started: Mutex::new(None),
            state: watch::Sender::new(State::Waiting),
            wish: watch::Sender::new(None),
            check: watch::Sender::new(ClientCheck::Pending),
        };
        if let Some(request) = started {
            runner.started.try_lock().map_err(io::Error::other)?.replace(request);
            let end = runner.spool.ended().unwrap_or_else(|| LoadEnd {
                cause: EndCause::Restarted,
                exit: None,
                reason: Some(
                    "The load's container was started again while the load ran. A load is never started twice; what was measured until then is kept."
                        .to_owned(),
                ),
            });
            runner.make_report();
            runner.state.send_replace(State::Ended(end));
        }
        Ok(Arc::new(runner))
    }

    /// Checks the client, while engines are started elsewhere.
    pub(super) fn check_client(self: &Arc<Self>) {
        let runner = Arc::clone(self);
        tokio::spawn(async move {
            let mut check = None;
            if runner.plan.self_check.is_some() && matches!(*runner.state.borrow(), State::Waiting) {
                let (plan, cache) = (runner.spool.path("planned.json"), runner.spool.path(SELF_CHECKS));
                if runner.spool.write("planned.json", &runner.plan).is_ok() {
                    let Settings { program, withheld, .. } = &runner.settings;
                    let mut wish = runner.wish.subscribe();
                    tokio::select! {
                        checked = self_check::run(program, withheld, &plan, &cache) => check = checked,
                        _ = wish.wait_for(Option::is_some) => {}
                    }
                }
            }
            runner.check.send_replace(ClientCheck::Over(check.map(Box::new)));
        });
    }

    pub(super) fn spool(&self) -> &LoadSpool {
        &self.spool
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(*self.state.borrow(), State::Ended(_))
    }

    pub(super) fn is_running(&self) -> bool {
        matches!(*self.state.borrow(), State::Running)
    }

    pub(super) async fn status(&self) -> Status {
        let started = self.started.lock().await.clone();
        let (state, end) = match &*self.state.borrow() {
            State::Waiting => (LoadState::Waiting, None),
            State::Running => (LoadState::Running, None),
            State::Ended(end) => (LoadState::Ended, Some(end.clone())),
        };
        let self_check = match &*self.check.borrow() {
            ClientCheck::Over(check) => check.as_deref().cloned(),
            ClientCheck::Pending => None,
        };
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).ok();
        let clock_unix_ns = since.and_then(|since| i64::try_from(since.as_nanos()).ok());
        Status { version: env!("CARGO_PKG_VERSION").to_owned(), state, started, end, self_check, clock_unix_ns }
    }

    /// Starts the load; nothing where it was started with the same.
    pub(super) async fn start(self: &Arc<Self>, request: StartRequest) -> Result<(), LoadStartError> {
        let mut started = self.started.lock().await;
        if let Some(before) = &*started {
            return if *before == request { Ok(()) } else { Err(LoadStartError::Started) };
        }
        if self.is_over() {
            return Err(LoadStartError::Over);
        }
        let mut plan = self.plan.clone();
        if !request.endpoints.is_empty() {
            plan.endpoints.clone_from(&request.endpoints);
        }
        if let Some(model) = &request.model {
            plan.model.clone_from(model);
        }
        if !request.workers.is_empty() {
            plan.workers = u32::try_from(request.workers.len()).unwrap_or(u32::MAX);
        }
        plan.check()?;
        self.spool.write(PLAN, &plan)?;
        self.spool.mark_started(&request)?;
        *started = Some(request);
        // A cancel that came between is carried out by the task.
        self.state.send_replace(State::Running);
        let runner = Arc::clone(self);
        tokio::spawn(async move { runner.carry_out().await });
        Ok(())
    }

    /// Ends the load, or makes sure that none is started. The first stop request is the cause; force may be added later.
    pub(super) async fn end(self: &Arc<Self>, cause: EndCause, force: bool, grace: Duration) {
        let started = self.started.lock().await;
        if self.is_over() {
            return;
        }
        self.wish.send_modify(|wish| {
            let before = wish.unwrap_or(Wish { cause, force, grace });
            *wish = Some(Wish { force: before.force || force, grace: before.grace.min(grace), ..before });
        });
        if started.is_none() {
            self.conclude(LoadEnd { cause, exit: None, reason: Some(reason(cause).to_owned()) }).await;
        }
    }

    pub(super) fn grace(&self) -> Duration {
        self.settings.grace
    }

    pub(super) async fn ended(&self) {
        // The sender lives as long as this.
        let _ = self.state.subscribe().wait_for(|state| matches!(state, State::Ended(_))).await;
    }

    async fn carry_out(self: Arc<Self>) {
        let mut wish = self.wish.subscribe();
        // It ends soon as well, once the load is asked to end.
        let _ = self.check.subscribe().wait_for(|check| matches!(check, ClientCheck::Over(_))).await;
        let wished = *wish.borrow();
        if let Some(Wish { cause, .. }) = wished {
            return self.conclude(LoadEnd { cause, exit: None, reason: Some(reason(cause).to_owned()) }).await;
        }
        let workers = self.started.lock().await.as_ref().map(|request| request.workers.clone()).unwrap_or_default();
        let mut arguments = ["load", "--plan", PLAN, "--spool", EVENTS].map(OsStr::new).to_vec();
        let mut input = None;
        if !workers.is_empty() {
            arguments.push(OsStr::new("--worker-places"));
            input = Some(WorkerPlaces { token: self.settings.token.expose().to_owned(), workers });
        }
        let (folder, log) = (self.spool.folder(), self.spool.path(LOG));
        let program = &self.settings.program;
        let spawned = LoadProcess::spawn(program, &arguments, folder, &log, &self.settings.withheld, input.as_ref()).await;
        let mut process = match spawned {
            Ok(process) => process,
            Err(error) => {
                let reason = Some(format!("The load's process could not be started: {error}."));
                return self.conclude(LoadEnd { cause: EndCause::NotStarted, exit: None, reason }).await;
            }
        };
        let exit = loop {
            let wished = *wish.borrow_and_update();
            let patience = async {
                match wished {
                    None => std::future::pending().await,
                    Some(Wish { force: true, .. }) => {}
                    Some(Wish { grace, .. }) => tokio::time::sleep(grace).await,
                }
            };
            if wished.is_some_and(|wish| !wish.force) {
                process.signal(Signal::SIGTERM);
            }
            tokio::select! {
                biased;
                exit = process.ended() => break exit,
                // A stop request that changes is handled again.
                _ = wish.changed() => continue,
                () = patience => {}
            }
            process.signal(Signal::SIGKILL);
            break process.ended().await;
        };
        let cause = wish.borrow().map_or(EndCause::Finished, |wish| wish.cause);
        let reason = (cause != EndCause::Finished).then(|| reason(cause).to_owned());
        self.conclude(LoadEnd { cause, exit, reason }).await;
    }

    async fn conclude(self: &Arc<Self>, end: LoadEnd) {
        let (runner, kept) = (Arc::clone(self), end.clone());
        let left = tokio::task::spawn_blocking(move || {
            runner.make_report();
            // Of one that can't be kept, a restarted pod says that it was restarted.
            let _ = runner.spool.mark_ended(&kept);
        });
        let _ = left.await;
        self.state.send_if_modified(|state| {
            let is_first = !matches!(state, State::Ended(_));
            if is_first {
                *state = State::Ended(end);
            }
            is_first
        });
    }

    /// Makes the report of the records, where the load did not come to it.
    fn make_report(&self) {
        if self.spool.path(REPORT).exists() {
            return;
        }
        let Some(plan) = self.spool.read::<Plan>(PLAN) else { return };
        if let Ok(Some(report)) = dyno_load::report::from_folder(self.spool.folder(), &plan) {
            // The records are there all the same.
            let _ = self.spool.write(REPORT, &report);
        }
    }
}

/// The plan with its files in the spool.
fn plan_in(plan: Plan, spool: &LoadSpool) -> Plan {
    Plan {
        requests: Some(PathBuf::from(REQUESTS)),
        report: Some(PathBuf::from(REPORT)),
        self_check: plan.self_check.map(|_| PlannedCheck { cache: Some(spool.path(SELF_CHECKS)) }),
        ..plan
    }
}

fn reason(cause: EndCause) -> &'static str {
    match cause {
        EndCause::Finished => "The load has ended.",
        EndCause::Cancelled => "The load was cancelled.",
        EndCause::Deadline => "The run's deadline has passed.",
        EndCause::Terminated => "The load's pod was asked to end: it was deleted or evicted, or its node is being drained.",
        EndCause::Restarted => "The load's container was started again.",
        EndCause::NotStarted => "The load was not started.",
    }
}
