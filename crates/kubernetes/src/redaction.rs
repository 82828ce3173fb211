//! An API server that repeats a request's credentials in its refusal: they are redacted before anything reads it.

use std::sync::Arc;

use futures::future::BoxFuture;
use http::{Response, header};
use http_body_util::{BodyExt as _, Full};
use serde_json::Value;
use tower::BoxError;
use tower::util::AndThenLayer;

use crate::response_limits::ApiResponse;
use dyno_measure::redactor::{REDACTED, Redactor};

/// Knows the credentials of a kubeconfig's users: tokens and passwords.
pub(crate) fn redactor_of(kubeconfig: &str) -> Redactor {
    let read: Value = serde_json::from_str(kubeconfig).unwrap_or_default();
    let users = read["users"].as_array().into_iter().flatten();
    Redactor::new(users.flat_map(|user| ["token", "password"].map(|field| user["user"][field].as_str().unwrap_or_default())))
}

/// A text without the credentials, and without what looks like a service account's token.
fn redacted(text: &str, credentials: &Redactor) -> String {
    let text = credentials.redact(text);
    let (mut kept, mut rest) = (String::with_capacity(text.len()), text.as_str());
    // a JSON object in base64: three parts with full stops between them
    while let Some(at) = rest.find("eyJ") {
        let is_token = |letter: char| letter.is_ascii_alphanumeric() || "-_.=".contains(letter);
        let length = rest[at..].find(|letter| !is_token(letter)).unwrap_or(rest.len() - at);
        let word = &rest[at..at + length];
        kept += &rest[..at];
        kept += if word.contains('.') { REDACTED } else { word };
        rest = &rest[at + length..];
    }
    kept + rest
}

type Answering = BoxFuture<'static, Result<ApiResponse, BoxError>>;

/// Redacts answers with an error status.
pub(crate) fn layer(credentials: Redactor) -> AndThenLayer<impl Fn(ApiResponse) -> Answering + Clone> {
    let credentials = Arc::new(credentials);
    AndThenLayer::new(move |answer: ApiResponse| -> Answering { Box::pin(without_secrets(answer, Arc::clone(&credentials))) })
}

async fn without_secrets(answer: ApiResponse, credentials: Arc<Redactor>) -> Result<ApiResponse, BoxError> {
    if !answer.status().is_client_error() && !answer.status().is_server_error() {
        return Ok(answer);
    }
    let (mut head, body) = answer.into_parts();
    let bytes = body.collect().await?.to_bytes();
    head.headers.remove(header::CONTENT_LENGTH);
    let kept = Full::from(redacted(&String::from_utf8_lossy(&bytes), &credentials)).map_err(|never| match never {});
    Ok(Response::from_parts(head, Box::new(kept)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_redacted() {
        let kubeconfig =
            r#"{"users": [{"user": {"token": "plain0secret"}}, {"user": {"username": "u", "password": "pass word"}}]}"#;
        let credentials = redactor_of(kubeconfig);
        let said = "no Bearer plain0secret, pass word; eyJhbGciOi.eyJpc3Mi.c2ln_x-y= is bad, eyJ is not";
        assert_eq!(redacted(said, &credentials), "no Bearer [key], [key]; [key] is bad, eyJ is not");
        // as basic authentication has them
        assert_eq!(redacted("Basic dTpwYXNzIHdvcmQ= is wrong", &credentials), "Basic [key] is wrong");
        assert_eq!(redacted("plain0secret", &redactor_of("no JSON")), "plain0secret");
        let umlaut = redactor_of(r#"{"users": [{"user": {"username": "u", "password": "größe-geheim"}}]}"#);
        assert_eq!(redacted("größe-geheim is wrong", &umlaut), "[key] is wrong");
    }
}
