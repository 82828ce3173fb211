//! Estimates how long phases of a load take: from their number of requests or duration, and from the throughput measured at the
//! loads before.

use dyno_measure::plan::Load;

/// What decides how long a phase takes.
#[derive(Debug, Clone, PartialEq)]
pub struct PhaseExtent {
    pub load: Load,
    pub requests: Option<u64>,
    /// Or its duration, seconds.
    pub duration_s: Option<f64>,
}

impl PhaseExtent {
    /// Estimated duration, seconds; `None` where nothing was measured yet.
    pub fn seconds(&self, throughput: &MeasuredThroughput) -> Option<f64> {
        match (self.duration_s, self.requests, &self.load) {
            (Some(seconds), ..) => Some(seconds),
            (None, Some(requests), Load::Rate { rate, .. }) => Some(requests as f64 / rate),
            (None, Some(requests), Load::Closed { concurrency }) => {
                Some(requests as f64 / throughput.at(f64::from(*concurrency))?)
            }
            (None, Some(_), Load::Trace { .. }) | (None, None, _) => None,
        }
    }
}

/// Requests per second at each concurrency that was measured.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MeasuredThroughput {
    /// (concurrency, requests per second), ascending by concurrency.
    known: Vec<(f64, f64)>,
}

impl MeasuredThroughput {
    /// Sets the requests per second measured at a concurrency; replaces an earlier figure.
    pub fn record(&mut self, concurrency: f64, per_s: f64) {
        if !(concurrency > 0.0 && per_s > 0.0 && per_s.is_finite()) {
            return;
        }
        let place = self.known.partition_point(|(known, _)| *known < concurrency);
        match self.known.get_mut(place) {
            Some(entry) if entry.0 == concurrency => entry.1 = per_s,
            _ => self.known.insert(place, (concurrency, per_s)),
        }
    }

    /// Expected requests per second at a concurrency. Between measured points and beyond them, throughput is a power of the
    /// concurrency: it grows at most in proportion to it, and beyond the last point it does not fall. From a single point,
    /// requests are taken to have the same latency.
    pub fn at(&self, concurrency: f64) -> Option<f64> {
        let [first, .., last] = self.known.as_slice() else {
            return self.known.first().map(|(known, per_s)| per_s * concurrency / known);
        };
        if concurrency <= first.0 {
            return Some(first.1 * concurrency / first.0);
        }
        let upper = self.known.iter().position(|(known, _)| *known >= concurrency).unwrap_or(self.known.len() - 1).max(1);
        let (low, high) = (self.known[upper - 1], self.known[upper]);
        let growth = ((high.1 / low.1).ln() / (high.0 / low.0).ln()).min(1.0);
        let growth = if concurrency > last.0 { growth.max(0.0) } else { growth };
        Some(high.1 * (concurrency / high.0).powf(growth))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(concurrency: u32, requests: u64) -> PhaseExtent {
        PhaseExtent { load: Load::Closed { concurrency }, requests: Some(requests), duration_s: None }
    }

    #[test]
    fn one_measured_point_predicts_by_equal_latency() {
        let mut throughput = MeasuredThroughput::default();
        assert_eq!(closed(4, 100).seconds(&throughput), None, "nothing is known yet");
        // one second per request
        throughput.record(4.0, 4.0);
        assert_eq!(closed(4, 100).seconds(&throughput), Some(25.0));
        assert_eq!(closed(16, 160).seconds(&throughput), Some(10.0));
        assert_eq!(closed(1, 100).seconds(&throughput), Some(100.0));
    }

    #[test]
    fn a_saturated_engine_is_not_expected_to_go_faster() {
        let mut throughput = MeasuredThroughput::default();
        for (concurrency, per_s) in [(1.0, 1.0), (8.0, 8.0), (16.0, 8.0)] {
            throughput.record(concurrency, per_s);
        }
        assert_eq!(throughput.at(64.0), Some(8.0));
        assert!((throughput.at(4.0).unwrap() - 4.0).abs() < 1e-9);
        assert_eq!(throughput.at(12.0), Some(8.0));
        throughput.record(16.0, 6.0);
        assert_eq!(throughput.at(32.0), Some(6.0), "what fell is not expected to fall further");
        assert_eq!(throughput.at(16.0), Some(6.0), "the last word");
        assert!(
            throughput.at(12.0).is_some_and(|per_s| per_s > 6.0 && per_s < 8.0),
            "between two that are known it is between them"
        );
    }

    #[test]
    fn rates_and_durations_need_no_measured_throughput() {
        let rate =
            Load::Rate { rate: 5.0, process: dyno_measure::load::ArrivalProcess::default(), burstiness: 1.0, max_in_flight: 9 };
        let work = PhaseExtent { load: rate, requests: Some(100), duration_s: None };
        assert_eq!(work.seconds(&MeasuredThroughput::default()), Some(20.0));
        let timed = PhaseExtent { load: Load::Closed { concurrency: 3 }, requests: None, duration_s: Some(30.0) };
        assert_eq!(timed.seconds(&MeasuredThroughput::default()), Some(30.0));
    }
}
