//! Everything that can be set, and what each dialect sets.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use super::{faults::FaultRate, timing::Timing, tls::Certificate};

/// What an engine is started with.
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
    /// Tokens that the KV cache is said to hold, for the gauge and the prefix cache.
    pub kv_cache_tokens: u64,
    /// Remember prompts in blocks of 16 tokens and charge no prompt time for what is known.
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

/// Where the true times go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TruthSink {
    None,
    /// Kept, and handed over when the engine is stopped.
    Memory,
    /// Written as one JSON object a line and request.
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

/// The form of the events.
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
    /// Each event's JSON is spread over several `data:` lines.
    pub multi_line: bool,
    /// A space after `data:`.
    pub data_space: bool,
    /// A comment line so often, from the moment that the request is read.
    pub ping_every: Option<Duration>,
    /// An event with an empty delta before each so-many-th content event; 0 for none.
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
    /// What a dialect does.
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

/// How the bytes of an answer are put on the wire.
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
    /// Chunks of at most so many bytes, wherever they fall: inside events and inside characters.
    Every(usize),
    /// Chunks of a seeded length of up to so many bytes, with leading zeros, capitals and extensions now and then.
    Random(usize),
    /// Not chunked: the end of the connection is the end of the body.
    UntilClose,
}

/// When a kept connection ends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeepAlive {
    /// After so many answers.
    pub max_requests: Option<u32>,
    /// After so long without a request.
    pub idle: Option<Duration>,
    /// Close after the last answer without having said `Connection: close` in it.
    pub unannounced: bool,
}

impl KeepAlive {
    /// What a dialect does: llama.cpp's HTTP server closes after 100 requests or 5 seconds.
    pub fn of(dialect: Dialect) -> Self {
        match dialect {
            Dialect::LlamaCpp => Self { max_requests: Some(100), idle: Some(Duration::from_secs(5)), unannounced: false },
            _ => Self::default(),
        }
    }
}
