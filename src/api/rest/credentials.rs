//! HTTP handlers of `/api/v1/credentials`.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::{Json, Path, Query};
use crate::api::calls::credentials;
use crate::auth::SignedIn;
use crate::credentials::Secret;
use crate::domain::inventory::Credential;
use crate::domain::list::{ListQuery, Page};
use crate::domain::problem::Problem;
use crate::domain::provider::{ConnectionTest, ProviderId};
use crate::state::AppState;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(get, delete)).routes(routes!(test))
}

/// A credential to be kept.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct NewCredential {
    /// The name in lists, 1 to 100 characters.
    name: String,
    /// A preset's id.
    provider: ProviderId,
    /// The secret; it never comes back.
    #[schema(value_type = String, format = Password)]
    secret: Secret,
    /// Where the provider has no fixed host: the secret goes to this origin and no other.
    base_url: Option<String>,
}

/// Lists the caller's credentials, without their secrets.
#[utoipa::path(
    get, path = "/api/v1/credentials", tag = "inventory", params(ListQuery), responses((status = 200, body = Page<Credential>))
)]
async fn list(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Credential>>, Problem> {
    credentials::list(&app, &actor, &query).await.map(Json)
}

/// Keeps a credential, encrypted.
#[utoipa::path(
    post, path = "/api/v1/credentials", tag = "inventory", request_body = NewCredential,
    responses((status = 201, body = Credential))
)]
async fn create(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Json(new): Json<NewCredential>,
) -> Result<(StatusCode, Json<Credential>), Problem> {
    let created = credentials::create(&app, &actor, &new.name, new.provider, new.secret, new.base_url).await?;
    Ok((StatusCode::CREATED, Json(created)))
}

/// One credential, without its secret.
#[utoipa::path(
    get, path = "/api/v1/credentials/{id}", tag = "inventory", params(("id" = Uuid, Path)),
    responses((status = 200, body = Credential))
)]
async fn get(State(app): State<AppState>, SignedIn(actor): SignedIn, Path(id): Path<Uuid>) -> Result<Json<Credential>, Problem> {
    credentials::get(&app, &actor, id).await.map(Json)
}

/// Removes a credential and its secret; one that benchmarks were made with stays without its secret.
#[utoipa::path(
    delete, path = "/api/v1/credentials/{id}", tag = "inventory", params(("id" = Uuid, Path)), responses((status = 204))
)]
async fn delete(State(app): State<AppState>, SignedIn(actor): SignedIn, Path(id): Path<Uuid>) -> Result<StatusCode, Problem> {
    credentials::delete(&app, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Tests the connection. The answer is a class and a sentence, nothing of the other side's.
#[utoipa::path(
    post, path = "/api/v1/credentials/{id}/test", tag = "inventory", params(("id" = Uuid, Path)),
    responses((status = 200, body = ConnectionTest))
)]
async fn test(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<Uuid>,
) -> Result<Json<ConnectionTest>, Problem> {
    credentials::test(&app, &actor, id).await.map(Json)
}
