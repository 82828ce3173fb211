//! How a request ended, and why it counts as an error.

use super::exchange::{Exchange, Kept};
use crate::stream::chunk::{error_words, tidy};
use crate::stream::http::Head;
use dyno_measure::report::{ErrorClass, TokenSource};

/// Why a request counts as an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The class.
    pub class: ErrorClass,
    /// In words.
    pub words: String,
}

impl Failure {
    /// A failure in words.
    pub fn new(class: ErrorClass, words: impl Into<String>) -> Self {
        Self { class, words: words.into() }
    }
}

/// Judges an answer that has come to its end, and puts the token counts in their places.
pub fn judge(exchange: &mut Exchange, head: Option<&Head>, is_stream: bool, embeddings: bool, at: i64, kept: &mut Kept) {
    let Some(head) = head else {
        if exchange.failure.is_none() {
            exchange.failure = Some(Failure::new(ErrorClass::Connect, "the connection was closed before an answer"));
        }
        return;
    };
    exchange.row.status = Some(head.status);
    if exchange.failure.is_some() {
        return;
    }
    if head.status != 200 {
        let mut words = error_words(&kept.body);
        if words.is_empty() {
            words = format!("HTTP status {}", head.status);
        }
        if let Some(after) = &head.retry_after {
            exchange.row.retry_after_s = retry_after_s(after, jiff::Timestamp::now());
            words = format!("{words} (retry-after: {})", tidy(after));
        }
        exchange.failure = Some(Failure::new(ErrorClass::HttpStatus, words));
        return;
    }
    if !is_stream {
        exchange.on_whole_answer(at, embeddings, kept);
    } else if !exchange.done && exchange.row.finish.is_none() {
        exchange.failure = Some(Failure::new(ErrorClass::CutOff, "the stream ended with neither a finish reason nor [DONE]"));
    }
    if exchange.failure.is_none() && exchange.row.events == 0 {
        exchange.failure = Some(Failure::new(ErrorClass::NoContent, "the answer ended well without one content event"));
    }
    count_tokens(exchange);
}

/// Seconds that a `retry-after` header asks for: a number, or a date (RFC 9110, 10.2.3).
fn retry_after_s(value: &str, now: jiff::Timestamp) -> Option<f32> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<f32>() {
        return Some(seconds).filter(|seconds| seconds.is_finite() && *seconds >= 0.0);
    }
    let at = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
    Some(at.duration_since(now).as_secs_f32().max(0.0))
}

/// Output tokens by the engine's own count, else by events until a tokenizer has counted the text.
fn count_tokens(exchange: &mut Exchange) {
    let row = &mut exchange.row;
    let usage = exchange.usage.unwrap_or_default();
    row.input = usage.prompt;
    row.cached = usage.cached;
    row.reasoning = usage.reasoning;
    if !row.streamed {
        return;
    }
    if let Some(tokens) = usage.completion.filter(|tokens| *tokens > 0) {
        row.output = Some(tokens);
        row.source = Some(TokenSource::Usage);
    } else if row.events > 0 {
        row.output = Some(row.events);
        row.source = Some(TokenSource::Events);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: jiff::Timestamp = "2026-11-24T10:00:00Z".parse().unwrap();
        for (value, seconds) in [
            ("3", Some(3.0)),
            (" 0.5 ", Some(0.5)),
            ("Tue, 24 Nov 2026 10:01:30 GMT", Some(90.0)),
            ("Tue, 24 Nov 2026 09:00:00 GMT", Some(0.0)),
            ("-1", None),
            ("soon", None),
            ("inf", None),
        ] {
            assert_eq!(retry_after_s(value, now), seconds, "{value}");
        }
    }
}
