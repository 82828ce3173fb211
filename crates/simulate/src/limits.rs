//! Limits of one simulation's work and memory, and the flag that ends it from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::simulation_error::SimulationError;

/// Ends the simulations that have a clone of it, at their next step.
#[derive(Debug, Clone, Default)]
pub struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What one simulation may take, over all replicas. Beyond it ends with an error, whatever the machine's speed.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Sequences that the scheduler looks at ([`crate::Outcome::work`]).
    pub most_work: u64,
    /// Stretches of gaps between tokens that are kept for their distribution, 24 bytes each.
    pub most_gap_runs: usize,
    pub stop: StopFlag,
}

impl Default for Limits {
    /// Four times what a million requests of 1,024 tokens in and out take in work, and eight stretches of gaps for each of them.
    fn default() -> Self {
        Self { most_work: 4_000_000_000, most_gap_runs: 8 << 20, stop: StopFlag::default() }
    }
}

impl Limits {
    /// Asked at every step.
    #[inline]
    pub(crate) fn check(&self, work: u64, gap_runs: usize) -> Result<(), SimulationError> {
        if work > self.most_work {
            return Err(SimulationError::TooMuchWork);
        }
        if gap_runs > self.most_gap_runs {
            return Err(SimulationError::TooManyGaps);
        }
        if self.stop.is_stopped() {
            return Err(SimulationError::Stopped);
        }
        Ok(())
    }
}
