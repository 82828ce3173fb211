//! "Up to which load is it fast enough?": a latency's percentiles over the load, with its limit if any.

use super::super::drawing::{Anchor, Axis, Drawing, MarkerShape, NARROW, Size, WIDE, error_bars, hatch, line, markers};
use super::super::labels::{Labels, Near};
use super::super::scale::{ScaleKind, nice_log_bounds, nice_top, wants_log};
use super::super::{Chart, Key, Table, capital};
use super::{cell, early_key, early_words, is_chosen, lacking, load_axis, load_cell, load_text, star, star_key, unbroken, value};
use crate::components::number::figure;
use dyno_measure::metrics::Shown;
use dyno_measure::metrics::{Metric, PERCENTILES, percentile_name};
use dyno_measure::sweep::{Sweep, Swept};

/// A limit of a latency at a percentile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// Largest allowed value, in the metric's unit.
    pub value: Option<f64>,
    /// The percentile that must be within it, 0 to 100.
    pub percentile: f64,
}

impl Limit {
    /// The report's percentile that is compared with the limit: the same one, else the next above it.
    pub fn decides(&self) -> &'static str {
        let number = |name: &str| percentile_name(name)[1..].parse::<f64>().unwrap_or(100.0);
        PERCENTILES.into_iter().find(|name| number(name) >= self.percentile - 1e-9).unwrap_or("p999")
    }

    /// Whether a report has the limit's own percentile.
    pub fn is_exact(&self) -> bool {
        percentile_name(self.decides())[1..].parse::<f64>().is_ok_and(|number| (number - self.percentile).abs() < 1e-9)
    }
}

