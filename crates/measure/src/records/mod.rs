//! Request records in memory, kept small: one row of numbers each, gaps packed into one buffer, text only for errors. Times are
//! Unix ns, derived from the monotonic clock by one anchor per run.

mod finish;
mod gaps;
mod merge;

use std::collections::HashMap;

pub use finish::{Finish, known_finish};
pub use gaps::{Gaps, GapsBuf};

use crate::report::{ErrorClass, Phase, RequestRecord, TokenSource};

/// One request. Every time is Unix ns.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Number of the request in its load point and phase, from 0.
    pub number: u32,
    /// Index of the load point.
    pub load_point: u32,
    /// Index of the node.
    pub node: u16,
    pub phase: Phase,
    /// Scheduled arrival, in an open loop.
    pub scheduled: Option<i64>,
    /// First byte handed to the socket.
    pub sent: Option<i64>,
    pub first: Option<i64>,
    /// First content event that is not reasoning.
    pub first_output: Option<i64>,
    pub last: Option<i64>,
    /// End of the request, successful or not.
    pub ended: Option<i64>,
    pub events: u32,
    /// Content events that share their receive stamp with the one before.
    pub coalesced: u32,
    /// Input tokens as the engine counts.
    pub input: Option<u32>,
    pub output: Option<u32>,
    /// Of the output, reasoning.
    pub reasoning: Option<u32>,
    /// Whether reasoning was streamed: if not, the gaps don't include its tokens.
    pub reasoning_streamed: bool,
    /// Of the input, tokens found in the prefix cache.
    pub cached: Option<u32>,
    /// Requested input length, tokens.
    pub requested_input: Option<u32>,
    /// Requested output limit, tokens.
    pub requested_output: Option<u32>,
    /// Where the output count came from.
    pub source: Option<TokenSource>,
    /// Whether the number of content events contradicts the engine's own token count tenfold. Not part of the stored record.
    pub doubted: bool,
    pub finish: Option<&'static str>,
    /// Why it counts as an error.
    pub error: Option<ErrorClass>,
    /// HTTP status of the answer.
    pub status: Option<u16>,
    /// The server's `retry-after`, seconds.
    pub retry_after_s: Option<f32>,
    /// How often it was sent again after status 429.
    pub retries: u32,
    /// Whether the answer was streamed; an answer in one piece has an end only.
    pub streamed: bool,
}

impl Row {
    pub fn new(load_point: u32, phase: Phase, number: u32, node: u16) -> Self {
        Self {
            number,
            load_point,
            node,
            phase,
            scheduled: None,
            sent: None,
            first: None,
            first_output: None,
            last: None,
            ended: None,
            events: 0,
            coalesced: 0,
            input: None,
            output: None,
            reasoning: None,
            reasoning_streamed: false,
            cached: None,
            requested_input: None,
            requested_output: None,
            source: None,
            doubted: false,
            finish: None,
            error: None,
            status: None,
            retry_after_s: None,
            retries: 0,
            streamed: true,
        }
    }

    /// Whether the request succeeded, so that its latencies count.
    pub fn succeeded(&self) -> bool {
        self.error.is_none()
    }

    /// First content event − send, ms; of successful requests.
    pub fn ttft_ms(&self) -> Option<f64> {
        if self.streamed { self.well(self.first, self.sent) } else { None }
    }

    /// First content event that is not reasoning − send, ms.
    pub fn ttfo_ms(&self) -> Option<f64> {
        if self.streamed { self.well(self.first_output, self.sent) } else { None }
    }

    /// Last content event − send, ms.
    pub fn e2el_ms(&self) -> Option<f64> {
        self.well(self.last, self.sent)
    }

    /// First content event − planned arrival, ms.
    pub fn ttft_from_schedule_ms(&self) -> Option<f64> {
        if self.streamed { self.well(self.first, self.scheduled) } else { None }
    }

    /// Last content event − planned arrival, ms.
    pub fn e2el_from_schedule_ms(&self) -> Option<f64> {
        self.well(self.last, self.scheduled)
    }

    /// Send − planned arrival, ms; of every request that was sent.
    pub fn lag_ms(&self) -> Option<f64> {
        Some(ms(self.sent? - self.scheduled?))
    }

    /// (last − first content event) / (tokens − 1), ms; without the tokens of reasoning that was not streamed.
    pub fn tpot_ms(&self) -> Option<f64> {
        let hidden = if self.reasoning_streamed { 0 } else { self.reasoning.unwrap_or(0) };
        let tokens = self.output?.saturating_sub(hidden);
        if tokens < 2 || self.events < 2 {
            return None;
        }
        Some(self.well(self.last, self.first)? / f64::from(tokens - 1))
    }

    fn well(&self, end: Option<i64>, begin: Option<i64>) -> Option<f64> {
        if self.succeeded() { Some(ms(end? - begin?)) } else { None }
    }
}

pub fn ms(nanoseconds: i64) -> f64 {
    nanoseconds as f64 / 1e6
}

/// All requests of a run.
#[derive(Debug, Default)]
pub struct Records {
    /// Names of the nodes.
    pub nodes: Vec<String>,
    /// Prefix of request ids.
    pub id_prefix: String,
    /// One row per request, in order of completion; of several workers, by send time.
    pub rows: Vec<Row>,
    /// The gaps of each row.
    pub gaps: Gaps,
    /// Error messages, by row.
    pub errors: HashMap<usize, String>,
    /// Whether the gaps are not known: nothing is then computed from when events came.
    pub lacks_gaps: bool,
}

