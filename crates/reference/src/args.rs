//! The command line of `dyno engine`.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::Args;

use super::{
    config::{
        Dialect, EngineOptions, EventFormat, FinishPosition, Framing, HeadTime, KeepAlive, LineEnd, RoleContent, RolePosition,
        TruthSink, UsagePlace, Wire,
    },
    faults::FaultRate,
    timing::Timing,
    tls::Certificate,
};

/// Why an argument is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineArgumentError {
    #[error("must be a number from 0")]
    NotFromZero,
    #[error("must be a number from 0 to 1")]
    NoShare,
    #[error("BYTES must be a number from 1")]
    FramingBytes,
    #[error("must be per-event, every:BYTES, random:BYTES or until-close")]
    Framing,
    #[error("environment variable {0} is not set")]
    KeyNotSet(String),
}

/// A simulated OpenAI-compatible engine whose timing is exact and known.
///
/// It computes nothing: each token is a word from a short list, written when the schedule says. Use it to check a load
/// generator against the truth, or to try Dyno without a model. Everything that it answers says that it is simulated.
#[derive(Debug, Args)]
pub struct EngineArgs {
    /// Address to listen on; port 0 takes any free one
    #[arg(long, default_value = "127.0.0.1:8100")]
    pub listen: SocketAddr,
    /// Model id that is served
    #[arg(long, default_value = "reference")]
    pub model: String,
    /// Longest prompt and output together, in tokens
    #[arg(long, default_value_t = 131_072)]
    pub max_model_len: u32,
    /// Seed of lengths, jitter, words and faults
    #[arg(long, default_value_t = 1)]
    pub seed: u64,

    /// From admission to the first token, in milliseconds
    #[arg(long, default_value_t = 50.0, value_parser = from_zero, help_heading = "Timing")]
    pub ttft_ms: f64,
    /// Between two tokens, in milliseconds; 0 for as fast as possible
    #[arg(long, default_value_t = 10.0, value_parser = from_zero, help_heading = "Timing")]
    pub itl_ms: f64,
    /// Added to the first token for each prompt token, in microseconds
    #[arg(long, default_value_t = 0.0, value_parser = from_zero, help_heading = "Timing")]
    pub prompt_token_us: f64,
    /// Each time is multiplied by a seeded factor, uniform in 1 ± JITTER
    #[arg(long, default_value_t = 0.0, value_parser = share, help_heading = "Timing")]
    pub jitter: f64,
    /// Each time is multiplied by 1 + SLOWDOWN × (running requests − 1)
    #[arg(long, default_value_t = 0.0, value_parser = from_zero, help_heading = "Timing")]
    pub slowdown: f64,
    /// All requests produce at the same moments, as in the steps of a real engine
    #[arg(long, help_heading = "Timing")]
    pub lock_step: bool,
    /// Requests that run at once, more wait in a queue; 0 for no limit
    #[arg(long, default_value_t = 0, help_heading = "Timing")]
    pub max_num_seqs: usize,
    /// Tokens that the KV cache holds
    #[arg(long, default_value_t = 1_000_000, help_heading = "Timing")]
    pub kv_cache_tokens: u64,
    /// Remember prompts in blocks of 16 tokens; known blocks cost no time and are reported as cached
    #[arg(long, help_heading = "Timing")]
    pub prefix_cache: bool,
    /// Output limit of a request that names none
    #[arg(long, default_value_t = 128, help_heading = "Timing")]
    pub default_max_tokens: u32,
    /// Produce as many tokens as the limit allows even without ignore_eos (otherwise a seeded number up to the limit)
    #[arg(long, help_heading = "Timing")]
    pub full_length: bool,

    /// Whose habits the answers follow; the options below change single ones
    #[arg(long, value_enum, default_value = "vllm", help_heading = "Form of the events")]
    pub dialect: Dialect,
    /// When the head of a streamed answer is written
    #[arg(long, value_enum, help_heading = "Form of the events")]
    pub head: Option<HeadTime>,
    /// When a chat names its role
    #[arg(long, value_enum, help_heading = "Form of the events")]
    pub role: Option<RolePosition>,
    /// Content of a role chunk
    #[arg(long, value_enum, help_heading = "Form of the events")]
    pub role_content: Option<RoleContent>,
    /// Where a chat's finish reason is
    #[arg(long, value_enum, help_heading = "Form of the events")]
    pub finish: Option<FinishPosition>,
    /// Where the usage is, when it is asked for
    #[arg(long, value_enum, help_heading = "Form of the events")]
    pub usage: Option<UsagePlace>,
    /// End streams without [DONE]
    #[arg(long, help_heading = "Form of the events")]
    pub no_done: bool,
    /// Line ends of the event stream
    #[arg(long, value_enum, help_heading = "Form of the events")]
    pub line_end: Option<LineEnd>,
    /// Spread each event over several data lines
    #[arg(long, help_heading = "Form of the events")]
    pub multi_line: bool,
    /// A comment line so often, in milliseconds; 0 for none
    #[arg(long, value_parser = from_zero, help_heading = "Form of the events")]
    pub ping_ms: Option<f64>,
    /// An empty delta before each so-many-th content event; 0 for none
    #[arg(long, default_value_t = 0, help_heading = "Form of the events")]
    pub empty_every: u32,
    /// Tokens in one event
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Form of the events")]
    pub tokens_per_event: u32,
    /// Output tokens that a chat streams as reasoning_content first
    #[arg(long, default_value_t = 0, help_heading = "Form of the events")]
    pub reasoning_tokens: u32,
    /// Output tokens that a chat counts but never shows
    #[arg(long, default_value_t = 0, help_heading = "Form of the events")]
    pub hidden_reasoning_tokens: u32,
    /// Answer chats with a tool call even without tools in the request
    #[arg(long, help_heading = "Form of the events")]
    pub tool_calls: bool,

