//! A figure so far, while a run goes on: one line whose axes grow in round steps, so that the picture stands still between them.

use super::drawing::{Anchor, Axis, Drawing, SMALL, line};
use super::number::{second, span};
use super::scale::{Kind, nice_top};
use super::{Chart, Table};
use crate::components::number::figure;

/// The chart of `(seconds since the load began, value)`; values that are not known yet are left out by the caller.
pub fn so_far(id: &str, title: &str, y_title: &str, points: &[(f64, f64)]) -> Chart {
    let highest = points.iter().map(|point| point.1).fold(0.0, f64::max);
    let last = points.last().map_or(0.0, |point| point.0);
    let x = Axis { kind: Kind::Linear, domain: (0.0, nice_span(last)), title: "Time, s".to_owned() };
    let y = Axis { kind: Kind::Linear, domain: (0.0, nice_top(highest)), title: y_title.to_owned() };
    let (mut drawing, plot) = Drawing::with_axes(SMALL, &x, &y, 0.0);
    if points.is_empty() {
        let middle = f64::midpoint(plot.left(), plot.right());
        let height = f64::midpoint(plot.top(), plot.bottom());
        drawing.text(middle, height, Anchor::Middle, "chart-name", "No figures yet".to_owned());
    }
    drawing.path(line(&plot, points.iter().copied()), "chart-line chart-s1");
    let desc = match points.last() {
        Some((at, value)) => format!("After {}: {}; at most {} so far.", span(*at), figure(*value), figure(highest)),
        None => "No figures yet.".to_owned(),
    };
    Chart {
        id: id.to_owned(),
        title: title.to_owned(),
        desc,
        drawings: vec![drawing],
        key: Vec::new(),
        table: Table::of_points(vec!["Time, s".to_owned(), y_title.to_owned()], points, |(at, value)| {
            vec![second(*at), figure(*value)]
        }),
    }
}

/// How far a time axis reaches: at least half a minute, then half as far again whenever it is full.
fn nice_span(seconds: f64) -> f64 {
    [30.0, 60.0, 120.0, 180.0, 300.0, 600.0, 900.0, 1200.0, 1800.0]
        .into_iter()
        .find(|span| *span >= seconds)
        .unwrap_or_else(|| nice_top(seconds))
}

/// At most `most` of the points, evenly chosen, the last among them.
pub fn thinned(points: &[(f64, f64)], most: usize) -> Vec<(f64, f64)> {
    let step = points.len().div_ceil(most.max(1)).max(1);
    let offset = points.len().saturating_sub(1) % step;
    points.iter().skip(offset).step_by(step).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_stand_still_between_steps() {
        let axis = |at: f64, value: f64| {
            let chart = so_far("l", "TTFT so far", "ms", &[(0.0, 1.0), (at, value)]);
            chart.drawings[0]
                .marks
                .iter()
                .filter(|mark| matches!(mark, super::super::drawing::Mark::Text { .. }))
                .cloned()
                .collect::<Vec<_>>()
        };
        assert_eq!(axis(5.0, 81.0), axis(29.0, 99.0));
        assert_ne!(axis(5.0, 81.0), axis(31.0, 99.0));
    }

    #[test]
    fn thinning_keeps_the_last() {
        let points: Vec<_> = (0..1001).map(|n| (f64::from(n), 0.0)).collect();
        let few = thinned(&points, 300);
        assert!(few.len() <= 300);
        assert_eq!(few.last(), points.last());
        assert_eq!(thinned(&points[..3], 300).len(), 3);
        assert!(thinned(&[], 300).is_empty());
    }
}
