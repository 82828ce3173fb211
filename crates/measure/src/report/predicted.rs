//! What the simulator expected of a measured run, beside what was measured.

use serde::{Deserialize, Serialize};

use super::Prediction;

/// Of a measured report: what the simulator, which had not learnt from this run, expected of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Predicted {
    /// What the expectation rested on.
    #[serde(flatten)]
    pub basis: Prediction,
    /// Of each load point that ran whole.
    pub load_points: Vec<PredictedPoint>,
    /// What is not known or not simulated, sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Means over the requests of one load point; absent where nothing was measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PredictedPoint {
    /// Index of the report's load point.
    pub load_point: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttft_ms: Option<Compared>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tpot_ms: Option<Compared>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e2el_ms: Option<Compared>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_throughput: Option<Compared>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Compared {
    pub predicted: f64,
    pub measured: f64,
    /// Predicted over measured, less one: positive where too much was expected.
    pub error_pct: f64,
}

impl Compared {
    /// `None` where one is missing, or nothing can be divided by.
    pub fn of(predicted: Option<f64>, measured: Option<f64>) -> Option<Self> {
        let (predicted, measured) = (predicted?, measured.filter(|measured| *measured > 0.0)?);
        Some(Self { predicted, measured, error_pct: 100.0 * (predicted / measured - 1.0) })
    }
}

impl PredictedPoint {
    /// The figures by their names.
    pub fn figures(&self) -> [(&'static str, Option<Compared>); 4] {
        [
            ("ttft_ms", self.ttft_ms),
            ("tpot_ms", self.tpot_ms),
            ("e2el_ms", self.e2el_ms),
            ("output_throughput", self.output_throughput),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_positive_where_too_much_was_expected() {
        let compared = Compared::of(Some(120.0), Some(100.0)).unwrap();
        assert!((compared.error_pct - 20.0).abs() < 1e-9);
        assert_eq!(Compared::of(None, Some(1.0)), None);
        assert_eq!(Compared::of(Some(1.0), Some(0.0)), None);
    }
}
