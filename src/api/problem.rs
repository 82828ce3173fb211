//! Problems as HTTP answers: RFC 9457.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::domain::problem::{FieldError, Problem, ProblemKind};

/// What goes over the wire.
#[derive(Serialize)]
struct Details<'a> {
    /// Stable: programs tell the kinds apart by it.
    #[serde(rename = "type")]
    kind: String,
    title: String,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "<[FieldError]>::is_empty")]
    errors: &'a [FieldError],
    #[serde(skip_serializing_if = "Option::is_none")]
    changed: Option<&'a [String]>,
}

/// The slug in words: `Invalid input`.
fn title(kind: ProblemKind) -> String {
    let mut words = kind.into_str().replace('-', " ");
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    words
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let details = Details {
            kind: format!("urn:dyno:problem:{}", self.kind.into_str()),
            title: title(self.kind),
            status: status.as_u16(),
            detail: &self.detail,
            errors: &self.errors,
            changed: self.changed.as_deref(),
        };
        let mut response = (status, axum::Json(details)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match self.kind {
            ProblemKind::Unauthorized => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            ProblemKind::TooManyRequests => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("300"));
            }
            _ => {}
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_problem_has_the_members_of_the_standard() {
        let response = Problem::field("name", "Enter a name.").into_response();
        assert_eq!(response.status(), 422);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            value,
            serde_json::json!({
                "type": "urn:dyno:problem:invalid-input", "title": "Invalid input", "status": 422, "detail": "Enter a name.",
                "errors": [{ "field": "name", "message": "Enter a name." }],
            })
        );
    }
}