/// The chart of a latency; `None` without values. Without limits, p99 is drawn beside the median.
pub fn against_load(id: &str, metric: &Metric, sweep: &Sweep, limit: Option<Limit>) -> Option<Chart> {
    let high = limit.map_or("p99", |limit| limit.decides());
    let shown = |swept: &Swept, name: &str| swept.point.summary.shown(metric.id, name);
    let of = |name: &'static str| -> Vec<(&Swept, f64)> {
        sweep.points.iter().filter_map(|swept| Some((swept, value(shown(swept, name))?))).collect()
    };
    // with a limit on the median, only the median is drawn
    let (low, high_points) = (of("p50"), if high == "p50" { Vec::new() } else { of(high) });
    let drawn: Vec<f64> = low.iter().chain(&high_points).map(|(_, value)| *value).collect();
    if low.len().max(high_points.len()) < 2 {
        return None;
    }
    // How far off a simulation's means may be; its percentiles have no such bound.
    let means: Vec<(f64, f64, f64, f64)> = sweep
        .points
        .iter()
        .filter_map(|swept| {
            let share = sweep.error.of(metric.id)? / 100.0;
            let mean = swept.point.summary.distribution(metric.id)?.mean;
            Some((swept.load, mean, mean * (1.0 - share).max(0.05), mean * (1.0 + share)))
        })
        .collect();
    let most_allowed = limit.and_then(|limit| limit.value);
    let highest = drawn
        .iter()
        .copied()
        .chain(means.iter().map(|(.., high)| *high))
        .chain(most_allowed.map(|limit| limit * 1.15))
        .fold(f64::MIN, f64::max);
    let least = drawn.iter().copied().chain(means.iter().map(|(_, _, low, _)| *low)).chain(most_allowed).fold(f64::MAX, f64::min);
    // a limit that would be at the bottom of a linear axis gets a logarithmic one, so that it is visible
    let low_limit = most_allowed.is_some_and(|limit| least > 0.0 && limit > 0.0 && highest > 5.0 * limit);
    let log = low_limit || wants_log(least, highest);
    let (kind, domain) =
        if log { (ScaleKind::Log, nice_log_bounds(least, highest)) } else { (ScaleKind::Linear, (0.0, nice_top(highest))) };
    let x = load_axis(sweep);
    let y = Axis { kind, domain, title: format!("{}, {}{}", metric.name, metric.unit, if log { " (log scale)" } else { "" }) };
    let decisive = if high_points.is_empty() { &low } else { &high_points };
    let chosen = decisive.iter().chain(&low).find(|(swept, _)| sweep.chosen == Some(swept.index));
    let draw = |size: Size| {
        let (mut drawing, plot) = Drawing::with_axes(size, &x, &y, 0.0);
        let at = |(swept, value): &(&Swept, f64)| (plot.x.at(swept.load), plot.y.at(*value));
        if let Some(limit) = most_allowed {
            let edge = plot.y.at(limit);
            drawing.path(hatch((plot.left(), plot.top(), plot.right(), edge)), "chart-fails");
            drawing.path(format!("M{:.1} {edge:.1}H{:.1}", plot.left(), plot.right()), "chart-limit");
        }
        let line_of = |points: &[(&Swept, f64)]| line(&plot, unbroken(points.iter().copied()));
        drawing.path(line_of(&low), "chart-line chart-s1");
        drawing.path(line_of(&high_points), "chart-line chart-s2");
        let of = |points: &[(&Swept, f64)], early: bool| -> Vec<(f64, f64)> {
            points.iter().filter(|(swept, _)| swept.point.ended_early == early).map(at).collect()
        };
        // larger markers, so that equal values don't hide the lower percentile
        drawing.path(markers(MarkerShape::Circle, 5.0, of(&low, false)), "chart-dot chart-s1");
        drawing.path(markers(MarkerShape::Circle, 5.0, of(&low, true)), "chart-hollow chart-s1");
        drawing.path(markers(MarkerShape::Square, 3.0, of(&high_points, false)), "chart-square chart-s2");
        drawing.path(markers(MarkerShape::Square, 4.0, of(&high_points, true)), "chart-hollow-square chart-s2");
        drawing.path(
            error_bars(means.iter().map(|(load, _, low, high)| (plot.x.at(*load), plot.y.at(*low), plot.y.at(*high)))),
            "chart-error",
        );
        let middles = means.iter().map(|(load, mean, ..)| (plot.x.at(*load), plot.y.at(*mean)));
        drawing.path(markers(MarkerShape::Triangle, 4.0, middles), "chart-triangle chart-s3");
        let mut labels = Labels::on(size, &plot);
        for (load, _, low, high) in &means {
            labels.keep_clear_of_line(&[(plot.x.at(*load), plot.y.at(*low)), (plot.x.at(*load), plot.y.at(*high))]);
        }
        for points in [&low, &high_points] {
            let at: Vec<(f64, f64)> = points.iter().map(at).collect();
            for (x, y) in &at {
                labels.keep_clear(*x, *y, 5.0);
            }
            labels.keep_clear_of_line(&at);
        }
        if let Some(limit) = most_allowed {
            let text = format!("limit {} {}", figure(limit), metric.unit);
            let (left, right, y) = (plot.left() + 6.0, plot.right() - 4.0, plot.y.at(limit));
            let along = |share: f64| left + (right - left) * share;
            let places: Vec<(f64, f64, Anchor)> = [(0.0, Anchor::Start), (1.0, Anchor::End)]
                .into_iter()
                .chain([0.5, 0.75, 0.25, 0.625, 0.375, 0.875, 0.125].map(|share| (share, Anchor::Middle)))
                .flat_map(|(share, anchor)| [(along(share), y - 5.0, anchor), (along(share), y + 14.0, anchor)])
                .collect();
            if let Some((x, y, anchor)) = labels.place_at(&places, &text) {
                drawing.text(x, y, anchor, "chart-rule-name", text);
            }
            labels.keep_clear_of_line(&[(plot.left(), plot.y.at(limit)), (plot.right(), plot.y.at(limit))]);
        }
        if let Some(known) = chosen {
            star(&mut drawing, &mut labels, at(known), Near::Column);
        }
        drawing
    };
    let high_name = percentile_name(high);
    let mut key = vec![Key { class: "chart-dot chart-s1", text: "p50".to_owned() }];
    let mut head = vec![capital(sweep.varied.words()), format!("p50, {}", metric.unit)];
    if high != "p50" {
        key.push(Key { class: "chart-square chart-s2", text: high_name.to_owned() });
        head.push(format!("{high_name}, {}", metric.unit));
    }
    if !means.is_empty() {
        key.push(Key { class: "chart-triangle chart-s3", text: "mean".to_owned() });
        key.push(Key { class: "chart-error", text: "its expected error".to_owned() });
    }
    if let Some(limit) = limit.filter(|limit| limit.value.is_some()) {
        let of = if limit.is_exact() { String::new() } else { format!(" (it is set on p{})", figure(limit.percentile)) };
        key.push(Key { class: "chart-fails", text: format!("{high_name} in here misses the limit{of}") });
    }
    if sweep.points.iter().any(|swept| swept.point.ended_early) {
        let early_high =
            sweep.points.iter().any(|swept| swept.point.ended_early && matches!(shown(swept, high), Shown::Value { .. }));
        key.push(early_key(if high == "p50" || !early_high { "chart-hollow chart-s1" } else { "chart-hollow-square chart-s2" }));
    }
    if chosen.is_some() {
        key.push(star_key());
    }
    if limit.is_some() {
        head.push("Meets all limits".to_owned());
    }
    head.push("Chosen".to_owned());
    let row = |swept: &Swept| {
        let mut row = vec![load_cell(swept.load), cell(shown(swept, "p50"))];
        if high != "p50" {
            row.push(cell(shown(swept, high)));
        }
        if limit.is_some() {
            row.push(decision(swept).into());
        }
        row.push(is_chosen(sweep, swept));
        row
    };
    Some(Chart {
        id: id.to_owned(),
        title: format!("{} against load", metric.name),
        desc: describe(metric, sweep, decisive, high_name, most_allowed)
            + &early_words(sweep)
            + &lacking(sweep, high_name, |swept| value(shown(swept, high)).is_none()),
        drawings: vec![draw(WIDE), draw(NARROW)],
        key,
        table: Table::of_points(head, &sweep.points, row),
    })
}

