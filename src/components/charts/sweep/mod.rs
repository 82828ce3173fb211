//! A sweep's charts, one question each: the trade-off (Pareto), the capacity, and the load up to which limits are met.

mod capacity;
mod limits;
mod pareto;

pub use capacity::capacity;
pub use limits::{Limit, against_load};
pub use pareto::pareto;

use super::drawing::{Axis, Drawing, MarkerShape, markers};
use super::labels::{Labels, Near};
use super::number::tick;
use super::scale::{ScaleKind, nice_top};
use super::{Cell, Key};
use crate::components::number::{count, few_samples};
use dyno_measure::load::LoadVariable;
use dyno_measure::metrics::Shown;
use dyno_measure::sweep::{Sweep, Swept};

/// The axis of offered loads: logarithmic where they roughly double, else linear from 0.
fn load_axis(sweep: &Sweep) -> Axis {
    let words = match sweep.varied {
        LoadVariable::Concurrency => "Requests in flight",
        LoadVariable::Rate => "Requested requests/s",
    };
    let first = sweep.points.first().map_or(1.0, |swept| swept.load);
    let last = sweep.points.last().map_or(1.0, |swept| swept.load);
    if sweep.doubles() {
        // keeps marks at the ends away from the frame
        let room = 2f64.powf(0.3);
        let is_power = |load: f64| (load.log2() - load.log2().round()).abs() < 1e-9;
        let domain = (first / room, last * room);
        // loads other than powers of two are easier to read between round numbers
        return if sweep.points.iter().filter(|swept| is_power(swept.load)).count() * 2 > sweep.points.len() {
            Axis { kind: ScaleKind::Log2, domain, title: format!("{words} (log2 scale)") }
        } else {
            Axis { kind: ScaleKind::Log, domain, title: format!("{words} (log scale)") }
        };
    }
    Axis { kind: ScaleKind::Linear, domain: (0.0, nice_top(last * 1.02)), title: words.to_owned() }
}

/// A load's label on the axis.
fn load_text(load: f64) -> String {
    tick((load * 1000.0).round() / 1000.0)
}

/// Adds the star beside the chosen point, with a line to it where others are close around.
fn star(drawing: &mut Drawing, labels: &mut Labels, at: (f64, f64), near: Near) {
    let placed = labels.place_mark(at, 7.0, near);
    if let Some([(x1, y1), (x2, y2)]) = placed.leader {
        drawing.path(format!("M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}"), "chart-leader");
    }
    drawing.path(markers(MarkerShape::Star, 7.0, [placed.at]), "chart-star");
}

/// A line through the complete load points, interrupted at those that ended early.
fn unbroken<'a>(points: impl IntoIterator<Item = (&'a Swept, f64)>) -> Vec<(f64, f64)> {
    points.into_iter().map(|(swept, value)| (swept.load, if swept.point.ended_early { f64::NAN } else { value })).collect()
}

/// The key's entry for hollow marks.
fn early_key(class: &'static str) -> Key {
    Key { class, text: "ended early: of fewer requests than the others".to_owned() }
}

/// " 2 load points ended early." for charts that draw some; nothing where none did.
fn early_words(sweep: &Sweep) -> String {
    match sweep.points.iter().filter(|swept| swept.point.ended_early).count() {
        0 => String::new(),
        early => format!(" {} ended early.", count(early as u64, "load point", "load points")),
    }
}

fn star_key() -> Key {
    Key { class: "chart-star", text: "the chosen load: headline and history show its figures".to_owned() }
}

/// The table cell of a percentile.
fn cell(shown: Shown) -> Cell {
    match shown {
        Shown::Value { value, .. } => Cell::figure(value),
        Shown::TooFew { have, need } => few_samples(have, need).into(),
        Shown::Absent => "not measured".into(),
    }
}

/// A load in a data table.
fn load_cell(load: f64) -> Cell {
    Cell::of(load, load_text(load))
}

fn value(shown: Shown) -> Option<f64> {
    match shown {
        Shown::Value { value, .. } => Some(value),
        Shown::TooFew { .. } | Shown::Absent => None,
    }
}

