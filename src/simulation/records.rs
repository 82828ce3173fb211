//! Simulated requests as the records of a measured run, so that the same code makes their figures.

use dyno_measure::records::{GapsBuf, Records, Row};
use dyno_measure::report::{ErrorClass, Phase, Report, Summary};
use dyno_simulate::outcome::Outcome;

/// Content events that a simulated answer has at most: its tokens come evenly between the first and the last. Time series and the
/// steady-state window need no more; gaps between tokens are the simulator's own.
const MOST_EVENTS: u32 = 32;

/// One load point's requests into the records.
#[derive(Debug, Clone, Copy)]
pub(super) struct PointRecords<'a> {
    pub load_point: u32,
    /// When the load point begins, ns.
    pub begin: i64,
    /// Index of the node of each copy, in the order in which requests are dealt.
    pub copies: &'a [u16],
}

/// Adds a load point's requests; answers when the last of them ended, ns.
pub(super) fn push(records: &mut Records, outcome: &Outcome, place: &PointRecords<'_>) -> i64 {
    let at = |seconds: f64| place.begin + (seconds * 1e9).round() as i64;
    let mut last = place.begin;
    let node = |number: u32| place.copies.get(number as usize % place.copies.len().max(1)).copied().unwrap_or(0);
    let mut gaps = GapsBuf::default();
    for sample in &outcome.samples {
        let (sent, first, end) = (at(sample.sent), at(sample.first_token), at(sample.end));
        last = last.max(end);
        gaps.clear();
        let events = sample.output.clamp(1, MOST_EVENTS);
        for gap in 1..i64::from(events) {
            let edge = |number: i64| (end - first) * number / i64::from(events - 1);
            gaps.push((edge(gap) - edge(gap - 1)) as u64);
        }
        // With a single token the last content event is the first.
        let end = if events == 1 { first } else { end };
        let row = Row {
            sent: Some(sent),
            first: Some(first),
            first_output: Some(first),
            last: Some(end),
            ended: Some(end),
            events,
            input: Some(sample.input),
            output: Some(sample.output),
            requested_input: Some(sample.input),
            requested_output: Some(sample.output),
            finish: Some("length"),
            ..Row::new(place.load_point, Phase::Measured, sample.request, node(sample.request))
        };
        records.push(row, &gaps, None);
    }
    // Which ones were lost is not told: they have the numbers that are left.
    let mut answered: Vec<u32> = outcome.samples.iter().map(|sample| sample.request).collect();
    answered.sort_unstable();
    let mut left = (0..).filter(|number| answered.binary_search(number).is_err());
    let lost = [
        (outcome.too_long, ErrorClass::HttpStatus, Some(400), "The engine refuses it: it is longer than the KV cache."),
        (outcome.dropped, ErrorClass::Dropped, None, "Over the cap of requests in flight."),
    ];
    for (count, error, status, words) in lost {
        for number in left.by_ref().take(count as usize) {
            let row = Row { error: Some(error), status, ..Row::new(place.load_point, Phase::Measured, number, node(number)) };
            records.push(row, &GapsBuf::default(), Some(words.to_owned()));
        }
    }
    last
}

/// Takes out of a report what is of the evenly spread events rather than of simulated tokens, and of a client that was not there.
pub(super) fn without_client(report: &mut Report) {
    for series in &mut report.series {
        series.metrics.retain(|metric| metric.metric != "itl_ms");
    }
    let points = report.load_points.iter_mut().map(|point| &mut point.summary);
    let nodes = report.nodes.iter_mut().map(|node| &mut node.summary);
    for summary in std::iter::once(&mut report.summary).chain(points).chain(nodes) {
        plain(summary);
    }
    report.client = dyno_measure::report::ClientHealth::default();
    report.self_check = None;
}

fn plain(summary: &mut Summary) {
    summary.tokens_per_event = None;
    summary.itl_ms = None;
    summary.below_floor.retain(|name| !name.starts_with("itl_ms"));
    if let Some(steady) = &mut summary.steady_state {
        plain(&mut steady.figures);
    }
}
