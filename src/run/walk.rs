//! One run's way through its stages, from the nodes to the report.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::finish::{self, End, Records};
use super::follow::{Ended, Places, Translator, change, log};
use super::keeper::journal::{self, News};
use super::keeper::spec::{EngineSpec, KeeperSpec, files};
use super::launch::{Launcher, Life};
use super::plan::{self, PlanInputs};
use super::{prepare, provenance, transfer};
use crate::credentials::{AddressPolicy, Secret};
use crate::domain::benchmark::{Benchmark, LoadSpec};
use crate::domain::event::{LogLevel, RunEnd, RunEvent};
use crate::domain::inventory::{ModelFacts, ModelSource, Node};
use crate::domain::list::ListQuery;
use crate::domain::run::{Run, RunStatus, StageId, StageStatus};
use crate::engine::ServedModel;
use crate::state::{AppState as App, SecretError};
use crate::store::{RunUpdate, StoreError};

/// How often journal and spool are looked at.
const LOOK: Duration = Duration::from_millis(300);
/// Load points of a search, at most.
const MOST_SEARCHED: usize = 9;
/// The client's check before the load, at most.
const CHECKING: SignedDuration = SignedDuration::from_mins(2);
/// A run ends at the latest so long after its start, the time of loads that end by time not counted.
const LIMIT: SignedDuration = SignedDuration::from_hours(24);
/// A keeper that was asked to end and has not is killed after this.
const PATIENCE: Duration = Duration::from_mins(1);
/// A keeper past its deadline is killed after this.
const OVERDUE: SignedDuration = SignedDuration::from_secs(120);
/// Tries to reach a store that fails for the moment.
const TRIES: u32 = 20;

/// Why a run's way ends early.
enum Halt {
    /// A person asked for it.
    Cancelled,
    /// It can't go on, with the reason.
    Failed(String),
    /// The portal stops, or the run is no longer there: whoever comes next goes on.
    Left,
}

/// One run on its way.
pub(super) struct Walk {
    /// The portal.
    pub app: App,
    /// What carries it out.
    pub launcher: Arc<dyn Launcher>,
    /// The run; its stages are kept up to date here.
    pub run: Run,
    /// What it executes.
    pub benchmark: Benchmark,
    /// The folder of its files.
    pub folder: PathBuf,
    /// How far journal and spool were read, bytes.
    pub offsets: (u64, u64),
    /// Cancelled when a person asks for the end.
    pub cancel: CancellationToken,
    /// Tells listeners the number of the last event.
    pub news: watch::Sender<i64>,
}

impl Walk {
    /// Goes the whole way. `resumed`: the run was begun before the portal's last start.
    pub(super) async fn go(mut self, resumed: bool) {
        let begun = resumed && self.launcher.pull(&self.folder).await != Life::Unborn;
        if !begun {
            match self.begin().await {
                Ok(()) => {}
                Err(Halt::Left) => return,
                Err(Halt::Cancelled) => {
                    return self.end_unbegun(RunStatus::Cancelled, "Cancelled before anything was started.").await;
                }
                Err(Halt::Failed(reason)) => return self.end_unbegun(RunStatus::Failed, &reason).await,
            }
        }
        if let Ok(end) = self.follow(begun).await {
            let _ = self.finish(end).await;
        }
    }

    /// Ends a run that waits, because a person asked for it.
    pub(super) async fn end_queued(mut self) {
        self.end_unbegun(RunStatus::Cancelled, "Cancelled while it waited for its nodes.").await;
    }

    /// Ends a run whose way broke off by a fault of Dyno's own.
    pub(super) async fn end_broken(mut self) {
        // The way that broke off had brought the stages further than they were at its beginning.
        let open = self.app.store.open_runs().await.unwrap_or_default();
        if let Some(found) = open.into_iter().find(|found| found.run.id == self.run.id) {
            self.run = found.run;
        }
        self.launcher.cancel(&self.folder, true).await;
        let cleaned = match self.launcher.collect(&self.folder).await {
            Ok(()) => (StageStatus::Succeeded, "What the run had started was ended.".to_owned()),
            Err(left) => (StageStatus::Failed, left),
        };
        self.end_early(RunStatus::Failed, "Something went wrong on the server. Its log says what.", cleaned).await;
    }

