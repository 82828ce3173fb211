//! What the supervisor does with runs that break off, whose store fails, or that another portal has.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _};
use serde_json::json;

use super::*;
use crate::api::calls;
use crate::credentials::Secret;
use crate::domain::benchmark::{BenchmarkSpec, Serving};
use crate::domain::engine::EngineAvailability;
use crate::domain::run::{Run, StageId};
use crate::domain::user::{Actor, Role};
use crate::engine::Program;
use crate::run::execution::{Event, ExecutionOutcome, ExecutionSpec};
use crate::run::executor::{Batch, ClusterExecutor, Collected, ExecutionState, LeftBehind, Placement, RecordPortion};
use crate::run::executors::Executors;
use crate::state::{Config, ServeArgs};
use dyno_measure::plan::Plan;
use dyno_measure::report::RequestRecord;

/// Says in the end what it was told to; breaks when a run is handed over, or loses it.
#[derive(Debug)]
struct FakeExecutor {
    breaks: bool,
    cleaned: Result<(), LeftBehind>,
    forced: AtomicBool,
    collected: AtomicUsize,
    /// What is told, a portion each time.
    told: Mutex<VecDeque<Batch>>,
    plan: Option<Plan>,
}

impl FakeExecutor {
    fn telling(breaks: bool, cleaned: Result<(), LeftBehind>, told: VecDeque<Batch>, plan: Option<Plan>) -> Self {
        let (forced, collected) = (AtomicBool::default(), AtomicUsize::default());
        Self { breaks, cleaned, forced, collected, told: Mutex::new(told), plan }
    }

    fn new(breaks: bool, cleaned: Result<(), LeftBehind>) -> Arc<Self> {
        Arc::new(Self::telling(breaks, cleaned, VecDeque::new(), None))
    }
}

#[async_trait]
impl ClusterExecutor for FakeExecutor {
    async fn engines(&self) -> Result<Vec<EngineAvailability>, ExecutorError> {
        Ok(Vec::new())
    }

    async fn find_engine(&self, _: &Serving) -> Result<Program, ExecutorError> {
        Err(ExecutorError::NoEngine)
    }

    async fn transfer(&self, _: Uuid, _: &BenchmarkSpec, _: watch::Sender<String>) -> Result<Placement, ExecutorError> {
        Ok(Placement::default())
    }

    async fn launch(&self, _: &ExecutionSpec, _: Option<&Secret>) -> Result<(), ExecutorError> {
        assert!(!self.breaks, "a fault of our own");
        Ok(())
    }

    async fn pull(&self, _: Uuid, _: Option<&Cursor>) -> Result<Batch, ExecutorError> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        Ok(told.unwrap_or(Batch { state: ExecutionState::Gone, ..Batch::default() }))
    }

    async fn cancel(&self, _: Uuid, force: bool) {
        self.forced.fetch_or(force, Ordering::SeqCst);
    }

    async fn collect(&self, _: Uuid, _: Option<&Cursor>) -> Result<Collected, ExecutorError> {
        self.collected.fetch_add(1, Ordering::SeqCst);
        Ok(Collected { plan: self.plan.clone(), ..Collected::default() })
    }

    fn records(&self, _: Uuid, _: Option<&Cursor>, _: u64) -> BoxStream<'static, Result<RecordPortion, ExecutorError>> {
        stream::empty().boxed()
    }

    async fn tidy_up(&self, _: Uuid) -> Result<(), LeftBehind> {
        self.cleaned.clone()
    }

    async fn remove(&self, _: Uuid) -> Result<(), ExecutorError> {
        Ok(())
    }

    async fn sweep(&self) -> Result<usize, ExecutorError> {
        Ok(0)
    }
}

async fn app(folder: &Path) -> App {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let args =
        ServeArgs { addr: Some(SocketAddr::from(([127, 0, 0, 1], 0))), data_dir: folder.to_owned(), ..ServeArgs::default() };
    let (config, options) = Config::from_args(args).unwrap();
    App::open(config, options).await.unwrap()
}

