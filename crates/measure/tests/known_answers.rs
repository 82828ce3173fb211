//! The figures of docs/METRICS.md against known answers: computed by hand, by numpy, by brute force, or from invariants of any
//! load.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use dyno_measure::load::{ArrivalProcess, Slo};
use dyno_measure::plan::Load;
use dyno_measure::records::{GapsBuf, Records, Row};
use dyno_measure::report::{ErrorClass, Phase, Summary, TokenSource};
use dyno_measure::statistics::bounds::{FLOORS, floor, rank};
use dyno_measure::statistics::consistency::{contradictions, littles_law};
use dyno_measure::statistics::percentile::{distribution, percentile};
use dyno_measure::statistics::summary::{Scope, meets_slo, summarise};
use dyno_measure::statistics::{clusters, concurrency, steady};
use proptest::prelude::*;

const S: i64 = 1_000_000_000;
const MS: i64 = 1_000_000;

/// Adds a request; times in ns: send, content events (the last is the end).
fn add(records: &mut Records, sent: i64, events: &[i64], tokens: u32) -> usize {
    let mut gaps = GapsBuf::default();
    events.windows(2).for_each(|pair| gaps.push((pair[1] - pair[0]).cast_unsigned()));
    let row = Row {
        sent: Some(sent),
        first: events.first().copied(),
        first_output: events.first().copied(),
        last: events.last().copied(),
        ended: events.last().copied(),
        events: events.len() as u32,
        output: Some(tokens),
        input: Some(5),
        source: Some(TokenSource::Usage),
        status: Some(200),
        ..Row::new(0, Phase::Measured, records.rows.len() as u32, 0)
    };
    records.push(row, &gaps, None)
}

fn fail(records: &mut Records, sent: Option<i64>, ended: i64, class: ErrorClass) {
    let row = Row { sent, ended: Some(ended), error: Some(class), ..Row::new(0, Phase::Measured, records.rows.len() as u32, 0) };
    records.push(row, &GapsBuf::default(), Some("x".to_owned()));
}

fn closed(concurrency: u32) -> Load {
    Load::Closed { concurrency }
}

fn open(rate: f64) -> Load {
    Load::Rate { rate, process: ArrivalProcess::Constant, burstiness: 1.0, max_in_flight: 9 }
}

fn with<T>(records: &Records, load: &Load, slo: Option<&Slo>, then: impl FnOnce(&Scope<'_>, &Summary) -> T) -> T {
    let rows: Vec<usize> = (0..records.rows.len()).collect();
    let scope = Scope { records, rows: &rows, load: Some(load), slo };
    then(&scope, &summarise(&scope))
}

fn near(value: Option<f64>, expected: f64) {
    let value = value.unwrap();
    assert!((value - expected).abs() < 1e-9 * expected.abs().max(1.0), "{value} is not {expected}");
}

#[test]
fn percentiles_are_numpys() {
    // numpy.percentile([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5], q)
    let mut samples = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0, 5.0, 3.0, 5.0];
    let figures = distribution(&mut samples, None).unwrap();
    for (value, expected) in [
        (figures.p25, 2.5),
        (figures.p50, 4.0),
        (figures.p75, 5.0),
        (figures.p90, 6.0),
        (figures.p95, 7.5),
        (figures.p99, 8.7),
        (figures.p999, 8.97),
        (figures.mean, 4.0),
        (figures.std, 2.256_304_299_271_07),
    ] {
        near(Some(value), expected);
    }
    assert_eq!((figures.min, figures.max, figures.n), (1.0, 9.0, 11));
}

