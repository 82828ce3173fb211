//! One kept connection: where it stands, and the answer that it is reading.

use std::io;

use super::exchange::{Exchange, Kept};
use super::failure::Failure;
use super::outcome::judge;
use super::refusal::ParameterRefusal;
use super::socket::Socket;
use crate::stream::http::{AnswerParser, HttpError, is_success};
use crate::stream::inflate::{Broken, Encoding, Inflate};
use crate::stream::sse::Sse;
use dyno_measure::report::ErrorClass;

/// How long an answer whose `[DONE]` has come may take to end, ns.
const LINGER: i64 = 1_000_000_000;

/// Where a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionStage {
    Closed,
    /// On its way, TLS included.
    Connecting,
    /// Open, without a request.
    Idle,
    /// A request has been sent.
    Busy,
}

/// One connection and its buffers.
#[derive(Debug)]
pub struct ClientConnection {
    /// Which target it leads to.
    pub target: usize,
    pub stage: ConnectionStage,
    /// The socket, while there is one.
    pub link: Option<Socket>,
    /// Since when it connects, monotonic ns.
    pub since: i64,
    /// Requests that ended well on this socket.
    pub served: u32,
    /// The request it carries, or will carry once it is connected.
    pub exchange: Option<Exchange>,
    /// What the socket has not taken yet.
    pub unsent: Vec<u8>,
    /// Whether the loop waits for the socket to take more.
    pub awaits_write: bool,
    answer: AnswerParser,
    sse: Sse,
    kept: Kept,
    /// Whether the body is a stream of events, once its first piece has come.
    is_stream: Option<bool>,
    /// Unpacks a body that came compressed.
    inflate: Option<Box<Inflate>>,
}

impl ClientConnection {
    /// A place for a connection to a target.
    pub fn new(target: usize) -> Self {
        Self {
            target,
            stage: ConnectionStage::Closed,
            link: None,
            since: 0,
            served: 0,
            exchange: None,
            unsent: Vec::new(),
            awaits_write: false,
            answer: AnswerParser::default(),
            sse: Sse::default(),
            kept: Kept::default(),
            is_stream: None,
            inflate: None,
        }
    }

    /// Makes ready for an answer.
    pub fn expect_answer(&mut self) {
        self.answer.reset();
        self.sse.reset();
        self.kept.clear();
        self.is_stream = None;
        self.inflate = None;
    }

    /// Whether a byte of the answer has come.
    pub fn answered(&self) -> bool {
        self.answer.begun
    }

    /// Gaps of the request that has just ended.
    pub fn kept(&mut self) -> &mut Kept {
        &mut self.kept
    }

    /// The same, to look at.
    pub fn kept_ref(&self) -> &Kept {
        &self.kept
    }

    /// Bytes of the answer have come. Gives true when the request is over; the exchange then holds its outcome.
    pub fn on_bytes(&mut self, bytes: &[u8], at: i64, embeddings: bool) -> bool {
        let Self { exchange, answer, sse, kept, is_stream, inflate, .. } = self;
        let Some(exchange) = exchange else { return true };
        let (mut too_long, mut unreadable) = (false, None);
        let fed = answer.feed(bytes, |head, piece| {
            let piece = match unpacked(inflate, head.encoding, piece) {
                Ok(piece) => piece,
                Err(broken) => {
                    // of a refusal, the status says enough
                    unreadable = Some(broken).filter(|_| is_success(head.status));
                    return;
                }
            };
            if piece.is_empty() {
                return;
            }
            if !is_success(head.status) || *is_stream == Some(false) {
                kept.take_body(head.status, piece);
                exchange.last_activity = at;
                return;
            }
            if *is_stream == Some(true) || head.events {
                *is_stream = Some(true);
                too_long |= sse.feed(piece, |event| exchange.on_event(event, at, kept)).is_err();
                return;
            }
            // of an unnamed body, the first piece may be too short to tell
            kept.take_body(head.status, piece);
            exchange.last_activity = at;
            *is_stream = looks_like_events(&kept.body);
            if *is_stream == Some(true) {
                let begun = std::mem::take(&mut kept.body);
                too_long |= sse.feed(&begun, |event| exchange.on_event(event, at, kept)).is_err();
            }
        });
        if answer.done() {
            // the last event may lack its blank line
            sse.finish(|event| exchange.on_last_event(event, at, kept));
        }
        let failure = match fed {
            Err(HttpError::Http2) => {
                let words = HttpError::Http2.to_string();
                exchange.failure.get_or_insert(Failure::new(ErrorClass::Connect, words));
                None
            }
            Err(error) => Some(error.to_string()),
            Ok(_) if unreadable.is_some() => unreadable.map(|broken| broken.to_string()),
            Ok(_) if too_long => Some("an event of more than 64 MiB".to_owned()),
            Ok(_) => None,
        };
        if let Some(words) = failure
            && !exchange.done
        {
            exchange.row.status = answer.got.as_ref().map(|head| head.status);
            exchange.failure.get_or_insert(Failure::new(ErrorClass::MalformedStream, words));
        }
        if exchange.failure.is_some() || answer.done() {
            self.conclude(at, embeddings);
            return true;
        }
        if exchange.done && exchange.lingers_until.is_none() {
            exchange.lingers_until = Some(at + LINGER);
        }
        false
    }

