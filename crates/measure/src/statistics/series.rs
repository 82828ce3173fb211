//! Chart data: histograms, percentile curves, values over time. At most some hundred points each.

use super::bounds::rank;
use super::concurrency::mean;
use super::percentile::{bound, percentile};
use super::summary::Scope;
use crate::records::{Row, ms};
use crate::report::{CurvePoint, Histogram, LoadPointSeries, MetricSeries, TimePoint};

/// A latency of one request.
type LatencyMetric = fn(&Row) -> Option<f64>;

const BINS: usize = 40;
/// Most marks on a time axis.
const MARKS: usize = 240;
const PERCENTILES: [f64; 16] = [1.0, 5.0, 10.0, 20.0, 25.0, 30.0, 40.0, 50.0, 60.0, 70.0, 75.0, 80.0, 90.0, 95.0, 99.0, 99.9];

/// The charts of one load point. `warmup_begin` is the first send of its warm-up, `clusters` the number of independent gaps
/// ([`super::clusters::count`]).
pub fn series(scope: &Scope<'_>, warmup_begin: Option<i64>, clusters: Option<u64>) -> LoadPointSeries {
    let Some((begin, end)) = scope.begin().zip(scope.end()) else { return LoadPointSeries::default() };
    let since = |at: i64| (at - begin) as f64 / 1e9;
    let of_requests: [(&str, LatencyMetric); 7] = [
        ("ttft_ms", Row::ttft_ms),
        ("ttfo_ms", Row::ttfo_ms),
        ("tpot_ms", Row::tpot_ms),
        ("e2el_ms", Row::e2el_ms),
        ("ttft_from_schedule_ms", Row::ttft_from_schedule_ms),
        ("e2el_from_schedule_ms", Row::e2el_from_schedule_ms),
        ("schedule_lag_ms", Row::lag_ms),
    ];
    let mut metrics: Vec<MetricSeries> = Vec::new();
    for (name, metric) in of_requests {
        let samples = || scope.iter().filter_map(|row| Some((since(row.sent?), metric(row)?)));
        metrics.extend(metric_series(name, samples, None));
    }
    let well = || scope.rows.iter().filter(|index| scope.records.rows[**index].succeeded());
    let gaps = || {
        let gaps = well().flat_map(|index| scope.events_of(*index).skip(1).zip(scope.records.gaps.of(*index)));
        gaps.map(|(at, gap)| (since(at), ms(gap as i64)))
    };
    metrics.extend(metric_series("itl_ms", gaps, clusters));

    let steps = scope.places();
    // even bins of at least 100 ms
    let bins = ((end - begin) / 100_000_000).clamp(1, MARKS as i64);
    let edge = |bin: i64| begin + ((end - begin) as f64 * bin as f64 / bins as f64) as i64;
    let point = |bin: i64, value: f64| TimePoint { at_s: since(edge(bin)), value, min: None, max: None };
    let in_flight = (0..bins).map(|bin| point(bin, mean(&steps, edge(bin), edge(bin + 1)).unwrap_or(0.0))).collect();
    let mut tokens = vec![0.0; bins as usize];
    for index in well().filter(|_| !scope.records.lacks_gaps) {
        let row = &scope.records.rows[*index];
        let per_event = row.output.map_or(1.0, |tokens| f64::from(tokens) / f64::from(row.events.max(1)));
        for at in scope.events_of(*index) {
            let bin = ((at - begin) as f64 / (end - begin).max(1) as f64 * bins as f64) as i64;
            tokens[bin.clamp(0, bins - 1) as usize] += per_event;
        }
    }
    let bin_s = (end - begin).max(1) as f64 / 1e9 / bins as f64;
    let known_bins = if scope.records.lacks_gaps { 0 } else { bins };
    let tokens_per_s = (0..known_bins).zip(tokens).map(|(bin, tokens)| point(bin, tokens / bin_s));
    LoadPointSeries {
        tokens_per_s: tokens_per_s.collect(),
        in_flight,
        metrics,
        failures_s: scope
            .iter()
            .filter(|row| !row.succeeded())
            .filter_map(|row| row.ended.or(row.scheduled))
            .take(1000)
            .map(since)
            .collect(),
        origin_unix_ns: Some(begin),
        warmup_begin_s: warmup_begin.map(since).filter(|at| *at < 0.0),
    }
}

