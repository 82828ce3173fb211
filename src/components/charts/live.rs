//! Figures while a run goes on: lines over the time so far, which end where it does.

use super::drawing::{Anchor, Axis, Drawing, LIVE, line, word_width};
use super::number::{second, span};
use super::scale::{ScaleKind, nice_top};
use super::{Chart, Key, Table};
use crate::components::number::figure;

/// A line of a chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// What it is: `p50 of the last 10 s`.
    pub name: String,
    /// How it is drawn.
    pub class: &'static str,
    /// `(seconds since the load began, value)`; absent values break the line.
    pub points: Vec<(f64, Option<f64>)>,
    /// What the key says where the line has no value at its end.
    pub absent: String,
}

impl Line {
    fn last(&self) -> Option<f64> {
        self.points.last()?.1
    }

    fn values(&self) -> impl Iterator<Item = f64> + '_ {
        self.points.iter().filter_map(|(_, value)| *value)
    }
}

/// Where a load point begins, seconds, and its load: `8`.
pub type Begin = (f64, String);

/// The chart of some lines over the same times; `unit` stands behind its values.
pub fn over_time(id: &str, title: &str, unit: &str, lines: &[Line], begins: &[Begin]) -> Chart {
    let highest = lines.iter().flat_map(Line::values).fold(0.0, f64::max);
    let last = lines.iter().filter_map(|line| line.points.last()).map(|(at, _)| *at).fold(0.0, f64::max);
    let x = Axis { kind: ScaleKind::Linear, domain: (0.0, if last > 0.0 { last } else { 1.0 }), title: "Time, s".to_owned() };
    let y = Axis { kind: ScaleKind::Linear, domain: (0.0, nice_top(highest)), title: unit.to_owned() };
    let (mut drawing, plot) = Drawing::with_axes(LIVE, &x, &y, 0.0);
    let ends = begins.iter().skip(1).map(|begin| begin.0).chain([last]);
    for (number, ((begin, load), end)) in begins.iter().zip(ends).enumerate() {
        let (from, until) = (plot.x.at(*begin), plot.x.at(end));
        if number > 0 {
            drawing.path(format!("M{from:.1} {:.1}V{:.1}", plot.top(), plot.bottom()), "chart-boundary");
        }
        // A load whose time is too short for its name has none.
        if until - from > word_width(LIVE, load) + 4.0 {
            drawing.text(f64::midpoint(from, until), plot.top() - 4.0, Anchor::Middle, "chart-tick", load.clone());
        }
    }
    if lines.iter().all(|line| line.values().next().is_none()) {
        let (middle, height) = (f64::midpoint(plot.left(), plot.right()), f64::midpoint(plot.top(), plot.bottom()));
        drawing.text(middle, height, Anchor::Middle, "chart-name", "No figures yet".to_owned());
    }
    for line_of in lines {
        drawing.path(line(&plot, line_of.points.iter().map(|(at, value)| (*at, value.unwrap_or(f64::NAN)))), line_of.class);
    }
    let now = |line: &Line| match line.last() {
        Some(value) => format!("{}: {} {unit}", line.name, figure(value)),
        None => format!("{}: {}", line.name, line.absent),
    };
    let words: Vec<String> = lines.iter().map(now).collect();
    Chart {
        id: id.to_owned(),
        title: title.to_owned(),
        desc: format!("After {}: {}.", span(last), words.join("; ")),
        drawings: vec![drawing],
        key: lines.iter().zip(words).map(|(line, text)| Key { class: line.class, text }).collect(),
        table: table(unit, lines),
    }
}

fn table(unit: &str, lines: &[Line]) -> Table {
    let mut head = vec!["Time, s".to_owned()];
    head.extend(lines.iter().map(|line| format!("{}, {unit}", line.name)));
    let rows: Vec<usize> = (0..lines.first().map_or(0, |line| line.points.len())).collect();
    Table::of_points(head, &rows, |row| {
        let at = lines.first().map_or(0.0, |line| line.points[*row].0);
        let value = |line: &Line| line.points.get(*row).and_then(|point| point.1).map_or_else(|| "–".to_owned(), figure);
        std::iter::once(second(at)).chain(lines.iter().map(value)).collect::<Vec<String>>()
    })
}

/// At most `most` of the points, evenly chosen, the last among them.
pub fn thinned<P: Copy>(points: &[P], most: usize) -> Vec<P> {
    let step = points.len().div_ceil(most.max(1)).max(1);
    let offset = points.len().saturating_sub(1) % step;
    points.iter().skip(offset).step_by(step).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::super::drawing::Mark;
    use super::*;

    fn line_of(points: Vec<(f64, Option<f64>)>) -> Line {
        Line { name: "p99".to_owned(), class: "chart-line chart-s1", points, absent: "not yet".to_owned() }
    }

    fn path(chart: &Chart, wanted: &str) -> String {
        let found = chart.drawings[0].marks.iter().find_map(|mark| match mark {
            Mark::Path { d, class } if *class == wanted => Some(d.clone()),
            _ => None,
        });
        found.unwrap_or_default()
    }

    #[test]
    fn the_line_ends_at_the_right_edge_of_the_plot() {
        for last in [3.0, 31.0, 244.5] {
            let chart = over_time("l", "TTFT", "ms", &[line_of(vec![(0.0, Some(1.0)), (last, Some(2.0))])], &[]);
            let right = LIVE.width - 14.0;
            assert!(path(&chart, "chart-line chart-s1").contains(&format!("L{right:.1} ")), "{last}: {chart:?}");
        }
    }

    #[test]
    fn the_key_has_the_last_values_and_says_what_is_missing() {
        let lines = [line_of(vec![(1.0, Some(1.0)), (2.0, Some(21.0))]), line_of(vec![(1.0, Some(1.0)), (2.0, None)])];
        let chart = over_time("l", "TTFT", "ms", &lines, &[]);
        let texts: Vec<&str> = chart.key.iter().map(|key| key.text.as_str()).collect();
        assert_eq!(texts, ["p99: 21.0 ms", "p99: not yet"]);
        assert_eq!(chart.desc, "After 2.00 s: p99: 21.0 ms; p99: not yet.");
        assert_eq!(chart.table.rows[1], ["2", "21.0", "–"]);
    }

    #[test]
    fn load_points_are_told_apart_and_named_where_there_is_room() {
        let points = vec![(0.0, Some(1.0)), (10.0, Some(1.0)), (11.0, Some(1.0)), (20.0, Some(1.0))];
        let begins = [(0.0, "1".to_owned()), (10.0, "16 in flight and more".to_owned()), (11.0, "32".to_owned())];
        let chart = over_time("l", "TTFT", "ms", &[line_of(points)], &begins);
        let boundaries =
            chart.drawings[0].marks.iter().filter(|mark| matches!(mark, Mark::Path { class: "chart-boundary", .. })).count();
        assert_eq!(boundaries, 2);
        let named =
            |name: &str| chart.drawings[0].marks.iter().any(|mark| matches!(mark, Mark::Text { text, .. } if text == name));
        assert!(named("32") && !named("16 in flight and more"));
    }

    #[test]
    fn thinning_keeps_the_last() {
        let points: Vec<u32> = (0..1001).collect();
        let few = thinned(&points, 300);
        assert!(few.len() <= 300);
        assert_eq!(few.last(), points.last());
        assert_eq!(thinned(&points[..3], 300).len(), 3);
        assert!(thinned::<u32>(&[], 300).is_empty());
    }
}