/// The verdict on a point.
fn decision(swept: &Swept) -> &'static str {
    match swept.point.meets_slo {
        Some(true) => "yes",
        Some(false) if swept.point.ended_early => "no, ended early",
        Some(false) => "no",
        None => "not enough samples",
    }
}

fn describe(metric: &Metric, sweep: &Sweep, decisive: &[(&Swept, f64)], name: &str, limit: Option<f64>) -> String {
    let (Some((first, low)), Some((last, high))) = (decisive.first(), decisive.last()) else { return String::new() };
    let mut desc = format!(
        "{} {name} is {} {unit} at {} and {} {unit} at {} {}.",
        metric.name,
        figure(*low),
        load_text(first.load),
        figure(*high),
        load_text(last.load),
        sweep.varied.unit(),
        unit = metric.unit,
    );
    if let Some(limit) = limit {
        let over: Vec<String> =
            decisive.iter().filter(|(_, value)| *value > limit).map(|(swept, _)| load_text(swept.load)).collect();
        let over = match over.as_slice() {
            [] => "no drawn load is over it".to_owned(),
            loads => format!("over it at {}", dyno_measure::words::join(loads)),
        };
        desc.push_str(&format!(" The limit is {} {}: {over}.", figure(limit), metric.unit));
    }
    desc
}

#[cfg(test)]
mod tests {
    use super::super::tests::{paths, point, sweep, words};
    use super::*;
    use dyno_measure::metrics::metric;

