//! The portal's side of what pods serve. How requests reach a pod is its `Transport`'s.

mod error;
mod files;
mod load;
mod spool;

use axum::body::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use self::error::{ClientError, TransportError};
pub use self::files::{FilesPod, UploadError};
pub use self::load::LoadPod;
pub use self::spool::{Lines, Place};
use crate::protocol::{TOKEN_HEADER, VERSION_HEADER};
use crate::token::Token;

/// Carries a request to a pod: over Kubernetes' pod proxy, or to an address.
pub trait Transport: Send + Sync {
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

impl<T: Transport> Pod<T> {
    async fn call(&self, method: Method, path: &str, body: Bytes, kind: Option<&str>) -> Result<(HeaderMap, Bytes), ClientError> {
        let mut request = Request::builder().method(method).uri(path).header(TOKEN_HEADER, self.token.expose());
        if let Some(kind) = kind {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        let request = request.body(body).map_err(|error| ClientError::Transport(error.into()))?;
        let (head, body) = self.transport.send(request).await.map_err(ClientError::Transport)?.into_parts();
        if !head.headers.contains_key(VERSION_HEADER) {
            return Err(ClientError::not_the_pod(head.status, &body));
        }
        if head.status.is_success() { Ok((head.headers, body)) } else { Err(ClientError::refused(head.status, &body)) }
    }

    async fn get<R: DeserializeOwned>(&self, path: &str) -> Result<R, ClientError> {
        let (_, body) = self.call(Method::GET, path, Bytes::new(), None).await?;
        serde_json::from_slice(&body).map_err(ClientError::NotUnderstood)
    }

    async fn say<R: DeserializeOwned>(&self, method: Method, path: &str, what: &impl Serialize) -> Result<R, ClientError> {
        let body = serde_json::to_vec(what).map_err(ClientError::NotUnderstood)?;
        let (_, body) = self.call(method, path, body.into(), Some("application/json")).await?;
        serde_json::from_slice(&body).map_err(ClientError::NotUnderstood)
    }

    /// Everything was taken: the pod ends.
    async fn done(&self) -> Result<(), ClientError> {
        self.call(Method::POST, "/done", Bytes::new(), None).await.map(|_| ())
    }
}

fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
}
