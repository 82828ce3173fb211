//! A sweep: its load points by ascending load, the Pareto frontier, and the divisor of throughput. Pure.

use crate::load::{LoadVariable, OfferedLoad};
use crate::report::{LoadPoint, PredictionError, Report};
use crate::words;

/// A load point of a sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct Swept {
    /// Index in the report.
    pub index: usize,
    pub load: f64,
    pub point: LoadPoint,
}

/// The load points of a report by ascending load.
#[derive(Debug, Clone, PartialEq)]
pub struct Sweep {
    pub varied: LoadVariable,
    pub points: Vec<Swept>,
    /// Index in the report of the point for lists; absent where the figures are not valid.
    pub chosen: Option<usize>,
    /// Of a simulation: the expected error of means.
    pub error: PredictionError,
}

impl Sweep {
    /// The sweep of a report; `None` with a single load point.
    pub fn of(report: &Report) -> Option<Self> {
        let varied = report.load_points.first()?.offered()?.variable();
        let load = |point: &LoadPoint| point.offered().filter(|load| load.variable() == varied).map(OfferedLoad::value);
        let mut points: Vec<Swept> = report
            .load_points
            .iter()
            .enumerate()
            .filter_map(|(index, point)| Some(Swept { index, load: load(point)?, point: point.clone() }))
            .collect();
        // the sort is stable: equal loads keep the order in which they were measured
        points.sort_by(|a, b| a.load.total_cmp(&b.load));
        if report.search.is_some() {
            // of a load measured twice, the second measurement counts
            points.reverse();
            points.dedup_by(|later, first| later.load.total_cmp(&first.load).is_eq());
            points.reverse();
        }
        let error = report.prediction.as_ref().map(|prediction| prediction.error_pct).unwrap_or_default();
        (points.len() > 1).then_some(Self { varied, points, chosen: report.valid.then_some(report.best), error })
    }

    /// Whether loads roughly double from point to point, so that a logarithmic axis spaces them evenly.
    pub fn doubles(&self) -> bool {
        let ratios = || self.points.windows(2).map(|pair| pair[1].load / pair[0].load);
        let spread = self.points.last().map_or(1.0, |last| last.load) / self.points[0].load;
        spread >= 8.0 && ratios().filter(|ratio| *ratio >= 1.5).count() * 2 > ratios().count()
    }
}

/// The Pareto frontier: which points no other surpasses in both coordinates. Equal points are all included.
pub fn frontier(points: &[(f64, f64)]) -> Vec<bool> {
    let surpasses = |a: &(f64, f64), b: &(f64, f64)| a.0 >= b.0 && a.1 >= b.1 && (a.0 > b.0 || a.1 > b.1);
    points.iter().map(|point| !points.iter().any(|other| surpasses(other, point))).collect()
}

/// The divisor of a run's throughput, for comparing machines of different size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    Accelerator(u32),
    /// Nodes that served, where none has an accelerator.
    Node(u32),
    /// A provider's model, whose hardware is not known.
    Service,
}

impl Per {
    /// From the provenance's `serving_devices`, written before the start.
    pub fn of(report: &Report) -> Self {
        let Some(devices) = &report.provenance.serving_devices else { return Self::Service };
        let accelerators = devices.iter().filter(|device| device.device_type.as_deref() != Some("cpu"));
        match accelerators.map(|device| device.count).fold(0, u32::saturating_add) {
            number if number > 0 => Self::Accelerator(number),
            _ => Self::Node(u32::try_from(report.nodes.len()).unwrap_or(1).max(1)),
        }
    }

    /// The number to divide by.
    pub fn number(self) -> f64 {
        match self {
            Self::Accelerator(number) | Self::Node(number) => f64::from(number),
            Self::Service => 1.0,
        }
    }

