//! HTTP handlers of `/api/v1/try-it`.

use axum::extract::State;
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Json;
use crate::api::calls::try_it;
use crate::auth::SignedIn;
use crate::domain::problem::Problem;
use crate::domain::try_it::TryIt;
use crate::state::AppState;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(status, start))
}

/// Where "try it" stands (administrators only).
#[utoipa::path(get, path = "/api/v1/try-it", tag = "inventory", responses((status = 200, body = TryIt)))]
async fn status(State(app): State<AppState>, SignedIn(actor): SignedIn) -> Result<Json<TryIt>, Problem> {
    try_it::status(&app, &actor).await.map(Json)
}

/// Installs llama.cpp and a small model, and fills a draft in, in the background (administrators only).
#[utoipa::path(post, path = "/api/v1/try-it", tag = "inventory", responses((status = 202, body = TryIt)))]
async fn start(State(app): State<AppState>, SignedIn(actor): SignedIn) -> Result<(StatusCode, Json<TryIt>), Problem> {
    Ok((StatusCode::ACCEPTED, Json(try_it::start(&app, &actor).await?)))
}