proptest! {
    #[test]
    fn a_percentile_is_the_weighted_mean_of_its_neighbours(mut samples in prop::collection::vec(0.0..1e6_f64, 1..200), percent in 0.0..100.0_f64) {
        samples.sort_unstable_by(f64::total_cmp);
        // interpolated from the top, unlike the implementation
        let from_top = (100.0 - percent) / 100.0 * (samples.len() - 1) as f64;
        let upper = samples[samples.len() - 1 - from_top.floor() as usize];
        let lower = samples[samples.len() - 1 - from_top.ceil() as usize];
        let expected = upper - (upper - lower) * from_top.fract();
        prop_assert!((percentile(&samples, percent) - expected).abs() < 1e-5);
    }

    /// P(X ≤ t) summed term by term without logarithms; for small sample numbers.
    #[test]
    fn the_bounds_rank_is_the_largest_that_is_improbable_enough(n in 1_u64..700, at in 0..5_usize) {
        let (_, percent, _) = FLOORS[at];
        let above = 1.0 - percent / 100.0;
        let mut term = (1.0 - above).powi(n as i32);
        let mut sum = term;
        let mut largest = None;
        for t in 1..=n {
            term *= (n - t + 1) as f64 / t as f64 * above / (1.0 - above);
            sum += term;
            if sum > 0.01 {
                break;
            }
            largest = Some(t);
        }
        prop_assert_eq!(rank(n, percent), largest);
    }

    #[test]
    fn in_flight_is_what_is_counted_at_each_moment(intervals in prop::collection::vec((0_i64..60, 0_i64..30), 0..40)) {
        let intervals: Vec<(i64, i64)> = intervals.into_iter().map(|(start, length)| (start, start + length)).collect();
        let steps = concurrency::steps(intervals.iter().copied());
        let at = |time: i64| intervals.iter().filter(|(start, end)| (*start..*end).contains(&time)).count() as u64;
        for time in -1..92 {
            let step = steps.iter().rev().find(|step| step.at <= time).map_or(0, |step| step.in_flight);
            prop_assert_eq!(step, at(time), "at {}", time);
        }
        prop_assert_eq!(concurrency::peak(&steps).unwrap_or(0), (0..92).map(at).max().unwrap_or(0));
        let mean = (10..70).map(at).sum::<u64>() as f64 / 60.0;
        prop_assert!((concurrency::mean(&steps, 10, 70).unwrap() - mean).abs() < 1e-9);
    }

    #[test]
    fn clusters_are_begun_by_the_first_event_that_is_five_milliseconds_later(mut times in prop::collection::vec(0_i64..200, 0..80)) {
        let mut in_ns: Vec<i64> = times.iter().map(|time| time * MS).collect();
        times.sort_unstable();
        let (mut expected, mut begin) = (0, None);
        for time in times {
            if begin.is_none_or(|begin| time >= begin + 5) {
                (expected, begin) = (expected + 1, Some(time));
            }
        }
        prop_assert_eq!(clusters::count(&mut in_ns), expected);
    }

    /// Records of any load (ramped, short, with failures and drops) are consistent.
    #[test]
    fn the_identities_hold_of_every_load(
        requests in prop::collection::vec((0_i64..5_000, prop::collection::vec(1_i64..900, 1..12), 1_u32..40), 1..60),
        failures in prop::collection::vec((0_i64..20_000, 0_i64..9_000), 0..10),
    ) {
        let mut records = Records::default();
        for (sent, gaps, tokens) in &requests {
            let events: Vec<i64> = gaps.iter().scan(*sent, |at, gap| { *at += gap; Some(*at * MS) }).collect();
            add(&mut records, sent * MS, &events, *tokens);
        }
        for (sent, took) in &failures {
            fail(&mut records, Some(sent * MS), (sent + took) * MS, ErrorClass::Stalled);
        }
        fail(&mut records, None, S, ErrorClass::Dropped);
        for (index, row) in records.rows.iter().enumerate().take(requests.len()) {
            let gaps_ms = records.gaps.of(index).sum::<u64>() as f64 / 1e6;
            prop_assert!((row.e2el_ms().unwrap() - row.ttft_ms().unwrap() - gaps_ms).abs() < 1e-6);
            match row.tpot_ms() {
                Some(tpot) => prop_assert!((tpot * f64::from(row.output.unwrap() - 1) - gaps_ms).abs() < 1e-6),
                None => prop_assert!(row.output < Some(2) || row.events < 2),
            }
        }
        with(&records, &closed(4), None, |scope, summary| {
            prop_assert_eq!(contradictions(scope), 0);
            let ratio = littles_law(scope, summary).unwrap();
            prop_assert!((ratio - 1.0).abs() < 1e-6, "{}", ratio);
            prop_assert_eq!(summary.total_requests, summary.successful_requests + summary.failed_requests + summary.dropped_requests);
            prop_assert_eq!(summary.itl_ms.as_ref().map_or(0, |itl| itl.n), requests.iter().map(|(_, gaps, _)| gaps.len() as u64 - 1).sum::<u64>());
            Ok(())
        })?;
    }
}