    fn ttft() -> &'static Metric {
        metric("ttft_ms").unwrap()
    }

    #[test]
    fn above_the_limit_is_hatched_and_the_limit_is_labelled() {
        let points = [point(1, 1.0, 50.0, 700), point(10, 1.0, 40.0, 700)];
        let limit = Limit { value: Some(45.0), percentile: 99.0 };
        let chart = against_load("l", ttft(), &sweep(&points, 0), Some(limit)).unwrap();
        assert!(words(&chart).contains(&"limit 45.0 ms"));
        assert_eq!((paths(&chart, "chart-fails").len(), paths(&chart, "chart-limit").len()), (1, 1));
        assert_eq!((paths(&chart, "chart-star").len(), paths(&chart, "chart-line").len()), (1, 2));
        assert!(chart.desc.contains("TTFT p99 is 10.0 ms at 1 and 100 ms at 10 in flight."), "{}", chart.desc);
        assert!(chart.desc.contains("The limit is 45.0 ms: over it at 10."), "{}", chart.desc);
        assert_eq!(chart.table.rows[0], ["1", "10.0", "10.0", "not enough samples", "yes"]);
    }

    #[test]
    fn a_simulation_has_its_means_with_error_bars() {
        let mut simulated = sweep(&[point(1, 1.0, 50.0, 700), point(10, 1.0, 40.0, 700)], 0);
        assert!(paths(&against_load("l", ttft(), &simulated, None).unwrap(), "chart-error").is_empty());
        simulated.error.ttft_ms = Some(60.0);
        let chart = against_load("l", ttft(), &simulated, None).unwrap();
        assert_eq!(paths(&chart, "chart-error")[0].matches('V').count(), 2);
        assert_eq!(paths(&chart, "chart-triangle")[0].matches('M').count(), 2);
        // 100 ms may be 160.
        assert!(words(&chart).contains(&"200"), "{:?}", words(&chart));
    }

    #[test]
    fn a_point_of_too_few_samples_has_no_mark_in_the_decision() {
        let points = [point(1, 1.0, 50.0, 100), point(2, 1.0, 50.0, 700), point(4, 1.0, 40.0, 700)];
        let chart = against_load("l", ttft(), &sweep(&points, 0), None).unwrap();
        assert_eq!(paths(&chart, "chart-dot")[0].matches('M').count(), 3, "p50 has samples enough everywhere");
        assert_eq!(paths(&chart, "chart-square")[0].matches('M').count(), 2);
        assert!(chart.desc.ends_with("Not enough samples for p99 at 1 in flight."), "{}", chart.desc);
        assert_eq!(chart.table.rows[0][2], "not enough samples (100 of 662)");
        assert!(paths(&chart, "chart-fails").is_empty() && paths(&chart, "chart-limit").is_empty());
    }

    #[test]
    fn a_point_that_ended_early_is_hollow_and_the_lines_break_there() {
        let mut cut = point(25, 1.0, 40.0, 64);
        (cut["ended_early"], cut["meets_slo"]) = (true.into(), false.into());
        let points = [point(1, 1.0, 50.0, 130), point(24, 1.0, 40.0, 130), cut];
        let limit = Limit { value: Some(245.0), percentile: 90.0 };
        let chart = against_load("l", ttft(), &sweep(&points, 1), Some(limit)).unwrap();
        assert_eq!(paths(&chart, "chart-hollow")[0].matches('M').count(), 1);
        assert_eq!(paths(&chart, "chart-hollow-square")[0].matches('M').count(), 1);
        assert_eq!(paths(&chart, "chart-dot")[0].matches('M').count(), 2);
        assert!(paths(&chart, "chart-line").iter().all(|line| line.matches(['M', 'L']).count() == 2), "two points are joined");
        assert_eq!(chart.table.rows[2][3], "no, ended early");
    }

    #[test]
    fn a_limit_far_below_the_figures_is_seen_on_a_log_axis() {
        let points = [point(1, 1.0, 50.0, 130), point(40, 1.0, 40.0, 130)];
        let chart = against_load("l", ttft(), &sweep(&points, 0), Some(Limit { value: Some(40.0), percentile: 90.0 })).unwrap();
        assert!(words(&chart).contains(&"TTFT, ms (log scale)"));
    }

    #[test]
    fn the_limits_own_percentile_is_drawn() {
        let limit = |percentile| Limit { value: Some(1.0), percentile };
        assert_eq!([50.0, 90.0, 99.0, 99.9].map(|p| limit(p).decides()), ["p50", "p90", "p99", "p999"]);
        assert_eq!((limit(97.0).decides(), limit(97.0).is_exact(), limit(95.0).is_exact()), ("p99", false, true));
        let points = [point(1, 1.0, 50.0, 100), point(2, 1.0, 50.0, 100)];
        let median = against_load("l", ttft(), &sweep(&points, 0), Some(limit(50.0))).unwrap();
        assert!(paths(&median, "chart-square").is_empty(), "a limit on the median has one line");
        let far = against_load("l", ttft(), &sweep(&points, 0), Some(Limit { value: Some(6000.0), percentile: 90.0 })).unwrap();
        assert!(words(&far).contains(&"TTFT, ms (log scale)"), "a limit far above the figures is still in the picture");
    }
}
