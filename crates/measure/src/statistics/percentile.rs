//! Distributions over raw samples.

use std::collections::BTreeMap;

use super::bounds::{FLOORS, rank};
use crate::report::Distribution;

/// A percentile of sorted samples, by linear interpolation between the two neighbours; 0 without samples.
pub fn percentile(sorted: &[f64], percent: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let place = percent / 100.0 * last as f64;
    let below = place.floor().clamp(0.0, last as f64);
    let low = sorted[below as usize];
    let high = sorted[(below as usize + 1).min(last)];
    // like numpy: interpolated from the nearer end, so that both ends are exact
    let share = place - below;
    let step = high - low;
    if share < 0.5 { low + step * share } else { high - step * (1.0 - share) }
}

/// The upper bound of a percentile at 99 % confidence. `independent` is the number of independent samples where
/// that is smaller than the number of samples.
pub fn bound(sorted: &[f64], percent: f64, independent: Option<u64>) -> Option<f64> {
    let samples = sorted.len() as u64;
    let independent = independent.unwrap_or(samples).min(samples);
    let t = rank(independent, percent)?;
    // with clustered samples, the same share from the top
    let from_top = if independent == samples { t } else { ((t as f64 / independent as f64 * samples as f64) as u64).max(1) };
    sorted.get(usize::try_from(samples - from_top).ok()?).copied()
}

/// Sorts samples and computes their figures; `None` without samples.
pub fn distribution(samples: &mut [f64], clusters: Option<u64>) -> Option<Distribution> {
    if samples.is_empty() {
        return None;
    }
    samples.sort_unstable_by(f64::total_cmp);
    let n = samples.len() as f64;
    let mean = samples.iter().sum::<f64>() / n;
    let variance = samples.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / n;
    let bounds: BTreeMap<String, f64> =
        FLOORS.iter().filter_map(|(name, percent, _)| Some(((*name).to_owned(), bound(samples, *percent, clusters)?))).collect();
    let at = |percent| percentile(samples, percent);
    Some(Distribution {
        mean,
        std: variance.sqrt(),
        min: samples[0],
        p25: at(25.0),
        p50: at(50.0),
        p75: at(75.0),
        p90: at(90.0),
        p95: at(95.0),
        p99: at(99.0),
        p999: at(99.9),
        max: samples[samples.len() - 1],
        n: samples.len() as u64,
        clusters,
        bounds,
    })
}

/// Names of a metric's percentiles with fewer samples than their floor.
pub fn below_floor(metric: &str, figures: &Distribution) -> impl Iterator<Item = String> {
    let independent = figures.clusters.unwrap_or(figures.n).min(figures.n);
    FLOORS.iter().filter(move |(_, _, floor)| independent < *floor).map(move |(name, _, _)| format!("{metric}.{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpolation_is_numpys() {
        let samples = [15.0, 20.0, 35.0, 40.0, 50.0];
        for (percent, expected) in [(0.0, 15.0), (5.0, 16.0), (40.0, 29.0), (50.0, 35.0), (99.0, 49.6), (100.0, 50.0)] {
            assert!((percentile(&samples, percent) - expected).abs() < 1e-12, "{percent}");
        }
        assert!((percentile(&[7.0], 99.0) - 7.0).abs() < f64::EPSILON);
    }

    #[test]
    fn the_bound_of_ten_thousand() {
        let mut samples: Vec<f64> = (1..=10_000).map(f64::from).collect();
        let figures = distribution(&mut samples, None).unwrap();
        // the 77th highest of 1 … 10,000
        assert!((figures.bounds["p99"] - 9_924.0).abs() < f64::EPSILON);
        assert_eq!(below_floor("x", &figures).count(), 0);
        assert!((figures.std - 2_886.751_331_514_372).abs() < 1e-6);
    }

    #[test]
    fn too_few_samples_are_named() {
        let mut samples: Vec<f64> = (0..100).map(f64::from).collect();
        let figures = distribution(&mut samples, None).unwrap();
        assert_eq!(below_floor("ttft_ms", &figures).collect::<Vec<_>>(), ["ttft_ms.p95", "ttft_ms.p99", "ttft_ms.p999"]);
        let clustered = distribution(&mut samples, Some(10)).unwrap();
        assert_eq!(below_floor("itl_ms", &clustered).count(), 5);
        assert!(clustered.bounds.is_empty());
        assert_eq!(distribution(&mut [], None), None);
    }
}
