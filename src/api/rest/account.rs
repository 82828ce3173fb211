//! HTTP handlers of `/api/v1/account`.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Json;
use crate::api::calls;
use crate::auth::{Caller, SignedIn};
use crate::credentials::Secret;
use crate::domain::problem::Problem;
use crate::state::AppState;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(change_password))
}

/// A password to be changed.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct PasswordChange {
    /// The password until now.
    current_password: String,
    /// The password from now on, 10 to 1,000 characters.
    #[schema(min_length = 10, max_length = 1000)]
    new_password: String,
}

/// Changes the caller's password. Every other session of the caller's ends; tokens stay.
#[utoipa::path(
    post, path = "/api/v1/account/password", tag = "people", request_body = PasswordChange,
    responses(
        (status = 204, description = "Changed."),
        (status = 409, description = "No password is set yet; a one-time link sets the first one."),
        (status = 429, description = "Too many wrong passwords; wait five minutes."),
    )
)]
async fn change_password(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Caller { session, peer, .. }: Caller,
    Json(change): Json<PasswordChange>,
) -> Result<StatusCode, Problem> {
    let (current, new) = (Secret::new(change.current_password), Secret::new(change.new_password));
    calls::account::change_password(&app, &actor, &current, &new, session.as_deref(), peer).await?;
    Ok(StatusCode::NO_CONTENT)
}
