//! Answers of refused server functions. The framework answers a script with 500, and leads a browser's form back to its page
//! without a word.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use server_fn::error::{FromServerFnError as _, SERVER_FN_ERROR_HEADER};

use super::style;
use crate::api::functions::CallError;
use crate::auth::expired_session_form::is_form;
use crate::components::escape::raw_text;
use crate::domain::problem::Problem;

/// Content policy of the page: its style sheet and icon.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Gives the answer of a refused function the status of its problem; a form's answer becomes a page with the problem.
pub(super) async fn with_status(request: Request, next: Next) -> Response {
    let is_form = is_form(&request);
    let response = next.run(request).await;
    let is_refusal = response.headers().contains_key(SERVER_FN_ERROR_HEADER)
        && (is_form || response.status() == StatusCode::INTERNAL_SERVER_ERROR);
    if !is_refusal {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    // problems are small and in memory already: there is nothing to wait for, and no limit to meet
    let Ok(bytes) = to_bytes(body, usize::MAX).await else { return Response::from_parts(parts, Body::empty()) };
    let CallError(problem) = CallError::de(bytes.clone());
    parts.status = StatusCode::from_u16(problem.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if !is_form {
        return Response::from_parts(parts, Body::from(bytes));
    }
    for name in [header::LOCATION, header::CONTENT_LENGTH] {
        parts.headers.remove(name);
    }
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    parts.headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    Response::from_parts(parts, Body::from(page(&problem)))
}

/// A page that needs neither the store nor a script.
fn page(problem: &Problem) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>Error – Dyno</title>\n\
         <link rel=\"icon\" type=\"image/svg+xml\" href=\"/favicon.svg\">\n<link rel=\"stylesheet\" href=\"{}\">\n</head>\n\
         <body>\n<main id=\"main\">\n<h1>This could not be done</h1>\n<p>{}</p>\n\
         <p>Go back with the browser's Back button: what you typed is still in the form.</p>\n</main>\n</body>\n</html>\n",
        style::address(),
        raw_text(&problem.detail),
    )
}
