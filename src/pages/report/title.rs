//! The answer in one line, of measured figures alone.

use super::point::offered;
use crate::components::number::{few_samples, figure};
use crate::domain::run::Run;
use dyno_measure::load::{LoadVariable, Slo};
use dyno_measure::metrics::{PERCENTILES, Shown, percentile_name};
use dyno_measure::report::{Report, Summary};
use dyno_measure::run::{RunKind, RunStatus};
use dyno_measure::sweep::{Sweep, Swept};
use dyno_measure::words::{join as join_words, load};

/// The heading of a run's report. A simulated one says so before anything else.
pub fn of_run(run: &Run, report: Option<&Report>, slo: Option<&Slo>) -> String {
    match (run.kind, report) {
        (RunKind::Measured, _) => title(report, run.status, slo),
        (RunKind::Simulated, Some(_)) => format!("Simulated: {}", title(report, run.status, slo)),
        (RunKind::Simulated, None) => "Nothing was simulated".to_owned(),
    }
}

/// The heading of a report: which load meets the limits and which does not; without limits, what the load came to.
fn title(report: Option<&Report>, status: RunStatus, slo: Option<&Slo>) -> String {
    let Some(report) = report else {
        return if status.is_end() { "Nothing was measured" } else { "Nothing is measured yet" }.to_owned();
    };
    if !report.valid {
        return "The figures are not valid".to_owned();
    }
    match slo.and_then(limits) {
        Some(limits) => judged(report, slo, &limits),
        None => measured(report),
    }
}

/// "TPOT p90 ≤ 12 ms and TTFT p90 ≤ 150 ms"; nothing where no latency is limited.
pub fn limits(slo: &Slo) -> Option<String> {
    let named = [("TPOT", slo.tpot_ms), ("TTFT", slo.ttft_ms), ("E2E", slo.e2el_ms)];
    let limits: Vec<String> =
        named.into_iter().filter_map(|(name, limit)| Some(format!("{name} p{} ≤ {} ms", slo.percentile, limit?))).collect();
    (!limits.is_empty()).then(|| join_words(&limits))
}

/// The loads around the edge: the largest that met the limits, and the least above it that did not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Edge {
    /// The largest load that met the limits.
    pub meets: Option<f64>,
    /// The least load above it that did not.
    pub fails: Option<f64>,
}

impl Edge {
    /// What a report says of its loads: a search's own answer, else that of the points beside each other.
    pub fn of(report: &Report, sweep: &Sweep) -> Self {
        if let Some(search) = &report.search {
            return Self { meets: search.meets_at, fails: search.fails_at };
        }
        let loads =
            |met: bool| sweep.points.iter().filter(move |swept| swept.point.meets_slo == Some(met)).map(|swept| swept.load);
        let meets = loads(true).max_by(f64::total_cmp);
        Self { meets, fails: loads(false).filter(|load| meets.is_none_or(|meets| *load > meets)).min_by(f64::total_cmp) }
    }

    /// What is known of the loads between the two, where there are any.
    pub fn between(&self, sweep: &Sweep) -> Option<String> {
        let (meets, fails) = (self.meets?, self.fails?);
        (sweep.varied == LoadVariable::Rate || fails - meets > 1.0).then(|| {
            let is_between = |swept: &&Swept| swept.load > meets && swept.load < fails;
            // Had they been decided, the edge would be nearer.
            let tried: Vec<String> = sweep.points.iter().filter(is_between).map(|swept| load(swept.load)).collect();
            let between = match tried.as_slice() {
                [] => "no load between them was tried".to_owned(),
                tried => format!("what was measured at {} does not decide it", join_words(tried)),
            };
            format!("The largest load within the limits lies between {} and {}: {between}.", load(meets), load(fails))
        })
    }
}

fn judged(report: &Report, slo: Option<&Slo>, limits: &str) -> String {
    let Some(sweep) = Sweep::of(report) else { return alone(report, slo, limits) };
    let edge = Edge::of(report, &sweep);
    let many = |value: f64| loads(value, sweep.varied);
    let lower: Vec<String> = sweep
        .points
        .iter()
        .filter(|swept| swept.point.meets_slo == Some(false) && edge.meets.is_some_and(|meets| swept.load < meets))
        .map(|swept| load(swept.load))
        .collect();
    // Loads that contradict the rule that more load is slower are said, not hidden.
    let although =
        if lower.is_empty() { String::new() } else { format!("; nor does {}, although it is less", join_words(&lower)) };
    match (edge.meets, edge.fails) {
        (Some(meets), Some(fails)) => {
            format!(
                "{} {} {limits}; {} {} not{although}",
                many(meets),
                verb(meets, sweep.varied, "meet"),
                load(fails),
                verb(fails, sweep.varied, "do")
            )
        }
        (Some(meets), None) => {
            format!("{} {} {limits}; no larger load was tried{although}", many(meets), verb(meets, sweep.varied, "meet"))
        }
        (None, Some(fails)) => {
            format!("{} {} not meet {limits}; no smaller load was found that does", many(fails), verb(fails, sweep.varied, "do"))
        }
        (None, None) => format!("Too few requests to judge {limits} at any load"),
    }
}

