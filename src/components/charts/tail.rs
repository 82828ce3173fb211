//! "How bad is the tail?": the value at each percentile, stretched towards the last ones, as far as the samples carry.

use std::fmt::Write as _;

use super::drawing::{Axis, Drawing, MarkerShape, NARROW, Size, WIDE, band, line, markers};
use super::number::tick;
use super::scale::{ScaleKind, nice_log_bounds, nice_top, wants_log};
use super::{Cell, Chart, Key, Table};
use crate::components::number::{figure, grouped};
use dyno_measure::report::CurvePoint;

/// The chart of a percentile curve; `None` when there is no line to draw.
pub fn percentile_curve(id: &str, name: &str, unit: &str, n: u64, curve: &[CurvePoint]) -> Option<Chart> {
    let points: Vec<&CurvePoint> = curve.iter().filter(|point| point.percentile < 100.0 && point.value.is_finite()).collect();
    let (first, last) = (points.first()?, points.last()?);
    if points.len() < 2 {
        return None;
    }
    let highest = points.iter().map(|point| point.bound.unwrap_or(point.value).max(point.value)).fold(f64::MIN, f64::max);
    let least = points.iter().map(|point| point.value).fold(f64::MAX, f64::min);
    let log = wants_log(least, highest);
    let (kind, domain) =
        if log { (ScaleKind::Log, nice_log_bounds(least, highest)) } else { (ScaleKind::Linear, (0.0, nice_top(highest))) };
    let y = Axis { kind, domain, title: format!("{name}, {unit}{}", if log { " (log scale)" } else { "" }) };
    let x =
        Axis {
            kind: ScaleKind::Tail, domain: (0.0, last.percentile), title: "Percentile (spread as −log10(1 − p))".to_owned()
        };
    let bounded: Vec<(f64, f64, f64)> = points
        .iter()
        .filter_map(|point| point.bound.map(|bound| (point.percentile, point.value, bound.max(point.value))))
        .collect();
    let draw = |size: Size| {
        let (mut drawing, plot) = Drawing::with_axes(size, &x, &y, 0.0);
        drawing.path(band(&plot, &bounded), "chart-band chart-s1");
        drawing.path(line(&plot, points.iter().map(|point| (point.percentile, point.value))), "chart-line chart-s1");
        let marked = points.iter().filter(|point| is_named(point.percentile));
        let at = marked.map(|point| (plot.x.at(point.percentile), plot.y.at(point.value)));
        drawing.path(markers(MarkerShape::Circle, 3.5, at), "chart-dot chart-s1");
        drawing
    };
    let named = |percentile: f64| points.iter().find(|point| (point.percentile - percentile).abs() < 1e-6);
    let mut desc =
        format!("{name} by percentile, from p{} to p{}, where the samples end.", tick(first.percentile), tick(last.percentile));
    for percentile in [50.0, 90.0, 99.0] {
        if let Some(point) = named(percentile) {
            // Writing to a string does not fail.
            let _ = write!(desc, " p{} is {} {unit}.", tick(percentile), figure(point.value));
        }
    }
    let mut key = vec![Key { class: "chart-line chart-s1", text: format!("percentile of {} samples", grouped(n)) }];
    if !bounded.is_empty() {
        key.push(Key { class: "chart-band chart-s1", text: "up to the 99 % confidence bound".to_owned() });
    }
    Some(Chart {
        id: id.to_owned(),
        title: format!("{name}: percentiles"),
        desc,
        drawings: vec![draw(WIDE), draw(NARROW)],
        key,
        table: Table::of_points(
            vec!["Percentile".to_owned(), format!("{name}, {unit}"), format!("99 % bound, {unit}")],
            &points,
            |point| {
                let bound = point.bound.map_or_else(|| "too few samples".into(), Cell::figure);
                let percentile = (point.percentile * 1000.0).round() / 1000.0;
                vec![Cell::of(percentile, format!("p{}", tick(percentile))), Cell::figure(point.value), bound]
            },
        ),
    })
}

fn is_named(percentile: f64) -> bool {
    [50.0, 90.0, 95.0, 99.0, 99.9, 99.99].iter().any(|named| (named - percentile).abs() < 1e-6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(percentile: f64, value: f64, bound: Option<f64>) -> CurvePoint {
        CurvePoint { percentile, value, bound }
    }

    #[test]
    fn the_curve_stops_where_samples_end() {
        let curve =
            [point(0.0, 10.0, Some(11.0)), point(50.0, 20.0, Some(22.0)), point(90.0, 30.0, None), point(100.0, 99.0, None)];
        let chart = percentile_curve("t", "TTFT", "ms", 87, &curve).unwrap();
        assert!(chart.desc.contains("from p0 to p90, where the samples end. p50 is 20.0 ms."));
        assert_eq!(chart.table.rows.len(), 3);
        assert_eq!(chart.table.rows[2][2], "too few samples");
    }

    #[test]
    fn one_point_is_no_curve() {
        assert!(percentile_curve("t", "TTFT", "ms", 1, &[point(50.0, 1.0, None)]).is_none());
    }
}
