//! The reference engine from outside, over plain sockets: dialects, faults, bytes on the wire, metrics, truth.
#![allow(clippy::unwrap_used, clippy::format_collect)]

mod client;
mod dialects;
mod faults;
mod small_calls;
mod timing;
mod tls;

use dyno_reference::{
    EngineOptions,
    config::{Dialect, EventFormat, TruthSink},
    timing::Timing,
};
use std::time::Duration;

/// An engine that answers almost at once and keeps the truth.
fn quick(dialect: Dialect) -> EngineOptions {
    EngineOptions {
        model: "m".to_owned(),
        timing: Timing { ttft: Duration::from_millis(2), itl: Duration::from_millis(1), ..Timing::default() },
        shape: EventFormat::of(dialect),
        truth: TruthSink::Memory,
        ..EngineOptions::default()
    }
}

/// A streamed chat with usage, of so many tokens exactly.
fn chat(max_tokens: u32) -> String {
    format!(
        r#"{{"model":"m","messages":[{{"role":"user","content":"one two three"}}],"max_tokens":{max_tokens},"ignore_eos":true,"stream":true,"stream_options":{{"include_usage":true}}}}"#
    )
}