    async fn begin(&mut self) -> Result<(), Halt> {
        let spec = self.benchmark.spec.clone();
        let cloud = spec.model.is_cloud();
        tokio::fs::create_dir_all(&self.folder)
            .await
            .map_err(|error| Halt::Failed(format!("The run's folder could not be made: {error}.")))?;

        self.stage(StageId::VerifyClusterConnection, StageStatus::Running, None).await?;
        let app = self.app.clone();
        let nodes = self.unless_halted(prepare::nodes(&app, &spec)).await?;
        let longest = self.unless_halted(prepare::longest_row(&app, &spec)).await?;
        let address_policy = match &spec.model.source {
            ModelSource::Cloud { base_url, .. } => Some(self.unless_halted(prepare::address(&app, base_url)).await?),
            _ => None,
        };
        let mut notes = Vec::new();
        let mut engine = None;
        if !cloud {
            let (recipe, program) = self.unless_halted(prepare::engine(&app, &spec)).await?;
            let layout = prepare::layout(&spec, &nodes, recipe, spec.model.facts.as_ref(), longest).map_err(Halt::Failed)?;
            notes.clone_from(&layout.notes);
            engine = Some((recipe, program));
        }
        for note in &notes {
            self.log(StageId::VerifyClusterConnection, LogLevel::Info, note).await?;
        }
        self.stage(StageId::VerifyClusterConnection, StageStatus::Succeeded, Some(ready(&nodes))).await?;

        let mut engines = Vec::new();
        let mut model_path = None;
        let mut facts = spec.model.facts.clone();
        if let Some((recipe, program)) = engine {
            let (path, found) = self.transfer().await?;
            let layout = prepare::layout(&spec, &nodes, recipe, Some(&found), longest).map_err(Halt::Failed)?;
            let served = ServedModel::Path(path.clone());
            engines =
                prepare::engines(self.run.id, &spec, &layout, recipe, &program, &served, Some(&found)).map_err(Halt::Failed)?;
            facts = Some(found);
            model_path = Some(path);
        }
        self.launch(&nodes, facts.as_ref(), &notes, engines, model_path, address_policy.as_ref()).await
    }

    async fn transfer(&mut self) -> Result<(PathBuf, ModelFacts), Halt> {
        let stage = StageId::TransferModelToCluster;
        self.stage(stage, StageStatus::Running, None).await?;
        let (app, model) = (self.app.clone(), self.benchmark.spec.model.clone());
        let (tell, mut told) = watch::channel(String::new());
        let work = transfer::transfer(&app, &model, move |line| {
            let _ = tell.send(line);
        });
        tokio::pin!(work);
        let mut look = tokio::time::interval(Duration::from_secs(1));
        let done = loop {
            tokio::select! {
                done = &mut work => break done.map_err(Halt::Failed)?,
                () = self.cancel.cancelled() => return Err(Halt::Cancelled),
                () = self.app.shutdown.cancelled() => return Err(Halt::Left),
                _ = look.tick() => {
                    if told.has_changed().unwrap_or(false) {
                        let line = told.borrow_and_update().clone();
                        self.stage(stage, StageStatus::Running, Some(line)).await?;
                    }
                }
            }
        };
        self.stage(stage, StageStatus::Succeeded, Some(done.message)).await?;
        Ok((done.path, done.facts))
    }

