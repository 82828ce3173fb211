//! `/api/v1/device-specifications`

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::{Json, Path};
use crate::api::calls;
use crate::auth::{Administrator, SignedIn};
use crate::domain::device_specification::{DeviceFigures, DeviceSpecification};
use crate::domain::list::Page;
use crate::domain::problem::Problem;
use crate::state::AppState;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(delete))
}

/// What is to be stated of a device; of a processor, of the whole machine.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct NewDeviceSpecification {
    /// As the device's node names it; the answer has its data sheet's name where that is known. A name that several devices have
    /// (`H100`) is refused with theirs.
    device: String,
    /// Dense peak at 16-bit floating point, 10¹² operations per second: 0.01 to 1,000,000.
    peak_fp16_tflops: f64,
    /// GiB, 0.1 to 100,000; counts where a node does not tell its device's memory.
    memory_gib: f64,
    /// 10⁹ bytes per second, 1 to 1,000,000.
    memory_bandwidth_gbps: f64,
    /// To the other devices of its node, in one direction, 10⁹ bytes per second, 0.1 to 1,000,000; absent: the data sheet's, else that
    /// of PCIe 4.0.
    #[serde(default)]
    link_bandwidth_gbps: Option<f64>,
    /// Dense peak at 8-bit floating point, 10¹² operations per second: 0.01 to 1,000,000; absent: the data sheet's, else none, so that
    /// narrower weights are reckoned at 16 bits.
    #[serde(default)]
    peak_fp8_tflops: Option<f64>,
    /// At 4-bit floating point, likewise.
    #[serde(default)]
    peak_fp4_tflops: Option<f64>,
}

/// Lists what administrators stated of devices. It counts before their data sheets.
#[utoipa::path(
    get, path = "/api/v1/device-specifications", tag = "inventory", responses((status = 200, body = Page<DeviceSpecification>))
)]
async fn list(State(app): State<AppState>, SignedIn(_): SignedIn) -> Result<Json<Page<DeviceSpecification>>, Problem> {
    calls::device_specifications::list(&app).await.map(Json)
}

/// States the figures of a device, in place of earlier ones (administrators only).
#[utoipa::path(
    post, path = "/api/v1/device-specifications", tag = "inventory", request_body = NewDeviceSpecification,
    responses((status = 201, body = DeviceSpecification))
)]
async fn create(
    State(app): State<AppState>,
    Administrator(actor): Administrator,
    Json(new): Json<NewDeviceSpecification>,
) -> Result<(StatusCode, Json<DeviceSpecification>), Problem> {
    let figures = DeviceFigures {
        peak_fp16_tflops: new.peak_fp16_tflops,
        memory_gib: new.memory_gib,
        memory_bandwidth_gbps: new.memory_bandwidth_gbps,
        link_bandwidth_gbps: new.link_bandwidth_gbps,
        peak_fp8_tflops: new.peak_fp8_tflops,
        peak_fp4_tflops: new.peak_fp4_tflops,
    };
    let specification = calls::device_specifications::set(&app, &actor, &new.device, &figures).await?;
    Ok((StatusCode::CREATED, Json(specification)))
}

/// Removes what was stated of a device (administrators only).
#[utoipa::path(
    delete, path = "/api/v1/device-specifications/{id}", tag = "inventory", params(("id" = Uuid, Path)),
    responses((status = 204))
)]
async fn delete(
    State(app): State<AppState>,
    Administrator(actor): Administrator,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    calls::device_specifications::delete(&app, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
