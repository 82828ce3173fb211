//! Rejects foreign host names: a page of another site must not reach the portal even where its name resolves to this machine
//! (DNS rebinding).

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::HOST;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::auth::transport::{authority, transport};
use crate::state::AppState;

/// Answers requests for foreign host names with 421.
pub(super) async fn own_names_only(State(app): State<AppState>, mut request: Request, next: Next) -> Response {
    if request.headers().get_all(HOST).iter().count() > 1 {
        return (StatusCode::BAD_REQUEST, "A request has one Host.\n").into_response();
    }
    let found = authority(request.uri(), request.headers()).and_then(|authority| transport(&app.config, authority));
    let Some(transport) = found else {
        let text = "This portal does not answer to that host name. DYNO_PUBLIC_URL tells it its own.\n";
        return (StatusCode::MISDIRECTED_REQUEST, text).into_response();
    };
    request.extensions_mut().insert(transport);
    next.run(request).await
}