    async fn launch(
        &mut self,
        nodes: &[Node],
        facts: Option<&ModelFacts>,
        notes: &[String],
        engines: Vec<EngineSpec>,
        model_path: Option<PathBuf>,
        address_policy: Option<&AddressPolicy>,
    ) -> Result<(), Halt> {
        let spec = &self.benchmark.spec;
        let secret = self.secret().await?;
        let deadline = Timestamp::now() + limit(&spec.load);
        let plan = plan::plan(&PlanInputs {
            run_id: self.run.id,
            spec,
            data_dir: &self.app.config.data_dir,
            deadline,
            launch: engines.first().map(|engine| &engine.launch),
            model_path: model_path.as_deref(),
            address_policy,
        });
        let known = provenance::begin(spec, nodes, facts, notes, &engines);
        provenance::write(&self.folder, &known)
            .map_err(|error| Halt::Failed(format!("The run's folder could not be written: {error}.")))?;
        let order = KeeperSpec {
            run_id: self.run.id,
            verify: engines.is_empty().then(|| plan::verify_plan(&plan)),
            engines,
            plan,
            secret_env: secret.as_ref().map(|_| plan::SECRET_ENV.to_owned()),
            deadline,
            grace_s: 10,
        };
        // The last moment to turn back without anything to end.
        if self.cancel.is_cancelled() {
            return Err(Halt::Cancelled);
        }
        let keeper =
            self.launcher.launch(&self.folder, &order, secret.as_ref()).await.map_err(|error| Halt::Failed(error.to_string()))?;
        if let Some(keeper) = keeper
            && let Err(error) = self.app.store.set_keeper(self.run.id, keeper).await
        {
            // It is found by its folder all the same.
            tracing::warn!(run.id = %self.run.id, %error, "a keeper's process id could not be kept");
        }
        Ok(())
    }

    /// The provider's secret, opened for this run: only for the origin that it is bound to.
    async fn secret(&self) -> Result<Option<Secret>, Halt> {
        let spec = &self.benchmark.spec;
        let (Some(id), ModelSource::Cloud { provider, base_url, .. }) = (spec.credential_id, &spec.model.source) else {
            return Ok(None);
        };
        let gone = |_: StoreError| Halt::Failed("The credential was removed.".to_owned());
        let actor = self.app.store.actor(self.run.owner).await.map_err(gone)?;
        let secret = self.app.secret_for(&actor, id, *provider, base_url).await;
        secret.map(Some).map_err(|error| match error {
            SecretError::Store(error) => gone(error),
            SecretError::OtherAddress(_) => Halt::Failed("The credential is for another address than the model's.".to_owned()),
            SecretError::Vault(error) => {
                tracing::warn!(run.id = %self.run.id, %error, "a credential does not open");
                Halt::Failed("The credential's secret does not open. Enter it again.".to_owned())
            }
        })
    }

    /// Reads what is told until it ends. `resumed`: it may have ended while no portal watched.
    async fn follow(&mut self, resumed: bool) -> Result<End, Halt> {
        let mut translator = Translator::default();
        let mut asked: Option<tokio::time::Instant> = None;
        let mut first_look = resumed;
        let deadline = self.deadline().await;
        loop {
            // Before reading: what was told until the end is read below.
            let life = self.launcher.pull(&self.folder).await;
            if let Some((outcome, reason)) = self.read(&mut translator).await? {
                return Ok(End::Told(outcome, reason));
            }
            if life != Life::Alive {
                return Ok(self.told_before().await.unwrap_or(End::Lost { unseen: first_look }));
            }
            first_look = false;
            let overdue = deadline.is_some_and(|deadline| Timestamp::now() > deadline + OVERDUE);
            if self.cancel.is_cancelled() && asked.is_none() {
                asked = Some(tokio::time::Instant::now());
                self.launcher.cancel(&self.folder, false).await;
            }
            if overdue || asked.is_some_and(|since| since.elapsed() > PATIENCE) {
                self.launcher.cancel(&self.folder, true).await;
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = self.cancel.cancelled(), if asked.is_none() => {}
                () = self.app.shutdown.cancelled() => return Err(Halt::Left),
            }
        }
    }

    /// The journal's end, if it was read before: by a portal that stopped before it had taken everything over.
    async fn told_before(&self) -> Option<End> {
        let path = self.folder.join(files::JOURNAL);
        let entries = tokio::task::spawn_blocking(move || journal::read(&path)).await.ok()?.ok()?;
        entries.into_iter().rev().find_map(|entry| match entry.news {
            News::End { outcome, reason } => Some(End::Told(outcome, reason)),
            _ => None,
        })
    }

