//! HTTP handlers of `/api/v1/users`.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::{Json, Path};
use crate::api::calls;
use crate::auth::Administrator;
use crate::domain::list::Page;
use crate::domain::problem::Problem;
use crate::domain::user::{InvitedUser, Role, User};
use crate::state::AppState;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(remove))
        .routes(routes!(invite_again))
        .routes(routes!(disable))
        .routes(routes!(enable))
}

/// A person to be added.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct NewUser {
    /// The name to sign in with, 1 to 50 characters; the person may choose another with the link.
    name: String,
    /// What the person may do; `member` when absent.
    role: Option<Role>,
}

/// Lists everybody (administrators only).
#[utoipa::path(get, path = "/api/v1/users", tag = "people", responses((status = 200, body = Page<User>)))]
async fn list(State(app): State<AppState>, Administrator(actor): Administrator) -> Result<Json<Page<User>>, Problem> {
    calls::users::list(&app, &actor).await.map(Json)
}

/// Adds a person (administrators only); the answer has a one-time link with which the person sets a password.
#[utoipa::path(
    post, path = "/api/v1/users", tag = "people", request_body = NewUser, responses((status = 201, body = InvitedUser))
)]
async fn create(
    State(app): State<AppState>,
    Administrator(actor): Administrator,
    Json(new): Json<NewUser>,
) -> Result<(StatusCode, Json<InvitedUser>), Problem> {
    let invited = calls::users::create(&app, &actor, &new.name, new.role.unwrap_or(Role::Member)).await?;
    Ok((StatusCode::CREATED, Json(invited)))
}

/// Makes a new one-time link for a person (administrators only); older ones stop working.
#[utoipa::path(
    post, path = "/api/v1/users/{id}/link", tag = "people", params(("id" = Uuid, Path)),
    responses((status = 201, body = InvitedUser))
)]
async fn invite_again(
    State(app): State<AppState>,
    Administrator(actor): Administrator,
    Path(id): Path<Uuid>,
) -> Result<(StatusCode, Json<InvitedUser>), Problem> {
    Ok((StatusCode::CREATED, Json(calls::users::invite_again(&app, &actor, id).await?)))
}

/// Shuts a person's account (administrators only): sessions and tokens end at once, what is theirs stays.
#[utoipa::path(
    post, path = "/api/v1/users/{id}/disable", tag = "people", params(("id" = Uuid, Path)),
    responses((status = 200, body = User), (status = 409, description = "One's own account, or the last administrator's."))
)]
async fn disable(
    State(app): State<AppState>,
    Administrator(actor): Administrator,
    Path(id): Path<Uuid>,
) -> Result<Json<User>, Problem> {
    calls::users::disable(&app, &actor, id).await.map(Json)
}

/// Opens a shut account again (administrators only); password and tokens work as before.
#[utoipa::path(
    post, path = "/api/v1/users/{id}/enable", tag = "people", params(("id" = Uuid, Path)),
    responses((status = 200, body = User))
)]
async fn enable(
    State(app): State<AppState>,
    Administrator(actor): Administrator,
    Path(id): Path<Uuid>,
) -> Result<Json<User>, Problem> {
    calls::users::enable(&app, &actor, id).await.map(Json)
}

/// Removes a person for good (administrators only): sessions, tokens, drafts and the secrets of credentials go; runs stay.
#[utoipa::path(
    delete, path = "/api/v1/users/{id}", tag = "people", params(("id" = Uuid, Path)),
    responses((status = 204), (status = 409, description = "One's own account, or the last administrator's."))
)]
async fn remove(
    State(app): State<AppState>,
    Administrator(actor): Administrator,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    calls::users::remove(&app, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
