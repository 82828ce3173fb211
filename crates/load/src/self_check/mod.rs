//! The client checked against the truth: before a load, the same client with as many streams against the reference engine,
//! a process of its own on the loopback interface that writes down when it really wrote each event.
//!
//! What is compared are intervals that both sides measured on the same monotonic clock. Time to first token: the client's
//! first content event less its send, against the engine's first write less the moment at which the engine's kernel had
//! the request. Between tokens: each gap of the client against the gap of the writes. Neither side's lateness in *reading*
//! is part of it, so a busy machine, or one core for both, does not blame the client for what the engine did late; what
//! remains is the error of the client's stamps, and the loopback interface itself.

mod cache;
mod compare;
mod engine;

use std::io;
use std::path::PathBuf;

use self::compare::{compare, read_truth};
use self::engine::Engine;
use super::client::clock;
use super::client::phase::Ending;
use super::client::stop::Stop;
use super::measurement::{MeasureError, measure};
use super::tell::Tell;
use dyno_measure::events::LoadNews;
use dyno_measure::events::LogLevel;
use dyno_measure::plan::{Load, Plan, PlanEndpoint, PlannedCheck, PlannedLoad, TokenizerChoice, Workload};
use dyno_measure::validity::SelfCheck;

/// Most streams that a check opens: a load with more is checked with so many.
const MOST_STREAMS: u32 = 10_000;
/// Content events per second of all streams together, up to which a check's pace keeps.
const EVENTS_PER_S: f64 = 20_000.0;
/// How long a check takes at least, ms, unless one answer of each stream takes longer.
const LEAST_MS: f64 = 2_000.0;
/// Requests of a check at least: enough for p99 by the floors of docs/METRICS.md.
const LEAST_REQUESTS: u32 = 680;
/// How long a check takes at most, ns.
const LIMIT: i64 = 30_000_000_000;
/// At a rate, as many streams are checked as are in flight when a request takes so long, seconds.
const SECONDS_AT_RATE: f64 = 10.0;

/// The model that the engine of a check serves.
const MODEL: &str = "dyno-self-check";

/// What a check asks of the engine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Shape {
    streams: u32,
    ttft_ms: f64,
    itl_ms: f64,
    tokens: u32,
    requests: u32,
}

impl Shape {
    /// Short answers at a pace that so many streams can have: 20,000 events per second in all from 160 streams on, fewer
    /// below: events that come faster than a client that waits for its core can read them lose their stamps, which says little
    /// of a load that is slower.
    fn of(streams: u32) -> Self {
        let streams = streams.clamp(1, MOST_STREAMS);
        let (least_ms, waits, tokens) = match streams {
            0..4 => (2.0, 1.0, 3),
            4..8 => (5.0, 1.0, 3),
            8..32 => (8.0, 2.0, 4),
            32..=4_000 => (8.0, 4.0, 11),
            _ => (8.0, 4.0, 4),
        };
        let itl_ms = (f64::from(streams) * 1_000.0 / EVENTS_PER_S).max(least_ms);
        let ttft_ms = itl_ms * waits;
        let rounds = LEAST_MS / (ttft_ms + itl_ms * f64::from(tokens - 1));
        let requests = (f64::from(streams) * rounds.ceil()) as u32;
        Self { streams, ttft_ms, itl_ms, tokens, requests: requests.max(LEAST_REQUESTS) }
    }

    fn plan(&self, base_url: String, deadline_unix_ns: i64) -> Plan {
        Plan {
            endpoints: vec![PlanEndpoint { node: "reference".to_owned(), base_url, metrics: None }],
            model: MODEL.to_owned(),
            ignore_eos: true,
            stall_timeout_s: 10.0,
            timeout_s: 30.0,
            tokenizer: TokenizerChoice::None,
            deadline_unix_ns: Some(deadline_unix_ns),
            ..Plan::new(
                Workload::synthetic(32, self.tokens),
                vec![PlannedLoad {
                    warmup_requests: Some(self.streams.min(200)),
                    num_requests: Some(self.requests),
                    ..PlannedLoad::closed(self.streams)
                }],
            )
        }
    }
}

