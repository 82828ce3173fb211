//! How long a run may take at most: the sum of what its stages may. Where nobody follows a run, its cluster ends it then and gives back what
//! it holds.

use jiff::SignedDuration;

use dyno_measure::plan::{Load, Plan, PlannedLoad};

/// Until the pods of engines and load have their images and were started.
pub(super) const DEPLOYMENT: SignedDuration = SignedDuration::from_hours(2);
/// An engine that is ready and lists another model is waited for so long.
pub(super) const LISTING: SignedDuration = SignedDuration::from_mins(2);
/// The client's check before the load, and the one request to a provider.
const CHECKING: SignedDuration = SignedDuration::from_mins(12);
/// A load point's change to the next.
const BETWEEN_POINTS: SignedDuration = SignedDuration::from_mins(10);
/// The longest of a load that ends by a number of requests, or of whose end nothing is known.
const LONGEST_COUNTED: SignedDuration = SignedDuration::from_hours(24);
/// Until everything was taken over and removed, a portal that is started anew included.
const CLEAN_UP: SignedDuration = SignedDuration::from_mins(30);

/// How an engine is started, as far as it takes time.
#[derive(Debug, Clone, Copy)]
pub(super) struct EngineStart {
    pub startup_limit_s: u64,
    /// Whether it is a container, whose image may have to be pulled.
    pub in_container: bool,
}

/// From a run's launch, after its model was transferred, to its deadline. `engine`: absent for a cloud model.
pub(super) fn run_limit(plan: &Plan, engine: Option<EngineStart>) -> SignedDuration {
    let start = engine.map_or(DEPLOYMENT, |engine| {
        let startup = SignedDuration::from_secs(i64::try_from(engine.startup_limit_s).unwrap_or(i64::MAX / 2));
        let deployment = if engine.in_container { DEPLOYMENT } else { SignedDuration::ZERO };
        deployment.saturating_add(startup).saturating_add(LISTING)
    });
    start.saturating_add(CHECKING).saturating_add(load_limit(plan)).saturating_add(CLEAN_UP)
}

fn load_limit(plan: &Plan) -> SignedDuration {
    let seconds = |seconds: f64| SignedDuration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(SignedDuration::MAX);
    let longest_request = seconds(plan.timeout_s);
    let points = i32::try_from(plan.most_points()).unwrap_or(i32::MAX);
    let between = BETWEEN_POINTS.saturating_mul(points);
    // The first requests and the last are awaited however long they take.
    let around = longest_request.saturating_mul(2).saturating_add(between);
    let by_time: Option<f64> =
        plan.load_points.iter().map(|point| point.duration_s.filter(|_| point.num_requests.is_none())).sum();
    if let Some(sent_s) = by_time {
        let searched = if plan.search().is_some() { points } else { 1 };
        return seconds(sent_s).saturating_mul(searched).saturating_add(around);
    }
    let counted = |point: &PlannedLoad| {
        let requests = f64::from(point.requests()?);
        match point.load {
            Load::Closed { concurrency } => Some((requests / f64::from(concurrency.max(1))).ceil() * plan.timeout_s),
            Load::Rate { rate, .. } => Some(requests / rate),
            Load::Trace { .. } => None,
        }
    };
    // How many requests a search makes is found out by it.
    let sent: Option<f64> = if plan.search().is_some() { None } else { plan.load_points.iter().map(counted).sum() };
    sent.map_or(LONGEST_COUNTED, |sent_s| seconds(sent_s).saturating_add(around).min(LONGEST_COUNTED))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn plan(load_points: Value, more: Value) -> Plan {
        let mut plan = json!({
            "endpoints": [], "model": "m", "workload": { "kind": "synthetic", "input_tokens": 8, "output_tokens": 4 },
            "timeout_s": 3600.0, "load_points": load_points,
        });
        plan.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(plan).unwrap()
    }

    fn closed(concurrency: u32, more: Value) -> Value {
        let mut point = json!({ "load": { "kind": "closed", "concurrency": concurrency } });
        point.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        point
    }

    const IN_POD: EngineStart = EngineStart { startup_limit_s: 900, in_container: true };

    #[test]
    fn a_load_that_ends_by_time_holds_its_nodes_for_hours_and_not_for_a_day() {
        let minute = || closed(4, json!({ "duration_s": 60.0 }));
        let limit = run_limit(&plan(json!([minute(), minute()]), json!({})), Some(IN_POD));
        // Deployment, startup, listing; check; two minutes of load, two longest requests, two changes; clean-up.
        assert_eq!(limit, SignedDuration::from_mins(120 + 15 + 2 + 12 + 2 + 120 + 20 + 30));
        let here = EngineStart { in_container: false, ..IN_POD };
        assert_eq!(run_limit(&plan(json!([minute(), minute()]), json!({})), Some(here)), limit - DEPLOYMENT);
        let cloud = run_limit(&plan(json!([minute(), minute()]), json!({ "timeout_s": 600.0 })), None);
        assert_eq!(cloud, SignedDuration::from_mins(120 + 12 + 2 + 20 + 20 + 30));
        // A load of two days has its two days.
        let days = closed(4, json!({ "duration_s": 172_800.0 }));
        assert!(run_limit(&plan(json!([days]), json!({})), Some(IN_POD)) > SignedDuration::from_hours(48));
    }

    #[test]
    fn a_load_that_ends_by_number_has_the_time_of_its_longest_requests_and_a_day_at_most() {
        let of = |point: Value, more: Value| load_limit(&plan(json!([point]), more));
        let short = json!({ "timeout_s": 60.0 });
        // Twelve after another of a minute each, two at the ends, and a change.
        assert_eq!(of(closed(10, json!({ "num_requests": 120 })), short.clone()), SignedDuration::from_mins(12 + 2 + 10));
        assert_eq!(of(closed(1, json!({ "num_requests": 10_000 })), short.clone()), LONGEST_COUNTED);
        let rate = json!({ "load": { "kind": "rate", "rate": 2.0 }, "num_requests": 1200 });
        assert_eq!(of(rate, short.clone()), SignedDuration::from_mins(10 + 2 + 10));
        let trace = json!({ "load": { "kind": "trace" } });
        assert_eq!(of(trace, short), LONGEST_COUNTED, "nobody has read how long it is");
    }

    #[test]
    fn a_search_has_the_time_of_all_its_load_points() {
        let slo = json!({ "percentile": 99, "ttft_ms": 500, "search": { "min": 1, "max": 64 } });
        let more = json!({ "slo": slo, "timeout_s": 60.0 });
        let by_time = plan(json!([closed(64, json!({ "duration_s": 60.0 }))]), more.clone());
        assert_eq!(by_time.most_points(), 10);
        assert_eq!(load_limit(&by_time), SignedDuration::from_mins(10 + 2 + 100));
        assert_eq!(load_limit(&plan(json!([closed(64, json!({}))]), more)), LONGEST_COUNTED);
    }
}
