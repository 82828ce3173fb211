//! One request while it goes on: what its events mean for the record.

use super::failure::Failure;
use crate::stream::chunk::{Chunk, TokenUsage, error_words, tidy};
use crate::stream::http::is_success;
use crate::stream::json::unescape_into;
use crate::stream::repeat::RepeatedChunk;
use crate::stream::sse::SseEvent;
use crate::workload::PromptId;
use dyno_measure::plan::TokenLimitField;
use dyno_measure::records::{Finish, GapsBuf, Row};
use dyno_measure::report::ErrorClass;

/// Largest answer that is not a stream and is kept, bytes.
const LARGEST_BODY: usize = 64 << 20;
/// Of an answer that is no success, only the beginning is kept, bytes.
const LARGEST_ERROR: usize = 16 << 10;

/// One request. Times are monotonic ns until the record is kept.
#[derive(Debug)]
pub struct Exchange {
    /// The record so far.
    pub row: Row,
    pub prompt: PromptId,
    /// Time of the last event of any kind, or of the send.
    pub last_activity: i64,
    /// When the whole request is over at the latest.
    pub lingers_until: Option<i64>,
    /// The answer is over: `[DONE]` has come, or a whole answer in one piece.
    pub done: bool,
    pub failure: Option<Failure>,
    /// Token counts as the engine gives them.
    pub usage: Option<TokenUsage>,
    /// Whether it was sent once before, on a connection that had been closed.
    pub tried_again: bool,
    /// Whether it was sent with the option that asks for usage.
    pub asked_for_usage: bool,
    /// Under which name it was sent its output limit.
    pub sent_limit: TokenLimitField,
    /// A finish reason that says that generation went wrong, as the server wrote it.
    pub bad_finish: Option<String>,
    /// Text that stood where events should have been.
    pub odd: Option<String>,
    /// Whether a text held bytes that are no UTF-8.
    pub broken_text: bool,
    /// Whether what is new has come: a whole message after that is a repetition.
    pub piecewise: bool,
    /// Whether the text is kept for a tokenizer.
    pub keeps_text: bool,
    /// Whether the answer, without reasoning, is kept for the next turn.
    pub keeps_answer: bool,
}

/// Buffers of a request that are used again by the next.
#[derive(Debug, Default)]
pub struct Kept {
    /// Gaps between content events.
    pub gaps: GapsBuf,
    /// Text of content and reasoning, where somebody wants it.
    pub text: Vec<u8>,
    /// Text of content alone, where a next turn needs it.
    pub answer: Vec<u8>,
    /// An answer that is no stream.
    pub body: Vec<u8>,
    pub repeat: RepeatedChunk,
}

impl Kept {
    /// Makes ready for the next request.
    pub fn clear(&mut self) {
        self.gaps.clear();
        self.text.clear();
        self.answer.clear();
        self.repeat.clear();
        self.body.clear();
        self.body.shrink_to(1 << 10);
    }

    /// Keeps a piece of an answer that is no stream.
    pub fn take_body(&mut self, status: u16, piece: &[u8]) {
        let room = if is_success(status) { LARGEST_BODY } else { LARGEST_ERROR }.saturating_sub(self.body.len());
        self.body.extend_from_slice(&piece[..piece.len().min(room)]);
    }
}

impl Exchange {
    /// A request that is still to be sent.
    pub fn new(row: Row, prompt: PromptId, keeps_text: bool) -> Self {
        Self {
            row,
            prompt,
            last_activity: 0,
            lingers_until: None,
            done: false,
            failure: None,
            usage: None,
            tried_again: false,
            asked_for_usage: false,
            sent_limit: TokenLimitField::MaxTokens,
            bad_finish: None,
            odd: None,
            broken_text: false,
            piecewise: false,
            keeps_text,
            keeps_answer: false,
        }
    }

    /// An event has come.
    pub fn on_event(&mut self, event: SseEvent<'_>, at: i64, kept: &mut Kept) {
        if self.done || self.failure.is_some() {
            return;
        }
        self.last_activity = at;
        let data = event.data.trim_ascii();
        if data == b"[DONE]" {
            self.done = true;
        } else if event.error {
            let words = error_words(data);
            let words = if words.is_empty() { "an error without words".to_owned() } else { words };
            self.failure = Some(Failure::new(ErrorClass::ErrorInStream, words));
        } else if event.bare {
            self.on_bare(data, at, kept);
        } else if !data.is_empty() {
            self.on_chunk(data, at, kept);
        }
    }

    /// The stream ended inside an event: it counts only if it is whole.
    pub fn on_last_event(&mut self, event: SseEvent<'_>, at: i64, kept: &mut Kept) {
        let data = event.data.trim_ascii();
        if data == b"[DONE]" || event.error || event.bare || Chunk::read(data, None).is_ok() {
            self.on_event(event, at, kept);
        }
    }

