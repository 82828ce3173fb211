//! "What is typical?": how many requests took how long.

use std::fmt::Write as _;

use super::drawing::{Axis, Drawing, NARROW, Size, WIDE};
use super::scale::{ScaleKind, nice_log_bounds};
use super::{Cell, Chart, Table, capital};
use crate::components::number::{figure, grouped};
use dyno_measure::report::Histogram;

/// The chart of a histogram.
///
/// `name` and `unit` are the metric's, `counted` what a sample is (`requests`, `gaps`), `rules` the percentiles to mark.
/// `None` when there is nothing to draw.
pub fn histogram(id: &str, name: &str, unit: &str, counted: &str, data: &Histogram, rules: &[(f64, String)]) -> Option<Chart> {
    let bins: Vec<(f64, f64, u64)> =
        data.edges.windows(2).zip(&data.counts).map(|(edge, count)| (edge[0], edge[1], *count)).collect();
    let (first, last) = (bins.first()?, bins.last()?);
    let total: u64 = data.counts.iter().sum();
    if total == 0 || last.1 <= first.0 {
        return None;
    }
    let most = bins.iter().max_by_key(|bin| bin.2)?;
    let log = has_log_bins(&data.edges);
    let (kind, domain) =
        if log { (ScaleKind::Log, nice_log_bounds(first.0, last.1)) } else { (ScaleKind::Linear, (first.0, last.1)) };
    let x = Axis { kind, domain, title: format!("{name}, {unit}{}", if log { " (log scale)" } else { "" }) };
    // The names of the rules stand above the bars, not on them.
    let room = if rules.is_empty() { 1.0 } else { 1.3 };
    let y = Axis { kind: ScaleKind::Linear, domain: (0.0, most.2 as f64 * room), title: capital(counted) };
    let draw = |size: Size| {
        let (mut drawing, plot) = Drawing::with_axes(size, &x, &y, 0.0);
        let mut bars = String::new();
        for (low, high, count) in bins.iter().filter(|bin| bin.2 > 0) {
            let (left, right) = (plot.x.at(*low), plot.x.at(*high));
            // A hairline between bars, unless they are too slim for one.
            let gap = if right - left > 4.0 { 1.0 } else { 0.0 };
            let top = plot.y.at(*count as f64);
            let _ = write!(bars, "M{left:.1} {:.1}V{top:.1}H{:.1}V{:.1}Z", plot.bottom(), right - gap, plot.bottom());
        }
        drawing.path(bars, "chart-bar chart-s1");
        drawing.rules(&plot, rules);
        drawing
    };
    let mut desc = format!(
        "{} {counted} in {} bins from {} to {} {unit}. The fullest bin holds {} between {} and {} {unit}.",
        grouped(total),
        bins.len(),
        figure(first.0),
        figure(last.1),
        grouped(most.2),
        figure(most.0),
        figure(most.1),
    );
    for (value, rule) in rules {
        let _ = write!(desc, " {rule} is {} {unit}.", figure(*value));
    }
    Some(Chart {
        id: id.to_owned(),
        title: format!("{name}: how often which value"),
        desc,
        drawings: vec![draw(WIDE), draw(NARROW)],
        key: Vec::new(),
        table: Table::of_points(
            vec![format!("From, {unit}"), format!("To, {unit}"), capital(counted)],
            &bins,
            |(low, high, count)| vec![Cell::figure(*low), Cell::figure(*high), Cell::of(*count as f64, grouped(*count))],
        )
        .along(0, 1),
    })
}

/// Whether bins widen by a ratio rather than being alike: they were made for a logarithmic axis.
fn has_log_bins(edges: &[f64]) -> bool {
    match edges {
        [first, second, .., before, last] if *first > 0.0 && second > first => (last - before) / (second - first) > 2.0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::drawing::Mark;
    use super::*;

    fn data(edges: &[f64], counts: &[u64]) -> Histogram {
        Histogram { edges: edges.to_vec(), counts: counts.to_vec() }
    }

    #[test]
    fn bars_start_at_zero_and_empty_bins_have_none() {
        let chart = histogram("h", "TTFT", "ms", "requests", &data(&[0.0, 10.0, 20.0, 30.0], &[4, 0, 2]), &[]).unwrap();
        let bars = chart.drawings[0]
            .marks
            .iter()
            .find_map(|mark| match mark {
                Mark::Path { d, class } if class.starts_with("chart-bar") => Some(d),
                _ => None,
            })
            .unwrap();
        assert_eq!(bars.matches('M').count(), 2);
        // Height 320 less 44 below the plot.
        assert!(bars.contains("276.0"));
        assert!(chart.desc.contains("6 requests in 3 bins from 0 to 30.0 ms"));
        assert_eq!(chart.table.rows.len(), 3);
    }

    #[test]
    fn widening_bins_mean_a_log_axis_and_the_title_says_so() {
        let chart = histogram("h", "TTFT", "ms", "requests", &data(&[1.0, 10.0, 100.0, 1000.0], &[1, 2, 1]), &[]).unwrap();
        assert!(
            chart.drawings[0].marks.iter().any(|mark| matches!(mark, Mark::Text { text, .. } if text == "TTFT, ms (log scale)"))
        );
    }

    #[test]
    fn nothing_to_draw_is_no_chart() {
        assert!(histogram("h", "TTFT", "ms", "requests", &data(&[], &[]), &[]).is_none());
        assert!(histogram("h", "TTFT", "ms", "requests", &data(&[0.0, 1.0], &[0]), &[]).is_none());
    }
}