/// A metric's chart data from pairs of time (s) and value, which are asked for several times instead of being kept: of gaps there may
/// be millions. `None` without samples.
fn metric_series<I: Iterator<Item = (f64, f64)>>(
    name: &str,
    samples: impl Fn() -> I,
    independent: Option<u64>,
) -> Option<MetricSeries> {
    let (count, first, last) = samples().fold((0_usize, f64::INFINITY, f64::NEG_INFINITY), |(count, first, last), (at, _)| {
        (count + 1, at.min(first), at.max(last))
    });
    let (over_time, mut values) = match count {
        0 => return None,
        1..=MARKS => each(samples().collect()),
        _ => intervals(&samples, count, first, last),
    };
    values.sort_unstable_by(f64::total_cmp);
    Some(MetricSeries { metric: name.to_owned(), histogram: histogram(&values), curve: curve(&values, independent), over_time })
}

/// The percentile curve; above the median only percentiles that have a bound.
fn curve(sorted: &[f64], independent: Option<u64>) -> Vec<CurvePoint> {
    let samples = independent.unwrap_or(sorted.len() as u64).min(sorted.len() as u64);
    PERCENTILES
        .into_iter()
        .filter(|percent| rank(samples, percent.max(50.0)).is_some())
        .map(|percent| CurvePoint {
            percentile: percent,
            value: percentile(sorted, percent),
            bound: bound(sorted, percent, independent),
        })
        .collect()
}

/// Even bins; on a logarithmic axis where values span more than a factor of 20.
fn histogram(sorted: &[f64]) -> Histogram {
    let (least, most) = (sorted[0], sorted[sorted.len() - 1]);
    if most <= least {
        return Histogram { edges: vec![least, least + (least.abs() * 1e-6).max(1e-6)], counts: vec![sorted.len() as u64] };
    }
    let logarithmic = least > 0.0 && most / least > 20.0;
    let edge = |i: usize| {
        let share = i as f64 / BINS as f64;
        if logarithmic { least * (most / least).powf(share) } else { least + (most - least) * share }
    };
    let mut edges: Vec<f64> = (0..=BINS).map(edge).collect();
    edges[BINS] = most;
    let mut counts = vec![0; BINS];
    for value in sorted {
        let bin = edges.partition_point(|edge| edge <= value).clamp(1, BINS) - 1;
        counts[bin] += 1;
    }
    Histogram { edges, counts }
}

/// Every sample over time, and the values.
fn each(mut samples: Vec<(f64, f64)>) -> (Vec<TimePoint>, Vec<f64>) {
    samples.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let points = samples.iter().map(|(at_s, value)| TimePoint { at_s: *at_s, value: *value, min: None, max: None });
    (points.collect(), samples.iter().map(|(_, value)| *value).collect())
}

/// Median, minimum and maximum of even intervals of at least a second between the first time and the last, and the values.
fn intervals<I: Iterator<Item = (f64, f64)>>(
    samples: &impl Fn() -> I,
    count: usize,
    first: f64,
    last: f64,
) -> (Vec<TimePoint>, Vec<f64>) {
    let width = ((last - first) / MARKS as f64).max((last - first).min(20.0) / 20.0).max(1e-9);
    let interval = |at: f64| ((at - first) / width) as usize;
    // the values are sorted by interval into one vector: where each interval's next one goes
    let mut next = vec![0; interval(last) + 2];
    for (at, _) in samples() {
        next[interval(at) + 1] += 1;
    }
    for index in 1..next.len() {
        next[index] += next[index - 1];
    }
    let mut values = vec![0.0; count];
    for (at, value) in samples() {
        let place = &mut next[interval(at)];
        values[*place] = value;
        *place += 1;
    }
    let mut points = Vec::new();
    let mut begin = 0;
    for (index, end) in next.into_iter().enumerate() {
        let values = &mut values[begin..end];
        begin = end;
        if values.is_empty() {
            continue;
        }
        points.push(TimePoint {
            at_s: first + index as f64 * width,
            value: median(values),
            min: values.iter().copied().min_by(f64::total_cmp),
            max: values.iter().copied().max_by(f64::total_cmp),
        });
    }
    (points, values)
}