/// A run of a cloud model, queued.
async fn queued(app: &App) -> (Actor, Uuid) {
    let user = app.store.first_administrator(Timestamp::now()).await.unwrap();
    let actor = Actor { id: user.id, name: user.name, role: Role::Administrator };
    let model = serde_json::from_value(json!({
        "name": "m", "source": "cloud", "provider": "openai_compatible", "base_url": "http://127.0.0.1:9/v1", "model": "m"
    }))
    .unwrap();
    let model = calls::models::create(app, &actor, model).await.unwrap();
    let cluster = app.store.clusters(&actor).await.unwrap()[0].id;
    let nodes = calls::clusters::node_metrics(app, &actor, cluster).await.unwrap().nodes;
    let first = json!({
        "workflow_total_steps": 8, "step_number": 1, "name": "n", "tags": [], "description": "", "concurrent_requests": 1,
        "eval_with": "configuration",
    });
    let mut answer = calls::workflows::apply_step(app, &actor, None, first).await.unwrap();
    for mut step in [
        json!({ "step_number": 2, "max_input_tokens": 8, "max_output_tokens": 8 }),
        json!({ "step_number": 3, "cluster_id": cluster }),
        json!({ "step_number": 4, "nodes": [{ "hostname": nodes[0].hostname }] }),
        json!({ "step_number": 5, "model_id": model.id }),
        json!({ "step_number": 7, "user_confirmation": true }),
        json!({ "step_number": 8, "run_as_simulation": false, "trigger_workflow": true }),
    ] {
        step["workflow_id"] = json!(answer.workflow_id);
        answer = calls::workflows::apply_step(app, &actor, None, step).await.unwrap();
    }
    (actor, answer.run_id.unwrap())
}

fn supervisor(app: &App, executor: &Arc<FakeExecutor>) -> Supervisor {
    let local: Arc<dyn ClusterExecutor> = executor.clone();
    Supervisor::with(app, Executors { local, app: app.clone() })
}

async fn ended(app: &App, executor: &Arc<FakeExecutor>) -> Run {
    let (actor, id) = queued(app).await;
    supervisor(app, executor).reconcile(app).await.unwrap();
    end_of(app, &actor, id).await
}

