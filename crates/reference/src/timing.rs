//! When each token is due. Pure: the same seed, serial number and load give the same times.
//!
//! A request that is admitted at `a` has its first content event due at `a + first`, and event `i + 1` a `gap` after
//! event `i` was **due**, not after it was written, so that a late write never moves the ones behind it.

use std::time::Duration;

use super::random::{Purpose, fraction};

#[derive(Debug, Clone, PartialEq)]
pub struct Timing {
    /// From admission to the first content event of an empty prompt.
    pub ttft: Duration,
    pub itl: Duration,
    /// Added to the first token for each prompt token that the prefix cache does not hold.
    pub prompt_token: Duration,
    /// Each time is multiplied by a seeded factor, uniform in `1 ± jitter`.
    pub jitter: f64,
    /// Each time is multiplied by `1 + slowdown × (running requests − 1)`, taken when it is scheduled.
    pub slowdown: f64,
    /// All requests produce at the same moments, as in the steps of a real engine: due times are rounded up to
    /// multiples of the inter-token time.
    pub lock_step: bool,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            ttft: Duration::from_millis(50),
            itl: Duration::from_millis(10),
            prompt_token: Duration::ZERO,
            jitter: 0.0,
            slowdown: 0.0,
            lock_step: false,
        }
    }
}

impl Timing {
    /// Nanoseconds from admission to the first token, for `prompt_tokens` uncached prompt tokens while `running` requests run.
    pub fn first_ns(&self, seed: u64, serial: u64, prompt_tokens: u32, running: usize) -> u64 {
        let base = self.ttft.as_nanos() as f64 + self.prompt_token.as_nanos() as f64 * f64::from(prompt_tokens);
        self.scaled(base, seed, serial, 0, running)
    }

    /// Nanoseconds from one event to the next, which carries `tokens` tokens; `index` counts events from 1.
    pub fn gap_ns(&self, seed: u64, serial: u64, index: u32, tokens: u32, running: usize) -> u64 {
        self.scaled(self.itl.as_nanos() as f64 * f64::from(tokens), seed, serial, u64::from(index), running)
    }

    /// The due time itself, or the engine step that it falls into.
    pub fn on_grid(&self, due_ns: u64) -> u64 {
        let step = self.itl.as_nanos() as u64;
        if self.lock_step && step > 0 { due_ns.div_ceil(step) * step } else { due_ns }
    }

    fn scaled(&self, base_ns: f64, seed: u64, serial: u64, index: u64, running: usize) -> u64 {
        let load = 1.0 + self.slowdown * running.saturating_sub(1) as f64;
        let jitter = if self.jitter > 0.0 {
            1.0 + self.jitter * (2.0 * fraction(seed, serial, Purpose::Jitter, index) - 1.0)
        } else {
            1.0
        };
        (base_ns * load * jitter).max(0.0).round() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_without_jitter() {
        let timing = Timing { prompt_token: Duration::from_micros(5), ..Timing::default() };
        assert_eq!(timing.first_ns(1, 1, 100, 1), 50_500_000);
        assert_eq!(timing.gap_ns(1, 1, 1, 3, 1), 30_000_000);
        assert_eq!(timing.on_grid(12_345), 12_345);
    }

    #[test]
    fn jitter_stays_in_its_bounds_and_load_slows_down() {
        let timing = Timing { jitter: 0.2, slowdown: 0.5, ..Timing::default() };
        let gaps: Vec<u64> = (1..200).map(|i| timing.gap_ns(9, 3, i, 1, 1)).collect();
        assert!(gaps.iter().all(|gap| (8_000_000..=12_000_000).contains(gap)));
        assert!(gaps.iter().max() > Some(&11_500_000) && gaps.iter().min() < Some(&8_500_000));
        assert!(timing.gap_ns(9, 3, 1, 1, 3).abs_diff(gaps[0] * 2) <= 1);
    }

    #[test]
    fn lock_step_rounds_up_to_the_next_step() {
        let timing = Timing { lock_step: true, ..Timing::default() };
        assert_eq!(timing.on_grid(10_000_001), 20_000_000);
        assert_eq!(timing.on_grid(20_000_000), 20_000_000);
    }
}