/// The median of some values, as [`percentile`] has it of sorted ones. Changes their order.
fn median(values: &mut [f64]) -> f64 {
    let last = values.len() - 1;
    let (_, low, above) = values.select_nth_unstable_by(last / 2, f64::total_cmp);
    let low = *low;
    let pair = [low, above.iter().copied().min_by(f64::total_cmp).unwrap_or(low)];
    // of an odd number, the middle one alone
    percentile(&pair[..=last % 2], 50.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::Load;
    use crate::records::Records;
    use crate::statistics::summary::tests::request;

    proptest! {
        #[test]
        fn a_median_is_the_50th_percentile(mut values in proptest::collection::vec(-1e3..1e3, 1..40)) {
            let found = median(&mut values);
            values.sort_unstable_by(f64::total_cmp);
            prop_assert_eq!(found, percentile(&values, 50.0));
        }
    }

    #[test]
    fn every_sample_is_in_a_bin() {
        let narrow: Vec<f64> = (0..1000).map(|i| 10.0 + f64::from(i) / 1000.0).collect();
        let wide: Vec<f64> = (1..1000).map(|i| f64::from(i * i)).collect();
        for values in [narrow, wide, vec![3.0; 5], vec![0.0, 0.0, 5.0]] {
            let bins = histogram(&values);
            assert_eq!(bins.counts.iter().sum::<u64>(), values.len() as u64);
            assert_eq!(bins.edges.len(), bins.counts.len() + 1);
        }
    }

    #[test]
    fn long_runs_are_binned() {
        let samples: Vec<(f64, f64)> = (0..100_000).map(|i| (f64::from(i) / 100.0, f64::from(i % 7))).collect();
        let points = metric_series("x", || samples.iter().copied(), None).unwrap().over_time;
        assert!(points.len() <= MARKS + 1 && points.len() > MARKS / 2);
        assert_eq!((points[3].min, points[3].value, points[3].max), (Some(0.0), 3.0, Some(6.0)));
        let backwards = metric_series("x", || samples.iter().rev().copied(), None).unwrap();
        assert_eq!(backwards.over_time, points, "the order of the samples is of no account");
        assert_eq!(backwards.histogram.counts.iter().sum::<u64>(), 100_000);
    }

    #[test]
    fn tokens_over_time_add_up() {
        let mut records = Records::default();
        for start in 0..30 {
            request(&mut records, start, &[start + 1, start + 2, start + 5], 6);
        }
        let rows: Vec<usize> = (0..30).collect();
        let load = Load::Closed { concurrency: 1 };
        let got = series(&Scope { records: &records, rows: &rows, load: Some(&load), slo: None }, Some(-2_000_000_000), Some(30));
        let width = got.tokens_per_s[1].at_s - got.tokens_per_s[0].at_s;
        let sum: f64 = got.tokens_per_s.iter().map(|point| point.value * width).sum();
        assert!((sum - 180.0).abs() < 6.0, "{sum}");
        assert_eq!(got.warmup_begin_s, Some(-2.0));
        assert_eq!(
            got.metrics.iter().map(|metric| metric.metric.as_str()).collect::<Vec<_>>(),
            ["ttft_ms", "ttfo_ms", "tpot_ms", "e2el_ms", "itl_ms"]
        );
    }
}