#[test]
fn floors_are_the_least_samples_with_a_bound_at_all() {
    for (name, percent, least) in FLOORS {
        // P(at most 1 of n above) = q^n + n p q^(n − 1)
        let (p, q) = (1.0 - percent / 100.0, percent / 100.0);
        let at_most_one = |n: u64| q.powf(n as f64) + n as f64 * p * q.powf(n as f64 - 1.0);
        assert!(at_most_one(least) <= 0.01 && at_most_one(least - 1) > 0.01, "{name}");
        assert_eq!(floor(percent), Some(least));
    }
    assert_eq!(FLOORS.map(|(_, _, least)| least), [11, 64, 130, 662, 6_636]);
}

#[test]
fn of_ten_thousand_the_bound_is_the_77th_highest() {
    let mut samples: Vec<f64> = (0..10_000).map(f64::from).collect();
    samples.reverse();
    let figures = distribution(&mut samples, None).unwrap();
    assert_eq!((figures.bounds["p99"], figures.p99), (9_923.0, 9_899.01));
    // 661 samples have no p99 bound; with 662 it is the highest sample
    assert!(!distribution(&mut (0..661).map(f64::from).collect::<Vec<_>>(), None).unwrap().bounds.contains_key("p99"));
    assert_eq!(distribution(&mut (0..662).map(f64::from).collect::<Vec<_>>(), None).unwrap().bounds["p99"], 661.0);
}

#[test]
fn the_published_example() {
    let mut records = Records::default();
    add(&mut records, S, &[3 * S, 5 * S, 8 * S], 3);
    add(&mut records, 2 * S, &[4 * S, 7 * S, 11 * S], 3);
    fail(&mut records, Some(2 * S), 5 * S, ErrorClass::CutOff);
    fail(&mut records, None, 6 * S, ErrorClass::Dropped);
    let slo = Slo { percentile: 99.0, ttft_ms: Some(2_000.0), tpot_ms: Some(3_000.0), e2el_ms: None, search: None };
    with(&records, &closed(3), Some(&slo), |scope, summary| {
        let all = |figures: &Option<dyno_measure::report::Distribution>| {
            figures.as_ref().map(|figures| (figures.min, figures.p50, figures.max, figures.n)).unwrap()
        };
        assert_eq!(all(&summary.ttft_ms), (2_000.0, 2_000.0, 2_000.0, 2));
        assert_eq!(all(&summary.tpot_ms), (2_500.0, 3_000.0, 3_500.0, 2));
        assert_eq!(all(&summary.itl_ms), (2_000.0, 3_000.0, 4_000.0, 4));
        assert_eq!(all(&summary.e2el_ms), (7_000.0, 8_000.0, 9_000.0, 2));
        assert_eq!((summary.error_rate, summary.duration_s), (0.5, 10.0));
        // one of four is good; over ten seconds
        assert_eq!((summary.good_fraction, summary.goodput), (Some(0.25), Some(0.1)));
        assert_eq!(
            (summary.request_throughput, summary.output_throughput, summary.total_throughput),
            (Some(0.2), Some(0.6), Some(1.6))
        );
        // 7 s + 9 s + 3 s of the request that was cut off, over ten seconds
        assert_eq!((summary.achieved_concurrency, summary.peak_concurrency), (Some(1.9), Some(3)));
        near(littles_law(scope, summary), 1.0);
        let per_user = summary.output_throughput_per_user.as_ref().unwrap();
        assert_eq!((per_user.max, per_user.n), (0.4, 2));
        for name in ["ttft_ms.p50", "ttft_ms.p99", "itl_ms.p50"] {
            assert!(summary.below_floor.contains(&name.to_owned()), "{name}");
        }
    });
}

