//! Attempts of a short while, counted by key, in memory: a restart forgives.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// More keys than these are not remembered: the oldest go.
const MOST_KEYS: usize = 10_000;

/// Of a key without a limit of its own, no more attempts than these are remembered.
const MOST_TIMES: usize = 100;

/// When something was tried, by key.
#[derive(Debug, Default)]
pub struct Attempts(Mutex<HashMap<String, Vec<Instant>>>);

impl Attempts {
    /// Counts an attempt for each key; false, and nothing counted, if one of them had its most within the window already.
    /// Looking and counting are one step, so that attempts at the same time count, too.
    pub fn begin<const N: usize>(&self, limits: [(String, usize); N], window: Duration, now: Instant) -> bool {
        let mut attempts = self.lock();
        for (key, most) in &limits {
            let Some(times) = attempts.get_mut(key) else { continue };
            times.retain(|time| now.duration_since(*time) < window);
            if times.len() >= *most {
                return false;
            }
        }
        for (key, _) in limits {
            let times = attempts.entry(key).or_default();
            if times.len() == MOST_TIMES {
                times.remove(0);
            }
            times.push(now);
        }
        if attempts.len() > MOST_KEYS {
            attempts.retain(|_, times| times.last().is_some_and(|last| now.duration_since(*last) < window));
        }
        if attempts.len() > MOST_KEYS {
            // a tenth at once, so that the oldest need not be looked for at every attempt
            let mut last: Vec<Option<Instant>> = attempts.values().map(|times| times.last().copied()).collect();
            let (_, newest_to_go, _) = last.select_nth_unstable(attempts.len() - MOST_KEYS + MOST_KEYS / 10);
            let newest_to_go = *newest_to_go;
            attempts.retain(|_, times| times.last().copied() > newest_to_go);
        }
        true
    }

    /// How many attempts a key had within the window.
    pub fn count(&self, key: &str, window: Duration, now: Instant) -> usize {
        self.lock().get(key).map_or(0, |times| times.iter().filter(|time| now.duration_since(**time) < window).count())
    }

    /// How many keys are remembered.
    #[cfg(test)]
    pub fn remembered(&self) -> usize {
        self.lock().len()
    }

    /// Forgets all attempts of a key.
    pub fn forget(&self, key: &str) {
        self.lock().remove(key);
    }

    /// Takes back the last attempt of a key.
    pub fn take_back(&self, key: &str) {
        if let Some(times) = self.lock().get_mut(key) {
            times.pop();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Vec<Instant>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_senders_take_no_more_room_than_some() {
        let attempts = Attempts::default();
        let (window, begun) = (Duration::from_mins(5), Instant::now());
        let keys = |sender: u32| ["peer", "pair", "account"].map(|kind| (format!("{kind} {sender}"), 10));
        let at = |sender: u32| begun + Duration::from_micros(sender.into());
        let senders = 4 * MOST_KEYS as u32;
        for sender in 0..senders {
            assert!(attempts.begin(keys(sender), window, at(sender)));
            assert!(attempts.remembered() <= MOST_KEYS, "{}", attempts.remembered());
        }
        assert_eq!(attempts.count("pair 0", window, at(senders)), 0, "the oldest are forgotten");
        for sender in senders - 1000..senders {
            assert_eq!(attempts.count(&format!("pair {sender}"), window, at(senders)), 1);
        }
    }
}
