//! Wrappers of bodies: requests' bodies time out, and the end of answers' bodies is observed.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::BoxError;
use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};

/// Least speed of a request's body. Only time spent waiting for the sender counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pacing {
    /// Longest wait for the next bytes.
    pub idle: Duration,
    /// Total waiting time that is always allowed …
    pub allowance: Duration,
    /// … plus a second for this many bytes received.
    pub bytes_per_s: u64,
}

/// Pieces of a body that may be of any size …
const FREE_PIECES: u64 = 10_000;
/// … and the least mean size of all others, bytes. Each piece costs time and some memory, however small it is.
const LEAST_PIECE: u64 = 32;

impl Default for Pacing {
    /// Generous to slow lines: 256 MB may take nine hours. Silence ends after half a minute.
    fn default() -> Self {
        Self { idle: Duration::from_secs(30), allowance: Duration::from_secs(60), bytes_per_s: 8 << 10 }
    }
}

/// A request's body that fails when it comes too slowly.
pub(super) struct Paced {
    body: Incoming,
    pacing: Pacing,
    received: u64,
    pieces: u64,
    /// Total time waited for the sender.
    waited: Duration,
    /// The current wait: its begin, and its time-out.
    wait: Option<(Instant, Pin<Box<Sleep>>)>,
}

#[derive(Debug, thiserror::Error)]
#[error("the body came too slowly")]
struct TooSlow;

#[derive(Debug, thiserror::Error)]
#[error("the body came in too many small pieces")]
struct TooManyPieces;

impl Paced {
    pub(super) fn new(body: Incoming, pacing: Pacing) -> Self {
        Self { body, pacing, received: 0, pieces: 0, waited: Duration::ZERO, wait: None }
    }

    /// How long the next bytes may take.
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
                self.pieces += 1;
                if self.pieces > FREE_PIECES + self.received / LEAST_PIECE {
                    return Poll::Ready(Some(Err(TooManyPieces.into())));
                }
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

/// An answer's body, which marks its connection as no longer busy when it is sent or dropped.
pub(super) struct TrackedBody {
    body: Body,
    busy: Arc<AtomicBool>,
}

impl TrackedBody {
    pub(super) fn new(body: Body, busy: Arc<AtomicBool>) -> Self {
        Self { body, busy }
    }
}

impl Drop for TrackedBody {
    fn drop(&mut self) {
        self.busy.store(false, Ordering::Relaxed);
    }
}

impl HttpBody for TrackedBody {
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
