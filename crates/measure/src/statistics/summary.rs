//! The figures of a set of requests.

use super::percentile::{below_floor, distribution, percentile};
use super::{bounds, clusters, concurrency, steady};
use crate::limits::LimitedLatency;
use crate::load::Slo;
use crate::plan::Load;
use crate::records::{Records, Row, ms};
use crate::report::{Distribution, ErrorClass, Lengths, SteadyState, Summary, TokenSource};

/// Which requests, and what they were meant to do.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    pub records: &'a Records,
    /// Indices of those that count.
    pub rows: &'a [usize],
    /// The offered load of these requests; absent for a part of them (one node's, say).
    pub load: Option<&'a Load>,
    pub slo: Option<&'a Slo>,
}

impl<'a> Scope<'a> {
    pub fn iter(&self) -> impl Iterator<Item = &'a Row> + use<'a> {
        let records = self.records;
        self.rows.iter().map(|index| &records.rows[*index])
    }

    /// First send, ns.
    pub fn begin(&self) -> Option<i64> {
        self.iter().filter_map(|row| row.sent).min()
    }

    /// Last content event of the requests that ended well; where none did, the last end.
    pub fn end(&self) -> Option<i64> {
        let content = self.iter().filter(|row| row.succeeded()).filter_map(|row| row.last).max();
        content.or_else(|| self.iter().filter_map(|row| row.ended).max())
    }

    /// Requests in flight over time.
    pub fn steps(&self) -> Vec<concurrency::Step> {
        concurrency::steps(self.iter().filter_map(span))
    }

    /// Requests that hold a place over time: from send to end, finish reason and usage included. A closed loop's next request
    /// is sent only then, so this is what its target is held against.
    pub fn places(&self) -> Vec<concurrency::Step> {
        concurrency::steps(self.iter().filter_map(|row| Some((row.sent?, row.ended.or(row.last)?))))
    }

    /// Times of the content events of one request.
    pub fn events_of(&self, index: usize) -> impl Iterator<Item = i64> + use<'a> {
        let first = self.records.rows[index].first.filter(|_| self.records.rows[index].streamed);
        let mut at = first.unwrap_or(0);
        let gaps = self.records.gaps.of(index).map(move |gap| {
            at += gap as i64;
            at
        });
        first.into_iter().chain(gaps)
    }
}

/// From send to last content event; of a failed request to its end.
fn span(row: &Row) -> Option<(i64, i64)> {
    Some((row.sent?, if row.succeeded() { row.last? } else { row.ended? }))
}

/// The figures of a scope, its steady-state window included where it has one.
pub fn summarise(scope: &Scope<'_>) -> Summary {
    let mut summary = Summary::default();
    count(scope, &mut summary);
    let window = scope.begin().zip(scope.end()).filter(|(begin, end)| end > begin);
    latencies(scope, &mut summary);
    if let Some((begin, end)) = window {
        summary.duration_s = (end - begin) as f64 / 1e9;
        let steps = scope.steps();
        summary.achieved_concurrency = concurrency::mean(&steps, begin, end);
        summary.peak_concurrency = concurrency::peak(&steps);
        if summary.successful_requests > 0 {
            let completed = summary.successful_requests as f64;
            summary.request_throughput = Some(completed / summary.duration_s);
            let output =
                scope.iter().filter(|row| row.succeeded()).try_fold(0_u64, |sum, row| Some(sum + u64::from(row.output?)));
            throughputs(&mut summary, output.map(|tokens| tokens as f64), all_input(scope, Row::succeeded));
        }
        goodput(scope, &mut summary, |_| true);
        if scope.load.is_some() {
            summary.steady_state = steady_state(scope, &steps, begin, end).map(Box::new);
        }
    }
    rates(scope, &mut summary);
    summary
}