    /// Takes over all that was told since the last look.
    async fn read(&mut self, translator: &mut Translator) -> Result<Option<Ended>, Halt> {
        let mut end = None;
        loop {
            let mut places = Places::new(&self.folder, self.offsets.0, self.offsets.1);
            let told = match tokio::task::spawn_blocking(move || places.read()).await {
                Ok(Ok(told)) => told,
                Ok(Err(error)) => {
                    tracing::warn!(run.id = %self.run.id, %error, "a run's files could not be read");
                    return Ok(end);
                }
                Err(_) => return Err(Halt::Left),
            };
            if !told.any {
                return Ok(end);
            }
            let (update, ended) = translator.translate(told, &mut self.run.stages);
            self.keep(&update).await?;
            self.offsets = (update.journal_offset.unwrap_or(self.offsets.0), update.spool_offset.unwrap_or(self.offsets.1));
            end = end.or(ended);
        }
    }

    async fn deadline(&self) -> Option<Timestamp> {
        let spec = tokio::fs::read(self.folder.join(files::SPEC)).await.ok()?;
        serde_json::from_slice::<KeeperSpec>(&spec).ok().map(|spec| spec.deadline)
    }

    async fn finish(&mut self, end: End) -> Result<(), Halt> {
        let left = self.launcher.collect(&self.folder).await;
        // What a load that outlived its keeper for a moment still told.
        self.read(&mut Translator::default()).await?;
        let folder = self.folder.clone();
        let mut report = tokio::task::spawn_blocking(move || finish::report(&folder)).await.unwrap_or_default();
        let (status, reason) = finish::verdict(&end, report.as_ref());
        self.take_records_over().await?;
        if let Some(report) = &mut report {
            report.run_id = self.run.id;
            report.status = status;
            report.notes.extend(reason.clone().filter(|_| status != RunStatus::Succeeded));
        }
        let mut events = Vec::new();
        let now = Timestamp::now();
        if matches!(end, End::Lost { .. }) {
            events.extend(self.close_stages(StageStatus::Failed, reason.as_deref(), now));
            let (clean, message) = match &left {
                Ok(()) => (StageStatus::Succeeded, "What the lost keeper had started was ended.".to_owned()),
                Err(left) => (StageStatus::Failed, left.clone()),
            };
            events.extend(change(&mut self.run.stages, StageId::CleanUp, clean, Some(message), now));
        } else if let Err(left) = left {
            events.extend(change(&mut self.run.stages, StageId::CleanUp, StageStatus::Failed, Some(left), now));
        }
        events.push(RunEvent::End(RunEnd { status, reason }));
        let update = RunUpdate { events: events.into_iter().map(|event| (now, event)).collect(), report, ..RunUpdate::default() };
        self.keep(&update).await
    }

    /// Request records into the store, portion by portion; those that are there from an earlier try are not doubled.
    async fn take_records_over(&mut self) -> Result<(), Halt> {
        let kept = async {
            let actor = self.app.store.actor(self.run.owner).await?;
            let one = ListQuery { page_size: Some(1), ..ListQuery::default() };
            self.app.store.records(&actor, self.run.id, &one).await
        };
        let kept = match kept.await {
            Ok(page) => page.total,
            Err(error) => {
                tracing::error!(run.id = %self.run.id, %error, "request records could not be counted");
                return Err(Halt::Left);
            }
        };
        let mut source = Records::new(&self.folder, kept);
        loop {
            let read = tokio::task::spawn_blocking(move || (source.next(), source)).await;
            let Ok((records, rest)) = read else { return Err(Halt::Left) };
            source = rest;
            let records = records.unwrap_or_else(|error| {
                tracing::warn!(run.id = %self.run.id, %error, "request records could not be read");
                Vec::new()
            });
            if records.is_empty() {
                return Ok(());
            }
            self.keep(&RunUpdate { records, ..RunUpdate::default() }).await?;
        }
    }

    /// Ends a run for which nothing was started.
    async fn end_unbegun(&mut self, status: RunStatus, reason: &str) {
        self.end_early(status, reason, (StageStatus::Succeeded, "Nothing had been started.".to_owned())).await;
    }

