//! Consistency checks of records.

use super::summary::Scope;
use crate::records::Row;
use crate::report::Summary;

/// Mean in flight (by sweep line) over throughput × mean latency, with the time of failed requests added. Between the first
/// send and the last content event no successful request crosses an edge, so this is 1 but for rounding in every load, ramped
/// and short ones included; any other value means that the records contradict each other.
pub fn littles_law(scope: &Scope<'_>, summary: &Summary) -> Option<f64> {
    let latencies = summary.e2el_ms.as_ref()?;
    let end = scope.end()?;
    let failed = scope.iter().filter(|row| !row.succeeded());
    let failed: i64 = failed.filter_map(|row| Some((row.ended?.min(end) - row.sent?).max(0))).sum();
    let in_requests_s = latencies.mean / 1000.0 * latencies.n as f64 + failed as f64 / 1e9;
    let expected = in_requests_s / summary.duration_s;
    (expected > 0.0).then_some(summary.achieved_concurrency? / expected)
}

/// Number of inconsistent requests: times that go backwards by more than the clocks' accuracy, or gaps that don't add up to the
/// time between first and last content event.
pub fn contradictions(scope: &Scope<'_>) -> u64 {
    /// Accuracy of the clocks, ns.
    const EXACT: i64 = 1_000_000;
    let backwards = |row: &Row| {
        let times = [row.sent, row.first, row.last, row.ended];
        let times: Vec<i64> = times.into_iter().flatten().collect();
        times.windows(2).any(|pair| pair[1] < pair[0] - EXACT)
    };
    let broken = |index: usize, row: &Row| {
        let (Some(first), Some(last), true) = (row.first, row.last, row.streamed && !scope.records.lacks_gaps) else {
            return false;
        };
        let (count, sum) = scope.records.gaps.of(index).fold((1, 0), |(count, sum), gap| (count + 1, sum + gap));
        count != row.events || i64::try_from(sum) != Ok(last - first)
    };
    scope
        .rows
        .iter()
        .filter(|index| {
            let row = &scope.records.rows[**index];
            backwards(row) || broken(**index, row)
        })
        .count() as u64
}
