//! "How well is it predicted?": predicted against measured, one dot for each load point.

use super::drawing::{Anchor, Axis, Drawing, MarkerShape, NARROW, Size, WIDE, line, markers};
use super::scale::{ScaleKind, nice_log_bounds};
use super::{Cell, Chart, Key, Table};
use dyno_measure::report::Compared;

/// A load point of a run, in words, with one figure.
pub type ScatterPoint = (String, Compared);

/// The chart; `None` without a point.
pub fn scatter(id: &str, metric: &str, points: &[ScatterPoint]) -> Option<Chart> {
    let values = || points.iter().flat_map(|(_, compared)| [compared.predicted, compared.measured]).filter(|value| *value > 0.0);
    let (least, largest) = (values().reduce(f64::min)?, values().reduce(f64::max)?);
    let (low, high) = nice_log_bounds(least, largest);
    let domain = (low, if high > low { high } else { low * 10.0 });
    let x = Axis { kind: ScaleKind::Log, domain, title: format!("Measured {metric}") };
    let y = Axis { title: format!("Predicted {metric}"), ..x.clone() };
    let within = points.iter().filter(|(_, compared)| compared.error_pct.abs() <= 20.0).count();
    Some(Chart {
        id: id.to_owned(),
        title: metric.to_owned(),
        desc: format!("Predicted against measured {metric} of {} load points; {within} within 20 %.", points.len()),
        drawings: vec![draw(WIDE, &x, &y, points), draw(NARROW, &x, &y, points)],
        key: vec![
            Key { class: "chart-dot chart-s1", text: "load point of a run".to_owned() },
            Key { class: "chart-line chart-s2", text: "as predicted".to_owned() },
        ],
        table: Table::of_points(
            ["Load point", "Measured", "Predicted", "Error, %"].map(str::to_owned).to_vec(),
            points,
            |(name, compared)| {
                vec![
                    name.clone().into(),
                    Cell::figure(compared.measured),
                    Cell::figure(compared.predicted),
                    Cell::of(compared.error_pct, format!("{:+.1}", compared.error_pct)),
                ]
            },
        ),
    })
}

fn draw(size: Size, x: &Axis, y: &Axis, points: &[ScatterPoint]) -> Drawing {
    let (mut drawing, plot) = Drawing::with_axes(size, x, y, 0.0);
    let (low, high) = x.domain;
    drawing.path(line(&plot, [(low, low), (high, high)]), "chart-line chart-s2");
    let at = points.iter().map(|(_, compared)| (plot.x.at(compared.measured), plot.y.at(compared.predicted)));
    drawing.path(markers(MarkerShape::Circle, 4.0, at), "chart-dot chart-s1");
    drawing.text(plot.left() + 6.0, plot.top() + 12.0, Anchor::Start, "chart-hint", "more was expected".to_owned());
    drawing.text(plot.right() - 6.0, plot.bottom() - 8.0, Anchor::End, "chart-hint", "less was expected".to_owned());
    drawing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_load_point_is_a_dot_and_the_table_has_its_error() {
        let point = |predicted, measured| ("r".to_owned(), Compared::of(Some(predicted), Some(measured)).unwrap());
        let chart = scatter("s", "TTFT, ms", &[point(12.0, 10.0), point(300.0, 100.0)]).unwrap();
        assert_eq!(chart.drawings.len(), 2);
        assert_eq!(chart.table.rows[0][3].text, "+20.0");
        assert!(chart.desc.ends_with("of 2 load points; 1 within 20 %."), "{}", chart.desc);
        assert_eq!(scatter("s", "TTFT, ms", &[]), None);
    }
}