    /// The connection has ended while the answer was coming.
    pub fn on_end(&mut self, broken: Option<&io::Error>, at: i64, embeddings: bool) {
        let Self { exchange, answer, sse, kept, .. } = self;
        let Some(exchange) = exchange else { return };
        if let Some(head) = &answer.got {
            sse.finish(|event| exchange.on_last_event(event, at, kept));
            let whole = answer.done() || answer.ends_with_connection() && broken.is_none();
            let ended_well = exchange.done || exchange.row.finish.is_some();
            // what was never a stream is not one that was cut off
            let no_stream = kept.body.trim_ascii_start().first().is_some_and(|first| *first != b'{') || exchange.odd.is_some();
            if !whole && !ended_well && exchange.failure.is_none() && is_success(head.status) && !no_stream {
                let words = broken
                    .map_or_else(|| "the connection was closed in the middle of the answer".to_owned(), ToString::to_string);
                exchange.failure = Some(Failure::new(ErrorClass::CutOff, words));
            }
        } else if exchange.failure.is_none() && answer.begun {
            let words = "the connection was closed in the middle of the answer's head";
            exchange.failure = Some(Failure::new(ErrorClass::CutOff, words));
        } else if exchange.failure.is_none() {
            let words = broken.map_or_else(|| "the connection was closed before an answer".to_owned(), ToString::to_string);
            exchange.failure = Some(Failure::new(ErrorClass::Connect, words));
        }
        self.conclude(at, embeddings);
    }

    /// The request is over: judges it.
    pub fn conclude(&mut self, at: i64, embeddings: bool) {
        let Self { exchange, answer, kept, is_stream, .. } = self;
        let Some(exchange) = exchange else { return };
        // an empty body is what its head says it is
        let is_stream = is_stream.unwrap_or_else(|| answer.got.as_ref().is_some_and(|head| head.events));
        judge(exchange, answer.got.as_ref(), is_stream, embeddings, at, kept);
    }

    /// Whether the answer came compressed.
    pub fn was_compressed(&self) -> bool {
        self.inflate.is_some()
    }

    /// Whether the socket can carry another request.
    pub fn reusable(&self) -> bool {
        self.answer.done() && self.unsent.is_empty() && self.answer.got.as_ref().is_some_and(|head| head.keep_alive)
    }

    /// Lets the socket go.
    pub fn close(&mut self) {
        self.link = None;
        self.stage = ConnectionStage::Closed;
        self.served = 0;
        self.unsent = Vec::new();
        self.awaits_write = false;
    }

    /// Whether the answer refuses the request for one of the fields that differ between servers.
    pub fn refusal(&self) -> Option<ParameterRefusal> {
        let refused = self.answer.got.as_ref().is_some_and(|head| matches!(head.status, 400 | 422));
        if refused { ParameterRefusal::read(&self.kept.body, self.exchange.as_ref()?.sent_limit) } else { None }
    }
}

/// A piece of body as it can be read.
fn unpacked<'a>(inflate: &'a mut Option<Box<Inflate>>, encoding: Encoding, piece: &'a [u8]) -> Result<&'a [u8], Broken> {
    if encoding == Encoding::Identity {
        return Ok(piece);
    }
    if inflate.is_none() {
        *inflate = Inflate::new(encoding).map(Box::new);
    }
    inflate.as_mut().map_or(Ok(piece), |inflate| inflate.feed(piece))
}

/// Some servers forget the content type: no JSON begins like a stream of events. Nothing while too little has come to tell.
fn looks_like_events(begun: &[u8]) -> Option<bool> {
    const MARK: &[u8] = b"\xEF\xBB\xBF";
    let begun = begun.strip_prefix(MARK).unwrap_or(begun).trim_ascii_start();
    let fields = [&b"data:"[..], b":", b"event:", b"id:", b"retry:"];
    if fields.iter().any(|field| begun.starts_with(field)) {
        return Some(true);
    }
    if fields.iter().any(|field| field.starts_with(begun)) || MARK.starts_with(begun) { None } else { Some(false) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_known_by_its_first_bytes_however_few_come_at_once() {
        for (begun, is_stream) in [
            (&b""[..], None),
            (b"da", None),
            (b"\n\ndata", None),
            (b"\xEF\xBB", None),
            (b"data: x", Some(true)),
            (b"\xEF\xBB\xBF: ping", Some(true)),
            (b"{", Some(false)),
            (b"<html>", Some(false)),
            (b"dada", Some(false)),
        ] {
            assert_eq!(looks_like_events(begun), is_stream, "{begun:?}");
        }
    }
}
