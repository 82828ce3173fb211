//! HTTP handlers of `/api/v1/tokens`.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::{Json, Path};
use crate::api::calls;
use crate::auth::SignedIn;
use crate::domain::list::Page;
use crate::domain::problem::Problem;
use crate::domain::user::{ApiToken, CreatedToken};
use crate::state::AppState;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(delete))
}

/// A token to be made.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct NewToken {
    /// What it is for, 1 to 50 characters.
    name: String,
}

/// Lists the caller's tokens, without their secrets.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "people", responses((status = 200, body = Page<ApiToken>)))]
async fn list(State(app): State<AppState>, SignedIn(actor): SignedIn) -> Result<Json<Page<ApiToken>>, Problem> {
    calls::tokens::list(&app, &actor).await.map(Json)
}

/// Makes a token of the caller's; `token` is its secret, shown this once.
#[utoipa::path(
    post, path = "/api/v1/tokens", tag = "people", request_body = NewToken, responses((status = 201, body = CreatedToken))
)]
async fn create(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Json(new): Json<NewToken>,
) -> Result<(StatusCode, Json<CreatedToken>), Problem> {
    Ok((StatusCode::CREATED, Json(calls::tokens::create(&app, &actor, &new.name).await?)))
}

/// Removes one of the caller's tokens.
#[utoipa::path(
    delete, path = "/api/v1/tokens/{id}", tag = "people", params(("id" = Uuid, Path)), responses((status = 204))
)]
async fn delete(State(app): State<AppState>, SignedIn(actor): SignedIn, Path(id): Path<Uuid>) -> Result<StatusCode, Problem> {
    calls::tokens::delete(&app, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
