//! An API server that repeats a request's credentials in its refusal: they are struck out before anything reads it.

use std::sync::Arc;

use futures::future::BoxFuture;
use http::{Response, header};
use http_body_util::{BodyExt as _, Full};
use serde_json::Value;
use tower::BoxError;
use tower::util::AndThenLayer;

use crate::answer::ApiResponse;

/// In place of a credential.
const STRUCK: &str = "[key]";
/// Fewest characters of what is struck out.
const LEAST: usize = 4;

/// The credentials of a kubeconfig's users: tokens and passwords.
pub(crate) fn secrets_of(kubeconfig: &str) -> Vec<String> {
    let read: Value = serde_json::from_str(kubeconfig).unwrap_or_default();
    let users = read["users"].as_array().into_iter().flatten();
    let secrets =
        users.flat_map(|user| ["token", "password"].map(|field| user["user"][field].as_str().unwrap_or_default().trim()));
    secrets.filter(|secret| secret.len() >= LEAST).map(str::to_owned).collect()
}

/// A text without these secrets, and without what looks like a service account's token.
pub(crate) fn struck(text: &str, secrets: &[String]) -> String {
    let mut struck = secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), STRUCK));
    let mut from = 0;
    // a JSON object in base64: three parts with full stops between them
    while let Some(at) = struck[from..].find("eyJ").map(|at| from + at) {
        let is_token = |letter: char| letter.is_ascii_alphanumeric() || "-_.=".contains(letter);
        let length = struck[at..].find(|letter| !is_token(letter)).unwrap_or(struck.len() - at);
        from = at + length;
        if struck[at..from].contains('.') {
            struck.replace_range(at..from, STRUCK);
            from = at + STRUCK.len();
        }
    }
    struck
}

type Answering = BoxFuture<'static, Result<ApiResponse, BoxError>>;

/// Strikes secrets out of answers with an error status.
pub(crate) fn layer(secrets: Vec<String>) -> AndThenLayer<impl Fn(ApiResponse) -> Answering + Clone> {
    let secrets: Arc<[String]> = secrets.into();
    AndThenLayer::new(move |answer: ApiResponse| -> Answering { Box::pin(without_secrets(answer, Arc::clone(&secrets))) })
}

async fn without_secrets(answer: ApiResponse, secrets: Arc<[String]>) -> Result<ApiResponse, BoxError> {
    if !answer.status().is_client_error() && !answer.status().is_server_error() {
        return Ok(answer);
    }
    let (mut head, body) = answer.into_parts();
    let bytes = body.collect().await?.to_bytes();
    head.headers.remove(header::CONTENT_LENGTH);
    let kept = Full::from(struck(&String::from_utf8_lossy(&bytes), &secrets)).map_err(|never| match never {});
    Ok(Response::from_parts(head, Box::new(kept)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_struck_out() {
        let kubeconfig =
            r#"{"users": [{"user": {"token": "plain0secret"}}, {"user": {"username": "u", "password": "pass word"}}]}"#;
        let secrets = secrets_of(kubeconfig);
        assert_eq!(secrets, ["plain0secret", "pass word"]);
        let said = "no Bearer plain0secret, pass word; eyJhbGciOi.eyJpc3Mi.c2ln_x-y= is bad, eyJ is not";
        assert_eq!(struck(said, &secrets), "no Bearer [key], [key]; [key] is bad, eyJ is not");
        assert!(secrets_of("no JSON").is_empty());
    }
}
