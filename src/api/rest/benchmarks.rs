//! `/api/v1/benchmarks`: frozen specifications.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::extract::from_json;
use super::{BASE, Json, Path, Query};
use crate::api::calls;
use crate::auth::SignedIn;
use crate::domain::benchmark::Benchmark;
use crate::domain::list::{ListQuery, Page};
use crate::domain::problem::Problem;
use crate::domain::run::Run;
use crate::domain::workflow::WorkflowAnswer;
use crate::state::AppState;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get)).routes(routes!(run_again)).routes(routes!(copy))
}

/// What another run is asked for with.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct RunAgain {
    /// Whether to simulate rather than to measure.
    #[serde(default)]
    run_as_simulation: bool,
}

/// List benchmarks
///
/// Newest first. Takes `search`, `model`, `cluster`, `tag`, `creator`, `from`, `to`, `sort` (`created_at`, `name`, `model`,
/// `cluster`), `page` and `page_size`.
#[utoipa::path(
    get,
    path = "/api/v1/benchmarks",
    tag = "benchmarks",
    params(ListQuery),
    responses((status = 200, description = "A page of benchmarks.", body = Page<Benchmark>)),
)]
async fn list(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Benchmark>>, Problem> {
    calls::benchmarks::list(&app, &actor, &query).await.map(Json)
}

/// Get a benchmark
#[utoipa::path(
    get,
    path = "/api/v1/benchmarks/{id}",
    tag = "benchmarks",
    params(("id" = Uuid, Path, description = "The benchmark.")),
    responses((status = 200, description = "The benchmark as it was frozen.", body = Benchmark)),
)]
async fn get(State(app): State<AppState>, SignedIn(actor): SignedIn, Path(id): Path<Uuid>) -> Result<Json<Benchmark>, Problem> {
    calls::benchmarks::get(&app, &actor, id).await.map(Json)
}

/// Run a benchmark again
#[utoipa::path(
    post,
    path = "/api/v1/benchmarks/{id}/runs",
    tag = "benchmarks",
    params(("id" = Uuid, Path, description = "The benchmark.")),
    request_body = RunAgain,
    responses((status = 201, description = "The new run.", body = Run)),
)]
async fn run_again(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<Uuid>,
    body: Bytes,
) -> Result<impl IntoResponse, Problem> {
    // Nothing has to be said.
    let asked = if body.is_empty() { RunAgain::default() } else { from_json(&body)? };
    let run = calls::benchmarks::run_again(&app, &actor, id, asked.run_as_simulation).await?;
    let location = format!("{BASE}/runs/{}", run.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(run)))
}

/// Copy to a new draft
///
/// The draft has everything that the benchmark was made of, and only has to be confirmed.
#[utoipa::path(
    post,
    path = "/api/v1/benchmarks/{id}/clone",
    tag = "benchmarks",
    params(("id" = Uuid, Path, description = "The benchmark.")),
    responses((status = 201, description = "The new draft.", body = WorkflowAnswer)),
)]
async fn copy(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<Uuid>,
) -> Result<impl IntoResponse, Problem> {
    let draft = calls::benchmarks::clone_to_draft(&app, &actor, id).await?;
    let location = format!("{BASE}/workflows/{}", draft.workflow_id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(draft)))
}
