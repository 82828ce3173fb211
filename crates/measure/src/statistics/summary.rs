//! The figures of a set of requests.

use super::percentile::{below_floor, distribution, percentile};
use super::{bounds, clusters, concurrency, steady};
use crate::limits::LimitedLatency;
use crate::load::Slo;
use crate::plan::Load;
use crate::records::{Records, Row, ms};
use crate::report::{Distribution, ErrorClass, Lengths, SteadyState, Summary, TokenSource};

/// A set of requests, with their offered load and limits.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    pub records: &'a Records,
    /// Indices of the requests.
    pub rows: &'a [usize],
    /// The offered load of these requests; absent for a part of them, such as one node's.
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

    /// Last content event of the successful requests; without one, the last end.
    pub fn end(&self) -> Option<i64> {
        let content = self.iter().filter(|row| row.succeeded()).filter_map(|row| row.last).max();
        content.or_else(|| self.iter().filter_map(|row| row.ended).max())
    }

    /// Requests in flight over time.
    pub fn steps(&self) -> Vec<concurrency::Step> {
        concurrency::steps(self.iter().filter_map(span))
    }

    /// Occupied streams over time: from send to the end of the request, finish reason and usage included. A closed loop sends
    /// its next request only then, so this is compared with its concurrency.
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

/// The figures of a scope, with its steady-state window if it has one.
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
            *summary.errors.entry(class.into_str().to_owned()).or_default() += 1;
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

/// Tokens of the successful requests; `None` without any, or where one count is unknown.
fn all_of(scope: &Scope<'_>, tokens: impl Fn(&Row) -> Option<u32>) -> Option<u64> {
    let mut well = scope.iter().filter(|row| row.succeeded()).peekable();
    well.peek()?;
    well.try_fold(0, |sum, row| Some(sum + u64::from(tokens(row)?)))
}

/// Input tokens of the requests that `which` selects; `None` where one count is unknown.
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
    let well = || scope.rows.iter().copied().filter(|index| scope.records.rows[*index].succeeded());
    // millions, in exact room: times and gaps one after the other
    let count: usize = well().map(|index| scope.records.gaps.count_of(index)).sum();
    if count > 0 {
        let clusters = {
            let mut times: Vec<i64> = Vec::with_capacity(count + scope.rows.len());
            times.extend(well().flat_map(|index| scope.events_of(index)));
            clusters::count(&mut times)
        };
        let mut gaps: Vec<f64> = Vec::with_capacity(count);
        gaps.extend(well().flat_map(|index| scope.records.gaps.of(index)).map(|gap| ms(gap as i64)));
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

/// Whether a request succeeded within all limits.
pub fn is_good(row: &Row, slo: &Slo) -> bool {
    let within = |value: Option<f64>, limit: Option<f64>| limit.is_none_or(|limit| value.is_none_or(|value| value <= limit));
    // in an answer in one piece, the first token comes with the last; an embedding has no tokens
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

/// Mean rate of events, from the first to the last.
fn mean_rate(times: impl Iterator<Item = i64>) -> Option<f64> {
    let (count, first, last) =
        times.fold((0_u64, i64::MAX, i64::MIN), |(n, first, last), at| (n + 1, first.min(at), last.max(at)));
    (count > 1 && last > first).then(|| (count - 1) as f64 * 1e9 / (last - first) as f64)
}

/// The window and its figures: latencies of the requests sent in it, throughput by what ended and arrived in it. Absent where it is not
/// known when events came.
fn steady_state(scope: &Scope<'_>, steps: &[concurrency::Step], begin: i64, end: i64) -> Option<SteadyState> {
    if scope.records.lacks_gaps {
        return None;
    }
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

/// The latency of a failed request: over every limit.
const NEVER_MS: f64 = 1e300;

/// Whether the limits are met at their percentile over all issued requests; failed and dropped ones are over every limit.
/// `None` where a percentile has too few samples.
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

/// A latency at a percentile over all issued requests (failed ones are over every limit), and whether it is within a limit, ms.
/// With too few requests both are `None`; the value also where failed requests determine it.
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
pub(crate) mod tests;
