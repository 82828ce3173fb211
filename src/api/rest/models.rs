//! HTTP handlers of `/api/v1/models`.

use axum::extract::State;
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::{Json, Path, Query};
use crate::api::calls::models::{self, NewModel};
use crate::auth::SignedIn;
use crate::domain::inventory::Model;
use crate::domain::list::{ListQuery, Page};
use crate::domain::problem::Problem;
use crate::state::AppState;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(get, delete))
}

/// Lists the models that the caller may use.
#[utoipa::path(get, path = "/api/v1/models", tag = "inventory", params(ListQuery), responses((status = 200, body = Page<Model>)))]
async fn list(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Model>>, Problem> {
    models::list(&app, &actor, &query).await.map(Json)
}

/// Adds a model: a file or folder below the model folders, a hub repository, or a cloud model.
#[utoipa::path(
    post, path = "/api/v1/models", tag = "inventory", request_body = NewModel, responses((status = 201, body = Model))
)]
async fn create(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Json(new): Json<NewModel>,
) -> Result<(StatusCode, Json<Model>), Problem> {
    Ok((StatusCode::CREATED, Json(models::create(&app, &actor, new).await?)))
}

/// Get a model
#[utoipa::path(
    get, path = "/api/v1/models/{id}", tag = "inventory", params(("id" = Uuid, Path)), responses((status = 200, body = Model))
)]
async fn get(State(app): State<AppState>, SignedIn(actor): SignedIn, Path(id): Path<Uuid>) -> Result<Json<Model>, Problem> {
    models::get(&app, &actor, id).await.map(Json)
}

/// Removes a model; one that benchmarks were made of is archived. Its files stay.
#[utoipa::path(
    delete, path = "/api/v1/models/{id}", tag = "inventory", params(("id" = Uuid, Path)), responses((status = 204))
)]
async fn delete(State(app): State<AppState>, SignedIn(actor): SignedIn, Path(id): Path<Uuid>) -> Result<StatusCode, Problem> {
    models::delete(&app, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