/// The verdict on a single load.
fn alone(report: &Report, slo: Option<&Slo>, limits: &str) -> String {
    let Some(point) = report.load_points.get(report.best) else { return measured(report) };
    let Some(asked) = point.offered() else { return measured(report) };
    let (value, varied) = (asked.value(), asked.variable());
    let many = loads(value, varied);
    match point.meets_slo {
        Some(true) => format!("{many} {} {limits}", verb(value, varied, "meet")),
        Some(false) => format!("{many} {} not meet {limits}", verb(value, varied, "do")),
        None => {
            let need = slo.map_or(0, |slo| u64::from(dyno_measure::limits::floor(slo.percentile)));
            format!("{many}: {limits} can't be judged, {}", few_samples(point.summary.total_requests, need))
        }
    }
}

/// "32 in flight: 1,240 output tokens/s, TTFT p90 210 ms"
fn measured(report: &Report) -> String {
    let summary = &report.summary;
    let throughput = match (summary.output_throughput, summary.request_throughput) {
        (Some(tokens), _) => Some(format!("{} output tokens/s", figure(tokens))),
        (None, requests) => requests.map(|requests| format!("{} requests/s", figure(requests))),
    };
    let latency = [("ttft_ms", "TTFT"), ("e2el_ms", "E2E")].into_iter().find_map(|(id, name)| {
        let (percentile, value) = highest_decided(summary, id)?;
        Some(format!("{name} {} {} ms", percentile_name(percentile), figure(value)))
    });
    let parts: Vec<String> = throughput.into_iter().chain(latency).collect();
    let load = report.load_points.get(report.best).map_or_else(|| "The load".to_owned(), offered);
    if parts.is_empty() { format!("{load}: too few requests for any figure") } else { format!("{load}: {}", parts.join(", ")) }
}

/// The highest percentile of a metric that the samples decide, with its value.
pub fn highest_decided(summary: &Summary, id: &str) -> Option<(&'static str, f64)> {
    PERCENTILES.into_iter().rev().find_map(|name| match summary.shown(id, name) {
        Shown::Value { value, .. } => Some((name, value)),
        Shown::TooFew { .. } | Shown::Absent => None,
    })
}

/// "24 requests in flight", "1 request in flight", "2.5 requests/s"
pub fn loads(value: f64, varied: LoadVariable) -> String {
    match varied {
        LoadVariable::Concurrency if value == 1.0 => "1 request in flight".to_owned(),
        LoadVariable::Concurrency => format!("{} requests in flight", load(value)),
        LoadVariable::Rate => format!("{} requests/s", load(value)),
    }
}

