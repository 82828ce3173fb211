//! Arrival schedules. They are absolute and drawn in advance, so that a late send does not delay the later ones.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp, Gamma};

use crate::load::ArrivalProcess;
use crate::plan::Part;

/// Arrivals of an open loop, ns after its begin, ascending. With constant gaps the first is at 0, else after a random gap.
#[derive(Debug)]
pub struct Arrivals {
    rng: ChaCha8Rng,
    gaps: GapSampler,
    next_s: f64,
}

#[derive(Debug)]
enum GapSampler {
    /// Listed arrivals, ns, and the index of the next.
    Listed(Vec<i64>, usize),
    Even(f64),
    Exponential(Exp<f64>),
    Gamma(Gamma<f64>),
}

impl Arrivals {
    /// The schedule of a rate (requests per second), fixed by the seed.
    pub fn new(rate: f64, process: ArrivalProcess, burstiness: f64, seed: u64) -> Self {
        let even = GapSampler::Even(1.0 / rate);
        let gaps = match process {
            ArrivalProcess::Constant => even,
            ArrivalProcess::Poisson => Exp::new(rate).map_or(even, GapSampler::Exponential),
            // mean gap 1/rate, variance 1/(rate² · burstiness)
            ArrivalProcess::Gamma => Gamma::new(burstiness, 1.0 / (rate * burstiness)).map_or(even, GapSampler::Gamma),
        };
        let mut arrivals = Self { rng: ChaCha8Rng::seed_from_u64(seed), gaps, next_s: 0.0 };
        if process != ArrivalProcess::Constant {
            arrivals.step();
        }
        arrivals
    }

    /// A listed schedule, ns after the begin.
    pub fn listed(times: Vec<i64>) -> Self {
        Self { rng: ChaCha8Rng::seed_from_u64(0), gaps: GapSampler::Listed(times, 0), next_s: 0.0 }
    }

    fn step(&mut self) {
        self.next_s += match &mut self.gaps {
            GapSampler::Listed(_, next) => {
                *next += 1;
                0.0
            }
            GapSampler::Even(gap) => *gap,
            GapSampler::Exponential(gaps) => gaps.sample(&mut self.rng),
            GapSampler::Gamma(gaps) => gaps.sample(&mut self.rng),
        };
    }

    /// The next arrival, ns after the begin; `i64::MAX` when there is none left.
    pub fn peek(&self) -> i64 {
        match &self.gaps {
            GapSampler::Listed(times, next) => times.get(*next).copied().unwrap_or(i64::MAX),
            _ => (self.next_s * 1e9) as i64,
        }
    }

    /// Advances to the arrival after it.
    pub fn advance(&mut self) {
        self.step();
    }
}

/// The arrivals of one part of a plan.
#[derive(Debug)]
pub struct PartArrivals {
    arrivals: Arrivals,
    part: Part,
    own: u32,
}

impl PartArrivals {
    pub fn new(mut arrivals: Arrivals, part: Part) -> Self {
        for _ in 0..part.index() {
            arrivals.advance();
        }
        Self { arrivals, part, own: 0 }
    }

    /// The number of the next arrival in the whole plan, from 0.
    pub fn number(&self) -> u32 {
        self.part.number(self.own)
    }

    /// The next arrival, ns after the begin; `i64::MAX` when there is none left.
    pub fn peek(&self) -> i64 {
        self.arrivals.peek()
    }

    /// Advances to the part's arrival after it.
    pub fn advance(&mut self) {
        self.own += 1;
        for _ in 0..self.part.of() {
            self.arrivals.advance();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(process: ArrivalProcess, burstiness: f64, seed: u64) -> Vec<f64> {
        let mut arrivals = Arrivals::new(100.0, process, burstiness, seed);
        (0..20_000)
            .map(|_| {
                let at = arrivals.peek() as f64 / 1e9;
                arrivals.advance();
                at
            })
            .collect()
    }

    fn gap_figures(times: &[f64]) -> (f64, f64) {
        let gaps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        (mean * 100.0, variance * 10_000.0)
    }

    #[test]
    fn rates_are_kept() {
        for (process, burstiness, variance) in [
            (ArrivalProcess::Constant, 1.0, 0.0),
            (ArrivalProcess::Poisson, 1.0, 1.0),
            (ArrivalProcess::Gamma, 0.5, 2.0),
            (ArrivalProcess::Gamma, 4.0, 0.25),
        ] {
            let (mean, spread) = gap_figures(&drawn(process, burstiness, 7));
            assert!((mean - 1.0).abs() < 0.05, "{process:?} {mean}");
            assert!((spread - variance).abs() < 0.1 + variance * 0.1, "{process:?} {spread}");
        }
    }

    #[test]
    fn a_given_schedule_is_kept_and_ends() {
        let mut arrivals = Arrivals::listed(vec![0, 5, 5]);
        let times: Vec<i64> = (0..4)
            .map(|_| {
                let at = arrivals.peek();
                arrivals.advance();
                at
            })
            .collect();
        assert_eq!(times, [0, 5, 5, i64::MAX]);
    }

    #[test]
    fn the_seed_fixes_it() {
        assert_eq!(drawn(ArrivalProcess::Poisson, 1.0, 3), drawn(ArrivalProcess::Poisson, 1.0, 3));
        assert_ne!(drawn(ArrivalProcess::Poisson, 1.0, 3), drawn(ArrivalProcess::Poisson, 1.0, 4));
        assert_eq!(drawn(ArrivalProcess::Constant, 1.0, 3)[0], 0.0);
    }
}
