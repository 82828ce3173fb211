//! The layer before every page, server function and API call: a request whose sender is not known is refused, unless its path
//! is on the list here.

use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::identity::{identify, not_signed_in, peer};
use super::transport::Transport;
use super::{expired_session_form, throttle};
use crate::domain::path::query_escape;
use crate::state::AppState;

/// Open to everybody, by method and exact path.
const OPEN: [(Method, &str); 12] = [
    (Method::GET, "/sign-in"),
    (Method::GET, "/healthz"),
    (Method::GET, "/readyz"),
    (Method::GET, "/style.css"),
    // What anybody can read in the source.
    (Method::GET, "/api/v1/openapi.json"),
    // What the open pages and their forms ask for. They look at the password or the link themselves, or tell a browser what
    // it sent.
    (Method::POST, "/api/ui/sign-in"),
    (Method::POST, "/api/ui/sign-out"),
    (Method::POST, "/api/ui/accept-link"),
    (Method::POST, "/api/ui/link"),
    (Method::POST, "/api/ui/session"),
    (Method::POST, "/api/ui/visitor-flash"),
    (Method::POST, "/api/ui/theme"),
];

/// Whether everybody may ask for this.
fn is_open(method: &Method, path: &str) -> bool {
    let method = if method == Method::HEAD { &Method::GET } else { method };
    OPEN.iter().any(|(open, exact)| open == method && *exact == path)
        // The page of a one-time link; the link itself is what opens it.
        || (method == Method::GET && path.strip_prefix("/link/").is_some_and(|token| !token.is_empty() && !token.contains('/')))
}

/// Finds out who sends a request, and refuses it where that is not known: pages and forms lead to the sign-in,
/// everything else gets 401.
pub async fn require_identity(State(app): State<AppState>, mut request: Request, next: Next) -> Response {
    let transport = request.extensions().get::<Transport>().copied().unwrap_or(Transport::Plain);
    let path = request.uri().path();
    // Scripts, styles and pictures are the same for everybody.
    if matches!(*request.method(), Method::GET | Method::HEAD) && app.is_static_file(path) {
        return next.run(request).await;
    }
    let open = is_open(request.method(), path);
    let identified = identify(&app, transport, request.headers()).await;
    if matches!(identified, Ok(None)) && request.headers().contains_key(header::AUTHORIZATION) {
        let peer = peer(&app.config, request.extensions(), request.headers());
        if let Err(problem) = throttle::wrong_token(&app.sign_in_attempts, peer, Instant::now()) {
            return problem.into_response();
        }
    }
    match identified {
        Ok(Some(actor)) => {
            request.extensions_mut().insert(actor);
        }
        Ok(None) if open => {}
        Ok(None) if expired_session_form::is_form(&request) && !request.headers().contains_key(header::AUTHORIZATION) => {
            return expired_session_form::signed_out(&app, transport, request).await;
        }
        Ok(None) if path.starts_with("/api/") => return not_signed_in().into_response(),
        Ok(None) if request.method() == Method::GET || request.method() == Method::HEAD => {
            let wanted = request.uri().path_and_query().map_or("/", axum::http::uri::PathAndQuery::as_str);
            let to = if wanted == "/" { "/sign-in".to_owned() } else { format!("/sign-in?next={}", query_escape(wanted)) };
            return (StatusCode::SEE_OTHER, [(header::LOCATION, to), (header::CACHE_CONTROL, "no-store".to_owned())])
                .into_response();
        }
        Ok(None) => return not_signed_in().into_response(),
        Err(problem) => return problem.into_response(),
    }
    next.run(request).await
}
