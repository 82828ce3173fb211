//! Which of the report's charts an address asks for.

use crate::components::charts::Chart;
use dyno_measure::load::Slo;
use dyno_measure::report::Report;

/// The chart of an id, of a load point's where it is of one; the best one's where none is asked for.
pub fn find(report: &Report, slo: Option<&Slo>, point: Option<usize>, id: &str) -> Option<Chart> {
    let point = point.unwrap_or(report.best);
    let sweep = super::sweep::charts(report, slo);
    let of_point = || super::latency::charts(report, point).into_iter().chain(super::over_time::charts(report, point));
    sweep.into_iter().find(|chart| chart.id == id).or_else(|| of_point().find(|chart| chart.id == id))
}
