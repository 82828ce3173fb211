//! All settings, and the defaults of each dialect.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use super::{faults::FaultRate, timing::Timing, tls::Certificate};

#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Port 0 takes any free one.
    pub listen: SocketAddr,
    pub model: String,
    /// Prompt and output tokens together.
    pub max_model_len: u32,
    pub seed: u64,
    pub timing: Timing,
    /// Requests that run at once; more wait, first come first served.
    pub max_num_seqs: usize,
    /// Nominal size of the KV cache in tokens, for the gauge and the prefix cache.
    pub kv_cache_tokens: u64,
    /// Cache prompts in blocks of 16 tokens; cached tokens take no prompt time.
    pub prefix_cache: bool,
    /// Output limit of a request that names none.
    pub default_max_tokens: u32,
    /// Always produce as many tokens as the limit allows, as `ignore_eos` does.
    pub full_length: bool,
    pub shape: EventFormat,
    pub wire: Wire,
    pub keep_alive: KeepAlive,
    pub faults: Vec<FaultRate>,
    pub truth: TruthSink,
    /// `/health` answers 503 for so long after the start.
    pub ready_after: Duration,
    /// If set, calls need `Authorization: Bearer KEY`.
    pub api_key: Option<String>,
    /// If set, connections speak TLS.
    pub tls: Option<Certificate>,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            model: "reference".to_owned(),
            max_model_len: 131_072,
            seed: 1,
            timing: Timing::default(),
            max_num_seqs: usize::MAX,
            kv_cache_tokens: 1_000_000,
            prefix_cache: false,
            default_max_tokens: 128,
            full_length: false,
            shape: EventFormat::of(Dialect::Vllm),
            wire: Wire::default(),
            keep_alive: KeepAlive::default(),
            faults: Vec::new(),
            truth: TruthSink::None,
            ready_after: Duration::ZERO,
            api_key: None,
            tls: None,
        }
    }
}

/// Where the true times are recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TruthSink {
    None,
    /// Kept in memory, and returned when the engine is stopped.
    Memory,
    /// Written to a file, one JSON object per request and line.
    File(PathBuf),
}

/// Whose habits the answers follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Dialect {
    /// Late role chunk with `""`, finish reason in an empty chunk (chat), usage in its own chunk.
    #[value(name = "vllm")]
    Vllm,
    /// Late role chunk with `null`, finish reason in an empty delta, `timings` in the last chunk, short-lived kept connections.
    #[value(name = "llama.cpp")]
    LlamaCpp,
    /// Role in every delta, finish reason and usage with the last text, no space after `data:`, comment pings.
    #[value(name = "tgi")]
    Tgi,
    /// Early role chunk, `usage: null` in each chunk before the usage chunk.
    #[value(name = "openai")]
    OpenAi,
}

/// When the head of a streamed answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum HeadTime {
    /// As soon as the request is read.
    Early,
    /// With the first event.
    WithFirst,
}

/// When a chat says `"role":"assistant"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum RolePosition {
    /// In a chunk of its own, as soon as the request is read: no sign of a first token.
    Early,
    /// In a chunk of its own, just before the first content.
    Late,
    /// In the first content chunk.
    WithFirst,
    /// In every chunk.
    Every,
}

/// The content of a role chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum RoleContent {
    Null,
    Empty,
    Absent,
}

/// Where the finish reason is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum FinishPosition {
    WithLast,
    Alone,
}

/// Where the usage is, when it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum UsagePlace {
    /// In a chunk of its own with `choices: []`.
    Own,
    /// In the chunk with the finish reason.
    InFinish,
}

/// Line ends of the event stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LineEnd {
    Lf,
    Crlf,
}

/// The format of the events.
#[derive(Debug, Clone, PartialEq)]
pub struct EventFormat {
    pub dialect: Dialect,
    pub head: HeadTime,
    pub role: RolePosition,
    pub role_content: RoleContent,
    /// In chats; completions always have it with the last text.
    pub finish: FinishPosition,
    pub usage: UsagePlace,
    /// Whether `data: [DONE]` ends a stream.
    pub done: bool,
    pub line_end: LineEnd,
    /// Whether each event's JSON is split over several `data:` lines.
    pub multi_line: bool,
    /// Whether a space follows `data:`.
    pub data_space: bool,
    /// Interval of comment lines, from the moment that the request is read.
    pub ping_every: Option<Duration>,
    /// An event with an empty delta is sent before every n-th content event; 0 for none.
    pub empty_every: u32,
    pub tokens_per_event: u32,
    /// Output tokens that a chat streams as `reasoning_content` first.
    pub reasoning_tokens: u32,
    /// Output tokens that a chat counts in its usage but never shows; they take their time before the first event.
    pub hidden_reasoning_tokens: u32,
    /// Answer a chat with a tool call even if the request has no `tools`. With `tools` it always is one.
    pub tool_calls: bool,
}

impl EventFormat {
    pub fn of(dialect: Dialect) -> Self {
        let vllm = Self {
            dialect,
            head: HeadTime::Early,
            role: RolePosition::Late,
            role_content: RoleContent::Empty,
            finish: FinishPosition::Alone,
            usage: UsagePlace::Own,
            done: true,
            line_end: LineEnd::Lf,
            multi_line: false,
            data_space: true,
            ping_every: None,
            empty_every: 0,
            tokens_per_event: 1,
            reasoning_tokens: 0,
            hidden_reasoning_tokens: 0,
            tool_calls: false,
        };
        match dialect {
            Dialect::Vllm => vllm,
            Dialect::LlamaCpp => Self { head: HeadTime::WithFirst, role_content: RoleContent::Null, ..vllm },
            Dialect::Tgi => Self {
                role: RolePosition::Every,
                finish: FinishPosition::WithLast,
                usage: UsagePlace::InFinish,
                data_space: false,
                ping_every: Some(Duration::from_secs(15)),
                ..vllm
            },
            Dialect::OpenAi => Self { role: RolePosition::Early, ..vllm },
        }
    }
}

/// How the bytes of an answer are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wire {
    pub framing: Framing,
    /// Content events that go out in one write, once the last of them is due; the first event always goes alone.
    pub events_per_write: u32,
    /// Longest single write in bytes; 0 for no limit. One byte a write cuts events and characters everywhere.
    pub bytes_per_write: usize,
    /// Compress streams for clients that accept it, flushed after each event.
    pub gzip: bool,
}

impl Default for Wire {
    fn default() -> Self {
        Self { framing: Framing::PerEvent, events_per_write: 1, bytes_per_write: 0, gzip: false }
    }
}

/// The transfer coding of a streamed body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// One chunk an event.
    PerEvent,
    /// Chunks of at most this many bytes, cutting events and characters anywhere.
    Every(usize),
    /// Chunks of a seeded length up to this many bytes, sometimes with leading zeros, capitals and extensions.
    Random(usize),
    /// Not chunked: the end of the connection ends the body.
    UntilClose,
}

/// When a kept-alive connection is closed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeepAlive {
    /// After this many answers.
    pub max_requests: Option<u32>,
    /// After this time without a request.
    pub idle: Option<Duration>,
    /// Whether the connection is closed after the last answer without `Connection: close` in it.
    pub unannounced: bool,
}

impl KeepAlive {
    /// The dialect's defaults: llama.cpp's HTTP server closes after 100 requests or 5 seconds.
    pub fn of(dialect: Dialect) -> Self {
        match dialect {
            Dialect::LlamaCpp => Self { max_requests: Some(100), idle: Some(Duration::from_secs(5)), unannounced: false },
            _ => Self::default(),
        }
    }
}