/// How many streams a plan's check has: the largest concurrency; at a rate what would be in flight if a request took ten
/// seconds, at most the cap.
pub fn streams(plan: &Plan) -> u32 {
    let of = |point: &PlannedLoad| match point.load {
        Load::Closed { concurrency } => concurrency.min(point.requests().unwrap_or(u32::MAX).max(point.warmup())),
        Load::Rate { rate, max_in_flight, .. } => max_in_flight.min(((rate * SECONDS_AT_RATE).ceil() as u32).max(16)),
        // how fast a trace's arrivals come is not known here
        Load::Trace { max_in_flight, .. } => max_in_flight,
    };
    plan.load_points.iter().map(of).max().unwrap_or(1).clamp(1, MOST_STREAMS)
}

/// Whether the load goes over TLS, or some of it.
fn speaks_tls(plan: &Plan) -> bool {
    plan.endpoints.iter().any(|endpoint| endpoint.base_url.starts_with("https://"))
}

/// Where checks are kept for whoever loads by hand: `dyno` in the user's cache folder.
pub fn default_folder() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache"))).map(|cache| cache.join("dyno"))
}

/// Checks the client, or takes an earlier check of this machine and concurrency. One that can't be carried out says why and
/// stops nothing.
pub fn check(plan: &Plan, planned: &PlannedCheck, tell: &Tell, stop: &Stop) -> SelfCheck {
    let (streams, tls) = (streams(plan), speaks_tls(plan));
    let say = |level, line| tell(LoadNews::Log { level, line });
    if let Some(kept) = planned.cache.as_deref().and_then(|folder| cache::take(folder, streams, tls, now_ms())) {
        say(LogLevel::Info, format!("The client was checked less than an hour ago. {}", words(&kept)));
        return kept;
    }
    let over = if tls { " over TLS" } else { "" };
    say(LogLevel::Info, format!("Checking the client… ({streams} in flight against the reference engine{over})"));
    let shape = Shape::of(streams);
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
                // One that can't be kept is measured again the next time.
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

fn measured(shape: Shape, tls: bool, deadline: i64, stop: &Stop) -> Result<compare::Compared, SelfCheckError> {
    let engine = Engine::start(&shape, tls).map_err(SelfCheckError::NotStarted)?;
    let silent: Tell = std::rc::Rc::new(|_| ());
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
            Ending::Done => SelfCheckError::NoneSucceeded(measured.records.errors.into_values().next()),
            Ending::Stopped(words) | Ending::Gone(words) => SelfCheckError::EndedEarly(words),
        });
    }
    Ok(compared)
}

/// A check's figures in a sentence.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_short_and_has_enough_samples_at_every_concurrency() {
        for streams in [1, 2, 3, 4, 7, 8, 20, 31, 32, 64, 256, 1_000, 4_000, 4_001, 10_000] {
            let shape = Shape::of(streams);
            let request_ms = shape.ttft_ms + shape.itl_ms * f64::from(shape.tokens - 1);
            let rounds = (f64::from(shape.requests) / f64::from(streams)).ceil();
            assert!(request_ms * rounds <= 5_000.0, "{shape:?}");
            assert!(shape.requests >= 662 && shape.requests >= streams, "{shape:?}");
            assert!(f64::from(streams) / shape.itl_ms * 1_000.0 <= EVENTS_PER_S + 1e-6, "{shape:?}");
        }
    }

    #[test]
    fn as_many_streams_as_the_load_may_have() {
        let plan = |points: serde_json::Value| -> Plan {
            serde_json::from_value(serde_json::json!({
                "endpoints": [], "model": "m", "workload": {"kind": "synthetic", "input_tokens": 8, "output_tokens": 4},
                "load_points": points
            }))
            .unwrap()
        };
        let closed = |concurrency: u32| serde_json::json!({"load": {"kind": "closed", "concurrency": concurrency}});
        let rate = |rate: f64, cap: u32| serde_json::json!({"load": {"kind": "rate", "rate": rate, "max_in_flight": cap}});
        assert_eq!(streams(&plan(serde_json::json!([closed(4), closed(90), closed(16)]))), 90);
        assert_eq!(streams(&plan(serde_json::json!([closed(50_000)]))), MOST_STREAMS);
        assert_eq!(streams(&plan(serde_json::json!([rate(0.2, 1024)]))), 16);
        assert_eq!(streams(&plan(serde_json::json!([rate(20.0, 1024)]))), 200);
        assert_eq!(streams(&plan(serde_json::json!([rate(20.0, 8)]))), 8);
    }
}
