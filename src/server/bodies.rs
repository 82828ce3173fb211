//! Bodies on their way: requests' are not waited for for ever, and the end of answers is seen.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::BoxError;
use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};

/// How fast a body comes at least. Only the time in which the sender is waited for counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pacing {
    /// Longest wait for the next bytes.
    pub idle: Duration,
    /// Waits of so much in all are allowed anyway …
    pub allowance: Duration,
    /// … and a second more for so many bytes.
    pub bytes_per_s: u64,
}

impl Default for Pacing {
    /// Slow lines have their time: a quarter of a gigabyte may take nine hours. Silence has half a minute.
    fn default() -> Self {
        Self { idle: Duration::from_secs(30), allowance: Duration::from_secs(60), bytes_per_s: 8 << 10 }
    }
}

/// A request's body, given up where it comes too slowly.
pub(super) struct Paced {
    body: Incoming,
    pacing: Pacing,
    received: u64,
    /// Waited for the sender so far.
    waited: Duration,
    /// Since when it is waited for now, and until when.
    wait: Option<(Instant, Pin<Box<Sleep>>)>,
}

/// The sender took too long.
#[derive(Debug, thiserror::Error)]
#[error("the body came too slowly")]
struct TooSlow;

impl Paced {
    pub(super) fn new(body: Incoming, pacing: Pacing) -> Self {
        Self { body, pacing, received: 0, waited: Duration::ZERO, wait: None }
    }

    /// How much longer the sender may take for the next bytes.
    fn patience(&self) -> Duration {
        let earned = Duration::from_secs_f64(self.received as f64 / self.pacing.bytes_per_s as f64);
        (self.pacing.allowance + earned).saturating_sub(self.waited).min(self.pacing.idle)
    }
}

impl HttpBody for Paced {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            if let Some((since, _)) = self.wait.take() {
                self.waited += since.elapsed();
            }
            if let Some(Ok(frame)) = &frame {
                self.received += frame.data_ref().map_or(0, |data| data.len() as u64);
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let patience = self.patience();
        let (_, until) = self.wait.get_or_insert_with(|| (Instant::now(), Box::pin(tokio::time::sleep(patience))));
        ready!(until.as_mut().poll(context));
        Poll::Ready(Some(Err(TooSlow.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer's body; once it is sent or given up, its connection is no longer busy.
pub(super) struct Watched {
    body: Body,
    busy: Arc<AtomicBool>,
}

impl Watched {
    pub(super) fn new(body: Body, busy: Arc<AtomicBool>) -> Self {
        Self { body, busy }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.busy.store(false, Ordering::Relaxed);
    }
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
