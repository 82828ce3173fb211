//! "Was it steady?": values over the run's time; latency, requests in flight and tokens per second share one x axis.

use std::fmt::Write as _;

use super::drawing::{
    Anchor, Axis, Drawing, MarkerShape, NARROW, Plot, Size, WIDE, band, dots, hatch, line, markers, word_width,
};
use super::number::{second, span};
use super::scale::{ScaleKind, nice_log_bounds, nice_top, wants_log};
use super::{Cell, Chart, Key, Table};
use crate::components::number::{count, figure};
use dyno_measure::report::{LoadPointSeries, TimePoint};

/// The x axis that the charts of one load point share, and what is hatched on it.
#[derive(Debug, Clone, PartialEq)]
pub struct RunTime {
    /// Seconds since the first measured send at which the axis begins and ends.
    pub domain: (f64, f64),
    /// Steady-state window, where there was one.
    pub steady: Option<(f64, f64)>,
}

impl RunTime {
    /// Covers everything that the series have.
    pub fn of(series: &LoadPointSeries, steady: Option<(f64, f64)>) -> Self {
        let points =
            series.metrics.iter().flat_map(|metric| &metric.over_time).chain(&series.in_flight).chain(&series.tokens_per_s);
        let times = points.map(|point| point.at_s).chain(series.failures_s.iter().copied());
        let last = times.fold(1.0, f64::max);
        Self { domain: (series.warmup_begin_s.unwrap_or(0.0).min(0.0), last), steady }
    }

    pub(super) fn axis(&self) -> Axis {
        Axis { kind: ScaleKind::Linear, domain: self.domain, title: "Time since the first measured request, s".to_owned() }
    }

    /// Hatches warm-up, and what is outside of the steady-state window.
    pub(super) fn shade(&self, drawing: &mut Drawing, plot: &Plot) {
        let mut parts = Vec::new();
        if self.domain.0 < 0.0 {
            parts.push((self.domain.0, 0.0, "warm-up"));
        }
        if let Some((begin, end)) = self.steady {
            parts.push((0.0, begin, "ramp"));
            parts.push((end, self.domain.1, "drain"));
        }
        for (from, to, name) in parts {
            let (left, right) = (plot.x.at(from), plot.x.at(to));
            drawing.path(hatch((left, plot.top(), right, plot.bottom())), "chart-hatch");
            if right - left > word_width(drawing.size, name) {
                drawing.text(f64::midpoint(left, right), plot.bottom() - 6.0, Anchor::Middle, "chart-rule-name", name.to_owned());
            }
        }
    }

    pub(super) fn hatched(&self) -> Option<Key> {
        let text = match (self.domain.0 < 0.0, self.steady.is_some()) {
            (true, true) => "warm-up, and outside of the steady state",
            (true, false) => "warm-up",
            (false, true) => "outside of the steady state",
            (false, false) => return None,
        };
        Some(Key { class: "chart-hatch", text: text.to_owned() })
    }
}

/// A latency over time: a dot a request, or medians of even stretches with a band from least to largest; failures as crosses beneath.
pub fn latency(id: &str, name: &str, unit: &str, points: &[TimePoint], failures_s: &[f64], time: &RunTime) -> Option<Chart> {
    let seconds = points.iter().any(|point| point.min.is_some() && point.max.is_some());
    let highest = points.iter().map(|point| point.max.unwrap_or(point.value)).fold(f64::MIN, f64::max);
    let least = points.iter().map(|point| point.min.unwrap_or(point.value)).fold(f64::MAX, f64::min);
    if points.is_empty() || !highest.is_finite() {
        return None;
    }
    let log = wants_log(least, highest);
    let (kind, domain) =
        if log { (ScaleKind::Log, nice_log_bounds(least, highest)) } else { (ScaleKind::Linear, (0.0, nice_top(highest))) };
    let y = Axis { kind, domain, title: format!("{name}, {unit}{}", if log { " (log scale)" } else { "" }) };
    let lane = if failures_s.is_empty() { 0.0 } else { 16.0 };
    let draw = |size: Size| {
        let (mut drawing, plot) = Drawing::with_axes(size, &time.axis(), &y, lane);
        time.shade(&mut drawing, &plot);
        if seconds {
            let spread: Vec<_> = points
                .iter()
                .map(|point| (point.at_s, point.min.unwrap_or(point.value), point.max.unwrap_or(point.value)))
                .collect();
            drawing.path(band(&plot, &spread), "chart-band chart-s1");
            drawing.path(line(&plot, points.iter().map(|point| (point.at_s, point.value))), "chart-line chart-s1");
        } else {
            let at = points.iter().map(|point| (plot.x.at(point.at_s), plot.y.at(point.value)));
            let class = if points.len() > 400 { "chart-dots chart-dots-small chart-s1" } else { "chart-dots chart-s1" };
            drawing.path(dots(at), class);
        }
        let beneath = failures_s.iter().map(|second| (plot.x.at(*second), plot.bottom() + lane / 2.0 + 1.0));
        drawing.path(markers(MarkerShape::Cross, 3.5, beneath), "chart-cross");
        drawing
    };
    let number = points.len() as u64;
    let what = if seconds {
        count(number, "median of a stretch of time", "medians of stretches of time")
    } else {
        count(number, "request", "requests")
    };
    let mut desc = format!("{} over {}, from {} to {} {unit}.", what, span(time.domain.1), figure(least), figure(highest));
    let mut key = if seconds {
        vec![
            Key { class: "chart-line chart-s1", text: "median of a stretch of time".to_owned() },
            Key { class: "chart-band chart-s1", text: "least to largest".to_owned() },
        ]
    } else {
        vec![Key { class: "chart-dot chart-s1", text: "one request, by the time it was sent".to_owned() }]
    };
    if !failures_s.is_empty() {
        // Writing to a string does not fail.
        let _ = write!(desc, " {} failed.", count(failures_s.len() as u64, "request", "requests"));
        key.push(Key { class: "chart-cross", text: "failed request".to_owned() });
    }
    key.extend(time.hatched());
    let head = if seconds {
        vec!["Time, s".to_owned(), format!("Median, {unit}"), format!("Least, {unit}"), format!("Largest, {unit}")]
    } else {
        vec!["Sent at, s".to_owned(), format!("{name}, {unit}")]
    };
    let row = |point: &TimePoint| {
        let mut row = vec![Cell::of(point.at_s, second(point.at_s)), Cell::figure(point.value)];
        if seconds {
            row.push(Cell::figure(point.min.unwrap_or(point.value)));
            row.push(Cell::figure(point.max.unwrap_or(point.value)));
        }
        row
    };
    Some(Chart {
        id: id.to_owned(),
        title: format!("{name} over the run"),
        desc,
        drawings: vec![draw(WIDE), draw(NARROW)],
        key,
        table: Table::of_points(head, points, row),
    })
}

