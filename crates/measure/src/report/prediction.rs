//! The expected error of a simulated run's figures.

use serde::{Deserialize, Serialize};

use crate::words;

/// What the simulator's factors rest on; the more it is worth, the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Published measurements, or none.
    Prior,
    /// Own measured runs of the same device, engine and precision.
    Calibrated,
}

/// Of a simulated report: what its figures rest on, and how far off they may be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Prediction {
    pub standing: Standing,
    /// Measured runs behind the factors; 0: generic factors, fitted to nothing.
    pub runs: u32,
    pub error_pct: PredictionError,
    /// Whether the error is assumed, since factors of another device, engine, precision or kind of model stand in.
    #[serde(default)]
    pub is_assumed: bool,
}

/// Expected error of means, per cent of the figure: nine of ten are within. Absent where it is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PredictionError {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttft_ms: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tpot_ms: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e2el_ms: Option<f64>,
}

impl PredictionError {
    /// The error of a metric by its name, such as `ttft_ms`.
    pub fn of(&self, metric: &str) -> Option<f64> {
        match metric {
            "ttft_ms" => self.ttft_ms,
            "tpot_ms" => self.tpot_ms,
            "e2el_ms" => self.e2el_ms,
            _ => None,
        }
    }
}

/// Between what the throughput of a closed loop lies where the latency of its requests is off by so many per cent: users that wait
/// longer send less.
pub fn throughput_range(throughput: f64, e2el_error_pct: f64) -> (f64, f64) {
    let share = (e2el_error_pct / 100.0).clamp(0.0, 0.95);
    (throughput / (1.0 + share), throughput / (1.0 - share))
}

impl Prediction {
    /// The basis of the figures, in words.
    pub fn standing_words(&self) -> String {
        let runs = |word| words::count(self.runs.into(), word);
        match (self.standing, self.runs) {
            (_, 0) => "Prior: generic factors, fitted to no measurement".to_owned(),
            (Standing::Prior, _) if self.is_assumed => format!("Prior: factors fitted to {}", runs("measurement")),
            (Standing::Prior, _) => format!("Prior: factors fitted to {}", runs("published measurement")),
            (Standing::Calibrated, _) => format!("Calibrated by {}", runs("measured run")),
        }
    }

    /// The expected error in words; `None` where it is not known.
    pub fn error_words(&self) -> Option<String> {
        let named = [("TTFT", self.error_pct.ttft_ms), ("TPOT", self.error_pct.tpot_ms), ("E2E", self.error_pct.e2el_ms)];
        let parts: Vec<String> = named.into_iter().filter_map(|(name, error)| Some(format!("{name} ±{:.0} %", error?))).collect();
        let basis = if self.is_assumed { ", assumed" } else { "" };
        (!parts.is_empty()).then(|| format!("expected error of means: {}{basis}", parts.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prediction_says_what_it_rests_on() {
        let error_pct = PredictionError { ttft_ms: Some(30.0), tpot_ms: Some(15.4), e2el_ms: None };
        let prediction = |standing, runs, is_assumed| Prediction { standing, runs, error_pct, is_assumed };
        assert_eq!(prediction(Standing::Prior, 45, false).standing_words(), "Prior: factors fitted to 45 published measurements");
        assert_eq!(prediction(Standing::Calibrated, 1, false).standing_words(), "Calibrated by 1 measured run");
        assert!(prediction(Standing::Prior, 0, true).standing_words().contains("no measurement"));
        assert_eq!(
            prediction(Standing::Prior, 0, true).error_words().unwrap(),
            "expected error of means: TTFT ±30 %, TPOT ±15 %, assumed"
        );
        let unknown = Prediction { error_pct: PredictionError::default(), ..prediction(Standing::Prior, 0, false) };
        assert_eq!(unknown.error_words(), None);
    }
}