    /// Text that is no event: an error that the server wrote past its own protocol, or a whole answer.
    fn on_bare(&mut self, data: &[u8], at: i64, kept: &mut Kept) {
        match Chunk::read(data, None) {
            Ok(chunk) if chunk.error.is_some() => self.on_chunk(data, at, kept),
            Ok(chunk) if chunk.content() && (chunk.message || chunk.finish.is_some()) && self.row.events == 0 => {
                self.done = true;
                self.row.streamed = false;
                self.on_chunk(data, at, kept);
            }
            _ => {
                let shown = String::from_utf8_lossy(&data[..data.len().min(120)]);
                self.odd.get_or_insert_with(|| tidy(&shown));
            }
        }
    }

    fn on_chunk(&mut self, data: &[u8], at: i64, kept: &mut Kept) {
        let before = kept.text.len();
        let wants_text = self.keeps_text || self.keeps_answer;
        if let Some(text) = kept.repeat.text_of(data) {
            kept.repeat.found();
            self.broken_text |= std::str::from_utf8(text).is_err();
            if wants_text {
                unescape_into(text, &mut kept.text);
            }
            if self.keeps_answer {
                kept.answer.extend_from_slice(&kept.text[before..]);
            }
            if !text.is_empty() {
                self.on_content(true, false, at, &mut kept.gaps);
            }
            return;
        }
        let text = if wants_text { Some(&mut kept.text) } else { None };
        let Ok(chunk) = Chunk::read(data, text) else {
            let shown = String::from_utf8_lossy(&data[..data.len().min(120)]);
            self.failure = Some(Failure::new(ErrorClass::MalformedStream, tidy(&format!("an event is not JSON: {shown}"))));
            return;
        };
        if let Some(error) = chunk.error {
            self.failure = Some(Failure::new(ErrorClass::ErrorInStream, error_words(error)));
            return;
        }
        self.broken_text |= std::str::from_utf8(data).is_err();
        if let Some(usage) = chunk.usage {
            self.usage.get_or_insert_default().merge(usage);
        }
        if let Some(reason) = chunk.finish {
            self.on_finish(&String::from_utf8_lossy(reason));
        }
        if chunk.message && self.piecewise {
            kept.text.truncate(before);
            return;
        }
        self.piecewise |= chunk.content() && !chunk.message;
        if self.keeps_answer && chunk.output {
            kept.answer.extend_from_slice(&kept.text[before..]);
        }
        if chunk.content() {
            self.on_content(chunk.output, chunk.reasoning, at, &mut kept.gaps);
        }
        if let Some(text) = chunk.only_text {
            kept.repeat.keep(data, text);
        }
    }

    fn on_finish(&mut self, reason: &str) {
        match Finish::read(reason) {
            Finish::None => {}
            Finish::Good(reason) => self.row.finish = Some(reason),
            // words of the server's may follow: it counts when the answer is over
            Finish::Bad(known) => {
                self.row.finish = Some(known);
                self.bad_finish = Some(tidy(reason));
            }
        }
    }

    fn on_content(&mut self, output: bool, reasoning: bool, at: i64, gaps: &mut GapsBuf) {
        let row = &mut self.row;
        if let Some(last) = row.last {
            // a stamp never lies before the one it follows
            let at = at.max(last);
            gaps.push((at - last) as u64);
            row.coalesced += u32::from(at == last);
            row.last = Some(at);
        } else {
            row.first = Some(at);
            row.last = Some(at);
        }
        row.events += 1;
        if output && row.first_output.is_none() {
            row.first_output = row.last;
        }
        row.reasoning_streamed |= reasoning;
    }

    /// An answer in one piece has come, with status 2xx: an embedding, or a completion from a server that does not stream.
    pub fn on_whole_answer(&mut self, at: i64, embeddings: bool, kept: &mut Kept) {
        let body = std::mem::take(&mut kept.body);
        self.read_whole_answer(&body, at, embeddings, kept);
        kept.body = body;
    }

    fn read_whole_answer(&mut self, body: &[u8], at: i64, embeddings: bool, kept: &mut Kept) {
        let answer = Chunk::read(body.trim_ascii(), None).ok();
        match answer {
            Some(chunk) if chunk.error.is_none() && chunk.answer => {
                self.done = true;
                self.row.streamed = false;
                if embeddings {
                    self.usage = chunk.usage;
                    self.row.last = Some(at);
                    self.row.events = 1;
                } else {
                    self.on_chunk(body.trim_ascii(), at, kept);
                }
            }
            Some(chunk) if chunk.error.is_some() => self.on_chunk(body.trim_ascii(), at, kept),
            _ => {
                let shown = String::from_utf8_lossy(&body[..body.len().min(120)]).into_owned();
                let words = format!("the answer is neither a stream of events nor an answer in JSON: {shown}");
                self.failure = Some(Failure::new(ErrorClass::MalformedStream, tidy(&words)));
            }
        }
    }
}