#[test]
fn records_that_contradict_each_other_are_found() {
    let sound = || {
        let mut records = Records::default();
        for at in 0..20 {
            add(&mut records, at * S, &[(at + 1) * S, (at + 2) * S], 2);
        }
        records
    };
    let found = |records: &Records| {
        with(records, &closed(2), None, |scope, summary| (littles_law(scope, summary).unwrap(), contradictions(scope)))
    };
    let (ratio, broken) = found(&sound());
    assert!((ratio - 1.0).abs() < 1e-9 && broken == 0);
    // a first event before the send
    let mut backwards = sound();
    backwards.rows[7].sent = Some(9 * S + 500 * MS);
    let (ratio, broken) = found(&backwards);
    assert!((ratio - 1.0).abs() > 0.01 && broken == 1, "{ratio} {broken}");
    // gaps that belong to another request
    let mut mixed = sound();
    mixed.rows[3].last = Some(6 * S);
    mixed.rows[3].ended = Some(6 * S);
    assert_eq!(found(&mixed).1, 1);
    let mut lost = sound();
    lost.rows[3].events = 5;
    assert_eq!(found(&lost).1, 1);
    // differences within the clocks' accuracy are no contradiction
    let mut close = sound();
    close.rows[3].ended = close.rows[3].last.map(|last| last - MS / 2);
    assert_eq!(found(&close).1, 0);
}

#[test]
fn the_report_of_contradicting_records_is_not_valid() {
    let plan: dyno_measure::plan::Plan = serde_json::from_value(serde_json::json!({
        "endpoints": [{"node": "n", "base_url": "http://127.0.0.1:1"}], "model": "m",
        "workload": {"kind": "synthetic", "input_tokens": 5, "output_tokens": 2},
        "load_points": [{"load": {"kind": "closed", "concurrency": 2}}]
    }))
    .unwrap();
    let mut records = Records::default();
    for at in 0..20 {
        add(&mut records, at * S, &[(at + 1) * S, (at + 2) * S], 2);
    }
    let report = dyno_measure::report::report(&records, &plan, dyno_measure::report::Circumstances::default());
    assert!(report.valid, "{:?}", report.invalid_reasons);
    records.rows[7].sent = Some(9 * S + 500 * MS);
    let report = dyno_measure::report::report(&records, &plan, dyno_measure::report::Circumstances::default());
    assert_eq!(report.invalid_reasons.len(), 2, "{:?}", report.invalid_reasons);
}

#[test]
fn every_distribution_of_a_summary_is_found_by_its_name_and_drawn() {
    let mut records = Records::default();
    for at in 0..100 {
        let index = add(&mut records, at * S, &[(at + 1) * S, (at + 3) * S, (at + 4) * S], 3);
        let row = &mut records.rows[index];
        row.scheduled = row.sent;
        // after reasoning that was streamed
        row.first_output = row.first.map(|first| first + MS);
    }
    let (load, rows): (Load, Vec<usize>) = (open(1.0), (0..records.rows.len()).collect());
    let scope = Scope { records: &records, rows: &rows, load: Some(&load), slo: None };
    let summary = summarise(&scope);
    let drawn = dyno_measure::statistics::series::series(&scope, None, None);
    let fields = serde_json::to_value(&summary).unwrap();
    let found: Vec<&String> =
        fields.as_object().unwrap().iter().filter(|(_, of)| of.get("p50").is_some()).map(|(name, _)| name).collect();
    assert_eq!(found.len(), 9, "{found:?}");
    for name in found {
        assert!(summary.distribution(name).is_some(), "{name}");
        assert!(dyno_measure::metrics::metric(name).is_some(), "{name}");
        let is_drawn = drawn.metrics.iter().any(|series| series.metric == *name);
        assert!(is_drawn || name == "output_throughput_per_user", "{name}");
    }
}

