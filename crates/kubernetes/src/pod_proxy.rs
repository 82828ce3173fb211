//! Requests to a port of a pod, by way of the API server: the portal needs no address in the cluster's network.

use std::time::Duration;

use kube::client::Body;

use crate::connection::{ApiError, Connection};

/// Until a pod has answered in full.
const ANSWER: Duration = Duration::from_secs(30);
/// The header by which a pod knows the portal. The proxy takes `Authorization` for its own and drops it.
const TOKEN_HEADER: &str = "x-dyno-token";

/// A request to a pod.
#[derive(Debug, Clone, Copy)]
pub struct PodRequest<'a> {
    pub namespace: &'a str,
    pub pod: &'a str,
    pub port: u16,
    /// `GET`, `PUT`, `POST`.
    pub method: &'a str,
    /// From the slash on, with its query.
    pub path: &'a str,
    /// The run's, for pods of Dyno's own; engines get none.
    pub token: Option<&'a str>,
}

/// What a pod answered.
#[derive(Debug, Clone)]
pub struct PodAnswer {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl PodAnswer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

/// Why a pod did not answer.
#[derive(Debug, thiserror::Error)]
pub enum PodError {
    #[error("The pod {0} is not there.")]
    NotFound(String),
    /// It does not listen, or its node can't be reached.
    #[error("The pod does not answer: {0}.")]
    Unreachable(String),
    #[error("The pod did not answer in time.")]
    Late,
    #[error("The request to the pod can't be made.")]
    Malformed,
    #[error(transparent)]
    Api(#[from] ApiError),
}

impl Connection {
    /// Asks a pod. An answer is whatever the pod itself answered, errors included.
    pub async fn ask_pod(&self, request: PodRequest<'_>, body: Vec<u8>) -> Result<PodAnswer, PodError> {
        let PodRequest { namespace, pod, port, method, path, token } = request;
        let uri = format!("/api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy{path}");
        let mut made = http::Request::builder().method(method).uri(uri);
        if let Some(token) = token {
            made = made.header(TOKEN_HEADER, token);
        }
        let made = made.body(Body::from(body)).map_err(|_| PodError::Malformed)?;
        let asked = async {
            let answer = self.client().send(made).await.map_err(ApiError::from)?;
            let status = answer.status().as_u16();
            let headers = answer.headers().iter();
            let headers = headers.filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())));
            let headers = headers.collect();
            let body = answer.into_body().collect_bytes().await.map_err(ApiError::from)?.to_vec();
            Ok::<_, ApiError>(PodAnswer { status, headers, body })
        };
        let answer = tokio::time::timeout(ANSWER, asked).await.map_err(|_| PodError::Late)??;
        match refusal(pod, &answer) {
            Some(error) => Err(error),
            None => Ok(answer),
        }
    }
}

/// What the API server itself answered in the pod's place.
fn refusal(pod: &str, answer: &PodAnswer) -> Option<PodError> {
    if answer.status < 400 {
        return None;
    }
    let said = |text: &str| crate::reasons::shortened(text);
    // Without a pod behind it, the proxy answers in plain text.
    if answer.status >= 500 && answer.body.starts_with(b"error trying to reach service") {
        return Some(PodError::Unreachable(said(&String::from_utf8_lossy(&answer.body))));
    }
    let status: serde_json::Value = serde_json::from_slice(&answer.body).ok()?;
    if status["kind"] != "Status" || status["apiVersion"] != "v1" {
        return None;
    }
    let message = said(status["message"].as_str().unwrap_or_default());
    Some(match answer.status {
        404 => PodError::NotFound(pod.to_owned()),
        500.. => PodError::Unreachable(message),
        code => PodError::Api(ApiError::of_status(code, &message)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> PodAnswer {
        PodAnswer { status, headers: Vec::new(), body: body.as_bytes().to_vec() }
    }

    #[test]
    fn the_api_servers_own_errors_are_told_from_the_pods() {
        let status = |code: u16, message: &str| {
            let status =
                serde_json::json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code});
            refusal("p", &answer(code, &status.to_string()))
        };
        assert!(matches!(status(404, "pods \"p\" not found"), Some(PodError::NotFound(pod)) if pod == "p"));
        assert!(matches!(status(503, "error trying to reach service: refused"), Some(PodError::Unreachable(_))));
        assert!(matches!(status(401, "Unauthorized"), Some(PodError::Api(ApiError::Unauthorized))));
        assert!(matches!(
            refusal("p", &answer(502, "error trying to reach service: dial tcp: refused")),
            Some(PodError::Unreachable(_))
        ));
        assert!(refusal("p", &answer(404, "{\"error\":\"no such file\"}")).is_none());
        assert!(refusal("p", &answer(401, "")).is_none());
        assert!(refusal("p", &answer(200, "{\"kind\":\"Status\",\"apiVersion\":\"v1\"}")).is_none());
    }
}
