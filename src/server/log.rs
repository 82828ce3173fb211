//! The request log: one line per request with method, path, status and duration; never a query string, a header or a body.

use std::time::Instant;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use crate::state::AppState;

/// The path without the secret of a one-time link.
fn loggable(path: &str) -> &str {
    if path.starts_with("/link/") { "/link/…" } else { path }
}

/// Logs and counts each request when its answer begins; files of the pages and checks of a supervisor, of which there are many, at DEBUG.
pub(super) async fn requests(State(app): State<AppState>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let method = request.method().clone();
    let path = loggable(request.uri().path()).to_owned();
    let routine = app.is_static_file(&path) || matches!(path.as_str(), super::style::PATH | "/healthz" | "/readyz");
    let response = next.run(request).await;
    let status = response.status().as_u16();
    let took = begun.elapsed();
    app.http_metrics.count(&method, status, took);
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    if status >= 500 {
        tracing::warn!(%method, path, status, duration_ms, "request failed");
    } else if routine {
        tracing::debug!(%method, path, status, duration_ms, "request");
    } else {
        tracing::info!(%method, path, status, duration_ms, "request");
    }
    response
}

#[cfg(test)]
mod tests {
    #[test]
    fn links_are_not_logged() {
        assert_eq!(super::loggable("/link/abc"), "/link/…");
        assert_eq!(super::loggable("/runs/1"), "/runs/1");
    }
}
