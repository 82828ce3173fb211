//! Limits of what an API server answers: whoever is at a cluster's address may answer without end.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use kube::client::{Body, DynBody};
use tower::{BoxError, Layer, Service};

/// Largest answer, bytes. A portion of a list has a few MB.
const MAX_ANSWER: usize = 16 << 20;
/// Largest answer with an error status, bytes.
const MAX_REFUSAL: usize = 1 << 20;
/// Most objects within an answer of the API server's own: an empty one has 2 bytes there, and some hundred in memory.
const MAX_OBJECTS: usize = 400_000;

/// An answer beyond the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AnswerTooLarge {
    #[error("is larger than {} MB", .0 >> 20)]
    Bytes(usize),
    #[error("has more than {0} objects within it")]
    Objects(usize),
    /// The portions of a list, bytes.
    #[error("has a list of more than {} MB", .0 >> 20)]
    List(usize),
    #[error("has a list of more than {0} items")]
    Items(usize),
    #[error("has a list of more than {0} portions")]
    Portions(usize),
}

impl AnswerTooLarge {
    /// Finds it among an error's causes.
    pub(crate) fn of(error: &kube::Error) -> Option<Self> {
        let mut causes = std::iter::successors(Some(error as &(dyn std::error::Error + 'static)), |error| error.source());
        causes.find_map(|error| error.downcast_ref::<Self>()).copied()
    }
}

pub(crate) type ApiResponse = Response<Box<DynBody>>;

#[derive(Debug, Clone, Copy)]
pub(crate) struct LimitLayer;

impl<S> Layer<S> for LimitLayer {
    type Service = Limited<S>;

    fn layer(&self, service: S) -> Limited<S> {
        Limited(service)
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Limited<S>(S);

impl<S> Service<Request<Body>> for Limited<S>
where
    S: Service<Request<Body>, Response = ApiResponse, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = ApiResponse;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<ApiResponse, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // What a pod answers is handed on as it is.
        let objects = if request.uri().path().contains("/proxy/") { usize::MAX } else { MAX_OBJECTS };
        let answering = self.0.call(request);
        Box::pin(async move {
            let answer = answering.await?;
            let refused = answer.status().is_client_error() || answer.status().is_server_error();
            let bytes = if refused { MAX_REFUSAL } else { MAX_ANSWER };
            Ok(answer.map(|body| -> Box<DynBody> {
                Box::new(LimitedBody { body, limits: (bytes, objects), left_bytes: bytes, left_objects: objects })
            }))
        })
    }
}

struct LimitedBody {
    body: Box<DynBody>,
    /// Most bytes and most objects of an answer.
    limits: (usize, usize),
    left_bytes: usize,
    left_objects: usize,
}

impl LimitedBody {
    fn take(&mut self, data: &Bytes) -> Result<(), AnswerTooLarge> {
        let (bytes, objects) = self.limits;
        self.left_bytes = self.left_bytes.checked_sub(data.len()).ok_or(AnswerTooLarge::Bytes(bytes))?;
        if objects < usize::MAX {
            let opened: usize = data.iter().map(|byte| usize::from(*byte == b'{')).sum();
            self.left_objects = self.left_objects.checked_sub(opened).ok_or(AnswerTooLarge::Objects(objects))?;
        }
        Ok(())
    }
}

impl HttpBody for LimitedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let next = Pin::new(&mut *self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &next
            && let Some(data) = frame.data_ref()
            && let Err(error) = self.take(data)
        {
            return Poll::Ready(Some(Err(error.into())));
        }
        next
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
