//! The HTTP API under `/api/v1`: handlers that take a request apart, make the call and put the answer together. A file
//! per resource, each with its `router()`; the OpenAPI document is made from these handlers.

mod account;
mod benchmarks;
mod body;
mod clusters;
mod credentials;
mod datasets;
mod device_specifications;
mod engines;
mod event_stream;
pub(crate) mod export;
pub mod extract;
mod json_objects;
mod json_size;
mod json_value;
mod models;
mod openapi;
mod prices;
mod run_log;
mod runs;
mod telemetry;
mod tokens;
mod try_it;
mod users;
mod workflows;

use axum::Router;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use utoipa_axum::router::OpenApiRouter;

pub use event_stream::{answer, last_event_id, wait_for_news};
pub use extract::{Json, Path, Query};
pub use openapi::document;

use crate::state::AppState;

/// Where the API lives.
pub const BASE: &str = "/api/v1";

/// Every resource. Handlers name their whole path, `/api/v1` included, so that it can be searched for.
fn resources() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(workflows::router())
        .merge(benchmarks::router())
        .merge(clusters::router())
        .merge(engines::router())
        .merge(models::router())
        .merge(datasets::router())
        .merge(credentials::router())
        .merge(prices::router())
        .merge(device_specifications::router())
        .merge(try_it::router())
        .merge(runs::router())
        .merge(run_log::router())
        .merge(users::router())
        .merge(tokens::router())
        .merge(account::router())
}

/// The API's routes, and the document that describes them at `/api/v1/openapi.json`.
pub fn router() -> Router<AppState> {
    let (routes, described) = resources().split_for_parts();
    // written once: it is asked for without a sign-in
    let document = Bytes::from(serde_json::to_vec(&openapi::complete(described)).unwrap_or_default());
    routes.route(openapi::PATH, get(async move || ([(CONTENT_TYPE, "application/json")], document.clone())))
}