fn count(scope: &Scope<'_>, summary: &mut Summary) {
    let (mut cached, mut sources, mut tokens_with_events, mut events) = (None, Vec::new(), 0_u64, 0_u64);
    for row in scope.iter() {
        summary.total_requests += 1;
        match row.error {
            Some(ErrorClass::Dropped) => summary.dropped_requests += 1,
            Some(_) => summary.failed_requests += 1,
            None => summary.successful_requests += 1,
        }
        if let Some(class) = row.error {
            *summary.errors.entry(class.as_str().to_owned()).or_default() += 1;
            continue;
        }
        if let Some(tokens) = row.cached {
            *cached.get_or_insert(0) += u64::from(tokens);
        }
        if let Some(tokens) = row.output.filter(|_| row.events > 0 && row.streamed) {
            tokens_with_events += u64::from(tokens);
            events += u64::from(row.events);
        }
        if let Some(source) = row.source
            && !sources.contains(&source)
        {
            sources.push(source);
        }
    }
    summary.total_input_tokens = all_of(scope, |row| row.input);
    summary.total_output_tokens = all_of(scope, |row| row.output);
    if summary.total_requests > 0 {
        summary.error_rate = (summary.failed_requests + summary.dropped_requests) as f64 / summary.total_requests as f64;
    }
    summary.cached_tokens = cached;
    summary.tokens_per_event = (events > 0).then(|| tokens_with_events as f64 / events as f64);
    summary.token_source = match sources.as_slice() {
        [] => None,
        [one] => Some(*one),
        _ => Some(TokenSource::Mixed),
    };
}

/// Tokens of the requests that ended well, where there are any and every one's are known.
fn all_of(scope: &Scope<'_>, tokens: impl Fn(&Row) -> Option<u32>) -> Option<u64> {
    let mut well = scope.iter().filter(|row| row.succeeded()).peekable();
    well.peek()?;
    well.try_fold(0, |sum, row| Some(sum + u64::from(tokens(row)?)))
}

/// Input tokens of the requests that `which` picks, where every one of them is known.
fn all_input(scope: &Scope<'_>, which: impl Fn(&Row) -> bool) -> Option<f64> {
    scope.iter().filter(|row| which(row)).try_fold(0.0, |sum, row| Some(sum + f64::from(row.input?)))
}

fn throughputs(summary: &mut Summary, output: Option<f64>, input: Option<f64>) {
    summary.output_throughput = output.map(|tokens| tokens / summary.duration_s);
    summary.total_throughput = input.map(|tokens| (output.unwrap_or(0.0) + tokens) / summary.duration_s);
}

fn latencies(scope: &Scope<'_>, summary: &mut Summary) {
    let mut below = Vec::new();
    let mut take = |name: &str, samples: &mut Vec<f64>, clusters: Option<u64>| -> Option<Distribution> {
        let figures = distribution(samples, clusters)?;
        below.extend(below_floor(name, &figures));
        Some(figures)
    };
    let mut of = |name: &str, metric: fn(&Row) -> Option<f64>| take(name, &mut scope.iter().filter_map(metric).collect(), None);
    summary.ttft_ms = of("ttft_ms", Row::ttft_ms);
    summary.ttfo_ms = of("ttfo_ms", Row::ttfo_ms);
    summary.tpot_ms = of("tpot_ms", Row::tpot_ms);
    summary.e2el_ms = of("e2el_ms", Row::e2el_ms);
    summary.ttft_from_schedule_ms = of("ttft_from_schedule_ms", Row::ttft_from_schedule_ms);
    summary.e2el_from_schedule_ms = of("e2el_from_schedule_ms", Row::e2el_from_schedule_ms);
    summary.schedule_lag_ms = of("schedule_lag_ms", Row::lag_ms);
    summary.output_throughput_per_user =
        of("output_throughput_per_user", |row| row.tpot_ms().filter(|tpot| *tpot > 0.0).map(|tpot| 1000.0 / tpot));
    let mut gaps: Vec<f64> = Vec::new();
    let mut times: Vec<i64> = Vec::new();
    for index in scope.rows.iter().filter(|index| scope.records.rows[**index].succeeded()) {
        gaps.extend(scope.records.gaps.of(*index).map(|gap| ms(gap as i64)));
        times.extend(scope.events_of(*index));
    }
    if !gaps.is_empty() {
        let clusters = clusters::count(&mut times);
        drop(times);
        summary.itl_ms = take("itl_ms", &mut gaps, Some(clusters));
    }
    summary.below_floor = below;
    let lengths = |metric: fn(&Row) -> Option<u32>| {
        let well = scope.iter().filter(|row| row.succeeded());
        distribution(&mut well.filter_map(metric).map(f64::from).collect::<Vec<_>>(), None)
    };
    let lengths = Lengths {
        requested_input: lengths(|row| row.requested_input),
        input: lengths(|row| row.input),
        requested_output: lengths(|row| row.requested_output),
        output: lengths(|row| row.output),
    };
    summary.lengths = (lengths != Lengths::default()).then_some(lengths);
}

