//! Sample-size floors of percentiles, and distribution-free bounds at 99 % confidence, as in MLPerf's early stopping.

/// Percentiles with the least number of samples at which they are decisive.
pub const FLOORS: [(&str, f64, u64); 5] =
    [("p50", 50.0, 11), ("p90", 90.0, 64), ("p95", 95.0, 130), ("p99", 99.0, 662), ("p999", 99.9, 6_636)];

/// The rank from the top of the sample that bounds a percentile from above: the largest t for which at most t of `samples` lie
/// above the percentile with a probability of at most 1 %. `None` where even t = 1 is too likely.
pub fn rank(samples: u64, percentile: f64) -> Option<u64> {
    let above = 1.0 - percentile / 100.0;
    if samples == 0 || !(above > 0.0 && above < 1.0) || at_most(1, samples, above) > 0.01 {
        return None;
    }
    // P(X ≤ t) rises with t: bisection for the largest t with at most 1 %
    let (mut low, mut high) = (1, samples);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if at_most(middle, samples, above) <= 0.01 {
            low = middle;
        } else {
            high = middle;
        }
    }
    Some(low)
}

/// The least number of samples that a percentile needs.
pub fn floor(percentile: f64) -> Option<u64> {
    if let Some((_, _, floor)) = FLOORS.iter().find(|(_, known, _)| (known - percentile).abs() < 1e-9) {
        return Some(*floor);
    }
    let (mut low, mut high) = (0, 1 << 40);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if rank(middle, percentile).is_some() {
            high = middle;
        } else {
            low = middle;
        }
    }
    (high < 1 << 40).then_some(high)
}

/// P(X ≤ k) of a binomial distribution.
fn at_most(k: u64, n: u64, p: f64) -> f64 {
    if k >= n {
        return 1.0;
    }
    let (kf, nf) = (k as f64, n as f64);
    if kf > nf * p + 8.0 * (nf * p * (1.0 - p)).sqrt() + 8.0 {
        return 1.0;
    }
    let log = ln_gamma(nf + 1.0) - ln_gamma(kf + 1.0) - ln_gamma(nf - kf + 1.0) + kf * p.ln() + (nf - kf) * (1.0 - p).ln();
    let mut term = log.exp();
    let mut sum = 0.0;
    let mut i = kf;
    // downwards: terms fall faster than geometrically below the mean
    while term > 0.0 {
        sum += term;
        if i < 1.0 || term < sum * 1e-17 && i < nf * p {
            break;
        }
        term *= i / (nf - i + 1.0) * (1.0 - p) / p;
        i -= 1.0;
    }
    sum.min(1.0)
}

/// Logarithm of the gamma function (Stirling's series after shifting the argument up).
fn ln_gamma(x: f64) -> f64 {
    let mut shift = 0.0;
    let mut z = x;
    while z < 15.0 {
        shift -= z.ln();
        z += 1.0;
    }
    let inverse = 1.0 / (z * z);
    let series = (1.0 / 12.0 - inverse * (1.0 / 360.0 - inverse * (1.0 / 1260.0 - inverse / 1680.0))) / z;
    shift + (z - 0.5) * z.ln() - z + 0.5 * (2.0 * std::f64::consts::PI).ln() + series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floors_are_where_a_bound_first_exists() {
        for (name, percentile, least) in FLOORS {
            assert!(rank(least - 1, percentile).is_none(), "{name}");
            assert_eq!(rank(least, percentile), Some(1), "{name}");
            assert_eq!(floor(percentile), Some(least));
        }
        assert_eq!(floor(75.0), Some((1..).find(|n| rank(*n, 75.0).is_some()).unwrap()));
    }

    #[test]
    fn of_ten_thousand_the_seventy_seventh_highest_bounds_p99() {
        assert_eq!(rank(10_000, 99.0), Some(77));
    }

    #[test]
    fn large_samples_end() {
        let t = rank(50_000_000, 50.0).unwrap();
        // normal approximation: mean − 2.326 standard deviations
        let expected = 25_000_000.0 - 2.326_35 * (50_000_000.0_f64 * 0.25).sqrt();
        assert!((t as f64 - expected).abs() < 20.0, "{t} {expected}");
    }
}