    /// Serve over TLS, with a certificate made at the start whose authority is printed as PEM
    #[arg(long, help_heading = "TLS")]
    pub tls: bool,
    /// Write the authority of the certificate to this file instead of printing it
    #[arg(long, value_name = "FILE", requires = "tls", conflicts_with = "tls_certificate", help_heading = "TLS")]
    pub tls_authority: Option<PathBuf>,
    /// Serve with this certificate and its chain, PEM, instead of one made at the start
    #[arg(long, value_name = "FILE", requires_all = ["tls", "tls_key"], help_heading = "TLS")]
    pub tls_certificate: Option<PathBuf>,
    /// Key of the certificate, PEM
    #[arg(long, value_name = "FILE", requires_all = ["tls", "tls_certificate"], help_heading = "TLS")]
    pub tls_key: Option<PathBuf>,

    /// Transfer coding of streams: per-event, every:BYTES, random:BYTES or until-close
    #[arg(long, default_value = "per-event", value_parser = framing, help_heading = "Bytes on the wire")]
    pub framing: Framing,
    /// Content events in one write
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Bytes on the wire")]
    pub events_per_write: u32,
    /// Longest single write in bytes; 0 for no limit
    #[arg(long, default_value_t = 0, help_heading = "Bytes on the wire")]
    pub bytes_per_write: usize,
    /// Compress streams with gzip for clients that accept it, flushed after each event
    #[arg(long, help_heading = "Bytes on the wire")]
    pub gzip: bool,
    /// Close a kept connection after so many answers; 0 for never
    #[arg(long, help_heading = "Bytes on the wire")]
    pub keep_alive_requests: Option<u32>,
    /// Close a kept connection after so many idle milliseconds; 0 for never
    #[arg(long, value_parser = from_zero, help_heading = "Bytes on the wire")]
    pub keep_alive_idle_ms: Option<f64>,
    /// Close after the last answer without saying so in it
    #[arg(long, help_heading = "Bytes on the wire")]
    pub close_unannounced: bool,

    /// A fault and its rate, may be repeated: refuse, reset, close, hang, garbage, status:CODE[:RETRY_AFTER_S], reset-mid,
    /// cut, end-early, error-in-stream, malformed, stall:MS, empty, huge. One request asks for one with an x-dyno-fault
    /// header
    #[arg(long = "fault", value_name = "NAME=RATE", help_heading = "Faults")]
    pub faults: Vec<FaultRate>,
    /// /health answers 503 for so many milliseconds after the start
    #[arg(long, default_value_t = 0.0, value_parser = from_zero, help_heading = "Faults")]
    pub ready_after_ms: f64,
    /// Ask for the bearer token in this environment variable
    #[arg(long, value_name = "NAME", help_heading = "Faults")]
    pub api_key_env: Option<String>,

    /// End when this process, which started the engine, ends in whatever way
    #[arg(long, hide = true)]
    pub parent: Option<i32>,
    /// Write the true time of each event to this file, one JSON object a line and request
    #[arg(long, value_name = "FILE")]
    pub truth: Option<PathBuf>,
}

