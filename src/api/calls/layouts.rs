//! Which layout of a model on the chosen nodes is best, by simulation.

use std::time::Duration;

use uuid::Uuid;

use crate::domain::engine::EngineKind;
use crate::domain::inventory::Model;
use crate::domain::layouts::LayoutAdvice;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::user::Actor;
use crate::domain::workflow::WorkflowSteps;
use crate::domain::workflow::steps::default_engine;
use crate::models::Roots;
use crate::simulation::{AdviceFailure, LayoutQuestion, advise};
use crate::state::AppState;

/// Nobody waits longer for a comparison, which takes milliseconds at most loads.
const PATIENCE: Duration = Duration::from_secs(30);

/// The layouts for a draft as it is saved.
pub async fn of_workflow(app: &AppState, actor: &Actor, id: Uuid) -> Result<LayoutAdvice, Problem> {
    let steps = super::workflows::get(app, actor, id).await?.workflow_steps;
    let Some(model) = steps.model_id else {
        return Err(Problem::conflict("Choose a model first: layouts are of a model."));
    };
    let model = super::models::get(app, actor, model).await?;
    of_model(app, actor, &steps, &model, steps.serving.engine).await
}

/// The layouts of a model, for the nodes and the load of a draft.
///
/// # Errors
/// What is missing in the draft, or what can't be simulated.
pub async fn of_model(
    app: &AppState,
    actor: &Actor,
    steps: &WorkflowSteps,
    model: &Model,
    engine: Option<EngineKind>,
) -> Result<LayoutAdvice, Problem> {
    if model.is_cloud() {
        return Err(Problem::field("model_id", "A cloud model has no layout here: its provider decides how it is served."));
    }
    let (Some(cluster), false) = (steps.cluster_id, steps.nodes.is_empty()) else {
        return Err(Problem::conflict("Choose nodes first: layouts are of their devices."));
    };
    let Some(engine) = engine.or_else(|| default_engine(model)) else {
        return Err(Problem::field("model_id", "No engine is known for this model's format."));
    };
    let found = app.store.cluster(actor, cluster).await?;
    let question = LayoutQuestion {
        model: model.clone(),
        engine,
        load: steps.load.clone(),
        choices: steps.nodes.clone(),
        nodes: super::clusters::node_metrics(app, actor, cluster).await?.nodes,
        roots: Roots::new(&app.config.model_roots, &app.config.data_dir, app.store.has_single_user().await?),
        data_dir: app.config.data_dir.clone(),
        version: crate::run::learning::version(app, &found, Some(engine)).await,
        profiles: crate::run::learning::profiles(app).await?,
        prices: app.store.device_prices().await?,
    };
    // Milliseconds, but of many requests in flight more than a server's thread should give.
    let work = async { app.simulation_slots.for_question().await.spawn(move |stop| advise(&question, stop)).answer().await };
    let Ok(done) = tokio::time::timeout(PATIENCE, work).await else {
        let words = format!(
            "The layouts were not compared within {} s: at this load it takes long, or others are compared. Try a smaller load, or again.",
            PATIENCE.as_secs()
        );
        return Err(Problem::field("concurrent_requests", words));
    };
    let done = done.map_err(|error| {
        tracing::error!(%error, "a comparison of layouts broke off");
        Problem::new(ProblemKind::Internal, "Something went wrong on the server. Its log says what.")
    })?;
    done.map_err(|failure| {
        let field = match failure {
            AdviceFailure::Layout(_) => "nodes",
            AdviceFailure::Model(_) => "model_id",
            AdviceFailure::Dataset => "eval_with",
            AdviceFailure::Plan(_) | AdviceFailure::Stopped => "concurrent_requests",
        };
        Problem::field(field, failure.to_string())
    })
}
