//! Kubernetes clusters as places where runs are carried out. A run is an owner Job with a Secret, engine pods and the load's pod under
//! it; the cluster ends all of it at the deadline by itself. What is next is found out by looking at the cluster (`reconcile`), and each
//! step can be repeated, so that any portal can go on with a run.

mod document;
mod error;
mod files_pods;
mod launch;
mod layout;
mod load_pods;
mod load_records;
mod model_folder;
mod owner;
mod patience;
mod placement;
mod probe;
mod progress;
mod provider;
mod reconcile;
mod results;
mod steps;
mod sweep;
mod taken_records;
mod telemetry;
mod transfer;
mod transport;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use dyno_kubernetes::objects::{ENGINE_PORT, RunName, keys};
use dyno_kubernetes::{Connection, RunState};
use dyno_pod::Token;
use futures::stream::BoxStream;
use jiff::{SignedDuration, Timestamp};
use strum::VariantArray as _;
use tokio::sync::watch;
use uuid::Uuid;

use self::document::RunDocument;
use self::error::KubernetesError;
use self::layout::Images;
use self::progress::{RunPhase, RunProgress};
use self::reconcile::Reconciliation;
use self::telemetry::Sampling;
use super::execution::{Event, ExecutionOutcome, ExecutionSpec};
use super::executor::{
    Batch, ClusterExecutor, Collected, Cursor, ExecutionState, ExecutorError, LeftBehind, Placement, RecordPortion,
};
use crate::credentials::Secret;
use crate::domain::benchmark::{BenchmarkSpec, Serving};
use crate::domain::engine::{EngineAvailability, EngineKind};
use crate::domain::inventory::{Cluster, DeviceType};
use crate::domain::kubernetes::KubernetesAccess;
use crate::domain::run::{StageId, StageStatus};
use crate::engine::{self, Program, tag_of};
use crate::run::text;
use crate::state::AppState as App;
use dyno_measure::telemetry::TelemetrySample;

/// Interval between reconciliations of a run.
const PACE: Duration = Duration::from_secs(1);
/// A cluster that does not answer for so long is not waited for any more. A person who renews its credential has as long.
const SILENCE: SignedDuration = SignedDuration::from_mins(15);
/// Shorter outages are not logged.
const BLINK: SignedDuration = SignedDuration::from_secs(5);

/// Carries runs out on one Kubernetes cluster.
pub(super) struct KubernetesExecutor {
    app: App,
    cluster: Cluster,
    access: KubernetesAccess,
    watched: Mutex<FollowedRun>,
    sampling: Mutex<Option<Sampling>>,
}

impl fmt::Debug for KubernetesExecutor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("KubernetesExecutor").field("cluster", &self.cluster.name).finish_non_exhaustive()
    }
}

/// What is known of the run that is followed, so that it is not read again at each reconciliation.
#[derive(Debug, Default)]
struct FollowedRun {
    run: Option<(Uuid, Arc<RunSecret>)>,
    looked: Option<Instant>,
    /// Version of the run's objects that was reconciled last.
    version: Option<String>,
    /// Since when the cluster does not answer.
    silent_since: Option<Timestamp>,
    /// Whether the outage was logged.
    silence_told: bool,
}

/// A run's Secret, read.
#[derive(Debug)]
struct RunSecret {
    document: RunDocument,
    token: String,
}

impl RunSecret {
    fn token(&self) -> Result<Token, KubernetesError> {
        Ok(Token::new(self.token.clone())?)
    }
}

impl KubernetesExecutor {
    pub(super) fn new(app: &App, cluster: &Cluster, access: &KubernetesAccess) -> Self {
        Self {
            app: app.clone(),
            cluster: cluster.clone(),
            access: access.clone(),
            watched: Mutex::default(),
            sampling: Mutex::default(),
        }
    }

    fn name(&self, run: Uuid) -> RunName {
        RunName { id: run.to_string(), namespace: self.access.namespace.clone() }
    }

    async fn connection(&self) -> Result<Connection, KubernetesError> {
        Ok(self.app.clusters.connection(self.cluster.id).await?)
    }

