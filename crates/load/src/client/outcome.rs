//! How a request ended, and why it counts as an error.

use super::exchange::{Exchange, Kept};
use super::failure::Failure;
use crate::stream::chunk::{error_words, tidy};
use crate::stream::http::{ResponseHead, is_success};
use dyno_measure::report::{ErrorClass, TokenSource};

/// Judges an answer that has come to its end, and puts the token counts in their places.
pub fn judge(exchange: &mut Exchange, head: Option<&ResponseHead>, is_stream: bool, embeddings: bool, at: i64, kept: &mut Kept) {
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
    if !is_success(head.status) {
        exchange.row.retry_after_s = head.retry_after.as_ref().and_then(|after| retry_after_s(after, jiff::Timestamp::now()));
        exchange.failure = Some(Failure::new(ErrorClass::HttpStatus, status_words(head, &kept.body)));
        return;
    }
    if !is_stream {
        exchange.on_whole_answer(at, embeddings, kept);
    }
    if let Some(reason) = exchange.bad_finish.take()
        && exchange.failure.is_none()
    {
        let words = format!("the server ended the answer with finish_reason {reason:?}");
        exchange.failure = Some(Failure::new(ErrorClass::ErrorInStream, words));
    } else if is_stream && !exchange.done && exchange.row.finish.is_none() && exchange.failure.is_none() {
        exchange.failure = Some(match &exchange.odd {
            Some(odd) => Failure::new(ErrorClass::MalformedStream, format!("in the place of events stands: {odd}")),
            None => Failure::new(ErrorClass::CutOff, "the stream ended with neither a finish reason nor [DONE]"),
        });
    }
    if exchange.failure.is_none() && exchange.row.events == 0 {
        exchange.failure = Some(Failure::new(ErrorClass::NoContent, "the answer ended well without one content event"));
    }
    count_tokens(exchange, embeddings);
}

/// What a refusal says, and what its head adds.
fn status_words(head: &ResponseHead, body: &[u8]) -> String {
    let words = error_words(body);
    let words = if words.is_empty() { format!("HTTP status {}", head.status) } else { words };
    match (&head.location, &head.retry_after) {
        (Some(location), _) if (300..400).contains(&head.status) => {
            format!("{words} (the server redirects to {}, which is not followed: give that as the base URL)", tidy(location))
        }
        (_, Some(after)) => format!("{words} (retry-after: {})", tidy(after)),
        _ => words,
    }
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

/// At so many times what the events show, or so small a part of it, a count is doubted.
const CONTRADICTS: u64 = 10;

/// Output tokens by the engine's own count, else by events until a tokenizer has counted the text.
fn count_tokens(exchange: &mut Exchange, embeddings: bool) {
    let row = &mut exchange.row;
    let usage = exchange.usage.unwrap_or_default();
    // every prompt has text: no engine read nothing
    row.input = usage.prompt.filter(|tokens| *tokens > 0);
    row.cached = usage.cached.filter(|_| row.input.is_some());
    row.reasoning = usage.reasoning;
    if embeddings {
        return;
    }
    if let Some(tokens) = usage.completion.filter(|tokens| *tokens > 0) {
        row.output = Some(tokens);
        row.source = Some(TokenSource::Usage);
        // reasoning that was not streamed is in no event
        let hidden = if row.reasoning_streamed { 0 } else { row.reasoning.unwrap_or(0) };
        let (claimed, events) = (u64::from(tokens.saturating_sub(hidden)), u64::from(row.events));
        row.doubted = row.streamed && (claimed >= events * CONTRADICTS || events >= claimed.max(1) * CONTRADICTS);
    } else if row.events > 0 && row.streamed {
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
