//! HTTP handlers of `/api/v1/clusters`.

use axum::extract::State;
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::{Json, Path, Query};
use crate::api::calls::calibrate::{self, Calibration};
use crate::api::calls::clusters::{self, AddedCluster, NewCluster};
use crate::auth::{Administrator, SignedIn};
use crate::domain::inventory::{Cluster, ClusterRow, NodeMetrics};
use crate::domain::kubernetes::ClusterTest;
use crate::domain::list::{ListQuery, Page};
use crate::domain::problem::Problem;
use crate::domain::run::Run;
use crate::state::AppState;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, update, delete))
        .routes(routes!(test))
        .routes(routes!(node_metrics))
        .routes(routes!(calibrate))
}

/// Lists the clusters, each looked at live.
#[utoipa::path(
    get, path = "/api/v1/clusters", tag = "inventory", params(ListQuery), responses((status = 200, body = Page<ClusterRow>))
)]
async fn list(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<ClusterRow>>, Problem> {
    clusters::list(&app, &actor, &query).await.map(Json)
}

/// Adds a Kubernetes cluster. For administrators; the cluster must answer. What Dyno may not do there yet is told in `test`.
#[utoipa::path(
    post, path = "/api/v1/clusters", tag = "inventory", request_body = NewCluster, responses((status = 201, body = AddedCluster))
)]
async fn create(
    State(app): State<AppState>,
    Administrator(actor): Administrator,
    Json(new): Json<NewCluster>,
) -> Result<(StatusCode, Json<AddedCluster>), Problem> {
    Ok((StatusCode::CREATED, Json(clusters::add(&app, &actor, new).await?)))
}

/// One cluster, looked at live.
#[utoipa::path(
    get, path = "/api/v1/clusters/{id}", tag = "inventory", params(("id" = Uuid, Path)), responses((status = 200, body = ClusterRow))
)]
async fn get(State(app): State<AppState>, SignedIn(actor): SignedIn, Path(id): Path<Uuid>) -> Result<Json<ClusterRow>, Problem> {
    clusters::look(&app, &actor, id).await.map(Json)
}

/// Changes what is given of a Kubernetes cluster. For administrators.
#[utoipa::path(
    patch, path = "/api/v1/clusters/{id}", tag = "inventory", params(("id" = Uuid, Path)), request_body = NewCluster,
    responses((status = 200, body = Cluster))
)]
async fn update(
    State(app): State<AppState>,
    Administrator(actor): Administrator,
    Path(id): Path<Uuid>,
    Json(change): Json<NewCluster>,
) -> Result<Json<Cluster>, Problem> {
    clusters::update(&app, &actor, id, change).await.map(Json)
}

/// Whether the cluster answers, and what Dyno needs there and may not do. For administrators.
#[utoipa::path(
    post, path = "/api/v1/clusters/{id}/test", tag = "inventory", params(("id" = Uuid, Path)),
    responses((status = 200, body = ClusterTest))
)]
async fn test(
    State(app): State<AppState>,
    Administrator(actor): Administrator,
    Path(id): Path<Uuid>,
) -> Result<Json<ClusterTest>, Problem> {
    clusters::test(&app, &actor, id).await.map(Json)
}

/// Removes a cluster; one that benchmarks were made with is archived.
#[utoipa::path(
    delete, path = "/api/v1/clusters/{id}", tag = "inventory", params(("id" = Uuid, Path)), responses((status = 204))
)]
async fn delete(State(app): State<AppState>, SignedIn(actor): SignedIn, Path(id): Path<Uuid>) -> Result<StatusCode, Problem> {
    clusters::delete(&app, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The cluster's nodes with their devices, live. They can be sent back as step 4 of a workflow.
#[utoipa::path(
    get, path = "/api/v1/clusters/{id}/node-metrics", tag = "inventory", params(("id" = Uuid, Path)),
    responses((status = 200, body = NodeMetrics), (status = 503, description = "The cluster does not answer."))
)]
async fn node_metrics(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<Uuid>,
) -> Result<Json<NodeMetrics>, Problem> {
    clusters::node_metrics(&app, &actor, id).await.map(Json)
}

/// Calibrates the simulator for a node: one measured run of four short loads with a model, started like any. What it measures is
/// learnt from once it has ended.
#[utoipa::path(
    post, path = "/api/v1/clusters/{id}/calibrate", tag = "inventory", params(("id" = Uuid, Path)), request_body = Calibration,
    responses((status = 201, description = "The run, queued.", body = Run))
)]
async fn calibrate(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<Uuid>,
    Json(wanted): Json<Calibration>,
) -> Result<(StatusCode, Json<Run>), Problem> {
    Ok((StatusCode::CREATED, Json(calibrate::calibrate(&app, &actor, id, &wanted).await?)))
}
