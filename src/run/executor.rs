//! The seam between runs and clusters: what a run does somewhere is one interface, with an implementation for each kind of
//! cluster, chosen by the run's cluster. The portal drives a run through it and knows neither processes nor pods.

use std::fmt;
use std::path::PathBuf;

use async_trait::async_trait;
use futures::stream::BoxStream;
use jiff::Timestamp;
use tokio::sync::watch;
use uuid::Uuid;

use super::execution::{EngineVolume, Event, ExecutionOutcome, ExecutionSpec};
use crate::credentials::Secret;
use crate::domain::benchmark::{BenchmarkSpec, Serving};
use crate::domain::engine::EngineAvailability;
use crate::domain::inventory::ModelFacts;
use crate::engine::{Program, ServedModel};
use dyno_measure::events::LoadEvent;
use dyno_measure::plan::Plan;
use dyno_measure::report::provenance::{EngineFacts, Provenance};
use dyno_measure::report::{Report, RequestRecord};
use dyno_measure::sidecar::Sidecar;
use dyno_measure::telemetry::TelemetrySample;

/// Why a cluster did not do what a run asked of it; the text is a sentence for people.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExecutorError {
    #[error("This cluster's nodes are hypothetical: they are for simulation only.")]
    SimulationOnly,
    #[error("No engine was chosen.")]
    NoEngine,
    #[error("{title} was not found {place}. {how_to_get}")]
    EngineNotFound { title: &'static str, place: &'static str, how_to_get: String },
    /// Why a model can't be served there, as its kind of cluster says it.
    #[error(transparent)]
    Transfer(Box<dyn std::error::Error + Send + Sync>),
    /// What a kind of cluster says in words of its own.
    #[error(transparent)]
    Cluster(Box<dyn std::error::Error + Send + Sync>),
    #[error("The run could not be started. {0}")]
    NotBegun(String),
    #[error("{what}: {source}.")]
    Io { what: &'static str, source: std::io::Error },
    #[error("The work broke off: {0}.")]
    BrokeOff(#[from] tokio::task::JoinError),
}

impl ExecutorError {
    pub(super) fn io(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { what, source }
    }
}

/// What could not be ended; a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct LeftBehind(pub String);

/// How far a run's events were read. Only the executor that made it knows what is in it; it is kept with
/// what was read up to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cursor(pub String);

/// Whether a run is still carried out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum ExecutionState {
    /// It was never launched.
    #[default]
    NotStarted,
    Active,
    /// What carried it out has ended; the last event says whether the work was ended, too.
    Gone,
}

/// Events of a run since a cursor, in portions of about a megabyte.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// As it was before the events were read: of a run that is gone, an empty batch has nothing that follows.
    pub state: ExecutionState,
    pub events: Vec<(Timestamp, Event)>,
    /// Events of the load.
    pub load: Vec<LoadEvent>,
    /// What the nodes under test and their devices did while the load went on.
    pub telemetry: Vec<TelemetrySample>,
    /// Of a load whose records are taken over while it goes on.
    pub records: RecordPortion,
    /// Where the next batch begins; absent where there is nothing new.
    pub cursor: Option<Cursor>,
}

/// Request records, in their order.
#[derive(Debug, Default)]
pub(super) struct RecordPortion {
    pub records: Vec<RequestRecord>,
    /// The load has written its records anew: these are the first, and those before count no more.
    pub is_anew: bool,
}

/// Where a run's files lie, as its engines and its load see them.
#[derive(Debug, Default)]
pub(super) struct Placement {
    /// Absent for a cloud model.
    pub model: Option<PlacedModel>,
    /// In the order of the specification.
    pub datasets: Vec<PathBuf>,
    /// Where the load's check of itself is kept between runs.
    pub self_check_cache: Option<PathBuf>,
}

/// A model's files, ready to be served.
#[derive(Debug)]
pub(super) struct PlacedModel {
    pub served: ServedModel,
    /// What the files say, their digest included.
    pub facts: ModelFacts,
    /// Where its files are, on clusters that run containers.
    pub volumes: Vec<EngineVolume>,
    /// The folder of its tokenizer, where the load can read one.
    pub tokenizer: Option<PathBuf>,
    /// What was done, for people.
    pub message: String,
}

/// What a run left when its engines and its load had ended.
#[derive(Debug, Default)]
pub(super) struct Collected {
    /// The plan as it was carried out, or as it was to be.
    pub plan: Option<Plan>,
    /// What the load measured, without provenance.
    pub report: Option<Report>,
    /// What was known before the start.
    pub provenance: Provenance,
    pub engines: Vec<EngineFacts>,
    /// How lengths were counted, in the load's words.
    pub tokenizer: Option<String>,
    /// What a report of the records that are kept is made with, where the load's own can't be read.
    pub sidecar: Sidecar,
    /// The end, if the execution reported one.
    pub end: Option<(ExecutionOutcome, Option<String>)>,
    /// Last output line of the execution, where it reported no end.
    pub last_output: Option<String>,
}

/// Carries runs out on one kind of cluster. A run is named by its id alone: where its things lie is known only here.
/// Every call can be repeated, also by another portal process.
#[async_trait]
pub(super) trait ClusterExecutor: fmt::Debug + Send + Sync {
    /// Whether an engine is a container, whose command line its image completes, and not a process of the portal's machine.
    fn runs_containers(&self) -> bool {
        false
    }

    /// Whether each engine can be started, and how to get it.
    async fn engines(&self) -> Result<Vec<EngineAvailability>, ExecutorError>;

    /// The program of the engine that was chosen.
    async fn find_engine(&self, serving: &Serving) -> Result<Program, ExecutorError>;

    /// Brings model and datasets to where engine and load will read them, and checks that they are what was chosen.
    /// `progress` gets sentences. To stop, drop the future.
    async fn transfer(
        &self,
        run: Uuid,
        spec: &BenchmarkSpec,
        progress: watch::Sender<String>,
    ) -> Result<Placement, ExecutorError>;

    /// Hands a run over: engines are started and watched, the load is put on, everything ends by the deadline, all without
    /// the portal. The load is never started twice.
    async fn launch(&self, spec: &ExecutionSpec, secret: Option<&Secret>) -> Result<(), ExecutorError>;

    /// Events since the cursor, and whether the execution is still active.
    async fn pull(&self, run: Uuid, cursor: Option<&Cursor>) -> Result<Batch, ExecutorError>;

    /// Asks for the run's end; `force` when asking has not helped.
    async fn cancel(&self, run: Uuid, force: bool);

    /// After the end: waits until engines and load have ended, ends those that do not, and gathers what was measured. `cursor` is how
    /// far the run was pulled.
    async fn collect(&self, run: Uuid, cursor: Option<&Cursor>) -> Result<Collected, ExecutorError>;

    /// The run's request records in their order, in portions, after the first `skip`. `cursor` is how far the run was pulled.
    fn records(&self, run: Uuid, cursor: Option<&Cursor>, skip: u64) -> BoxStream<'static, Result<RecordPortion, ExecutorError>>;

    /// After records and report are kept: leaves nothing on the cluster that runs or holds anything back. A repeated
    /// `collect` answers what it did before, as far as that is not kept already.
    async fn tidy_up(&self, run: Uuid) -> Result<(), LeftBehind>;

    /// Removes all that is kept of a run which is over.
    async fn remove(&self, run: Uuid) -> Result<(), ExecutorError>;

    /// Removes what runs left whose portal was lost, and answers of how many. Runs that may still be at work are left alone.
    async fn sweep(&self) -> Result<usize, ExecutorError>;
}