/// Whether a request ended well and within all limits.
pub fn is_good(row: &Row, slo: &Slo) -> bool {
    let within = |value: Option<f64>, limit: Option<f64>| limit.is_none_or(|limit| value.is_none_or(|value| value <= limit));
    // whoever waits for an answer in one piece sees its first word with the last; an embedding has no words
    let whole = row.e2el_ms().filter(|_| !row.streamed && row.requested_output.is_some());
    row.succeeded()
        && within(row.ttft_ms().or(whole), slo.ttft_ms)
        && within(row.tpot_ms(), slo.tpot_ms)
        && within(row.e2el_ms(), slo.e2el_ms)
}

fn goodput(scope: &Scope<'_>, summary: &mut Summary, which: impl Fn(&Row) -> bool) {
    let Some(slo) = scope.slo else { return };
    let good = scope.iter().filter(|row| which(row) && is_good(row, slo)).count() as f64;
    summary.goodput = Some(good / summary.duration_s);
    summary.good_fraction = (summary.total_requests > 0).then(|| good / summary.total_requests as f64);
}

fn rates(scope: &Scope<'_>, summary: &mut Summary) {
    summary.requested_rate = match scope.load {
        Some(Load::Rate { rate, .. }) => Some(*rate),
        Some(Load::Trace { .. }) => mean_rate(scope.iter().filter_map(|row| row.scheduled)),
        _ => return,
    };
    summary.achieved_rate = mean_rate(scope.iter().filter_map(|row| row.sent));
}

/// Times per second, from the first to the last.
fn mean_rate(times: impl Iterator<Item = i64>) -> Option<f64> {
    let (count, first, last) =
        times.fold((0_u64, i64::MAX, i64::MIN), |(n, first, last), at| (n + 1, first.min(at), last.max(at)));
    (count > 1 && last > first).then(|| (count - 1) as f64 * 1e9 / (last - first) as f64)
}

/// The window and its figures: latencies of the requests sent in it, throughput by what ended and arrived in it.
fn steady_state(scope: &Scope<'_>, steps: &[concurrency::Step], begin: i64, end: i64) -> Option<SteadyState> {
    let (from, until) = match scope.load? {
        Load::Closed { concurrency } => steady::closed(&scope.places(), *concurrency, begin, end)?,
        Load::Rate { .. } | Load::Trace { .. } => {
            let first_end = scope.iter().filter(|row| row.succeeded()).filter_map(|row| row.last).min()?;
            steady::open(first_end, scope.iter().filter_map(|row| row.sent).max()?, begin, end)?
        }
    };
    let inside = |at: Option<i64>| at.is_some_and(|at| (from..until).contains(&at));
    let sent_inside: Vec<usize> = scope.rows.iter().copied().filter(|index| inside(scope.records.rows[*index].sent)).collect();
    let part = Scope { rows: &sent_inside, ..*scope };
    let mut figures = Summary::default();
    count(&part, &mut figures);
    latencies(&part, &mut figures);
    figures.duration_s = (until - from) as f64 / 1e9;
    figures.achieved_concurrency = concurrency::mean(steps, from, until);
    let completed: Vec<usize> = scope
        .rows
        .iter()
        .copied()
        .filter(|index| scope.records.rows[*index].succeeded() && inside(scope.records.rows[*index].last))
        .collect();
    figures.request_throughput = Some(completed.len() as f64 / figures.duration_s);
    let mut output = Some(0.0);
    for index in scope.rows.iter().filter(|index| scope.records.rows[**index].succeeded()) {
        let row = &scope.records.rows[*index];
        let arrived = scope.events_of(*index).filter(|at| inside(Some(*at))).count();
        if arrived > 0 {
            let per_event = row.output.map(|tokens| f64::from(tokens) / f64::from(row.events.max(1)));
            output = output.zip(per_event).map(|(sum, per_event)| sum + arrived as f64 * per_event);
        }
    }
    throughputs(&mut figures, output, all_input(&Scope { rows: &completed, ..*scope }, |_| true));
    goodput(&part, &mut figures, |_| true);
    rates(&part, &mut figures);
    Some(SteadyState { begin_s: (from - begin) as f64 / 1e9, end_s: (until - begin) as f64 / 1e9, figures })
}

/// What a failed request counts as: over every limit.
const NEVER_MS: f64 = 1e300;

/// Whether the limits are met at their percentile, over all requests that were issued: one that failed or was dropped is over
/// every limit. Nothing where too few samples stand behind one of the percentiles.
pub fn meets_slo(scope: &Scope<'_>, summary: &Summary, slo: &Slo) -> Option<bool> {
    if summary.total_requests == 0 {
        return None;
    }
    if summary.successful_requests == 0 {
        return Some(false);
    }
    bounds::floor(slo.percentile)?;
    let mut answer = Some(true);
    for (latency, limit) in LimitedLatency::of(slo) {
        match at_limit(scope, summary, slo.percentile, limit, limited(latency)).1 {
            Some(true) => {}
            Some(false) => return Some(false),
            None => answer = None,
        }
    }
    answer
}