async fn end_of(app: &App, actor: &Actor, id: Uuid) -> Run {
    loop {
        let run = app.store.run(actor, id).await.unwrap();
        if run.status.is_end() {
            return run;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn stage(run: &Run, id: StageId) -> (StageStatus, &str) {
    let stage = run.stages.iter().find(|stage| stage.id == id).unwrap();
    (stage.status, stage.message.as_deref().unwrap_or_default())
}

#[tokio::test]
async fn a_run_that_breaks_off_ends_and_is_cleaned_up() {
    let folder = tempfile::tempdir().unwrap();
    let app = app(folder.path()).await;
    let executor = FakeExecutor::new(true, Ok(()));
    let run = ended(&app, &executor).await;
    assert_eq!(run.status, RunStatus::Failed);
    assert_eq!(run.reason.as_deref(), Some("Something went wrong on the server. Its log says what."));
    assert!(executor.forced.load(Ordering::SeqCst), "whatever was started is ended by force");
    // What had gone well stays so; the stage at work is the one that failed.
    assert_eq!(stage(&run, StageId::VerifyClusterConnection).0, StageStatus::Succeeded, "{run:#?}");
    assert_eq!(stage(&run, StageId::VerifyDeploymentStatus).0, StageStatus::Failed);
    assert_eq!(stage(&run, StageId::RunPerformanceBenchmark).0, StageStatus::Skipped);
    assert_eq!(stage(&run, StageId::CleanUp), (StageStatus::Succeeded, "What the run had started was ended."));
    // The node is free for the next.
    assert!(app.store.open_runs().await.unwrap().is_empty());
}

#[tokio::test]
async fn what_a_broken_run_leaves_behind_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let app = app(folder.path()).await;
    let left = "Process 7 could not be ended.".to_owned();
    let run = ended(&app, &FakeExecutor::new(true, Err(LeftBehind(left.clone())))).await;
    assert_eq!(run.status, RunStatus::Failed);
    assert_eq!(stage(&run, StageId::CleanUp), (StageStatus::Failed, left.as_str()));
}

#[tokio::test]
async fn a_store_that_fails_is_not_asked_without_a_pause() {
    let folder = tempfile::tempdir().unwrap();
    let app = app(folder.path()).await;
    let (actor, id) = queued(&app).await;
    let executor = FakeExecutor::new(false, Ok(()));
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(folder.path().join("dyno.db"));
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    sqlx::query("ALTER TABLE request_records RENAME TO away").execute(&pool).await.unwrap();
    supervisor(&app, &executor).start(&app);
    while executor.collected.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(executor.collected.load(Ordering::SeqCst), 1, "the run's end is begun again and again");
    // It goes on where it was once the store answers.
    sqlx::query("ALTER TABLE away RENAME TO request_records").execute(&pool).await.unwrap();
    let run = end_of(&app, &actor, id).await;
    assert_eq!(run.status, RunStatus::Failed);
    assert_eq!(executor.collected.load(Ordering::SeqCst), 1);
    app.shutdown.cancel();
}

#[tokio::test]
async fn a_run_that_another_portal_has_is_left_to_it_until_its_claim_expires() {
    let folder = tempfile::tempdir().unwrap();
    let app = app(folder.path()).await;
    let (actor, id) = queued(&app).await;
    let supervisor = supervisor(&app, &FakeExecutor::new(false, Ok(())));
    let (other, now) = (Uuid::new_v4(), Timestamp::now());
    assert!(app.store.claim_run(id, other, now, now + claims::CLAIM_TIME).await.unwrap());
    supervisor.reconcile(&app).await.unwrap();
    assert_eq!(app.store.run(&actor, id).await.unwrap().status, RunStatus::Queued);
    assert!(supervisor.state().active.is_empty());
    // The other does not renew it.
    assert!(app.store.claim_run(id, other, now, now).await.unwrap());
    supervisor.reconcile(&app).await.unwrap();
    assert_eq!(end_of(&app, &actor, id).await.status, RunStatus::Failed, "lost by its executor");
}

/// A request of 300 ms that ended well.
fn record(number: i64, output_tokens: u32) -> RequestRecord {
    let sent = 1_800_000_000_000_000_000 + number * 1_000_000_000;
    serde_json::from_value(json!({
        "id": format!("dyno-0m{number}"), "node": "n", "load_point": 0, "phase": "measured", "events": 3,
        "sent_unix_ns": sent, "first_content_unix_ns": sent + 100_000_000, "last_content_unix_ns": sent + 300_000_000,
        "ended_unix_ns": sent + 300_000_000, "output_tokens": output_tokens, "token_source": "usage",
    }))
    .unwrap()
}

#[tokio::test]
async fn a_load_that_is_lost_leaves_a_report_of_the_records_that_were_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let app = app(folder.path()).await;
    let portion = |cursor: &str, is_anew, records| Batch {
        state: ExecutionState::Active,
        records: RecordPortion { records, is_anew },
        cursor: Some(Cursor(cursor.to_owned())),
        ..Batch::default()
    };
    let reason = "The load's pod was lost. It was deleted.".to_owned();
    let end = Event::End { outcome: ExecutionOutcome::Failed, reason: Some(reason.clone()) };
    let end = Batch { events: vec![(Timestamp::now(), end)], ..portion("4", false, Vec::new()) };
    let told = [
        portion("1", false, vec![record(0, 1)]),
        portion("2", false, vec![record(1, 1)]),
        // Counted anew by the load, from the first on.
        portion("3", true, vec![record(0, 5), record(1, 5), record(2, 5)]),
        end,
    ];
    let plan = serde_json::from_value(json!({
        "endpoints": [{ "node": "n", "base_url": "http://127.0.0.1:9/v1" }], "model": "m",
        "workload": { "kind": "synthetic", "input_tokens": 8, "output_tokens": 4 },
        "load_points": [{ "load": { "kind": "closed", "concurrency": 1 }, "num_requests": 9 }],
    }))
    .unwrap();
    let executor = Arc::new(FakeExecutor::telling(false, Ok(()), told.into(), Some(plan)));
    let (actor, id) = queued(&app).await;
    supervisor(&app, &executor).reconcile(&app).await.unwrap();
    let run = end_of(&app, &actor, id).await;
    assert_eq!((run.status, run.reason.as_deref()), (RunStatus::Partial, Some(reason.as_str())));
    assert_eq!(app.store.record_count_of_portal(id).await.unwrap(), 3);
    let report = app.store.report(&actor, id).await.unwrap();
    assert_eq!((report.run_id, report.status), (id, RunStatus::Partial));
    let summary = &report.load_points[0].summary;
    assert_eq!((summary.successful_requests, summary.total_output_tokens), (3, Some(15)));
    assert!(summary.ttft_ms.is_some() && summary.itl_ms.is_none() && summary.steady_state.is_none());
    assert!(report.series[0].tokens_per_s.is_empty(), "when tokens came is not known");
    assert!(report.invalid_reasons.is_empty(), "records without gaps do not contradict themselves: {:?}", report.invalid_reasons);
    assert!(report.notes.iter().any(|note| note.text.contains("records of 3 requests")), "{:?}", report.notes);
}
