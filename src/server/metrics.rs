//! `/metrics` for Prometheus, on a port of its own: it asks for no sign-in, and names neither people nor runs.
//!
//! Unlike the portal's port it answers to any host name. Prometheus asks by a pod's address, a service's name or a machine's,
//! none of which the portal knows. A page of another site that a name was turned here for (DNS rebinding) could read what is told,
//! and no more: it asks for nothing to be done, and counts are no secret to those who reach the port.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use dyno_measure::run::{RunKind, RunStatus};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use strum::VariantArray as _;

use crate::state::AppState;

/// As Prometheus asks for it.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RunLabels {
    kind: &'static str,
    status: &'static str,
}

/// The only route of that port.
pub(super) fn router(app: &AppState) -> Router {
    Router::new().route("/metrics", get(tell)).with_state(app.clone())
}

async fn tell(State(app): State<AppState>) -> Response {
    let mut registry = Registry::default();
    registry.register("dyno_build", "The portal's version", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
    app.http_metrics.register(&mut registry);
    let database = Gauge::<i64>::default();
    registry.register("dyno_database_up", "Whether the database answers: 1 or 0", database.clone());
    match app.store.run_counts().await {
        Ok(counts) => {
            database.set(1);
            let runs = Family::<RunLabels, Gauge>::default();
            // A series that is there from the start can be alerted on.
            for kind in [RunKind::Measured, RunKind::Simulated] {
                for &status in RunStatus::VARIANTS {
                    let count = counts.iter().find(|found| (found.0, found.1) == (kind, status)).map_or(0, |found| found.2);
                    runs.get_or_create(&RunLabels { kind: kind.into_str(), status: status.into_str() }).set(count);
                }
            }
            registry.register("dyno_runs", "Runs that are kept, by kind and by where they stand", runs);
        }
        Err(error) => tracing::error!(%error, "the store does not answer"),
    }
    let mut told = String::new();
    match text::encode(&mut told, &registry) {
        Ok(()) => ([(header::CONTENT_TYPE, OPEN_METRICS)], told).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
