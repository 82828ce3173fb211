//! "Test connection": requests a provider's list of models, or one token, and reports the result in Dyno's own words.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, StatusCode, Url};

use super::{AddressPolicy, Outgoing, OutgoingError, Secret};
use crate::domain::provider::{ConnectionClass, ConnectionTest, Provider, ProviderId};
use dyno_measure::plan::AuthHeader;

const TIMEOUT: Duration = Duration::from_secs(20);

#[derive(Debug, Clone)]
pub struct Probe<'a> {
    /// The provider whose API dialect is used.
    pub provider: ProviderId,
    /// The API's base, without a slash at its end.
    pub base_url: &'a str,
    /// The secret, if any.
    pub secret: Option<&'a Secret>,
    /// A model to request one token from, when there is no list of models.
    pub model: Option<&'a str>,
}

/// Tests the connection. Failures are results too, so this returns no error.
pub async fn probe(outgoing: &Outgoing, policy: &AddressPolicy, probe: Probe<'_>) -> ConnectionTest {
    let listed = match ask(outgoing, policy, &probe, Method::GET, "models", None).await {
        Ok(status) => status,
        Err(error) => return unreachable(&error),
    };
    if listed.is_success() {
        return result(ConnectionClass::Ok, "The connection works, and the credential was accepted.");
    }
    // servers without a list of models are tested with one token
    let missing = matches!(listed, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED);
    let Some(model) = probe.model.filter(|_| missing) else { return answered(listed) };
    let preset = probe.provider.preset();
    match ask(outgoing, policy, &probe, Method::POST, "chat/completions", Some(one_token(preset, model))).await {
        Ok(status) if status.is_success() => result(ConnectionClass::Ok, "The connection works: the model answered one token."),
        Ok(status) => answered(status),
        Err(error) => unreachable(&error),
    }
}

fn one_token(preset: &Provider, model: &str) -> serde_json::Value {
    let limit = preset.token_limit.into_str();
    serde_json::json!({ "model": model, "messages": [{ "role": "user", "content": "Hi" }], limit: 1 })
}

async fn ask(
    outgoing: &Outgoing,
    policy: &AddressPolicy,
    probe: &Probe<'_>,
    method: Method,
    path: &str,
    body: Option<serde_json::Value>,
) -> Result<StatusCode, OutgoingError> {
    let url = Url::parse(&format!("{}/{path}", probe.base_url.trim_end_matches('/'))).map_err(|_| OutgoingError::BadUrl)?;
    let mut request = outgoing.request(policy, method, url, TIMEOUT)?;
    if let Some(secret) = probe.secret {
        request = authenticated(request, probe.provider, secret);
    }
    if let Some(body) = body {
        request = request.json(&body);
    }
    // the body is not read, since nothing of it is shown
    let answer = request.send().await.map_err(OutgoingError::from_request)?;
    Ok(answer.status())
}

fn authenticated(request: RequestBuilder, provider: ProviderId, secret: &Secret) -> RequestBuilder {
    let request = match provider.preset().auth {
        AuthHeader::Bearer => request.bearer_auth(secret.expose()),
        AuthHeader::ApiKey => request.header("api-key", secret.expose()),
    };
    match provider {
        // Anthropic's list of models belongs to its native API, with its own header; only chat is OpenAI-compatible
        ProviderId::Anthropic => request.header("x-api-key", secret.expose()).header("anthropic-version", "2023-06-01"),
        _ => request,
    }
}

fn unreachable(error: &OutgoingError) -> ConnectionTest {
    let class = match error {
        OutgoingError::Refused(_) | OutgoingError::BadUrl => ConnectionClass::Refused,
        OutgoingError::Client(error) => {
            tracing::warn!(%error, "outgoing request could not be prepared");
            ConnectionClass::Unreachable
        }
        OutgoingError::Request(_) | OutgoingError::UnknownHost => ConnectionClass::Unreachable,
    };
    result(class, error.sentence())
}

fn answered(status: StatusCode) -> ConnectionTest {
    let code = status.as_u16();
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            result(ConnectionClass::Unauthorized, format!("The server did not accept the credential (HTTP {code})."))
        }
        StatusCode::TOO_MANY_REQUESTS => {
            result(ConnectionClass::Limited, "The server is reachable, but limits requests at present (HTTP 429).")
        }
        _ if status.is_redirection() => result(
            ConnectionClass::Unexpected,
            format!("The server redirects elsewhere (HTTP {code}), which Dyno does not follow. Correct the base URL."),
        ),
        StatusCode::NOT_FOUND => result(
            ConnectionClass::Unexpected,
            "The server answers, but has no list of models there (HTTP 404). Check the base URL.",
        ),
        _ => result(ConnectionClass::Unexpected, format!("The server answered with HTTP {code}.")),
    }
}

fn result(class: ConnectionClass, message: impl Into<String>) -> ConnectionTest {
    ConnectionTest { ok: class == ConnectionClass::Ok, class, message: message.into() }
}
