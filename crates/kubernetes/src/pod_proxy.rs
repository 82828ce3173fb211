//! Requests to a port of a pod, by way of the API server: the portal needs no address in the cluster's network.

use std::time::Duration;

use kube::client::Body;

use crate::api_error::ApiError;
use crate::connection::Connection;
use crate::words::shortened;

/// Until a pod has answered in full.
const ANSWER: Duration = Duration::from_secs(30);
/// A port of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodAddress {
    pub namespace: String,
    pub pod: String,
    pub port: u16,
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
    /// Asks a pod; the request's address is a path with its query. An answer is whatever the pod itself answered, errors included.
    /// Of the headers, the proxy keeps `Authorization` for itself.
    pub async fn ask_pod(
        &self,
        address: &PodAddress,
        request: http::Request<Vec<u8>>,
    ) -> Result<http::Response<Vec<u8>>, PodError> {
        let PodAddress { namespace, pod, port } = address;
        let (mut head, body) = request.into_parts();
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        head.uri =
            format!("/api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy{path}").parse().map_err(|_| PodError::Malformed)?;
        let request = http::Request::from_parts(head, Body::from(body));
        let asked = async {
            let (head, body) = self.client().send(request).await.map_err(ApiError::from)?.into_parts();
            let body = body.collect_bytes().await.map_err(ApiError::from)?.to_vec();
            Ok::<_, ApiError>(http::Response::from_parts(head, body))
        };
        let answer = tokio::time::timeout(ANSWER, asked).await.map_err(|_| PodError::Late)??;
        match refusal(pod, answer.status().as_u16(), answer.body()) {
            Some(error) => Err(error),
            None => Ok(answer),
        }
    }
}

/// What the API server itself answered in the pod's place.
fn refusal(pod: &str, status: u16, body: &[u8]) -> Option<PodError> {
    if status < 400 {
        return None;
    }
    // Without a pod behind it, the proxy answers in plain text.
    if status >= 500 && body.starts_with(b"error trying to reach service") {
        return Some(PodError::Unreachable(shortened(&String::from_utf8_lossy(body))));
    }
    let told: serde_json::Value = serde_json::from_slice(body).ok()?;
    if told["kind"] != "Status" || told["apiVersion"] != "v1" {
        return None;
    }
    let message = shortened(told["message"].as_str().unwrap_or_default());
    Some(match status {
        404 => PodError::NotFound(pod.to_owned()),
        500.. => PodError::Unreachable(message),
        code => PodError::Api(ApiError::of_status(code, &message)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_servers_own_errors_are_told_from_the_pods() {
        let status = |code: u16, message: &str| {
            let status =
                serde_json::json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code});
            refusal("p", code, status.to_string().as_bytes())
        };
        assert!(matches!(status(404, "pods \"p\" not found"), Some(PodError::NotFound(pod)) if pod == "p"));
        assert!(matches!(status(503, "error trying to reach service: refused"), Some(PodError::Unreachable(_))));
        assert!(matches!(status(401, "Unauthorized"), Some(PodError::Api(ApiError::Unauthorized))));
        assert!(matches!(
            refusal("p", 502, "error trying to reach service: dial tcp: refused".as_bytes()),
            Some(PodError::Unreachable(_))
        ));
        assert!(refusal("p", 404, "{\"error\":\"no such file\"}".as_bytes()).is_none());
        assert!(refusal("p", 401, "".as_bytes()).is_none());
        assert!(refusal("p", 200, "{\"kind\":\"Status\",\"apiVersion\":\"v1\"}".as_bytes()).is_none());
    }
}