    /// Ends a run whose way is not gone to its end, with what its clean-up came to.
    async fn end_early(&mut self, status: RunStatus, reason: &str, (cleaned, message): (StageStatus, String)) {
        let now = Timestamp::now();
        let stage = if status == RunStatus::Cancelled { StageStatus::Cancelled } else { StageStatus::Failed };
        let mut events = self.close_stages(stage, Some(reason), now);
        events.extend(change(&mut self.run.stages, StageId::CleanUp, cleaned, Some(message), now));
        events.push(RunEvent::End(RunEnd { status, reason: Some(reason.to_owned()) }));
        let update = RunUpdate { events: events.into_iter().map(|event| (now, event)).collect(), ..RunUpdate::default() };
        let _ = self.keep(&update).await;
    }

    /// The stage at work (or else the first that waits) gets a status, those after it are skipped.
    fn close_stages(&mut self, status: StageStatus, reason: Option<&str>, now: Timestamp) -> Vec<RunEvent> {
        let open = |stage: &crate::domain::run::Stage| matches!(stage.status, StageStatus::Running | StageStatus::Pending);
        let ids: Vec<StageId> =
            self.run.stages.iter().filter(|stage| stage.id != StageId::CleanUp && open(stage)).map(|stage| stage.id).collect();
        let changed = ids.iter().enumerate().filter_map(|(index, id)| {
            let (status, reason) = if index == 0 { (status, reason) } else { (StageStatus::Skipped, None) };
            change(&mut self.run.stages, *id, status, reason.map(str::to_owned), now)
        });
        changed.collect()
    }

    async fn stage(&mut self, id: StageId, status: StageStatus, message: Option<String>) -> Result<(), Halt> {
        let now = Timestamp::now();
        let events = change(&mut self.run.stages, id, status, message, now).map(|event| (now, event));
        self.keep(&RunUpdate { events: events.into_iter().collect(), ..RunUpdate::default() }).await
    }

    async fn log(&mut self, stage: StageId, level: LogLevel, line: &str) -> Result<(), Halt> {
        let events = vec![(Timestamp::now(), log(stage, level, line))];
        self.keep(&RunUpdate { events, ..RunUpdate::default() }).await
    }

    /// Keeps an update, and tells listeners. A store that fails for the moment is tried again.
    async fn keep(&mut self, update: &RunUpdate) -> Result<(), Halt> {
        for attempt in 1..=TRIES {
            match self.app.store.update_run(self.run.id, update, Timestamp::now()).await {
                Ok(stored) => {
                    if let Some(last) = stored.last() {
                        self.news.send_replace(last.seq);
                    }
                    return Ok(());
                }
                Err(StoreError::NotFound(_) | StoreError::Conflict(_)) => return Err(Halt::Left),
                Err(error) => {
                    tracing::warn!(run.id = %self.run.id, %error, attempt, "a run's news could not be kept");
                    tokio::select! {
                        () = tokio::time::sleep(Duration::from_millis(500)) => {}
                        () = self.app.shutdown.cancelled() => return Err(Halt::Left),
                    }
                }
            }
        }
        Err(Halt::Left)
    }

    async fn unless_halted<T>(&self, work: impl Future<Output = Result<T, String>>) -> Result<T, Halt> {
        tokio::select! {
            done = work => done.map_err(Halt::Failed),
            () = self.cancel.cancelled() => Err(Halt::Cancelled),
            () = self.app.shutdown.cancelled() => Err(Halt::Left),
        }
    }
}

/// A run ends at the latest so long after its start.
fn limit(load: &LoadSpec) -> SignedDuration {
    let searches = load.slo.as_ref().is_some_and(|slo| slo.search.is_some());
    let points = if searches { MOST_SEARCHED } else { load.load_points.len().max(1) };
    let measured = load.duration_s.unwrap_or(0.0).max(0.0) * points as f64;
    LIMIT + CHECKING + SignedDuration::try_from_secs_f64(measured).unwrap_or(SignedDuration::ZERO)
}

/// The nodes that were found, in words.
fn ready(nodes: &[Node]) -> String {
    let names: Vec<String> = nodes
        .iter()
        .map(|node| format!("{} is Ready: {}", node.hostname, crate::cluster::devices_in_words(std::slice::from_ref(node))))
        .collect();
    format!("{}.", names.join("; "))
}