/// " Not enough samples at 1 and 2 requests in flight." for those that can't be drawn; nothing where all can.
fn lacking(sweep: &Sweep, of: &str, is_lacking: impl Fn(&Swept) -> bool) -> String {
    let loads: Vec<String> = sweep.points.iter().filter(|swept| is_lacking(swept)).map(|swept| load_text(swept.load)).collect();
    if loads.is_empty() {
        return String::new();
    }
    let loads = dyno_measure::words::join(&loads);
    format!(" Not enough samples for {of} at {loads} {}.", sweep.varied.unit())
}

/// The table cell that marks the chosen point.
fn is_chosen(sweep: &Sweep, swept: &Swept) -> Cell {
    if sweep.chosen == Some(swept.index) { "yes" } else { "no" }.into()
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::{Value, json};

    use super::super::Chart;
    use super::super::drawing::{Anchor, Mark, word_width};
    use super::*;
    use dyno_measure::report::Report;

    /// A distribution of `n` equal samples.
    pub fn distribution(value: f64, n: u64) -> Value {
        let names = ["mean", "min", "p25", "p50", "p75", "p90", "p95", "p99", "p999", "max"];
        let mut all: serde_json::Map<String, Value> = names.iter().map(|name| ((*name).to_owned(), json!(value))).collect();
        all.insert("std".to_owned(), json!(0.0));
        all.insert("n".to_owned(), json!(n));
        Value::Object(all)
    }

    /// A closed-loop point: its load, tokens per second, tokens per second of one user, samples.
    pub fn point(concurrency: u32, throughput: f64, user: f64, n: u64) -> Value {
        json!({
            "concurrency": concurrency, "output_throughput": throughput, "request_throughput": throughput / 10.0,
            "successful_requests": n, "total_requests": n,
            "output_throughput_per_user": distribution(user, n), "tpot_ms": distribution(1000.0 / user, n),
            "ttft_ms": distribution(f64::from(concurrency) * 10.0, n),
        })
    }

    pub fn sweep(points: &[Value], best: usize) -> Sweep {
        let report: Report = serde_json::from_value(json!({
            "run_id": uuid::Uuid::nil(), "kind": "measured", "status": "succeeded", "valid": true, "invalid_reasons": [],
            "summary": {}, "load_points": points, "best": best, "nodes": [], "provenance": {},
        }))
        .unwrap();
        Sweep::of(&report).unwrap()
    }

    /// The paths of a class in the first drawing.
    pub fn paths<'a>(chart: &'a Chart, class: &str) -> Vec<&'a str> {
        chart.drawings[0]
            .marks
            .iter()
            .filter_map(|mark| match mark {
                Mark::Path { d, class: own } if own.split(' ').next() == Some(class) => Some(d.as_str()),
                _ => None,
            })
            .collect()
    }

    pub fn words(chart: &Chart) -> Vec<&str> {
        chart.drawings[0]
            .marks
            .iter()
            .filter_map(|mark| match mark {
                Mark::Text { text, .. } => Some(text.as_str()),
                Mark::Path { .. } => None,
            })
            .collect()
    }

    /// The numbers of a path's beginnings: of each `M`, the two after it and the first of what follows.
    fn begins(d: &str) -> impl Iterator<Item = (f64, f64, f64)> + '_ {
        let number = |text: &str| text.trim_end_matches(char::is_alphabetic).parse::<f64>().unwrap_or_default();
        d.split('M').skip(1).map(move |part| {
            let end = part.find(|found: char| found.is_alphabetic()).unwrap_or(part.len());
            let (x, y) = part[..end].split_once(' ').unwrap();
            let rest = part[end..].trim_start_matches(char::is_alphabetic);
            let next = rest.split([' ', 'v', 'a', 'h', 'V', 'H', 'L', 'l', 'M']).next().unwrap_or_default();
            (number(x), number(y), number(next))
        })
    }

    /// What the star covers in any of a chart's drawings: marks of points, error bars and words.
    pub fn covered_by_the_star(chart: &Chart) -> Vec<String> {
        let mut covered = Vec::new();
        for drawing in &chart.drawings {
            let star = drawing.marks.iter().find_map(|mark| match mark {
                Mark::Path { d, class: "chart-star" } => Some(d),
                _ => None,
            });
            let corners: Vec<(f64, f64)> = star
                .unwrap()
                .trim_end_matches('Z')
                .split(['M', 'L'])
                .skip(1)
                .map(|at| at.split_once(' ').unwrap())
                .map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap()))
                .collect();
            let edge = |of: fn(&(f64, f64)) -> f64| {
                let all = || corners.iter().map(of);
                (all().fold(f64::MAX, f64::min), all().fold(f64::MIN, f64::max))
            };
            let ((left, right), (top, bottom)) = (edge(|at| at.0), edge(|at| at.1));
            let mut take = |what: String, (x1, y1, x2, y2): (f64, f64, f64, f64)| {
                if left < x2 && x1 < right && top < y2 && y1 < bottom {
                    covered.push(format!("{}: {what}", drawing.size.name));
                }
            };
            for mark in &drawing.marks {
                match mark {
                    Mark::Text { x, y, anchor, text, .. } => {
                        let width = word_width(drawing.size, text);
                        let from = match anchor {
                            Anchor::Start => *x,
                            Anchor::Middle => x - width / 2.0,
                            Anchor::End => x - width,
                        };
                        take(text.clone(), (from, y - 10.0, from + width, y + 2.0));
                    }
                    Mark::Path { d, class } => {
                        let kind = class.split(' ').next().unwrap_or_default();
                        for (x, y, next) in begins(d) {
                            let area = match kind {
                                "chart-dot" | "chart-hollow" => (x, y - next, x + 2.0 * next, y + next),
                                "chart-square" | "chart-hollow-square" => (x, y, x + next, y + next),
                                "chart-error" if next != 8.0 => (x - 0.5, y.min(next), x + 0.5, y.max(next)),
                                "chart-limit" => (x, y - 0.75, next, y + 0.75),
                                _ => continue,
                            };
                            take(format!("{kind} at {x} {y}"), area);
                        }
                    }
                }
            }
        }
        covered
    }

    /// A search closes in on its answer, so that its points are close together there.
    pub fn closing_search(best: usize) -> Sweep {
        let loads =
            [(1, 90.0), (129, 4030.0), (65, 3260.0), (33, 2290.0), (17, 1500.0), (25, 1880.0), (21, 1700.0), (19, 1630.0)];
        let more = [(20, 1690.0), (19, 1640.0), (20, 1680.0)];
        let points: Vec<Value> = loads
            .into_iter()
            .chain(more)
            .map(|(load, throughput)| point(load, throughput, 120.0 - f64::from(load) * 0.65, 700))
            .collect();
        sweep(&points, best)
    }

    #[test]
    fn the_star_covers_no_point_and_no_word_where_a_search_closes_in() {
        let limit = Limit { value: Some(200.0), percentile: 99.0 };
        let ttft = dyno_measure::metrics::metric("ttft_ms").unwrap();
        for best in [7, 8, 9, 1] {
            for error in [None, Some(60.0)] {
                let mut found = closing_search(best);
                (found.error.ttft_ms, found.error.e2el_ms) = (error, error);
                let charts = [
                    pareto("p", &found, dyno_measure::sweep::Per::Accelerator(1)).unwrap(),
                    capacity("c", &found).unwrap(),
                    against_load("l", ttft, &found, Some(limit)).unwrap(),
                ];
                for chart in charts {
                    let covered = covered_by_the_star(&chart);
                    assert!(covered.is_empty(), "{} of {best}, {error:?}: {covered:?}", chart.title);
                }
            }
        }
    }

    #[test]
    fn doubling_loads_have_a_log_axis_that_says_so() {
        let doubling: Vec<Value> = [1, 2, 4, 8, 16].map(|load| point(load, 1.0, 1.0, 20)).into();
        assert_eq!(load_axis(&sweep(&doubling, 0)).title, "Requests in flight (log2 scale)");
        let round: Vec<Value> = [10, 20, 50, 100].map(|load| point(load, 1.0, 1.0, 20)).into();
        assert_eq!(load_axis(&sweep(&round, 0)).title, "Requests in flight (log scale)");
        let even = load_axis(&sweep(&[point(10, 1.0, 1.0, 20), point(20, 1.0, 1.0, 20)], 0));
        assert_eq!((even.kind, even.domain.0, even.title.as_str()), (ScaleKind::Linear, 0.0, "Requests in flight"));
    }
}
