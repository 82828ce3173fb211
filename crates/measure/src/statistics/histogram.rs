//! A histogram with bins 1.1 % wide, for percentiles during a load at a cost that does not grow with the number of requests.
//! Reports use the raw samples instead.

/// Bins per factor of two.
const PER_OCTAVE: usize = 64;
/// Factors of two from [`LEAST_MS`] on: up to 18 minutes.
const OCTAVES: usize = 30;
/// Lower edge of the first bin, ms.
const LEAST_MS: f64 = 0.001;

#[derive(Debug, Clone)]
pub struct LatencyHistogram {
    counts: Vec<u32>,
    total: u64,
}

impl Default for LatencyHistogram {
    fn default() -> Self {
        Self { counts: vec![0; PER_OCTAVE * OCTAVES], total: 0 }
    }
}

impl LatencyHistogram {
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Counts a latency, ms.
    pub fn add(&mut self, ms: f64) {
        if ms.is_nan() {
            return;
        }
        let place = ((ms.max(LEAST_MS) / LEAST_MS).log2() * PER_OCTAVE as f64) as usize;
        let last = self.counts.len() - 1;
        self.counts[place.min(last)] += 1;
        self.total += 1;
    }

    /// Subtracts the counts of another histogram, whose samples are all counted here too.
    pub fn subtract(&mut self, other: &Self) {
        for (count, taken) in self.counts.iter_mut().zip(&other.counts) {
            *count = count.saturating_sub(*taken);
        }
        self.total = self.total.saturating_sub(other.total);
    }

    pub fn clear(&mut self) {
        self.counts.fill(0);
        self.total = 0;
    }

    /// A percentile (0 to 100), ms, interpolated between the two samples around it, each known to its bin; `None` without
    /// samples.
    pub fn percentile(&self, percentile: f64) -> Option<f64> {
        let last = self.total.checked_sub(1)?;
        let place = percentile / 100.0 * last as f64;
        let below = self.sample(place.floor() as u64)?;
        let above = self.sample((place.ceil() as u64).min(last))?;
        Some(below + (above - below) * place.fract())
    }

    /// Approximate value of the sample with this rank, from 0.
    fn sample(&self, rank: u64) -> Option<f64> {
        let mut before = 0;
        for (bin, count) in self.counts.iter().enumerate() {
            let count = u64::from(*count);
            if before + count > rank {
                // samples are assumed to lie evenly in their bin
                let within = ((rank - before) as f64 + 0.5) / count as f64;
                return Some(LEAST_MS * ((bin as f64 + within) / PER_OCTAVE as f64).exp2());
            }
            before += count;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::percentile::percentile;
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_samples_within_a_bin() {
        let samples: Vec<f64> = (1..=2_000).map(|n| f64::from(n) * 0.37).collect();
        let mut histogram = LatencyHistogram::default();
        samples.iter().for_each(|sample| histogram.add(*sample));
        for percent in [1.0, 50.0, 90.0, 99.0, 99.9] {
            let (exact, found) = (percentile(&samples, percent), histogram.percentile(percent).unwrap());
            assert!((found / exact - 1.0).abs() < 0.011, "p{percent}: {found} of {exact}");
        }
        assert_eq!(LatencyHistogram::default().percentile(50.0), None);
    }

    #[test]
    fn what_is_taken_out_counts_no_more() {
        let (mut all, mut old) = (LatencyHistogram::default(), LatencyHistogram::default());
        for ms in [5.0, 6.0, 900.0] {
            all.add(ms);
        }
        old.add(900.0);
        all.subtract(&old);
        assert_eq!(all.total(), 2);
        assert!(all.percentile(100.0).unwrap() < 6.1);
    }

    #[test]
    fn what_no_bin_is_for_is_in_the_outermost() {
        let mut histogram = LatencyHistogram::default();
        for ms in [0.0, -1.0, 1e12, f64::NAN] {
            histogram.add(ms);
        }
        assert_eq!(histogram.total(), 3);
        assert!(histogram.percentile(100.0).unwrap() > 1e6);
    }
}
