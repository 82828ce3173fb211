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
            let oldest = attempts.iter().min_by_key(|(_, times)| times.last().copied()).map(|(key, _)| key.clone());
            oldest.map(|key| attempts.remove(&key));
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
