//! A pod's HTTP server: few connections, bounded in time and size, and nothing without the token.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::{RequestBodyDeadlineLayer, RequestBodyTimeoutLayer};

use crate::connection_permits::ConnectionPermits;
use crate::protocol::{ErrorCode, PodRefusal, TOKEN_HEADER, VERSION_HEADER};
use crate::token::Token;

/// Longest wait for a whole head, and for the next request on a connection.
const HEAD: Duration = Duration::from_secs(30);
/// Longest wait for the next bytes of a body, and for all of it.
const BODY_IDLE: Duration = Duration::from_secs(30);
const BODY: Duration = Duration::from_mins(10);
/// Largest head of a request, bytes.
const LARGEST_HEAD: usize = 16 << 10;
/// For answers under way when the pod ends.
const LAST_ANSWERS: Duration = Duration::from_secs(2);
/// Wait after a connection could not be accepted.
const ACCEPT_AGAIN: Duration = Duration::from_millis(200);

/// An answer that refuses.
#[derive(Debug)]
pub(crate) struct Refused(pub StatusCode, pub PodRefusal);

impl Refused {
    pub(crate) fn new(status: StatusCode, error: ErrorCode, message: impl Into<String>) -> Self {
        Self(status, PodRefusal { error, message: message.into(), offset: None })
    }

    pub(crate) fn failed(what: &str, error: &std::io::Error) -> Self {
        let (status, code) = match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                (StatusCode::INSUFFICIENT_STORAGE, ErrorCode::NoSpace)
            }
            _ => (StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::Failed),
        };
        Self::new(status, code, format!("{what}: {error}."))
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(self.1)).into_response()
    }
}

/// Routes behind the token, with bodies of so many bytes at most.
pub(crate) fn guarded(routes: Router, token: Token, most_body: usize) -> Router {
    routes
        .fallback(|| async { Refused::new(StatusCode::NOT_FOUND, ErrorCode::NotFound, "There is nothing here.") })
        .layer(axum::extract::DefaultBodyLimit::disable())
        .layer(RequestBodyLimitLayer::new(most_body))
        .layer(RequestBodyTimeoutLayer::new(BODY_IDLE))
        .layer(RequestBodyDeadlineLayer::new(BODY))
        .layer(middleware::from_fn_with_state(Arc::new(token), check_token))
}

async fn check_token(State(token): State<Arc<Token>>, request: Request, next: Next) -> Response {
    let given = request.headers().get(TOKEN_HEADER).map(HeaderValue::as_bytes).unwrap_or_default();
    let mut answer = if token.is(given) {
        next.run(request).await
    } else {
        Refused::new(StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized, "The token is missing or wrong.").into_response()
    };
    answer.headers_mut().insert(VERSION_HEADER, HeaderValue::from_static(env!("CARGO_PKG_VERSION")));
    answer
}

/// Serves until `stop`, then gives the answers under way a moment.
pub(crate) async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let (permits, tasks) = (ConnectionPermits::default(), TaskTracker::new());
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, peer)) = accepted else {
            // No file is free, say, or the peer is gone again.
            tokio::time::sleep(ACCEPT_AGAIN).await;
            continue;
        };
        let Some(permit) = permits.take(peer.ip()) else { continue };
        let (router, stop) = (router.clone(), stop.clone());
        tasks.spawn(async move {
            connection(stream, router, stop).await;
            drop(permit);
        });
    }
    drop(listener);
    tasks.close();
    let _ = tokio::time::timeout(LAST_ANSWERS, tasks.wait()).await;
}

async fn connection(stream: TcpStream, router: Router, stop: CancellationToken) {
    let _ = stream.set_nodelay(true);
    let serving = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(LARGEST_HEAD)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut serving = std::pin::pin!(serving);
    tokio::select! {
        // A peer that went away asks again if it wants to.
        _ = serving.as_mut() => return,
        () = stop.cancelled() => serving.as_mut().graceful_shutdown(),
    }
    let _ = serving.await;
}
