//! What is next for a run, found out by looking at the cluster. Each step can be repeated: where a portal stopped between doing
//! something and keeping that it did, the next one does it again, and it is done once.

use dyno_kubernetes::objects::{self, RunName};
use dyno_kubernetes::{ApiError, Connection, OwnerEnd, PodFailure, PodState, PodStep, RunState};
use dyno_pod::client::{LoadPodClient, PodClientError};
use dyno_pod::protocol::{EndCause, LoadEnd, LoadState};
use jiff::{SignedDuration, Timestamp};

use super::error::KubernetesError;
use super::probe::EngineProbe;
use super::progress::{Ending, RunPhase, RunProgress};
use super::transport::PodProxy;
use super::{ENGINE_PORT, RunSecret, owner, transport};
use crate::run::execution::{Event, ExecutionOutcome};
use crate::run::executor::RecordPortion;
use crate::run::limits::{DEPLOYMENT, LISTING};
use crate::run::text;
use crate::state::AppState as App;
use dyno_measure::events::{LoadEvent, LoadStatus, LogLevel};
use dyno_measure::report::provenance::EngineFacts;

/// A pod that is there and does not answer is waited for so long.
const PATIENCE: SignedDuration = SignedDuration::from_secs(90);

/// One look at a run.
pub(super) struct Reconciliation<'a> {
    pub connection: &'a Connection,
    /// Version of the run's objects at the last reconciliation.
    pub before: Option<String>,
    pub app: &'a App,
    pub run: &'a RunName,
    pub open: &'a RunSecret,
    pub progress: RunProgress,
    pub events: Vec<(Timestamp, Event)>,
    pub load: Vec<LoadEvent>,
    pub records: RecordPortion,
    /// Whether more can be read at once.
    pub has_more: bool,
}

