//! The self-check: before a load, the same client with as many streams measures the reference engine, a process on the loopback
//! interface that logs when it really wrote each event.
//!
//! What is compared are intervals that both sides measured on the same monotonic clock. Time to first token: the client's
//! first content event less its send, against the engine's first write less the moment at which the engine's kernel had
//! the request. Between tokens: each gap of the client against the gap of the writes. Neither side's lateness in *reading*
//! is part of it, so a busy machine, or one core for both, does not blame the client for what the engine did late; what
//! remains is the error of the client's stamps, and the loopback interface itself.

mod cache;
mod compare;
mod engine;
mod shape;

use std::io;
use std::path::PathBuf;

use self::compare::{compare, read_truth};
use self::engine::CheckEngine;
use self::shape::{CheckShape, streams};
use super::client::clock;
use super::client::phase::PhaseEnd;
use super::client::stop::StopSignal;
use super::event_sink::EventSink;
use super::measurement::{MeasureError, measure};
use dyno_measure::events::LoadEventKind;
use dyno_measure::events::LogLevel;
use dyno_measure::plan::{Plan, PlannedCheck};
use dyno_measure::validity::SelfCheck;

/// Longest duration of a check, ns.
const LIMIT: i64 = 30_000_000_000;

/// Whether any endpoint is reached over TLS.
fn speaks_tls(plan: &Plan) -> bool {
    plan.endpoints.iter().any(|endpoint| endpoint.base_url.starts_with("https://"))
}

/// Cache folder for loads from the command line: `dyno` in the user's cache folder.
pub fn default_folder() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache"))).map(|cache| cache.join("dyno"))
}

/// Checks the client, or takes a cached check of this machine and concurrency. A check that fails is reported and does not stop
/// the load.
pub fn check(plan: &Plan, planned: &PlannedCheck, emit: &EventSink, stop: &StopSignal) -> SelfCheck {
    let (streams, tls) = (streams(plan), speaks_tls(plan));
    let say = |level, line| emit(LoadEventKind::Log { level, line });
    if let Some(kept) = planned.cache.as_deref().and_then(|folder| cache::take(folder, streams, tls, now_ms())) {
        say(LogLevel::Info, format!("The client was checked less than an hour ago. {}", words(&kept)));
        return kept;
    }
    let over = if tls { " over TLS" } else { "" };
    say(LogLevel::Info, format!("Checking the client… ({streams} in flight against the reference engine{over})"));
    let shape = CheckShape::of(streams);
    let limit = clock::wall() + LIMIT;
    let deadline = plan.deadline_unix_ns.map_or(limit, |deadline| deadline.min(limit));
    let result = measured(shape, tls, deadline, stop);
    let mut check = SelfCheck {
        concurrency: streams,
        tls,
        requests: 0,
        true_ttft_ms: shape.ttft_ms,
        true_itl_ms: shape.itl_ms,
        ttft_error_ms: None,
        itl_error_ms: None,
        checked_at_unix_ms: now_ms(),
        cached: false,
        failed: None,
    };
    match result {
        Ok(compared) => {
            check.requests = compared.requests;
            (check.ttft_error_ms, check.itl_error_ms) = (compared.ttft, compared.itl);
            say(LogLevel::Info, words(&check));
            if let Some(folder) = &planned.cache {
                // If it can't be cached, the next load measures again.
                let _ = cache::keep(folder, &check);
            }
        }
        Err(error) => {
            say(LogLevel::Warning, format!("The client could not be checked: {error}."));
            check.failed = Some(error.to_string());
        }
    }
    check
}

/// Why the client could not be checked; the end of a sentence.
#[derive(Debug, thiserror::Error)]
enum SelfCheckError {
    #[error("the reference engine did not start: {0}")]
    NotStarted(#[source] io::Error),
    #[error("the reference engine did not say what it did: {0}")]
    NoTruth(#[source] io::Error),
    #[error("{}", without_full_stop(&.0.to_string()))]
    NotMeasured(#[from] MeasureError),
    #[error("it was stopped before its end")]
    Stopped,
    #[error("the client saw other events than were written in {0} of its requests")]
    OtherEvents(u64),
    #[error("no request succeeded{}", .0.as_ref().map(|error| format!(" ({error})")).unwrap_or_default())]
    NoneSucceeded(Option<String>),
    #[error("{}", without_full_stop(.0))]
    EndedEarly(String),
}

fn without_full_stop(sentence: &str) -> &str {
    sentence.trim_end_matches('.')
}

fn measured(shape: CheckShape, tls: bool, deadline: i64, stop: &StopSignal) -> Result<compare::ComparedTiming, SelfCheckError> {
    let engine = CheckEngine::start(&shape, tls).map_err(SelfCheckError::NotStarted)?;
    let silent: EventSink = std::rc::Rc::new(|_| ());
    let plan = shape.plan(engine.base_url.clone(), deadline);
    let measured = measure(&plan, None, engine.authority.as_deref(), &silent, stop);
    let truth = engine.stop().map_err(SelfCheckError::NoTruth);
    let measured = measured?;
    if stop.is_wished() {
        return Err(SelfCheckError::Stopped);
    }
    let compared = compare(&measured.records, &read_truth(&truth?));
    if compared.wrong > 0 {
        return Err(SelfCheckError::OtherEvents(compared.wrong));
    }
    if compared.requests == 0 {
        return Err(match measured.ending {
            PhaseEnd::Done => SelfCheckError::NoneSucceeded(measured.records.errors.into_values().next()),
            PhaseEnd::Stopped(words) | PhaseEnd::Gone(words) => SelfCheckError::EndedEarly(words),
        });
    }
    Ok(compared)
}

fn words(check: &SelfCheck) -> String {
    let of = |name: &str, error: &Option<dyno_measure::validity::ClientError>| {
        error.as_ref().map(|error| format!("{name} p99 {:.3} ms of {}", error.p99, error.n))
    };
    let parts: Vec<String> = [of("TTFT", &check.ttft_error_ms), of("ITL", &check.itl_error_ms)].into_iter().flatten().collect();
    let over = if check.tls { " over TLS" } else { "" };
    format!("The client's error with {} in flight{over}: {}.", check.concurrency, parts.join(", "))
}

fn now_ms() -> i64 {
    clock::wall() / 1_000_000
}
