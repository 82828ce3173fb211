//! Live figures beside a snapshot's counters: latencies so far, finished load points, and the loads that follow.

use serde::{Deserialize, Serialize};

use crate::limits::LimitedLatency;
use crate::load::OfferedLoad;
use crate::report::{Distribution, LoadPoint};
use crate::statistics::bounds::floor;
use crate::statistics::histogram::LatencyHistogram;
use crate::statistics::summary::{Scope, at_limit, limited};

/// Percentiles of a latency, ms; absent where there are fewer samples than the percentile's floor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Percentiles {
    pub n: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p90: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99: Option<f64>,
}

impl Percentiles {
    fn with(n: u64, value: impl Fn(f64) -> Option<f64>) -> Self {
        let decided = |percentile: f64| floor(percentile).filter(|least| n >= *least).and_then(|_| value(percentile));
        Self { n, p50: decided(50.0), p90: decided(90.0), p99: decided(99.0) }
    }
}

impl From<&LatencyHistogram> for Percentiles {
    fn from(histogram: &LatencyHistogram) -> Self {
        Self::with(histogram.total(), |percentile| histogram.percentile(percentile))
    }
}

impl From<&Distribution> for Percentiles {
    fn from(figures: &Distribution) -> Self {
        Self::with(figures.n, |percentile| {
            Some(match percentile {
                50.0 => figures.p50,
                90.0 => figures.p90,
                _ => figures.p99,
            })
        })
    }
}

/// The latencies of some requests that ended well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Latencies {
    /// Time to first token.
    pub ttft_ms: Percentiles,
    /// Time per output token.
    pub tpot_ms: Percentiles,
}

/// What a limited latency came to at a load point.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LimitOutcome {
    pub latency: LimitedLatency,
    /// Its value at the limits' percentile over all requests that were issued, ms; absent where they are too few, or where
    /// requests that failed decide it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_ms: Option<f64>,
    /// Whether it is within its limit; absent where the requests are too few.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meets: Option<bool>,
}

/// A load point that is over.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct FinishedLoadPoint {
    /// Its load; absent of a trace without arrivals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load: Option<OfferedLoad>,
    pub requests: u64,
    /// Of these failed or dropped.
    pub failed: u64,
    /// Output tokens per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_throughput: Option<f64>,
    /// The latencies of its requests.
    pub latencies: Latencies,
    /// What each limited latency came to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<LimitOutcome>,
    /// Whether it meets all limits; absent without any, and where that is not decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meets_slo: Option<bool>,
    /// Whether it was ended before all of its requests were sent, since they could no longer meet the limits.
    pub ended_early: bool,
}

impl FinishedLoadPoint {
    pub fn new(scope: &Scope<'_>, figures: &LoadPoint, ended_early: bool) -> Self {
        let percentiles = |figures: &Option<Distribution>| figures.as_ref().map(Percentiles::from).unwrap_or_default();
        let summary = &figures.summary;
        let limits = scope.slo.map(|slo| {
            let outcome = |(latency, limit): (LimitedLatency, f64)| {
                let (value_ms, meets) = at_limit(scope, summary, slo.percentile, limit, limited(latency));
                LimitOutcome { latency, value_ms, meets }
            };
            LimitedLatency::of(slo).into_iter().map(outcome).collect()
        });
        Self {
            load: figures.offered(),
            requests: summary.total_requests,
            failed: summary.failed_requests + summary.dropped_requests,
            output_throughput: summary.output_throughput,
            latencies: Latencies { ttft_ms: percentiles(&summary.ttft_ms), tpot_ms: percentiles(&summary.tpot_ms) },
            limits: limits.unwrap_or_default(),
            meets_slo: figures.meets_slo,
            ended_early,
        }
    }
}

/// What follows the load point that goes on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Upcoming {
    /// The other loads of a sweep, in order.
    Loads { loads: Vec<OfferedLoad> },
    /// What a search tries next; absent where the search is over by then.
    Depends {
        /// If the limits are met.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        if_met: Option<OfferedLoad>,
        /// If they are not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        if_not: Option<OfferedLoad>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_of_too_few_samples_is_absent() {
        let mut histogram = LatencyHistogram::default();
        for n in 0..64 {
            histogram.add(f64::from(n) + 1.0);
        }
        let percentiles = Percentiles::from(&histogram);
        assert_eq!((percentiles.n, percentiles.p99), (64, None));
        assert!(percentiles.p50.is_some_and(|ms| (ms - 32.5).abs() < 0.5), "{percentiles:?}");
        assert!(percentiles.p90.is_some());
        let ten = Distribution { n: 10, ..distribution() };
        assert_eq!(Percentiles::from(&ten), Percentiles { n: 10, ..Percentiles::default() });
        let many = Distribution { n: 662, ..distribution() };
        assert_eq!(Percentiles::from(&many), Percentiles { n: 662, p50: Some(2.0), p90: Some(4.0), p99: Some(6.0) });
    }

    fn distribution() -> Distribution {
        Distribution {
            mean: 0.0,
            std: 0.0,
            min: 0.0,
            p25: 1.0,
            p50: 2.0,
            p75: 3.0,
            p90: 4.0,
            p95: 5.0,
            p99: 6.0,
            p999: 7.0,
            max: 8.0,
            n: 0,
            clusters: None,
            bounds: std::collections::BTreeMap::new(),
        }
    }
}