/// Something that is counted over time: requests in flight, tokens per second. Linear, from 0.
pub fn level(id: &str, title: &str, y_title: &str, points: &[TimePoint], time: &RunTime) -> Option<Chart> {
    let highest = points.iter().map(|point| point.value).fold(f64::MIN, f64::max);
    if points.len() < 2 || !highest.is_finite() {
        return None;
    }
    let y = Axis { kind: ScaleKind::Linear, domain: (0.0, nice_top(highest)), title: y_title.to_owned() };
    let draw = |size: Size| {
        let (mut drawing, plot) = Drawing::with_axes(size, &time.axis(), &y, 0.0);
        time.shade(&mut drawing, &plot);
        drawing.path(line(&plot, points.iter().map(|point| (point.at_s, point.value))), "chart-line chart-s1");
        drawing
    };
    Some(Chart {
        id: id.to_owned(),
        title: title.to_owned(),
        desc: format!("{title} over {}; at most {}.", span(time.domain.1), figure(highest)),
        drawings: vec![draw(WIDE), draw(NARROW)],
        key: time.hatched().into_iter().collect(),
        table: Table::of_points(vec!["Time, s".to_owned(), y_title.to_owned()], points, |point| {
            vec![Cell::of(point.at_s, second(point.at_s)), Cell::figure(point.value)]
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::super::drawing::Mark;
    use super::*;

    fn point(at_s: f64, value: f64) -> TimePoint {
        TimePoint { at_s, value, min: None, max: None }
    }

    fn has(chart: &Chart, class: &str) -> bool {
        chart.drawings[0].marks.iter().any(|mark| matches!(mark, Mark::Path { class: own, .. } if own.starts_with(class)))
    }

    #[test]
    fn few_requests_are_dots_and_failures_crosses() {
        let series = LoadPointSeries { failures_s: vec![2.0], warmup_begin_s: Some(-3.0), ..Default::default() };
        let time = RunTime::of(&series, None);
        assert_eq!(time.domain, (-3.0, 2.0));
        let chart = latency("l", "TTFT", "ms", &[point(0.0, 5.0), point(1.0, 6.0)], &series.failures_s, &time).unwrap();
        assert!(has(&chart, "chart-dots") && has(&chart, "chart-cross") && has(&chart, "chart-hatch"));
        assert!(!has(&chart, "chart-band"));
        assert!(chart.desc.ends_with(" 1 request failed."));
    }

    #[test]
    fn many_requests_are_medians_with_a_band() {
        let second = |at_s: f64| TimePoint { at_s, value: 5.0, min: Some(1.0), max: Some(9.0) };
        let time = RunTime { domain: (0.0, 2.0), steady: Some((0.5, 1.5)) };
        let chart = latency("l", "TTFT", "ms", &[second(0.0), second(1.0)], &[], &time).unwrap();
        assert!(has(&chart, "chart-band") && has(&chart, "chart-line") && !has(&chart, "chart-dots"));
        assert_eq!(chart.table.head.len(), 4);
    }

    #[test]
    fn levels_start_at_zero() {
        let time = RunTime { domain: (0.0, 2.0), steady: None };
        let chart = level("f", "Requests in flight", "Requests", &[point(0.0, 1.0), point(2.0, 7.0)], &time).unwrap();
        assert!(chart.desc.contains("at most 7"));
        assert!(level("f", "Requests in flight", "Requests", &[point(0.0, 1.0)], &time).is_none());
    }
}