impl Records {
    /// Appends a request; returns its index in `rows`.
    pub fn push(&mut self, row: Row, gaps: &GapsBuf, error: Option<String>) -> usize {
        let index = self.rows.len();
        self.rows.push(row);
        self.gaps.push(gaps);
        if let Some(words) = error {
            self.errors.insert(index, words);
        }
        index
    }

    /// The `x-request-id` of a request.
    pub fn id(prefix: &str, load_point: u32, phase: Phase, number: u32) -> String {
        let letter = if phase == Phase::Warmup { 'w' } else { 'm' };
        format!("{prefix}-{load_point}{letter}{number}")
    }

    /// A row as an exported record.
    pub fn record(&self, index: usize) -> RequestRecord {
        let row = &self.rows[index];
        RequestRecord {
            id: Self::id(&self.id_prefix, row.load_point, row.phase, row.number),
            node: self.nodes.get(usize::from(row.node)).cloned().unwrap_or_default(),
            load_point: row.load_point,
            phase: row.phase,
            scheduled_unix_ns: row.scheduled,
            sent_unix_ns: row.sent,
            first_content_unix_ns: row.first.filter(|_| row.streamed),
            last_content_unix_ns: row.last,
            ended_unix_ns: row.ended,
            ttft_ms: row.ttft_ms(),
            ttfo_ms: row.ttfo_ms(),
            tpot_ms: row.tpot_ms(),
            e2el_ms: row.e2el_ms(),
            events: row.events,
            input_tokens: row.input,
            output_tokens: row.output,
            reasoning_tokens: row.reasoning,
            cached_tokens: row.cached,
            requested_input_tokens: row.requested_input,
            requested_output_tokens: row.requested_output,
            token_source: row.source,
            finish_reason: row.finish.map(str::to_owned),
            error_class: row.error,
            error: self.errors.get(&index).cloned(),
            http_status: row.status,
            retry_after_s: row.retry_after_s.map(f64::from),
            retries: (row.retries > 0).then_some(row.retries),
        }
    }

    /// Appends a row from an exported record.
    pub fn push_record(&mut self, record: RequestRecord, gaps: &GapsBuf) {
        let node = self.nodes.iter().position(|node| *node == record.node).unwrap_or_else(|| {
            self.nodes.push(record.node.clone());
            self.nodes.len() - 1
        });
        let number = record.id.rsplit(['m', 'w']).next().and_then(|digits| digits.parse().ok()).unwrap_or(0);
        let streamed = record.first_content_unix_ns.is_some() || record.last_content_unix_ns.is_none();
        let first_output = record.ttfo_ms.and_then(|after| record.sent_unix_ns.map(|sent| sent + (after * 1e6).round() as i64));
        let row = Row {
            scheduled: record.scheduled_unix_ns,
            sent: record.sent_unix_ns,
            first: record.first_content_unix_ns,
            first_output,
            last: record.last_content_unix_ns,
            ended: record.ended_unix_ns,
            events: record.events,
            coalesced: gaps.iter().filter(|gap| *gap == 0).count() as u32,
            input: record.input_tokens,
            output: record.output_tokens,
            reasoning: record.reasoning_tokens,
            // with streamed reasoning, the first content event came before the first output
            reasoning_streamed: record.first_content_unix_ns != first_output,
            cached: record.cached_tokens,
            requested_input: record.requested_input_tokens,
            requested_output: record.requested_output_tokens,
            source: record.token_source,
            finish: record.finish_reason.as_deref().map(known_finish),
            error: record.error_class,
            status: record.http_status,
            retry_after_s: record.retry_after_s.map(|seconds| seconds as f32),
            retries: record.retries.unwrap_or(0),
            streamed,
            ..Row::new(record.load_point, record.phase, number, u16::try_from(node).unwrap_or(u16::MAX))
        };
        self.push(row, gaps, record.error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back() {
        let mut records = Records { nodes: vec!["n".to_owned()], id_prefix: "r".to_owned(), ..Records::default() };
        let mut gaps = GapsBuf::default();
        for gap in [0, 5_000_000, 300_000_000_000] {
            gaps.push(gap);
        }
        // each field with a value of its own, so that one that is not carried over is noticed
        let row = Row {
            number: 7,
            load_point: 1,
            node: 0,
            phase: Phase::Measured,
            scheduled: Some(500),
            sent: Some(1_000),
            first: Some(2_001_000),
            first_output: Some(3_001_000),
            last: Some(305_002_001_000),
            ended: Some(305_002_001_500),
            events: 4,
            coalesced: 1,
            input: Some(9),
            output: Some(4),
            reasoning: Some(2),
            reasoning_streamed: true,
            cached: Some(8),
            requested_input: Some(10),
            requested_output: Some(5),
            source: Some(TokenSource::Usage),
            // of use until the report is made only
            doubted: false,
            finish: Some("length"),
            error: None,
            status: Some(200),
            retry_after_s: Some(1.5),
            retries: 3,
            streamed: true,
        };
        records.push(row.clone(), &gaps, None);
        let failed = Row { number: 8, error: Some(ErrorClass::HttpStatus), status: Some(429), first_output: None, ..row.clone() };
        records.push(failed.clone(), &gaps, Some("too many".to_owned()));
        let mut again = Records { id_prefix: "r".to_owned(), ..Records::default() };
        for index in 0..2 {
            let line = serde_json::to_string(&records.record(index)).unwrap();
            again.push_record(serde_json::from_str(&line).unwrap(), &gaps);
        }
        assert_eq!(again.rows, [row, failed]);
        assert_eq!([again.record(0), again.record(1)], [records.record(0), records.record(1)]);
        assert_eq!(again.gaps.of(0).collect::<Vec<_>>(), [0, 5_000_000, 300_000_000_000]);
    }
}
