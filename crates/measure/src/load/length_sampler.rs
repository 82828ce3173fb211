//! Samples request lengths. Each is a function of the seed and the request's number, so that none needs to be stored.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, LogNormal, Normal};

use super::LengthDistribution;

/// A distribution of lengths between bounds.
#[derive(Debug, Clone, Copy)]
pub struct LengthSampler {
    shape: SampledShape,
    least: u32,
    most: u32,
    seed: u64,
}

/// The distribution's parameters are invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("The mean of lengths must be above 0, and their standard deviation at least 0.")]
pub struct LengthError;

#[derive(Debug, Clone, Copy)]
enum SampledShape {
    Fixed,
    Uniform(u32),
    Normal(Normal<f64>),
    Lognormal(LogNormal<f64>),
}

impl LengthSampler {
    /// Lengths from 1 to `most` tokens; without a distribution all are `most`.
    pub fn new(lengths: Option<LengthDistribution>, most: u32, seed: u64) -> Self {
        let shape = match lengths {
            None | Some(LengthDistribution::Fixed {}) => SampledShape::Fixed,
            Some(LengthDistribution::Uniform { min }) => SampledShape::Uniform(min),
            Some(LengthDistribution::Normal { mean, std }) => {
                Normal::new(mean, std).map_or(SampledShape::Fixed, SampledShape::Normal)
            }
            Some(LengthDistribution::Lognormal { mean, std }) => {
                lognormal(mean, std).map_or(SampledShape::Fixed, SampledShape::Lognormal)
            }
        };
        Self { shape, least: 1, most: most.max(1), seed }
    }

    /// Checks the parameters of a distribution.
    ///
    /// # Errors
    /// When no length can be drawn with them.
    pub fn check(lengths: LengthDistribution) -> Result<(), LengthError> {
        match lengths {
            LengthDistribution::Normal { mean, std } | LengthDistribution::Lognormal { mean, std }
                if !(mean > 0.0 && mean.is_finite() && std >= 0.0 && std.is_finite()) =>
            {
                Err(LengthError)
            }
            _ => Ok(()),
        }
    }

    /// Raises the lower bound; returns whether a shorter length could have been drawn.
    pub fn raise_least(&mut self, least: u32) -> bool {
        self.least = least.clamp(1, self.most);
        match self.shape {
            SampledShape::Fixed => false,
            SampledShape::Uniform(min) => min < self.least,
            SampledShape::Normal(_) | SampledShape::Lognormal(_) => self.least > 1,
        }
    }

    pub fn is_spread(&self) -> bool {
        !matches!(self.shape, SampledShape::Fixed) && self.least < self.most
    }

    pub fn most(&self) -> u32 {
        self.most
    }

    /// Shortest possible length, tokens.
    pub fn least(&self) -> u32 {
        match self.shape {
            SampledShape::Fixed => self.most,
            SampledShape::Uniform(min) => min.clamp(self.least, self.most),
            SampledShape::Normal(_) | SampledShape::Lognormal(_) => self.least,
        }
    }

    /// The length of the request with this key, tokens.
    pub fn length(&self, key: u64) -> u32 {
        let rng = || {
            let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
            rng.set_stream(key);
            rng
        };
        let drawn = match self.shape {
            SampledShape::Fixed => return self.most,
            SampledShape::Uniform(min) => return rng().random_range(min.min(self.most)..=self.most).max(self.least),
            SampledShape::Normal(normal) => normal.sample(&mut rng()),
            SampledShape::Lognormal(lognormal) => lognormal.sample(&mut rng()),
        };
        drawn.round().clamp(f64::from(self.least), f64::from(self.most)) as u32
    }
}

/// From mean and standard deviation of the values themselves: for a log-normal, mean = exp(μ + σ²/2) and variance = (exp(σ²) −
/// 1) · mean².
fn lognormal(mean: f64, std: f64) -> Option<LogNormal<f64>> {
    let squared = (std / mean).powi(2).ln_1p();
    LogNormal::new(mean.ln() - squared / 2.0, squared.sqrt()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(lengths: LengthDistribution, most: u32) -> Vec<f64> {
        let spread = LengthSampler::new(Some(lengths), most, 7);
        (0..20_000).map(|key| f64::from(spread.length(key))).collect()
    }

    fn mean_and_std(values: &[f64]) -> (f64, f64) {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64;
        (mean, variance.sqrt())
    }

    #[test]
    fn distributions_have_the_figures_that_were_asked_for() {
        let (mean, std) = mean_and_std(&drawn(LengthDistribution::Uniform { min: 100 }, 300));
        assert!((mean - 200.0).abs() < 2.0 && (std - 201.0 / 12_f64.sqrt()).abs() < 1.0, "{mean} {std}");
        let (mean, std) = mean_and_std(&drawn(LengthDistribution::Normal { mean: 500.0, std: 50.0 }, 10_000));
        assert!((mean - 500.0).abs() < 2.0 && (std - 50.0).abs() < 1.0, "{mean} {std}");
        let (mean, std) = mean_and_std(&drawn(LengthDistribution::Lognormal { mean: 500.0, std: 250.0 }, 100_000));
        assert!((mean - 500.0).abs() < 10.0 && (std - 250.0).abs() < 15.0, "{mean} {std}");
    }

    #[test]
    fn lengths_stay_within_their_bounds_and_the_seed_fixes_them() {
        let mut spread = LengthSampler::new(Some(LengthDistribution::Normal { mean: 10.0, std: 50.0 }), 40, 3);
        let all = |spread: &LengthSampler| (0..2_000).map(|key| spread.length(key)).collect::<Vec<_>>();
        let before = all(&spread);
        assert!(before.contains(&1) && before.contains(&40) && before.iter().all(|length| (1..=40).contains(length)));
        assert_eq!(all(&spread), before);
        assert!(spread.raise_least(12));
        assert!(all(&spread).iter().all(|length| (12..=40).contains(length)));
        assert_ne!(all(&LengthSampler { seed: 4, ..spread }), all(&spread));
        assert_eq!(LengthSampler::new(None, 9, 1).length(5), 9);
        let uniform = LengthSampler::new(Some(LengthDistribution::Uniform { min: 5 }), 6, 1);
        assert_eq!((uniform.least(), uniform.most(), uniform.is_spread()), (5, 6, true));
    }
}
