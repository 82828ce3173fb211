//! Ends a load early: a load point, once so many requests exceed a limit that its percentile can no longer be within it, whatever the
//! remaining ones measure.

use crate::load::Slo;
use crate::records::Row;
use crate::report::{Phase, TokenSource};

/// Counts requests that exceed the limits.
#[derive(Debug, Clone)]
pub struct EarlyStop {
    slo: Slo,
    /// Number of values over a limit that puts the percentile over it.
    decides: u64,
    over: [u64; 3],
}

impl EarlyStop {
    /// For a load point of `requests` requests.
    pub fn new(slo: Slo, requests: u32) -> Self {
        let last = f64::from(requests.saturating_sub(1));
        // the percentile interpolates between the value of this rank (from 0) and the next: it is over the limit if both are
        let place = (slo.percentile / 100.0 * last).floor().clamp(0.0, last) as u64;
        Self { slo, decides: u64::from(requests) - place, over: [0; 3] }
    }

    /// Counts a request that has ended.
    pub fn count(&mut self, row: &Row) {
        if row.phase != Phase::Measured {
            return;
        }
        // a count by events may be corrected after the load, so it decides nothing yet
        let tpot = if row.source == Some(TokenSource::Usage) { row.tpot_ms() } else { None };
        let values = [(row.ttft_ms(), self.slo.ttft_ms), (tpot, self.slo.tpot_ms), (row.e2el_ms(), self.slo.e2el_ms)];
        for (count, (value, limit)) in self.over.iter_mut().zip(values) {
            let Some(limit) = limit else { continue };
            *count += u64::from(!row.succeeded() || value.is_some_and(|value| value > limit));
        }
    }

    /// Whether the load point can no longer meet the limits.
    pub fn is_over(&self) -> bool {
        self.over.iter().any(|count| *count >= self.decides)
    }
}

/// Requests that must have ended before the error rate can end a load.
const JUDGED_AFTER: u32 = 100;

/// Ends the whole load once too large a share of a load point's requests have failed.
#[derive(Debug, Clone)]
pub struct ErrorLimit {
    /// 0 to 1.
    most: f64,
    ended: u32,
    failed: u32,
    exceeded: Option<String>,
}

impl ErrorLimit {
    pub fn new(most: f64) -> Self {
        Self { most, ended: 0, failed: 0, exceeded: None }
    }

    /// Counts a request that has ended.
    pub fn count(&mut self, row: &Row) {
        if row.phase != Phase::Measured {
            return;
        }
        self.ended += 1;
        self.failed += u32::from(row.error.is_some());
        let share = f64::from(self.failed) / f64::from(self.ended);
        if self.ended >= JUDGED_AFTER && share > self.most && self.exceeded.is_none() {
            let percent = (self.most * 1e4).round() / 1e2;
            let (failed, ended) = (self.failed, self.ended);
            self.exceeded = Some(format!("{failed} of {ended} requests had failed: the error rate is over {percent} %."));
        }
    }

    /// Why the load ends, once the limit is exceeded.
    pub fn exceeded(&self) -> Option<String> {
        self.exceeded.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::ErrorClass;
    use crate::statistics::percentile::percentile;

    fn slo(percentile: f64) -> Slo {
        Slo { percentile, ttft_ms: Some(100.0), tpot_ms: None, e2el_ms: None, search: None }
    }

    fn row(ttft_ms: i64) -> Row {
        Row {
            sent: Some(0),
            first: Some(ttft_ms * 1_000_000),
            last: Some(ttft_ms * 1_000_000),
            ..Row::new(0, Phase::Measured, 0, 0)
        }
    }

    /// The verdict holds for any outcome of the remaining requests, and would not with one request less.
    #[test]
    fn the_verdict_is_certain_and_not_later_than_it_must_be() {
        for (percent, requests) in [(99.0, 662_u32), (99.0, 1_000), (90.0, 64), (50.0, 11), (99.9, 6_636), (99.0, 1)] {
            let mut enough = EarlyStop::new(slo(percent), requests);
            let mut over = 0;
            while !enough.is_over() {
                enough.count(&row(101));
                over += 1;
            }
            let with = |over: u32| {
                let mut values = vec![1.0; (requests - over) as usize];
                values.extend(vec![101.0; over as usize]);
                percentile(&values, percent)
            };
            assert!(with(over) > 100.0, "{percent} of {requests}: {over}");
            assert!(over == 1 || with(over - 2) <= 100.0, "{percent} of {requests}: {over}");
        }
    }

    #[test]
    fn failed_requests_are_over_every_limit_and_warm_ups_count_nothing() {
        let mut enough = EarlyStop::new(slo(50.0), 2);
        enough.count(&Row { phase: Phase::Warmup, ..row(900) });
        enough.count(&row(100));
        assert!(!enough.is_over());
        for _ in 0..2 {
            enough.count(&Row { error: Some(ErrorClass::Dropped), ..Row::new(0, Phase::Measured, 0, 0) });
        }
        assert!(enough.is_over());
    }
}
