//! Random values derived from a plan's seed, shared by load generator and simulator.

use super::Plan;
use crate::load::LengthDistribution;
use crate::load::LengthSampler;

/// Lengths of synthetic requests.
#[derive(Debug, Clone, Copy)]
pub struct PlannedLengths {
    /// Input tokens asked for, template included.
    pub input: LengthSampler,
    /// Output limit.
    pub output: LengthSampler,
}

impl PlannedLengths {
    /// From distributions with their largest lengths, and the plan's seed.
    pub fn new(input: (Option<LengthDistribution>, u32), output: (Option<LengthDistribution>, u32), seed: u64) -> Self {
        Self {
            input: LengthSampler::new(input.0, input.1, seed ^ 0x1A9),
            output: LengthSampler::new(output.0, output.1, seed ^ 0x0A7),
        }
    }
}

impl Plan {
    /// Seed of a load point's arrivals.
    pub fn arrivals_seed(&self, load_point: u32) -> u64 {
        self.seed.wrapping_mul(1_000_003).wrapping_add(u64::from(load_point))
    }
}

/// The key of a prompt's lengths: its number over all load points, separate for warm-ups.
pub fn length_key(number: u64, is_warmup: bool) -> u64 {
    number * 2 + u64::from(is_warmup)
}
