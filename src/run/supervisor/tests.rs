//! What becomes of a run whose way breaks off by a fault of Dyno's own.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use serde_json::json;

use super::*;
use crate::api::calls;
use crate::credentials::Secret;
use crate::domain::run::{Run, StageId};
use crate::domain::user::{Actor, Role};
use crate::run::keeper::spec::KeeperSpec;
use crate::run::launch::{LaunchError, Life};
use crate::state::{Config, ServeArgs};
use crate::store::Keeper;

/// Breaks when a run is handed over; says in the end what it was told to be.
#[derive(Debug)]
struct Faulty {
    left: Result<(), String>,
    forced: AtomicBool,
}

#[async_trait]
impl Launcher for Faulty {
    async fn launch(&self, _: &Path, _: &KeeperSpec, _: Option<&Secret>) -> Result<Option<Keeper>, LaunchError> {
        panic!("a fault of our own");
    }

    async fn pull(&self, _: &Path) -> Life {
        Life::Unborn
    }

    async fn cancel(&self, _: &Path, force: bool) {
        self.forced.fetch_or(force, Ordering::SeqCst);
    }

    async fn collect(&self, _: &Path) -> Result<(), String> {
        self.left.clone()
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
    let mut answer = calls::workflows::run_workflow(app, &actor, first).await.unwrap();
    for mut step in [
        json!({ "step_number": 2, "max_input_tokens": 8, "max_output_tokens": 8 }),
        json!({ "step_number": 3, "cluster_id": cluster }),
        json!({ "step_number": 4, "nodes": [{ "hostname": nodes[0].hostname }] }),
        json!({ "step_number": 5, "model_id": model.id }),
        json!({ "step_number": 7, "user_confirmation": true }),
        json!({ "step_number": 8, "run_as_simulation": false, "trigger_workflow": true }),
    ] {
        step["workflow_id"] = json!(answer.workflow_id);
        answer = calls::workflows::run_workflow(app, &actor, step).await.unwrap();
    }
    (actor, answer.run_id.unwrap())
}

async fn ended(app: &App, launcher: Faulty) -> (Run, bool) {
    let (actor, id) = queued(app).await;
    let launcher = Arc::new(launcher);
    let seam: Arc<dyn Launcher> = launcher.clone();
    Supervisor::new(app.run_notifier.clone()).look(app, &seam).await.unwrap();
    loop {
        let run = app.store.run(&actor, id).await.unwrap();
        if run.status.is_end() {
            return (run, launcher.forced.load(Ordering::SeqCst));
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
    let (run, forced) = ended(&app, Faulty { left: Ok(()), forced: AtomicBool::new(false) }).await;
    assert_eq!(run.status, RunStatus::Failed);
    assert_eq!(run.reason.as_deref(), Some("Something went wrong on the server. Its log says what."));
    assert!(forced, "whatever was started is ended by force");
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
    let (run, _) = ended(&app, Faulty { left: Err(left.clone()), forced: AtomicBool::new(false) }).await;
    assert_eq!(run.status, RunStatus::Failed);
    assert_eq!(stage(&run, StageId::CleanUp), (StageStatus::Failed, left.as_str()));
}
