//! The wizard's call, and its drafts.

use axum::extract::State;
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::{Json, Path, Query};
use crate::api::calls;
use crate::auth::SignedIn;
use crate::domain::layouts::LayoutAdvice;
use crate::domain::list::{ListQuery, Page};
use crate::domain::problem::Problem;
use crate::domain::workflow::{WorkflowAnswer, WorkflowRow};
use crate::state::AppState;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(run_workflow))
        .routes(routes!(list))
        .routes(routes!(get, discard))
        .routes(routes!(layouts))
}

/// Send a step
///
/// Begins a workflow (`workflow_total_steps` and step 1) or goes on with one (`workflow_id`). Each body carries the fields
/// of its own step; `name`, `tags`, `description` and `concurrent_requests` may be carried by all. A field that is left out
/// stays as it is, `null` empties an optional one. A body applies wholly or not at all.
#[utoipa::path(
    post,
    path = "/api/v1/benchmarks/run-workflow",
    tag = "workflows",
    request_body = super::body::WorkflowBody,
    responses((status = 200, description = "The draft after the step; after the last, its run too.", body = WorkflowAnswer)),
)]
async fn run_workflow(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Json(body): Json<serde_json::Value>,
) -> Result<Json<WorkflowAnswer>, Problem> {
    calls::workflows::apply_step(&app, &actor, None, body).await.map(Json)
}

/// List drafts
///
/// The caller's own, last changed first: those whose run is not started. Takes `search` (in the name), `sort` (`name`,
/// `created_at`, `updated_at`), `page` and `page_size`.
#[utoipa::path(
    get,
    path = "/api/v1/workflows",
    tag = "workflows",
    params(ListQuery),
    responses((status = 200, description = "A page of drafts.", body = Page<WorkflowRow>)),
)]
async fn list(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<WorkflowRow>>, Problem> {
    calls::workflows::list(&app, &actor, &query).await.map(Json)
}

/// Get a workflow
#[utoipa::path(
    get,
    path = "/api/v1/workflows/{id}",
    tag = "workflows",
    params(("id" = Uuid, Path, description = "The workflow.")),
    responses((status = 200, description = "The workflow as it stands.", body = WorkflowAnswer)),
)]
async fn get(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<Uuid>,
) -> Result<Json<WorkflowAnswer>, Problem> {
    calls::workflows::get(&app, &actor, id).await.map(Json)
}

/// Compare layouts
///
/// Every tensor-parallel degree and number of copies on the chosen nodes, simulated at the largest load of the benchmark: best first,
/// within the latency limits before the others, and those that can't be with the reason in numbers. Needs nodes and a model that Dyno
/// deploys.
#[utoipa::path(
    get,
    path = "/api/v1/workflows/{id}/layouts",
    tag = "workflows",
    params(("id" = Uuid, Path, description = "The workflow.")),
    responses((status = 200, description = "The layouts, best first.", body = LayoutAdvice)),
)]
async fn layouts(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<Uuid>,
) -> Result<Json<LayoutAdvice>, Problem> {
    calls::layouts::of_workflow(&app, &actor, id).await.map(Json)
}

/// Discard a draft
///
/// A workflow whose run is started goes with that run.
#[utoipa::path(
    delete,
    path = "/api/v1/workflows/{id}",
    tag = "workflows",
    params(("id" = Uuid, Path, description = "The workflow.")),
    responses((status = 204, description = "Gone.")),
)]
async fn discard(State(app): State<AppState>, SignedIn(actor): SignedIn, Path(id): Path<Uuid>) -> Result<StatusCode, Problem> {
    calls::workflows::delete(&app, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
