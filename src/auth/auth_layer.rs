//! The authentication layer of all pages, server functions and API calls: refuses requests without a valid session or token,
//! unless their path is in the list here.

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

/// Paths that need no authentication, by method and exact path.
const OPEN: [(Method, &str); 12] = [
    (Method::GET, "/sign-in"),
    (Method::GET, "/healthz"),
    (Method::GET, "/readyz"),
    (Method::GET, "/style.css"),
    // the API's document holds nothing that is not in the source
    (Method::GET, "/api/v1/openapi.json"),
    // Calls of the open pages and their forms. They verify the password or link themselves, or return only what the browser
    // sent.
    (Method::POST, "/api/ui/sign-in"),
    (Method::POST, "/api/ui/sign-out"),
    (Method::POST, "/api/ui/accept-link"),
    (Method::POST, "/api/ui/link"),
    (Method::POST, "/api/ui/session"),
    (Method::POST, "/api/ui/visitor-flash"),
    (Method::POST, "/api/ui/theme"),
];

/// Whether a path needs no authentication.
fn is_open(method: &Method, path: &str) -> bool {
    let method = if method == Method::HEAD { &Method::GET } else { method };
    OPEN.iter().any(|(open, exact)| open == method && *exact == path)
        // the page of a one-time link, authenticated by the link itself
        || (method == Method::GET && path.strip_prefix("/link/").is_some_and(is_segment))
}

/// Whether a path's end is one segment and stays so. The pages' router reads a path as browsers do (`%2e%2e` leads up, `\` is `/`),
/// and would draw another page than the one that is let through here.
fn is_segment(end: &str) -> bool {
    !end.is_empty() && !end.contains(['/', '\\', '%']) && !matches!(end, "." | "..")
}

/// Authenticates a request. Without a valid session or token, pages and forms are redirected to the sign-in, everything else
/// gets 401.
pub async fn require_identity(State(app): State<AppState>, mut request: Request, next: Next) -> Response {
    let transport = request.extensions().get::<Transport>().copied().unwrap_or(Transport::Plain);
    let path = request.uri().path();
    // scripts, styles and images are public
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_links_page_is_open_and_no_other_below_it() {
        for open in ["/link/abc", "/link/a-b_c", "/link/abc.", "/link/..."] {
            assert!(is_open(&Method::GET, open) && is_open(&Method::HEAD, open), "{open}");
            assert!(!is_open(&Method::POST, open), "{open}");
        }
        for closed in
            ["/link/", "/link/a/b", "/link/..", "/link/.", "/link/%2e%2e", "/link/.%2E", "/link/..%2fruns", "/link/..\\runs"]
        {
            assert!(!is_open(&Method::GET, closed), "{closed}");
        }
    }
}