    /// The portal's own image, of which pods are made, and by what images are pulled.
    fn images(&self) -> Result<Images<'_>, KubernetesError> {
        let own = self.app.config.image.as_deref().ok_or(KubernetesError::NoOwnImage)?;
        Ok(Images { own, pull_secrets: &self.access.image_pull_secrets })
    }

    fn watched<T>(&self, look: impl FnOnce(&mut FollowedRun) -> T) -> T {
        look(&mut self.watched.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What a run is, as its Secret says; absent where it was not handed over.
    async fn open(&self, connection: &Connection, run: Uuid) -> Result<Option<Arc<RunSecret>>, KubernetesError> {
        let known = self.watched(|watched| watched.run.clone());
        if let Some((_, open)) = known.filter(|(id, _)| *id == run) {
            return Ok(Some(open));
        }
        let Some(data) = connection.run_secret(&self.name(run)).await? else { return Ok(None) };
        let (Some(spec), Some(token)) = (data.get(keys::SPEC), data.get(keys::TOKEN)) else { return Ok(None) };
        let open = RunSecret { document: serde_json::from_slice(spec)?, token: String::from_utf8_lossy(token).into_owned() };
        let open = Arc::new(open);
        self.watched(|watched| watched.run = Some((run, Arc::clone(&open))));
        Ok(Some(open))
    }

    /// Reconciles the run: reads its objects, takes the next steps, and returns the events.
    async fn look(&self, run: Uuid, cursor: Option<&Cursor>) -> Result<Batch, KubernetesError> {
        let name = self.name(run);
        let connection = self.connection().await?;
        let state = connection.run_state(&name).await?;
        let open = match &state {
            Some(_) => self.open(&connection, run).await?,
            None => None,
        };
        let (Some(state), Some(open)) = (state, open) else {
            return Ok(match cursor {
                None => Batch::default(),
                Some(_) => self.removed(cursor),
            });
        };
        if state.owner.deleting {
            return Ok(self.removed(cursor));
        }
        let before = self.watched(|watched| std::mem::replace(&mut watched.version, state.version.clone()));
        let mut work = Reconciliation {
            connection: &connection,
            before,
            app: &self.app,
            run: &name,
            open: &open,
            progress: RunProgress::from(cursor),
            events: Vec::new(),
            load: Vec::new(),
            records: RecordPortion::default(),
            has_more: false,
        };
        work.advance(&state).await?;
        self.watched(|watched| watched.looked = (!work.has_more).then(Instant::now));
        let Reconciliation { progress, events, load, records, .. } = work;
        let telemetry = self.sampled(run, &connection, &open, &progress, &state);
        Ok(batch(cursor, &progress, Batch { events, load, telemetry, records, ..Batch::default() }))
    }

    /// Samples since the last pull; sampling ends with the load.
    fn sampled(
        &self,
        run: Uuid,
        connection: &Connection,
        open: &RunSecret,
        progress: &RunProgress,
        state: &RunState,
    ) -> Vec<TelemetrySample> {
        let mut sampling = self.sampling.lock().unwrap_or_else(PoisonError::into_inner);
        let sampled = sampling.as_ref().filter(|own| own.run == run).map(Sampling::take).unwrap_or_default();
        let goes_on = progress.phase == RunPhase::Loading && progress.started && progress.ended.is_none();
        if !goes_on {
            *sampling = None;
        } else if sampling.as_ref().is_none_or(|own| own.run != run)
            && let (Some(load), Ok(token)) = (&state.load, open.token())
        {
            let name = self.name(run);
            let client = transport::load_pod(connection, &name, &load.name, token);
            *sampling = Some(Sampling::begin(run, connection, &name, &open.document, client));
        }
        sampled
    }

    /// Of a run whose objects somebody removed.
    fn removed(&self, cursor: Option<&Cursor>) -> Batch {
        let mut progress = RunProgress::from(cursor);
        let so_far = match self.watched(|watched| watched.run.clone()) {
            Some((_, open)) => progress.so_far_without_load(&open.document.execution.plan),
            None => "before it had ended.".to_owned(),
        };
        ended(cursor, &mut progress, format!("The run's objects were removed from the cluster {so_far}"))
    }

    /// Of a cluster that does not answer: it is asked again, but not for ever.
    fn unanswered(&self, cursor: Option<&Cursor>, error: KubernetesError) -> Result<Batch, ExecutorError> {
        let now = Timestamp::now();
        let since = self.watched(|watched| *watched.silent_since.get_or_insert(now));
        let silent = now.duration_since(since);
        if cursor.is_none() {
            return Err(error.into());
        }
        let mut progress = RunProgress::from(cursor);
        if silent >= SILENCE {
            let reason = format!("The cluster could not be asked any more: {error}");
            return Ok(ended(cursor, &mut progress, reason));
        }
        if silent < BLINK || self.watched(|watched| std::mem::replace(&mut watched.silence_told, true)) {
            return Err(error.into());
        }
        let line = format!(
            "{error} What runs there goes on meanwhile. It is asked again for {}.",
            text::duration(SILENCE.as_secs().unsigned_abs() * 1_000)
        );
        Ok(batch(cursor, &progress, Batch { events: vec![(now, steps::warning(&progress, &line))], ..Batch::default() }))
    }

    /// The cluster answers again; the log line about the outage is followed by one that it is over.
    fn answered(&self, cursor: Option<&Cursor>, found: Batch) -> Batch {
        let was_told = self.watched(|watched| {
            watched.silent_since = None;
            std::mem::take(&mut watched.silence_told)
        });
        if !was_told {
            return found;
        }
        let progress = RunProgress::from(found.cursor.as_ref().or(cursor));
        let line = (Timestamp::now(), steps::warning(&progress, "The cluster answers again."));
        let events = std::iter::once(line).chain(found.events).collect();
        batch(cursor, &progress, Batch { events, ..found })
    }
}

/// The end of a run that broke off, where the cluster can't be asked.
fn ended(cursor: Option<&Cursor>, progress: &mut RunProgress, reason: String) -> Batch {
    let now = Timestamp::now();
    let mut events = Vec::new();
    if let Some(stage) = steps::stage_of(progress.phase) {
        events.push((now, Event::Stage { stage, status: StageStatus::Failed, message: Some(reason.clone()) }));
    }
    events.push((now, Event::Stage { stage: StageId::CleanUp, status: StageStatus::Running, message: None }));
    events.push((now, Event::End { outcome: ExecutionOutcome::Failed, reason: Some(reason.clone()) }));
    progress.ended = Some((ExecutionOutcome::Failed, Some(reason)));
    batch(cursor, progress, Batch { events, ..Batch::default() })
}

/// The batch, with a cursor where there is something new.
fn batch(cursor: Option<&Cursor>, progress: &RunProgress, told: Batch) -> Batch {
    let text = serde_json::to_string(progress).ok();
    let is_new = !told.events.is_empty()
        || !told.load.is_empty()
        || !told.telemetry.is_empty()
        || text.as_deref() != cursor.map(|cursor| cursor.0.as_str());
    Batch { state: ExecutionState::Active, cursor: text.filter(|_| is_new).map(Cursor), ..told }
}

#[async_trait]
impl ClusterExecutor for KubernetesExecutor {
    fn runs_containers(&self) -> bool {
        true
    }

    async fn engines(&self) -> Result<Vec<EngineAvailability>, ExecutorError> {
        let row = |kind: EngineKind| {
            let image = self.app.config.engines.image(engine::recipe(kind), DeviceType::Cuda);
            EngineAvailability {
                kind,
                title: kind.title().to_owned(),
                available: true,
                version: image.as_deref().and_then(tag_of).map(str::to_owned),
                program: image,
                how_to_get: "Comes as a container image, which the nodes pull. Another one can be named with each benchmark."
                    .to_owned(),
            }
        };
        Ok(EngineKind::VARIANTS.iter().copied().map(row).collect())
    }

    async fn find_engine(&self, serving: &Serving) -> Result<Program, ExecutorError> {
        let recipe = engine::recipe(serving.engine.ok_or(ExecutorError::NoEngine)?);
        Ok(Program {
            argv: recipe.program_in_image().iter().map(|part| (*part).to_owned()).collect(),
            version: serving.engine_image.as_deref().and_then(tag_of).map(str::to_owned),
        })
    }

    async fn transfer(
        &self,
        run: Uuid,
        spec: &BenchmarkSpec,
        progress: watch::Sender<String>,
    ) -> Result<Placement, ExecutorError> {
        Ok(self.place(run, spec, &progress).await?)
    }

    async fn launch(&self, spec: &ExecutionSpec, secret: Option<&Secret>) -> Result<(), ExecutorError> {
        Ok(self.hand_over(spec, secret).await?)
    }

    async fn pull(&self, run: Uuid, cursor: Option<&Cursor>) -> Result<Batch, ExecutorError> {
        if RunProgress::from(cursor).ended.is_some() {
            return Ok(Batch { state: ExecutionState::Gone, ..Batch::default() });
        }
        let just_looked = self.watched(|watched| watched.looked.is_some_and(|looked| looked.elapsed() < PACE));
        if just_looked && cursor.is_some() {
            return Ok(Batch { state: ExecutionState::Active, ..Batch::default() });
        }
        match self.look(run, cursor).await {
            Ok(batch) => Ok(self.answered(cursor, batch)),
            Err(error) => self.unanswered(cursor, error),
        }
    }

    async fn cancel(&self, run: Uuid, force: bool) {
        if let Err(error) = self.ask_to_end(run, force).await {
            tracing::warn!(run.id = %run, %error, "a run on Kubernetes could not be asked to end");
        }
    }

    async fn collect(&self, run: Uuid, cursor: Option<&Cursor>) -> Result<Collected, ExecutorError> {
        Ok(self.gather(run, &RunProgress::from(cursor)).await)
    }

    fn records(&self, run: Uuid, cursor: Option<&Cursor>, skip: u64) -> BoxStream<'static, Result<RecordPortion, ExecutorError>> {
        self.record_portions(run, RunProgress::from(cursor).records.place.file, skip)
    }

    async fn tidy_up(&self, run: Uuid) -> Result<(), LeftBehind> {
        self.clear(run).await
    }

    async fn remove(&self, run: Uuid) -> Result<(), ExecutorError> {
        let connection = self.connection().await?;
        Ok(connection.delete_owner(&self.name(run)).await.map_err(KubernetesError::from)?)
    }

    async fn sweep(&self) -> Result<usize, ExecutorError> {
        Ok(self.remove_left_owners().await?)
    }
}
