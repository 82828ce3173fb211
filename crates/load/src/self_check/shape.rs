//! The load of a self-check: how many streams, how fast.

use dyno_measure::plan::{
    Load, Plan, PlanEndpoint, PlannedLoad, RATE_OF_ONE_WORKER, STREAMS_OF_ONE_WORKER, TokenizerChoice, Workload,
};

/// Most streams of a check; a load with more is checked with this many.
const MOST_STREAMS: u32 = 10_000;
/// Most content events per second over all streams.
const EVENTS_PER_S: f64 = 20_000.0;
/// Shortest duration of a check, ms, unless one answer per stream takes longer.
const LEAST_MS: f64 = 2_000.0;
/// Least number of requests: enough for p99 by the floors of docs/METRICS.md.
const LEAST_REQUESTS: u32 = 680;
/// For a rate, the request duration assumed to get from rate to streams, seconds.
const SECONDS_AT_RATE: f64 = 10.0;

// What one worker is said to carry is checked in full.
const _: () = assert!(STREAMS_OF_ONE_WORKER <= MOST_STREAMS && RATE_OF_ONE_WORKER * SECONDS_AT_RATE <= MOST_STREAMS as f64);

/// Model name that the reference engine serves.
pub(super) const MODEL: &str = "dyno-self-check";

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct CheckShape {
    pub streams: u32,
    pub ttft_ms: f64,
    pub itl_ms: f64,
    pub tokens: u32,
    pub requests: u32,
}

impl CheckShape {
    /// Short answers, at 20,000 events per second in all from 160 streams on and fewer below. Events that come faster than a
    /// waiting client can read them lose their own stamps, which would say little about a slower load.
    pub fn of(streams: u32) -> Self {
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

    pub fn plan(&self, base_url: String, deadline_unix_ns: i64) -> Plan {
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

/// Number of streams for a plan's check: the largest concurrency; for a rate, what would be in flight if a request took ten
/// seconds, at most its cap. Of several workers, those of one.
pub fn streams(plan: &Plan) -> u32 {
    let of = |point: &PlannedLoad| match point.load {
        Load::Closed { concurrency } => point.closed_streams(concurrency),
        Load::Rate { rate, max_in_flight, .. } => max_in_flight.min(((rate * SECONDS_AT_RATE).ceil() as u32).max(16)),
        // the arrival rate of a trace is not known here
        Load::Trace { max_in_flight, .. } => max_in_flight,
    };
    plan.load_points.iter().map(of).max().unwrap_or(1).div_ceil(plan.workers.max(1)).clamp(1, MOST_STREAMS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_short_and_has_enough_samples_at_every_concurrency() {
        for streams in [1, 2, 3, 4, 7, 8, 20, 31, 32, 64, 256, 1_000, 4_000, 4_001, 10_000] {
            let shape = CheckShape::of(streams);
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