#[test]
fn the_only_nodes_figures_are_those_of_its_requests_by_themselves() {
    let plan: dyno_measure::plan::Plan = serde_json::from_value(serde_json::json!({
        "endpoints": [{"node": "n", "base_url": "http://127.0.0.1:1"}], "model": "m",
        "workload": {"kind": "synthetic", "input_tokens": 5, "output_tokens": 2},
        "slo": {"percentile": 90.0, "ttft_ms": 1500.0},
        "load_points": [{"load": {"kind": "rate", "rate": 1.0, "process": "constant", "burstiness": 1.0, "max_in_flight": 9}}]
    }))
    .unwrap();
    let mut records = Records { nodes: vec!["n".to_owned()], ..Records::default() };
    for at in 0..60 {
        add(&mut records, at * S, &[(at + 1 + at % 2) * S, (at + 3) * S, (at + 4) * S], 3);
    }
    fail(&mut records, Some(0), S, ErrorClass::Timeout);
    let circumstances = dyno_measure::report::Circumstances {
        disagreement: std::collections::HashMap::from([(0, 0.2)]),
        ..dyno_measure::report::Circumstances::default()
    };
    let report = dyno_measure::report::report(&records, &plan, circumstances);
    let rows: Vec<usize> = (0..records.rows.len()).collect();
    let alone = summarise(&Scope { records: &records, rows: &rows, load: None, slo: plan.slo.as_ref() });
    assert!(report.summary.steady_state.is_some() && report.summary.token_disagreement.is_some());
    assert_eq!(report.nodes[0].summary, alone);
}

#[test]
fn a_limit_is_met_by_all_that_was_issued() {
    let slo = Slo { percentile: 90.0, ttft_ms: Some(1_000.0), tpot_ms: None, e2el_ms: None, search: None };
    // the verdict with numbers of requests within the limit, over it, and failed
    let decided = |within: i64, over: i64, failed: i64| {
        let mut records = Records::default();
        for at in 0..within {
            add(&mut records, at * S, &[at * S + 900 * MS], 1);
        }
        for at in 0..over {
            add(&mut records, at * S, &[at * S + 1_100 * MS], 1);
        }
        for at in 0..failed {
            fail(&mut records, Some(at * S), at * S + MS, ErrorClass::HttpStatus);
        }
        with(&records, &closed(1), Some(&slo), |scope, summary| meets_slo(scope, summary, &slo))
    };
    assert_eq!(decided(64, 0, 0), Some(true));
    assert_eq!(decided(63, 0, 0), None, "under the floor of p90");
    assert_eq!(decided(91, 9, 0), Some(true));
    assert_eq!(decided(89, 11, 0), Some(false));
    // failed requests weigh as much as slow ones
    assert_eq!(decided(91, 0, 9), Some(true));
    assert_eq!(decided(89, 0, 11), Some(false));
    assert_eq!(decided(89, 5, 6), Some(false));
    assert_eq!(decided(0, 0, 100), Some(false));
    assert_eq!(decided(0, 0, 0), None);
}

#[test]
fn schedule_lag_and_rates_of_an_open_loop() {
    let mut records = Records::default();
    for at in 0..11_i64 {
        let index = add(&mut records, at * 100 * MS + at * MS, &[at * 100 * MS + 50 * MS], 1);
        records.rows[index].scheduled = Some(at * 100 * MS);
    }
    with(&records, &open(10.0), None, |_, summary| {
        let lag = summary.schedule_lag_ms.as_ref().unwrap();
        assert_eq!((lag.min, lag.p50, lag.max, lag.n), (0.0, 5.0, 10.0, 11));
        assert_eq!(summary.requested_rate, Some(10.0));
        // ten gaps between sends in 1.01 s
        near(summary.achieved_rate, 10.0 / 1.01);
        assert_eq!(summary.ttft_from_schedule_ms.as_ref().unwrap().max, 50.0);
        assert_eq!(summary.e2el_from_schedule_ms.as_ref().unwrap().n, 11);
        assert_eq!(summary.ttft_ms.as_ref().unwrap().min, 40.0);
    });
}

