//! Predicted beside measured, over many runs.

use dyno_measure::report::{Compared, Predicted};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A measured run with what had been expected of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PredictedRun {
    pub id: Uuid,
    pub name: String,
    pub model: String,
    pub engine: String,
    /// In words, as `8 × H100-SXM-80GB`.
    pub devices: String,
    /// The report's load points in words.
    pub loads: Vec<String>,
    pub predicted: Predicted,
}

/// How far off predictions were for one device and engine.
#[derive(Debug, Clone, PartialEq)]
pub struct ErrorSummary {
    pub devices: String,
    pub engine: String,
    pub runs: usize,
    pub load_points: usize,
    /// Median of the absolute error of TTFT, TPOT, E2E and output throughput, per cent; absent where nothing was compared.
    pub medians: [Option<f64>; 4],
}

/// Errors by device and engine, in the order of their names.
pub fn errors(runs: &[PredictedRun]) -> Vec<ErrorSummary> {
    let mut groups: Vec<(&str, &str)> = runs.iter().map(|run| (run.devices.as_str(), run.engine.as_str())).collect();
    groups.sort_unstable();
    groups.dedup();
    let summary = |(devices, engine): (&str, &str)| {
        let own: Vec<&PredictedRun> = runs.iter().filter(|run| run.devices == devices && run.engine == engine).collect();
        let points = || own.iter().flat_map(|run| &run.predicted.load_points);
        let of = |place: usize| {
            let compared = points().filter_map(|point| point.figures()[place].1);
            median(compared.map(|Compared { error_pct, .. }| error_pct.abs()).collect())
        };
        ErrorSummary {
            devices: devices.to_owned(),
            engine: engine.to_owned(),
            runs: own.len(),
            load_points: points().count(),
            medians: [of(0), of(1), of(2), of(3)],
        }
    };
    groups.into_iter().map(summary).collect()
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        even if even % 2 == 0 => Some(f64::midpoint(values[middle - 1], values[middle])),
        _ => Some(values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dyno_measure::report::{PredictedPoint, Prediction, PredictionError, Standing};

    fn run(devices: &str, errors: &[f64]) -> PredictedRun {
        let point = |error: &f64| PredictedPoint {
            load_point: 0,
            ttft_ms: Compared::of(Some(100.0 + error), Some(100.0)),
            tpot_ms: None,
            e2el_ms: None,
            output_throughput: None,
        };
        let basis = Prediction { standing: Standing::Prior, runs: 0, error_pct: PredictionError::default(), is_assumed: true };
        let predicted = Predicted { basis, load_points: errors.iter().map(point).collect(), notes: Vec::new() };
        let text = |text: &str| text.to_owned();
        PredictedRun {
            id: Uuid::nil(),
            name: text("r"),
            model: text("m"),
            engine: text("vllm"),
            devices: text(devices),
            loads: Vec::new(),
            predicted,
        }
    }

    #[test]
    fn errors_are_medians_of_their_size_by_device() {
        let found = errors(&[run("b", &[10.0, -30.0]), run("a", &[5.0]), run("b", &[50.0])]);
        assert_eq!((found[0].devices.as_str(), found[0].load_points), ("a", 1));
        assert_eq!((found[1].runs, found[1].load_points), (2, 3));
        assert!((found[1].medians[0].unwrap() - 30.0).abs() < 1e-9 && found[1].medians[1].is_none());
    }
}
