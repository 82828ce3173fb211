//! The portal's side of what pods serve. How requests reach a pod is its `PodTransport`'s.

mod error;
mod files;
mod load;
mod spool;

use axum::body::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use self::error::{PodClientError, TransportError};
pub use self::files::{FilesPodClient, UploadError};
pub use self::load::LoadPodClient;
pub use self::spool::{Lines, SpoolPosition};
use crate::protocol::{TOKEN_HEADER, VERSION_HEADER};
use crate::token::Token;

/// Carries a request to a pod: over Kubernetes' pod proxy, or to an address.
pub trait PodTransport: Send + Sync {
    /// Sends a request whose address is a path with a query (`/status`), and gives the whole answer, whatever its status. An
    /// answer that broke off is an error.
    fn send(&self, request: Request<Bytes>) -> impl Future<Output = Result<Response<Bytes>, TransportError>> + Send;
}

/// Requests to a pod.
#[derive(Debug, Clone)]
struct Pod<T> {
    transport: T,
    token: Token,
}

impl<T: PodTransport> Pod<T> {
    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        kind: Option<&str>,
    ) -> Result<(HeaderMap, Bytes), PodClientError> {
        let mut request = Request::builder().method(method).uri(path).header(TOKEN_HEADER, self.token.expose());
        if let Some(kind) = kind {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        let request = request.body(body).map_err(|error| PodClientError::Transport(error.into()))?;
        let (head, body) = self.transport.send(request).await.map_err(PodClientError::Transport)?.into_parts();
        if !head.headers.contains_key(VERSION_HEADER) {
            return Err(PodClientError::not_the_pod(head.status, &body));
        }
        if head.status.is_success() { Ok((head.headers, body)) } else { Err(PodClientError::refused(head.status, &body)) }
    }

    async fn get<R: DeserializeOwned>(&self, path: &str) -> Result<R, PodClientError> {
        let (_, body) = self.call(Method::GET, path, Bytes::new(), None).await?;
        serde_json::from_slice(&body).map_err(PodClientError::NotUnderstood)
    }

    async fn say<R: DeserializeOwned>(&self, method: Method, path: &str, what: &impl Serialize) -> Result<R, PodClientError> {
        let body = serde_json::to_vec(what).map_err(PodClientError::NotUnderstood)?;
        let (_, body) = self.call(method, path, body.into(), Some("application/json")).await?;
        serde_json::from_slice(&body).map_err(PodClientError::NotUnderstood)
    }

    /// Everything was taken: the pod ends.
    async fn done(&self) -> Result<(), PodClientError> {
        self.call(Method::POST, "/done", Bytes::new(), None).await.map(|_| ())
    }
}

fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
}