#[test]
fn the_steady_window_of_a_closed_loop() {
    let lanes = |count: i64, from: i64, until: i64| (0..count).map(move |_| (from * S, until * S));
    let window =
        |intervals: Vec<(i64, i64)>, target, end| steady::closed(&concurrency::steps(intervals.into_iter()), target, 0, end * S);
    // 95 % of the target suffices, less does not
    assert_eq!(window(lanes(19, 0, 12).collect(), 20, 12), Some((0, 12 * S)));
    assert_eq!(window(lanes(18, 0, 12).collect(), 20, 12), None);
    // ten seconds suffice, unless a tenth of the run is longer
    assert_eq!(window(lanes(4, 1, 11).collect(), 4, 12), Some((S, 11 * S)));
    assert_eq!(window(lanes(4, 1, 10).collect(), 4, 12), None);
    assert_eq!(window(lanes(4, 1, 16).chain(lanes(1, 16, 200)).collect(), 4, 200), None);
    assert_eq!(window(lanes(4, 1, 21).chain(lanes(1, 21, 200)).collect(), 4, 200), Some((S, 21 * S)));
    // a dip longer than a change-over splits the window: the longer part counts
    let dip: Vec<(i64, i64)> = lanes(4, 0, 11).chain(lanes(4, 12, 30)).collect();
    assert_eq!(window(dip, 4, 30), Some((12 * S, 30 * S)));
    // of an open loop, ramp and drain are cut off
    assert_eq!(steady::open(2 * S, 20 * S, 0, 25 * S), Some((2 * S, 20 * S)));
    assert_eq!(steady::open(2 * S, 11 * S, 0, 25 * S), None);
}

#[test]
fn where_token_counts_come_from() {
    let source = |sources: &[TokenSource]| {
        let mut records = Records::default();
        for (at, source) in sources.iter().enumerate() {
            let at = at as i64 * S;
            let index = add(&mut records, at, &[at + S], 1);
            records.rows[index].source = Some(*source);
        }
        with(&records, &closed(1), None, |_, summary| summary.token_source)
    };
    assert_eq!(source(&[TokenSource::Usage, TokenSource::Usage]), Some(TokenSource::Usage));
    assert_eq!(source(&[TokenSource::Usage, TokenSource::Events]), Some(TokenSource::Mixed));
    assert_eq!(source(&[TokenSource::Tokenizer]), Some(TokenSource::Tokenizer));
}

#[test]
fn gaps_of_many_streams_in_one_step_are_one_observation() {
    // 100 streams get a token each in every step, 20 ms apart: 2,000 gaps, 21 steps
    let mut records = Records::default();
    for stream in 0..100_i64 {
        let events: Vec<i64> = (1..=21).map(|step| step * 20 * MS + stream * 10_000).collect();
        add(&mut records, 0, &events, 21);
    }
    with(&records, &closed(100), None, |_, summary| {
        let itl = summary.itl_ms.as_ref().unwrap();
        assert_eq!((itl.n, itl.clusters), (2_000, Some(21)));
        // 21 clusters suffice for a median and nothing above
        assert!(!summary.below_floor.contains(&"itl_ms.p50".to_owned()));
        assert!(summary.below_floor.contains(&"itl_ms.p90".to_owned()) && summary.below_floor.contains(&"itl_ms.p99".to_owned()));
        assert_eq!(itl.bounds.keys().collect::<Vec<_>>(), ["p50"]);
    });
}