    /// Suffix of the figure's name: `per GPU`; empty for a provider's model.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Accelerator(_) => " per GPU",
            Self::Node(_) => " per node",
            Self::Service => "",
        }
    }

    /// The divisor as a sentence.
    pub fn sentence(self) -> String {
        match self {
            Self::Accelerator(number) => {
                format!("Throughput is divided by the {} that served.", words::count(number.into(), "GPU"))
            }
            Self::Node(number) => {
                format!("No GPU served: throughput is divided by {}.", words::count(number.into(), "node"))
            }
            Self::Service => "A provider's model: what serves it is not known, so throughput is not divided.".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    pub fn report(points: Value) -> Report {
        serde_json::from_value(json!({
            "run_id": uuid::Uuid::nil(), "kind": "measured", "status": "succeeded", "valid": true, "invalid_reasons": [],
            "summary": {}, "load_points": points, "best": 0, "nodes": [], "provenance": {},
        }))
        .unwrap()
    }

    #[test]
    fn points_are_in_the_order_of_their_loads_and_one_is_no_sweep() {
        let sweep = Sweep::of(&report(json!([{ "concurrency": 8 }, { "concurrency": 1 }, { "concurrency": 4 }]))).unwrap();
        assert_eq!(sweep.points.iter().map(|swept| swept.index).collect::<Vec<_>>(), [1, 2, 0]);
        assert_eq!((sweep.varied, sweep.chosen), (LoadVariable::Concurrency, Some(0)));
        assert_eq!(Sweep::of(&report(json!([{ "rate": 8.0 }]))), None);
        assert_eq!(Sweep::of(&report(json!([{ "rate": 8.0 }, { "rate": 2.5 }]))).unwrap().varied, LoadVariable::Rate);
    }

    #[test]
    fn a_load_that_a_search_confirmed_is_that_of_the_second_time() {
        let mut report = report(json!([{ "concurrency": 2 }, { "concurrency": 3 }, { "concurrency": 2 }, { "concurrency": 3 }]));
        let indices = |report: &Report| Sweep::of(report).unwrap().points.iter().map(|swept| swept.index).collect::<Vec<_>>();
        assert_eq!(indices(&report), [0, 2, 1, 3], "a sweep has what it was asked for");
        report.search = serde_json::from_value(json!({ "variable": "concurrency", "min": 1, "max": 4, "sentence": "" })).unwrap();
        assert_eq!(indices(&report), [2, 3]);
    }

    #[test]
    fn figures_that_are_not_valid_have_no_best() {
        let mut report = report(json!([{ "concurrency": 8 }, { "concurrency": 1 }]));
        report.valid = false;
        assert_eq!(Sweep::of(&report).unwrap().chosen, None);
    }

    #[test]
    fn loads_that_double_are_told_from_even_steps() {
        let of = |loads: &[u32]| {
            let points: Vec<Value> = loads.iter().map(|load| json!({ "concurrency": load })).collect();
            Sweep::of(&report(json!(points))).unwrap().doubles()
        };
        assert!(of(&[1, 2, 4, 8, 16]));
        assert!(of(&[1, 2, 4, 8, 12, 14]), "a search halves its steps in the end");
        assert!(!of(&[10, 20, 30, 40, 50, 60, 70, 80]));
        assert!(!of(&[1, 2, 4]), "too near each other");
    }

    #[test]
    fn a_point_that_another_surpasses_is_not_on_the_frontier() {
        assert_eq!(frontier(&[(10.0, 1.0), (9.0, 3.0), (8.0, 2.0), (5.0, 3.0)]), [true, true, false, false]);
        assert_eq!(frontier(&[(1.0, 1.0), (1.0, 1.0)]), [true, true]);
        assert!(frontier(&[]).is_empty());
    }

    #[test]
    fn accelerators_count_before_nodes() {
        let mut report = report(json!([]));
        assert_eq!(Per::of(&report), Per::Service);
        let gpu = |count: u32| json!({ "node": "n", "type": "cuda", "count": count });
        report.provenance.serving_devices = serde_json::from_value(json!([gpu(2), gpu(2)])).unwrap();
        assert_eq!(Per::of(&report), Per::Accelerator(4));
        report.provenance.serving_devices = serde_json::from_value(json!([{ "node": "n", "type": "cpu", "count": 1 }])).unwrap();
        assert_eq!(Per::of(&report), Per::Node(1));
    }
}