fn verb(value: f64, varied: LoadVariable, plural: &'static str) -> &'static str {
    match (varied == LoadVariable::Concurrency && value == 1.0, plural) {
        (true, "do") => "does",
        (true, _) => "meets",
        (false, plural) => plural,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn report(points: &Value, more: Value) -> Report {
        let mut whole = json!({
            "run_id": uuid::Uuid::nil(), "kind": "measured", "status": "succeeded", "valid": true, "invalid_reasons": [],
            "summary": points[0], "load_points": points, "best": 0, "nodes": [], "provenance": {},
        });
        whole.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(whole).unwrap()
    }

    fn slo() -> Slo {
        Slo { percentile: 90.0, ttft_ms: Some(150.0), tpot_ms: Some(12.0), e2el_ms: None, search: None }
    }

    fn said(points: Value, more: Value, slo: Option<&Slo>) -> String {
        title(Some(&report(&points, more)), RunStatus::Succeeded, slo)
    }

    fn of_loads(judged: &[(u32, Option<bool>)]) -> Value {
        judged.iter().map(|(load, meets)| json!({ "concurrency": load, "meets_slo": meets })).collect()
    }

    #[test]
    fn the_edge_is_the_answer() {
        let limits = "TPOT p90 ≤ 12 ms and TTFT p90 ≤ 150 ms";
        let of = |judged: &[(u32, Option<bool>)]| said(of_loads(judged), json!({}), Some(&slo()));
        assert_eq!(
            of(&[(24, Some(true)), (25, Some(false)), (8, Some(true))]),
            format!("24 requests in flight meet {limits}; 25 do not")
        );
        assert_eq!(of(&[(1, Some(true)), (2, Some(false))]), format!("1 request in flight meets {limits}; 2 do not"));
        assert_eq!(
            of(&[(1, Some(false)), (2, Some(false))]),
            format!("1 request in flight does not meet {limits}; no smaller load was found that does")
        );
        assert_eq!(
            of(&[(4, Some(true)), (8, Some(true))]),
            format!("8 requests in flight meet {limits}; no larger load was tried")
        );
        assert_eq!(of(&[(4, None), (8, None)]), format!("Too few requests to judge {limits} at any load"));
        assert_eq!(
            of(&[(4, Some(false)), (8, Some(true)), (9, Some(false))]),
            format!("8 requests in flight meet {limits}; 9 do not; nor does 4, although it is less")
        );
        assert_eq!(of(&[(4, Some(false))]), format!("4 requests in flight do not meet {limits}"));
        assert_eq!(of(&[(4, None)]), format!("4 requests in flight: {limits} can't be judged, not enough samples (0 of 64)"));
        let rates = json!([{ "rate": 2.5, "meets_slo": true }, { "rate": 5.0, "meets_slo": false }]);
        assert_eq!(said(rates, json!({}), Some(&slo())), format!("2.50 requests/s meet {limits}; 5 do not"));
    }

    #[test]
    fn a_search_answers_for_itself_and_says_what_lies_between() {
        let points = of_loads(&[(8, Some(true)), (32, Some(false)), (40, Some(true))]);
        let search = json!({ "search": { "variable": "concurrency", "min": 1.0, "max": 64.0, "meets_at": 8.0, "fails_at": 32.0, "sentence": "" } });
        let report = report(&points, search);
        let sweep = Sweep::of(&report).unwrap();
        let edge = Edge::of(&report, &sweep);
        assert_eq!(edge, Edge { meets: Some(8.0), fails: Some(32.0) });
        assert!(edge.between(&sweep).unwrap().ends_with("between 8 and 32: no load between them was tried."));
        assert_eq!(Edge { meets: Some(8.0), fails: Some(9.0) }.between(&sweep), None);
        let sweep =
            Sweep::of(&self::report(&of_loads(&[(8, Some(true)), (9, Some(false)), (10, Some(false))]), json!({}))).unwrap();
        let said = Edge { meets: Some(8.0), fails: Some(10.0) }.between(&sweep).unwrap();
        assert!(said.ends_with("between 8 and 10: what was measured at 9 does not decide it."), "{said}");
    }

    #[test]
    fn without_limits_the_load_and_what_it_came_to() {
        let samples = |n: u64, p90: f64| {
            let mut all = serde_json::Map::new();
            for name in ["mean", "std", "min", "p25", "p50", "p75", "p95", "p99", "p999", "max"] {
                all.insert(name.to_owned(), json!(1.0));
            }
            all.insert("p90".to_owned(), json!(p90));
            all.insert("n".to_owned(), json!(n));
            Value::Object(all)
        };
        let point = json!([{ "concurrency": 32, "output_throughput": 1240.2, "ttft_ms": samples(100, 210.0) }]);
        assert_eq!(said(point.clone(), json!({}), None), "32 in flight: 1,240 output tokens/s, TTFT p90 210 ms");
        let no_limit = Slo { ttft_ms: None, tpot_ms: None, ..slo() };
        assert_eq!(said(point, json!({}), Some(&no_limit)), "32 in flight: 1,240 output tokens/s, TTFT p90 210 ms");
        let embedding = json!([{ "concurrency": 2, "request_throughput": 5.0, "e2el_ms": samples(20, 8.0) }]);
        assert_eq!(said(embedding, json!({}), None), "2 in flight: 5.00 requests/s, E2E p50 1.00 ms");
        assert_eq!(said(json!([{ "concurrency": 2 }]), json!({}), None), "2 in flight: too few requests for any figure");
    }

    #[test]
    fn what_is_not_valid_or_not_there_answers_nothing() {
        assert_eq!(said(of_loads(&[(1, Some(true))]), json!({ "valid": false }), Some(&slo())), "The figures are not valid");
        assert_eq!(title(None, RunStatus::Failed, None), "Nothing was measured");
        assert_eq!(title(None, RunStatus::Running, None), "Nothing is measured yet");
    }
}