impl Reconciliation<'_> {
    pub(super) async fn advance(&mut self, state: &RunState) -> Result<(), KubernetesError> {
        if self.progress.phase == RunPhase::NotBegun {
            let is_cloud = self.open.document.engines.is_empty();
            self.enter(if is_cloud { RunPhase::Verifying } else { RunPhase::Deploying });
            for note in self.open.document.notes.clone() {
                self.log(LogLevel::Warning, &note);
            }
        }
        if self.is_stopped(state) {
            return Ok(());
        }
        match self.progress.phase {
            RunPhase::NotBegun => Ok(()),
            RunPhase::Deploying => self.deploy(state).await,
            RunPhase::Verifying => self.verify(state).await,
            RunPhase::Loading => self.put_load(state).await,
        }
    }

    /// Before the load, a cancel and the deadline end the run at once; after that the load is ended and reports.
    fn is_stopped(&mut self, state: &RunState) -> bool {
        let is_overdue =
            Timestamp::now() >= self.open.document.execution.deadline || state.owner.ended == Some(OwnerEnd::Deadline);
        if is_overdue {
            // The cluster ends its pods.
            let so_far = self.so_far_without_load();
            self.fail(format!("The run's time limit was reached {so_far}"));
        } else if state.owner.cancelled && !self.progress.started {
            self.end(ExecutionOutcome::Cancelled, Some("Cancelled before any request was completed.".to_owned()));
        }
        self.is_over()
    }

    /// Makes what is missing, and waits until each engine's container runs.
    async fn deploy(&mut self, state: &RunState) -> Result<(), KubernetesError> {
        if let Err(error) = self.make_missing(state).await {
            return self.refused(error);
        }
        let engines = &self.open.document.execution.engines;
        // A container that has ended counts as started; the next step finds out why it ended.
        let was_started = |pod: &PodState| match &pod.step {
            PodStep::Starting | PodStep::Loading | PodStep::Answering | PodStep::Ready | PodStep::Succeeded => true,
            PodStep::Failed(failure) => failure.was_started(),
            PodStep::Unscheduled(_) | PodStep::Preparing(_) => false,
        };
        let all_started = state.engines.len() == engines.len() && state.engines.values().all(was_started);
        if !all_started && self.has_failed(state).await? {
            return Ok(());
        }
        let limit_ms = DEPLOYMENT.as_millis().unsigned_abs() as u64;
        if !all_started && self.elapsed_ms() > limit_ms {
            self.fail(format!("Not all pods of the engine were started after {}.", text::duration(limit_ms)));
            return Ok(());
        }
        if all_started {
            let message = match engines.as_slice() {
                [only] => format!("{} was started.", only.title),
                several => format!("{} copies of {} were started.", several.len(), several[0].title),
            };
            self.done(message);
            self.progress.uids = state.engines.values().map(|pod| (pod.name.clone(), pod.uid.clone())).collect();
            self.enter(RunPhase::Verifying);
        }
        Ok(())
    }

    pub(super) async fn make_missing(&mut self, state: &RunState) -> Result<(), ApiError> {
        let document = &self.open.document;
        let lifetime = owner::lifetime(document.execution.deadline);
        let owner = &state.owner.reference;
        if state.engines.is_empty() && !document.engines.is_empty() {
            self.connection.apply(&objects::service(self.run, owner)).await?;
        }
        for (engine, spec) in document.engines.iter().zip(&document.execution.engines) {
            let name = self.run.engine(engine.index);
            if !state.engines.contains_key(&name) {
                let engine = objects::EnginePod { active_s: lifetime.active_s, ..engine.clone() };
                self.connection.apply(&objects::engine_pod(self.run, owner, &engine)).await?;
                let line = format!("Node {}: {} {}", spec.node, engine.image, engine.argv.join(" "));
                if self.progress.told.insert(name, "was made.".to_owned()).is_none() {
                    self.log(LogLevel::Info, &line);
                }
            }
        }
        if state.owner.paused {
            self.connection.resume(self.run).await?;
        }
        self.make_workers(state, lifetime).await
    }

    /// What the cluster refuses ends the run; where it does not answer, it is asked again.
    pub(super) fn refused(&mut self, error: ApiError) -> Result<(), KubernetesError> {
        match error {
            ApiError::Quota(_) | ApiError::Admission(_) | ApiError::Forbidden(_) | ApiError::Refused(_) => {
                self.fail(error.to_string());
                Ok(())
            }
            error => Err(error.into()),
        }
    }

    /// Tells how far the pods are; ends the run where one of them can't go on.
    pub(super) async fn has_failed(&mut self, state: &RunState) -> Result<bool, KubernetesError> {
        let engines = self.open.document.engines.iter().map(|engine| (engine.index, engine.node.clone())).collect::<Vec<_>>();
        for (index, node) in engines {
            let name = self.run.engine(index);
            let Some(pod) = state.engines.get(&name) else { continue };
            if let PodStep::Failed(failure) = &pod.step {
                let words = self.failure_words(&format!("The engine on node {node} does not run."), pod, failure).await;
                self.fail(words);
                return Ok(true);
            }
            self.tell(&format!("Node {node}: the engine"), pod);
        }
        if let Some(problem) = &state.owner.problem {
            self.fail(format!("The load's pod could not be made: {problem}"));
            return Ok(true);
        }
        if let Some(load) = &state.load {
            let node = self.open.document.load.node.clone();
            if let PodStep::Failed(failure) = &load.step {
                let words = self.failure_words(&format!("The load's pod on node {node} does not run."), load, failure).await;
                self.fail(words);
                return Ok(true);
            }
            self.tell(&format!("Node {node}: the load's pod"), load);
        }
        self.has_failed_worker(state).await
    }

    /// What happened to a pod, and the last that it printed.
    pub(super) async fn failure_words(&mut self, what: &str, pod: &PodState, failure: &PodFailure) -> String {
        if !failure.has_log() {
            return format!("{what} {failure}");
        }
        let lines = self.connection.last_log_lines(self.run, &pod.name).await.unwrap_or_default();
        for line in &lines {
            self.log(LogLevel::Error, line);
        }
        match lines.last() {
            Some(last) => format!("{what} {failure} It said last: {}", text::clean(last)),
            None => format!("{what} {failure}"),
        }
    }

    /// Waits until each engine is ready and serves the right model; a cloud model is asked once.
    async fn verify(&mut self, state: &RunState) -> Result<(), KubernetesError> {
        if self.open.document.engines.is_empty() {
            return self.verify_provider(state).await;
        }
        if self.has_failed(state).await? || self.lost_engine(state).await?.is_some_and(|reason| self.fail_with(reason)) {
            return Ok(());
        }
        for index in 0..self.open.document.engines.len() {
            if !self.progress.ready.contains_key(&index) {
                self.ask_engine(index, state).await;
            }
        }
        if self.progress.ready.len() == self.open.document.engines.len() {
            let after = text::duration(self.elapsed_ms());
            self.done(format!("Ready after {after}."));
            self.enter(RunPhase::Loading);
        }
        Ok(())
    }

    pub(super) fn fail_with(&mut self, reason: String) -> bool {
        self.fail(reason);
        true
    }

    async fn ask_engine(&mut self, index: usize, state: &RunState) {
        let open = self.open;
        let (engine, pod) = (&open.document.execution.engines[index], &open.document.engines[index]);
        let Some(found) = state.engines.get(&self.run.engine(index)) else { return };
        let limit_ms = engine.launch.startup_limit_s * 1_000 + LISTING.as_millis().unsigned_abs() as u64;
        let (PodStep::Ready, Some(ip)) = (&found.step, &found.ip) else {
            if self.elapsed_ms() > limit_ms {
                let after = text::duration(limit_ms);
                self.fail(format!("The engine on node {} was not ready after {after}.", engine.node));
            }
            return;
        };
        let probe = EngineProbe { connection: self.connection, run: self.run, pod: &found.name };
        let Some(model) = probe.model(&engine.launch).await else {
            if self.elapsed_ms() > limit_ms {
                self.fail(format!("The engine on node {} is ready, but does not list its model.", engine.node));
            }
            return;
        };
        let facts = EngineFacts {
            node: engine.node.clone(),
            title: engine.title.clone(),
            version: probe.version(&engine.launch).await,
            argv: std::iter::once(found.image_id.clone().unwrap_or_else(|| pod.image.clone())).chain(pod.argv.clone()).collect(),
            env: pod.env.clone(),
            base_url: base_url(ip),
            model,
            startup_ms: found.startup_ms.unwrap_or_else(|| self.elapsed_ms()),
        };
        self.emit(Event::Engine(facts.clone()));
        self.progress.ready.insert(index, facts);
    }

    /// Why what is measured is no longer what was ready: an engine that is gone, replaced, has ended, or whose node is lost.
    async fn lost_engine(&mut self, state: &RunState) -> Result<Option<String>, KubernetesError> {
        let open = self.open;
        for engine in &open.document.engines {
            let name = self.run.engine(engine.index);
            let node = &engine.node;
            let failure = match state.engines.get(&name) {
                None => self.why_gone(&name).await?,
                Some(pod) if self.progress.uids.get(&name).is_some_and(|uid| *uid != pod.uid) => PodFailure::Replaced,
                Some(PodState { step: PodStep::Failed(failure), .. }) => failure.clone(),
                Some(PodState { step: PodStep::Succeeded, .. }) => PodFailure::Exited { status: 0, signal: None },
                Some(PodState { step: PodStep::Ready, .. }) => {
                    self.progress.is_lost(node, true, Timestamp::now());
                    continue;
                }
                Some(_) => match self.lost_node(node).await? {
                    Some(why) => PodFailure::NodeLost { node: node.clone(), why },
                    None => continue,
                },
            };
            let what = format!("The engine on node {node} was lost.");
            return Ok(Some(match state.engines.get(&name).cloned() {
                Some(pod) => self.failure_words(&what, &pod, &failure).await,
                None => format!("{what} {failure}"),
            }));
        }
        Ok(None)
    }

    /// Why a node counts as lost.
    pub(super) async fn lost_node(&mut self, node: &str) -> Result<Option<String>, KubernetesError> {
        let why = self.connection.lost_node(node).await?;
        let is_lost = self.progress.is_lost(node, why.is_none(), Timestamp::now());
        Ok(why.filter(|_| is_lost))
    }

    /// Why a pod is gone that was there when it was looked at last.
    pub(super) async fn why_gone(&self, pod: &str) -> Result<PodFailure, KubernetesError> {
        let Some(before) = &self.before else { return Ok(PodFailure::Deleted) };
        Ok(self.connection.last_failure(self.run, pod, before).await?.unwrap_or(PodFailure::Deleted))
    }

    /// Has the load's pod begin, takes over its events, and sees that nothing it measures is lost meanwhile.
    async fn put_load(&mut self, state: &RunState) -> Result<(), KubernetesError> {
        if self.progress.ending.is_none() {
            if state.owner.cancelled {
                self.progress.ending = Some(Ending::Cancelled);
            } else if let Some(reason) = self.lost_engine(state).await? {
                self.log(LogLevel::Error, &reason);
                self.progress.ending = Some(Ending::Failed(reason));
            }
        }
        let begun = self.progress.load_pod.clone();
        // Of a cluster that makes another in its place, that one has no load.
        let Some(pod) = state.load.as_ref().filter(|pod| begun.as_ref().is_none_or(|begun| *begun == pod.name)) else {
            let failure = match begun {
                Some(begun) => self.why_gone(&begun).await?,
                None => PodFailure::Deleted,
            };
            return self.without_load_pod(&failure, None).await;
        };
        let client = transport::load_pod(self.connection, self.run, &pod.name, self.open.token()?);
        if !self.progress.started {
            if self.progress.ending.is_some() {
                self.conclude(None, &self.so_far());
                return Ok(());
            }
            return self.start_load(state, pod, &client).await;
        }
        let lost = if self.progress.ending.is_none() { self.lost_worker(state).await? } else { None };
        let read = self.read_load(&client, lost).await;
        match read {
            Ok(()) => self.progress.silent_since = None,
            Err(error) => {
                if let PodStep::Failed(failure) = pod.step.clone()
                    && (pod.has_ended || matches!(failure, PodFailure::NodeLost { .. }))
                {
                    return self.without_load_pod(&failure, Some(pod)).await;
                }
                return self.silent(pod, &error).await;
            }
        }
        Ok(())
    }

    /// `lost`: why one of the pods that put the load on together is no longer there.
    async fn read_load(&mut self, client: &LoadPodClient<PodProxy>, lost: Option<String>) -> Result<(), PodClientError> {
        // The first wish is the cause; it is repeated until it is carried out.
        if self.progress.ending.is_some() {
            client.cancel(false).await?;
        }
        // Before what it wrote is read: what was written until its end is then read, too.
        let status = client.status().await?;
        let (told, lines) = client.events(&self.progress.events).await?;
        for event in &told {
            self.progress.tally.add(&event.kind);
        }
        self.has_more = !told.is_empty() && !lines.is_last && status.state == LoadState::Ended;
        self.load.extend(told);
        self.progress.events = lines.place;
        // Once a load has ended well, nobody needs its pods.
        let is_done = matches!(self.progress.tally.end, Some((LoadStatus::Ok, _)));
        if let Some(reason) = lost.filter(|_| !is_done) {
            self.log(LogLevel::Error, &reason);
            self.progress.ending = Some(Ending::Failed(reason));
        }
        self.take_records(client, status.state).await;
        if status.state != LoadState::Ended || !lines.is_last {
            return Ok(());
        }
        let is_leaving = status.end.as_ref().is_some_and(|end| end.cause == EndCause::Terminated);
        if is_leaving {
            // Its pod is there for seconds yet: what it has is taken over before it is said what is kept.
            self.take_portion(client).await?;
            self.has_more = !self.records.records.is_empty();
        }
        if !self.has_more {
            let so_far = if is_leaving { self.so_far_without_load() } else { self.so_far() };
            self.conclude(status.end.as_ref(), &so_far);
        }
        Ok(())
    }

    /// The load has ended, or is not to begin any more.
    fn conclude(&mut self, end: Option<&LoadEnd>, so_far: &str) {
        match self.progress.ending.clone() {
            Some(Ending::Cancelled) => self.end(ExecutionOutcome::Cancelled, Some(format!("Cancelled {so_far}"))),
            Some(Ending::Failed(reason)) => self.fail(format!("{} That was {so_far}", reason.trim_end())),
            None => match (&self.progress.tally.end.clone(), end) {
                (Some((LoadStatus::Ok, _)), _) => {
                    let completed = text::requests(self.progress.tally.completed());
                    self.done(format!("{completed} completed."));
                    self.end(ExecutionOutcome::Done, None);
                }
                (told, Some(LoadEnd { cause, reason, exit })) => {
                    let said = told.as_ref().and_then(|(_, reason)| reason.clone());
                    let reason = match cause {
                        EndCause::Finished => said.unwrap_or_else(|| match exit {
                            Some(exit) => format!("The load's process stopped ({}) {so_far}", exit_words(*exit)),
                            None => format!("The load ended {so_far}"),
                        }),
                        _ => format!("{} That was {so_far}", reason.clone().or(said).unwrap_or_default()),
                    };
                    self.fail(reason.trim_start().to_owned());
                }
                (told, None) => {
                    let said = told.as_ref().and_then(|(_, reason)| reason.clone());
                    self.fail(said.unwrap_or_else(|| format!("The load ended {so_far}")));
                }
            },
        }
    }

    /// The load's pod is gone or has ended, and with it what was not read.
    async fn without_load_pod(&mut self, failure: &PodFailure, pod: Option<&PodState>) -> Result<(), KubernetesError> {
        let what = "The load's pod was lost.";
        let words = match pod {
            Some(pod) => self.failure_words(what, pod, failure).await,
            None => format!("{what} {failure}"),
        };
        let so_far = self.so_far_without_load();
        if self.progress.ending.is_some() {
            self.conclude(None, &so_far);
            return Ok(());
        }
        self.fail(format!("{words} That was {so_far}"));
        Ok(())
    }

    /// A pod that does not answer: its node may be lost, or the way there.
    pub(super) async fn silent(&mut self, pod: &PodState, error: &PodClientError) -> Result<(), KubernetesError> {
        let now = Timestamp::now();
        let since = *self.progress.silent_since.get_or_insert(now);
        let node = self.open.document.load.node.clone();
        if let Some(why) = self.lost_node(&node).await? {
            return self.without_load_pod(&PodFailure::NodeLost { node, why }, None).await;
        }
        if now.duration_since(since) > PATIENCE {
            let so_far = self.so_far_without_load();
            let words = format!("The load's pod {} does not answer any more: {error} That was {so_far}", pod.name);
            self.fail(words);
        }
        Ok(())
    }
}

fn exit_words(exit: dyno_pod::protocol::Exit) -> String {
    match exit {
        dyno_pod::protocol::Exit::Code(code) => format!("status {code}"),
        dyno_pod::protocol::Exit::Signal(signal) => format!("signal {signal}"),
    }
}

/// By the pod's own address: no proxy and no name service is on the way of what is measured.
fn base_url(ip: &str) -> String {
    if ip.contains(':') { format!("http://[{ip}]:{ENGINE_PORT}") } else { format!("http://{ip}:{ENGINE_PORT}") }
}
