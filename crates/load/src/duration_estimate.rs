//! How long phases of a load take: from their own number of requests or duration, and from how fast the engine answered at
//! the loads that were put on before.

use dyno_measure::plan::Load;

/// A phase, as far as the time that it takes is concerned.
#[derive(Debug, Clone, PartialEq)]
pub struct Work {
    /// When requests are sent.
    pub load: Load,
    /// How many.
    pub requests: Option<u64>,
    /// Or for how long, seconds.
    pub duration_s: Option<f64>,
}

impl Work {
    /// About how long it takes, seconds; absent where nothing says.
    pub fn seconds(&self, pace: &Pace) -> Option<f64> {
        match (self.duration_s, self.requests, &self.load) {
            (Some(seconds), ..) => Some(seconds),
            (None, Some(requests), Load::Rate { rate, .. }) => Some(requests as f64 / rate),
            (None, Some(requests), Load::Closed { concurrency }) => Some(requests as f64 / pace.at(f64::from(*concurrency))?),
            (None, Some(_), Load::Trace { .. }) | (None, None, _) => None,
        }
    }
}

/// Requests per second at each concurrency that was measured.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pace {
    /// In order of the concurrency.
    known: Vec<(f64, f64)>,
}

impl Pace {
    /// So many requests per second were answered at a concurrency: the last word on it.
    pub fn learn(&mut self, concurrency: f64, per_s: f64) {
        if !(concurrency > 0.0 && per_s > 0.0 && per_s.is_finite()) {
            return;
        }
        let place = self.known.partition_point(|(known, _)| *known < concurrency);
        match self.known.get_mut(place) {
            Some(entry) if entry.0 == concurrency => entry.1 = per_s,
            _ => self.known.insert(place, (concurrency, per_s)),
        }
    }

    /// Requests per second to be expected at a concurrency. Between two that are known, and beyond them, throughput changes as
    /// a power of the concurrency: it grows at most in proportion to it, and beyond them it does not fall. With one known,
    /// requests take as long as they did there.
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

    fn closed(concurrency: u32, requests: u64) -> Work {
        Work { load: Load::Closed { concurrency }, requests: Some(requests), duration_s: None }
    }

    #[test]
    fn with_one_load_known_requests_take_as_long_as_there() {
        let mut pace = Pace::default();
        assert_eq!(closed(4, 100).seconds(&pace), None, "nothing is known yet");
        // a second each
        pace.learn(4.0, 4.0);
        assert_eq!(closed(4, 100).seconds(&pace), Some(25.0));
        assert_eq!(closed(16, 160).seconds(&pace), Some(10.0));
        assert_eq!(closed(1, 100).seconds(&pace), Some(100.0));
    }

    #[test]
    fn a_saturated_engine_is_not_expected_to_go_faster() {
        let mut pace = Pace::default();
        for (concurrency, per_s) in [(1.0, 1.0), (8.0, 8.0), (16.0, 8.0)] {
            pace.learn(concurrency, per_s);
        }
        assert_eq!(pace.at(64.0), Some(8.0));
        assert!((pace.at(4.0).unwrap() - 4.0).abs() < 1e-9);
        assert_eq!(pace.at(12.0), Some(8.0));
        pace.learn(16.0, 6.0);
        assert_eq!(pace.at(32.0), Some(6.0), "what fell is not expected to fall further");
        assert_eq!(pace.at(16.0), Some(6.0), "the last word");
        assert!(pace.at(12.0).is_some_and(|per_s| per_s > 6.0 && per_s < 8.0), "between two that are known it is between them");
    }

    #[test]
    fn schedules_and_durations_say_it_themselves() {
        let rate =
            Load::Rate { rate: 5.0, process: dyno_measure::load::ArrivalProcess::default(), burstiness: 1.0, max_in_flight: 9 };
        let work = Work { load: rate, requests: Some(100), duration_s: None };
        assert_eq!(work.seconds(&Pace::default()), Some(20.0));
        let timed = Work { load: Load::Closed { concurrency: 3 }, requests: None, duration_s: Some(30.0) };
        assert_eq!(timed.seconds(&Pace::default()), Some(30.0));
    }
}