/// A latency of a request, ms; absent where the request has none.
pub type LatencyOf = fn(&Row) -> Option<f64>;

/// The latency that a limit is for.
pub fn limited(latency: LimitedLatency) -> LatencyOf {
    match latency {
        LimitedLatency::TtftMs => Row::ttft_ms,
        LimitedLatency::TpotMs => Row::tpot_ms,
        LimitedLatency::E2elMs => Row::e2el_ms,
    }
}

/// A latency at a percentile over all requests that were issued, those that failed being over every limit, and whether it is
/// within a limit, ms. Of too few requests both are absent; the value is also absent where failed requests decide it.
pub fn at_limit(
    scope: &Scope<'_>,
    summary: &Summary,
    percent: f64,
    limit: f64,
    latency: LatencyOf,
) -> (Option<f64>, Option<bool>) {
    let failed = (summary.failed_requests + summary.dropped_requests) as usize;
    let mut samples: Vec<f64> = scope.iter().filter_map(latency).collect();
    samples.sort_unstable_by(f64::total_cmp);
    let known = samples.len();
    samples.resize(known + failed, NEVER_MS);
    if samples.is_empty() || bounds::floor(percent).is_none_or(|least| (samples.len() as u64) < least) {
        return (None, None);
    }
    let value = percentile(&samples, percent);
    let last = (percent / 100.0 * (samples.len() - 1) as f64).ceil() as usize;
    ((last < known).then_some(value), Some(value <= limit))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::consistency::{contradictions, littles_law};
    use super::*;
    use crate::records::GapsBuf;
    use crate::report::Phase;

    const S: i64 = 1_000_000_000;

    /// A request that was sent at a time (s) and had content events at others, with so many tokens.
    pub(crate) fn request(records: &mut Records, sent: i64, events: &[i64], tokens: u32) -> usize {
        let mut gaps = GapsBuf::default();
        for pair in events.windows(2) {
            gaps.push(((pair[1] - pair[0]) * S) as u64);
        }
        let row = Row {
            sent: Some(sent * S),
            first: events.first().map(|at| at * S),
            first_output: events.first().map(|at| at * S),
            last: events.last().map(|at| at * S),
            ended: events.last().map(|at| at * S),
            events: events.len() as u32,
            output: Some(tokens),
            input: Some(10),
            source: Some(TokenSource::Usage),
            status: Some(200),
            ..Row::new(0, Phase::Measured, records.rows.len() as u32, 0)
        };
        records.push(row, &gaps, None)
    }

    fn failure(records: &mut Records, sent: i64, ended: i64, class: ErrorClass) {
        let row = Row { sent: Some(sent * S), ended: Some(ended * S), error: Some(class), ..Row::new(0, Phase::Measured, 9, 0) };
        records.push(row, &GapsBuf::default(), Some("x".to_owned()));
    }

    fn figures(records: &Records, load: &Load, slo: Option<&Slo>) -> Summary {
        let rows: Vec<usize> = (0..records.rows.len()).collect();
        summarise(&Scope { records, rows: &rows, load: Some(load), slo })
    }

    #[test]
    fn known_answers() {
        let mut records = Records::default();
        request(&mut records, 1, &[3, 5, 8], 3);
        request(&mut records, 2, &[4, 7, 11], 3);
        let summary = figures(&records, &Load::Closed { concurrency: 2 }, None);
        let two = |figures: &Option<Distribution>| figures.as_ref().map(|f| (f.min, f.max, f.n)).unwrap();
        assert_eq!(two(&summary.ttft_ms), (2000.0, 2000.0, 2));
        assert_eq!(two(&summary.tpot_ms), (2500.0, 3500.0, 2));
        assert_eq!(two(&summary.itl_ms), (2000.0, 4000.0, 4));
        assert_eq!(summary.itl_ms.as_ref().unwrap().p50, 3000.0);
        assert_eq!(summary.itl_ms.as_ref().unwrap().clusters, Some(6));
        assert_eq!(two(&summary.e2el_ms), (7000.0, 9000.0, 2));
        assert_eq!(summary.duration_s, 10.0);
        assert_eq!(summary.output_throughput, Some(0.6));
        assert_eq!(summary.total_throughput, Some(2.6));
        assert_eq!(summary.achieved_concurrency, Some(1.6));
        assert_eq!(summary.tokens_per_event, Some(1.0));
        let scope = Scope { records: &records, rows: &[0, 1], load: None, slo: None };
        assert_eq!((littles_law(&scope, &summary), contradictions(&scope)), (Some(1.0), 0));
        // E2E − TTFT = Σ gaps = TPOT·(n − 1), of every request
        for (index, row) in records.rows.iter().enumerate() {
            let gaps: u64 = records.gaps.of(index).sum();
            assert_eq!(row.e2el_ms().unwrap() - row.ttft_ms().unwrap(), ms(gaps as i64));
            assert_eq!(row.tpot_ms().unwrap() * 2.0, ms(gaps as i64));
        }
    }

    #[test]
    fn errors_count_in_the_rate_and_in_no_latency() {
        let mut records = Records::default();
        request(&mut records, 0, &[1, 2], 2);
        failure(&mut records, 0, 50, ErrorClass::Stalled);
        failure(&mut records, 0, 1, ErrorClass::Dropped);
        let slo = Slo { percentile: 99.0, ttft_ms: Some(1000.0), tpot_ms: None, e2el_ms: None, search: None };
        let summary = figures(&records, &Load::Closed { concurrency: 2 }, Some(&slo));
        assert_eq!((summary.total_requests, summary.failed_requests, summary.dropped_requests), (3, 1, 1));
        assert!((summary.error_rate - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(summary.ttft_ms.unwrap().n, 1);
        assert_eq!(summary.duration_s, 2.0);
        assert_eq!((summary.goodput, summary.good_fraction), (Some(0.5), Some(1.0 / 3.0)));
        assert_eq!(summary.errors["stalled"], 1);
    }

    #[test]
    fn an_answer_in_one_piece_meets_a_limit_of_its_first_token_only_as_a_whole() {
        let mut records = Records::default();
        let index = request(&mut records, 0, &[3], 5);
        records.rows[index].streamed = false;
        let limit = |ms| Slo { percentile: 99.0, ttft_ms: Some(ms), tpot_ms: None, e2el_ms: None, search: None };
        // an embedding
        assert!(is_good(&records.rows[index], &limit(1000.0)));
        records.rows[index].requested_output = Some(5);
        assert!(!is_good(&records.rows[index], &limit(1000.0)) && is_good(&records.rows[index], &limit(3000.0)));
    }

    #[test]
    fn totals_of_what_is_not_known_are_absent() {
        let mut records = Records::default();
        request(&mut records, 0, &[1, 2], 2);
        let index = request(&mut records, 0, &[1, 2], 2);
        assert_eq!(figures(&records, &Load::Closed { concurrency: 2 }, None).total_input_tokens, Some(20));
        records.rows[index].input = None;
        let summary = figures(&records, &Load::Closed { concurrency: 2 }, None);
        assert_eq!((summary.total_input_tokens, summary.total_output_tokens, summary.total_throughput), (None, Some(4), None));
    }

    #[test]
    fn hidden_reasoning_takes_no_part_in_tpot() {
        let mut records = Records::default();
        let index = request(&mut records, 0, &[1, 2, 3], 103);
        records.rows[index].reasoning = Some(100);
        assert_eq!(records.rows[index].tpot_ms(), Some(1000.0));
        records.rows[index].reasoning_streamed = true;
        assert_eq!(records.rows[index].tpot_ms(), Some(2000.0 / 102.0));
    }

    #[test]
    fn nothing_measured_gives_nothing() {
        let mut records = Records::default();
        failure(&mut records, 0, 1, ErrorClass::Connect);
        let summary = figures(&records, &Load::Closed { concurrency: 1 }, None);
        assert_eq!((summary.error_rate, summary.request_throughput, summary.ttft_ms), (1.0, None, None));
    }

    #[test]
    fn the_steady_window_has_its_own_figures() {
        let mut records = Records::default();
        for start in 0..40 {
            request(&mut records, start, &[start + 1, start + 2], 2);
        }
        let summary = figures(&records, &Load::Closed { concurrency: 2 }, None);
        let steady = summary.steady_state.unwrap();
        assert_eq!((steady.begin_s, steady.end_s), (1.0, 40.0));
        // one request and two tokens end in each second
        assert_eq!(steady.figures.request_throughput.map(|x| (x * 39.0).round()), Some(38.0));
        assert_eq!(steady.figures.achieved_concurrency, Some(2.0));
    }
}