impl EngineArgs {
    /// What the engine is to be started with.
    pub fn into_config(self) -> Result<EngineOptions, EngineArgumentError> {
        let base = EventFormat::of(self.dialect);
        let keep = KeepAlive::of(self.dialect);
        let shape = EventFormat {
            head: self.head.unwrap_or(base.head),
            role: self.role.unwrap_or(base.role),
            role_content: self.role_content.unwrap_or(base.role_content),
            finish: self.finish.unwrap_or(base.finish),
            usage: self.usage.unwrap_or(base.usage),
            done: base.done && !self.no_done,
            line_end: self.line_end.unwrap_or(base.line_end),
            multi_line: self.multi_line,
            ping_every: self.ping_ms.map_or(base.ping_every, some_duration),
            empty_every: self.empty_every,
            tokens_per_event: self.tokens_per_event,
            reasoning_tokens: self.reasoning_tokens,
            hidden_reasoning_tokens: self.hidden_reasoning_tokens,
            tool_calls: self.tool_calls,
            ..base
        };
        let api_key = match self.api_key_env {
            None => None,
            Some(name) => Some(std::env::var(&name).map_err(|_| EngineArgumentError::KeyNotSet(name))?),
        };
        Ok(EngineOptions {
            listen: self.listen,
            model: self.model,
            max_model_len: self.max_model_len,
            seed: self.seed,
            timing: Timing {
                ttft: duration(self.ttft_ms),
                itl: duration(self.itl_ms),
                prompt_token: duration(self.prompt_token_us / 1000.0),
                jitter: self.jitter,
                slowdown: self.slowdown,
                lock_step: self.lock_step,
            },
            max_num_seqs: if self.max_num_seqs == 0 { usize::MAX } else { self.max_num_seqs },
            kv_cache_tokens: self.kv_cache_tokens,
            prefix_cache: self.prefix_cache,
            default_max_tokens: self.default_max_tokens,
            full_length: self.full_length,
            shape,
            wire: Wire {
                framing: self.framing,
                events_per_write: self.events_per_write,
                bytes_per_write: self.bytes_per_write,
                gzip: self.gzip,
            },
            keep_alive: KeepAlive {
                max_requests: self.keep_alive_requests.map_or(keep.max_requests, |n| (n > 0).then_some(n)),
                idle: self.keep_alive_idle_ms.map_or(keep.idle, some_duration),
                unannounced: self.close_unannounced,
            },
            faults: self.faults,
            truth: self.truth.map_or(TruthSink::None, TruthSink::File),
            ready_after: duration(self.ready_after_ms),
            api_key,
            tls: self.tls.then(|| match self.tls_certificate.zip(self.tls_key) {
                Some((chain, key)) => Certificate::Files { chain, key },
                None => Certificate::Own,
            }),
        })
    }
}

fn duration(ms: f64) -> Duration {
    Duration::from_nanos((ms * 1e6).round() as u64)
}

fn some_duration(ms: f64) -> Option<Duration> {
    (ms > 0.0).then(|| duration(ms))
}

fn from_zero(text: &str) -> Result<f64, EngineArgumentError> {
    match text.parse::<f64>() {
        Ok(number) if (0.0..1e9).contains(&number) => Ok(number),
        _ => Err(EngineArgumentError::NotFromZero),
    }
}

fn share(text: &str) -> Result<f64, EngineArgumentError> {
    match text.parse::<f64>() {
        Ok(number) if (0.0..=1.0).contains(&number) => Ok(number),
        _ => Err(EngineArgumentError::NoShare),
    }
}

fn framing(text: &str) -> Result<Framing, EngineArgumentError> {
    let (name, bytes) = text.split_once(':').map_or((text, None), |(name, bytes)| (name, Some(bytes)));
    let from_one = |bytes: &str| bytes.parse::<usize>().ok().filter(|bytes| *bytes > 0).ok_or(EngineArgumentError::FramingBytes);
    let bytes = bytes.map(from_one).transpose()?;
    match (name, bytes) {
        ("per-event", None) => Ok(Framing::PerEvent),
        ("every", Some(bytes)) => Ok(Framing::Every(bytes)),
        ("random", Some(bytes)) => Ok(Framing::Random(bytes)),
        ("until-close", None) => Ok(Framing::UntilClose),
        _ => Err(EngineArgumentError::Framing),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct TruthLine {
        #[command(flatten)]
        args: EngineArgs,
    }

    fn config(line: &str) -> Result<EngineOptions, String> {
        let line =
            TruthLine::try_parse_from(std::iter::once("dyno").chain(line.split_whitespace())).map_err(|e| e.to_string())?;
        line.args.into_config().map_err(|e| e.to_string())
    }

    #[test]
    fn a_dialect_sets_what_no_option_sets() {
        let config =
            config("--dialect llama.cpp --role early --keep-alive-idle-ms 0 --ttft-ms 1.5 --fault cut=0.1 --fault stall:5=1")
                .unwrap();
        assert_eq!((config.shape.role, config.shape.role_content), (RolePosition::Early, RoleContent::Null));
        assert_eq!((config.keep_alive.max_requests, config.keep_alive.idle), (Some(100), None));
        assert_eq!(config.timing.ttft, Duration::from_micros(1500));
        assert_eq!(config.faults.len(), 2);
        assert_eq!(config.max_num_seqs, usize::MAX);
    }

    #[test]
    fn wrong_arguments_are_refused() {
        for line in [
            "--jitter 2",
            "--itl-ms -1",
            "--framing every",
            "--fault cut",
            "--tokens-per-event 0",
            "--api-key-env DYNO_NOT_SET_ANYWHERE",
            "--tls-authority a",
            "--tls --tls-certificate a",
            "--tls --tls-certificate a --tls-key b --tls-authority c",
        ] {
            assert!(config(line).is_err(), "{line}");
        }
        assert_eq!(config("--framing random:7").unwrap().wire.framing, Framing::Random(7));
    }
}
