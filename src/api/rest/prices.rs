//! HTTP handlers of `/api/v1/prices`.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::{Json, Path};
use crate::api::calls;
use crate::auth::{Administrator, SignedIn};
use crate::domain::list::Page;
use crate::domain::price::DevicePrice;
use crate::domain::problem::Problem;
use crate::state::AppState;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(delete))
}

/// The price of a device.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPrice {
    /// Any of the device's names; the answer has its data sheet's where that is known. A name that several devices have (`H100`) is
    /// refused with theirs.
    device: String,
    /// Of one device for an hour, 0 to 1,000,000.
    per_hour: f64,
    /// At most 8 characters, such as `EUR`; the same for all prices.
    currency: String,
}

/// Lists what an hour of each device costs. A device that is not listed has no price.
#[utoipa::path(get, path = "/api/v1/prices", tag = "inventory", responses((status = 200, body = Page<DevicePrice>)))]
async fn list(State(app): State<AppState>, SignedIn(_): SignedIn) -> Result<Json<Page<DevicePrice>>, Problem> {
    calls::prices::list(&app).await.map(Json)
}

/// Sets the price of a device, in place of an earlier one (administrators only).
#[utoipa::path(
    post, path = "/api/v1/prices", tag = "inventory", request_body = NewPrice, responses((status = 201, body = DevicePrice))
)]
async fn create(
    State(app): State<AppState>,
    Administrator(actor): Administrator,
    Json(new): Json<NewPrice>,
) -> Result<(StatusCode, Json<DevicePrice>), Problem> {
    let price = calls::prices::set(&app, &actor, &new.device, new.per_hour, &new.currency).await?;
    Ok((StatusCode::CREATED, Json(price)))
}

/// Removes a price (administrators only).
#[utoipa::path(
    delete, path = "/api/v1/prices/{id}", tag = "inventory", params(("id" = Uuid, Path)), responses((status = 204))
)]
async fn delete(
    State(app): State<AppState>,
    Administrator(actor): Administrator,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    calls::prices::delete(&app, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
