//! "How much load can it take?": throughput over offered load.

use super::super::drawing::{Axis, Drawing, MarkerShape, NARROW, Size, WIDE, error_bars, line, markers};
use super::super::labels::{Labels, Near};
use super::super::scale::{ScaleKind, nice_top};
use super::super::{Cell, Chart, Key, Table, capital};
use super::{early_key, early_words, is_chosen, load_axis, load_cell, load_text, star, star_key, unbroken};
use crate::components::number::figure;
use dyno_measure::load::LoadVariable;
use dyno_measure::report::throughput_range;
use dyno_measure::sweep::{Sweep, Swept};

/// The chart; `None` with fewer than two throughputs. For a closed loop, output tokens (or requests, where there are no
/// tokens); for rates, completed requests beside requested ones.
pub fn capacity(id: &str, sweep: &Sweep) -> Option<Chart> {
    let rates = sweep.varied == LoadVariable::Rate;
    let tokens = !rates && sweep.points.iter().any(|swept| swept.point.summary.output_throughput.is_some());
    let of = |swept: &Swept| {
        let summary = &swept.point.summary;
        if tokens { summary.output_throughput } else { summary.request_throughput }
    };
    let known: Vec<(&Swept, f64)> = sweep.points.iter().filter_map(|swept| Some((swept, of(swept)?))).collect();
    if known.len() < 2 {
        return None;
    }
    let name = if tokens { "Output tokens/s" } else { "Completed requests/s" };
    // How far off a simulation may be; a rate is what was asked for, whatever its requests take.
    let error = sweep.error.e2el_ms.filter(|_| !rates);
    let range = |value: f64| error.map(|error| throughput_range(value, error));
    let highest = known
        .iter()
        .map(|(swept, value)| if rates { value.max(swept.load) } else { range(*value).map_or(*value, |(_, high)| high) })
        .fold(0.0, f64::max);
    let x = load_axis(sweep);
    let y = Axis { kind: ScaleKind::Linear, domain: (0.0, nice_top(highest * 1.05)), title: name.to_owned() };
    let chosen = known.iter().find(|(swept, _)| sweep.chosen == Some(swept.index));
    let draw = |size: Size| {
        let (mut drawing, plot) = Drawing::with_axes(size, &x, &y, 0.0);
        if rates {
            // on a logarithmic axis the line of equality is curved: drawn in many short steps
            let (from, to) = (known[0].0.load, known[known.len() - 1].0.load);
            let steps = (0..=48).map(|step| from * (to / from).powf(f64::from(step) / 48.0));
            drawing.path(line(&plot, steps.map(|load| (load, load))), "chart-dashed chart-s2");
        }
        drawing.path(line(&plot, unbroken(known.iter().copied())), "chart-line chart-s1");
        let at = |(swept, value): &(&Swept, f64)| (plot.x.at(swept.load), plot.y.at(*value));
        let of = |early: bool| known.iter().filter(move |(swept, _)| swept.point.ended_early == early).map(at);
        drawing.path(markers(MarkerShape::Circle, 4.5, of(false)), "chart-dot chart-s1");
        drawing.path(markers(MarkerShape::Circle, 4.5, of(true)), "chart-hollow chart-s1");
        let bars: Vec<(f64, f64, f64)> = known
            .iter()
            .filter_map(|(swept, value)| {
                let (low, high) = range(*value)?;
                Some((plot.x.at(swept.load), plot.y.at(low), plot.y.at(high)))
            })
            .collect();
        drawing.path(error_bars(bars.iter().copied()), "chart-error");
        let mut labels = Labels::on(size, &plot);
        for (x, low, high) in bars {
            labels.keep_clear_of_line(&[(x, low), (x, high)]);
        }
        for (x, y) in known.iter().map(at) {
            labels.keep_clear(x, y, 5.0);
        }
        labels.keep_clear_of_line(&known.iter().map(at).collect::<Vec<_>>());
        if rates {
            let requested: Vec<_> = known.iter().map(|(swept, _)| (plot.x.at(swept.load), plot.y.at(swept.load))).collect();
            labels.keep_clear_of_line(&requested);
        }
        if let Some(known) = chosen {
            star(&mut drawing, &mut labels, at(known), Near::Column);
        }
        drawing
    };
    let mut key = Vec::new();
    if rates {
        key.push(Key { class: "chart-line chart-s1", text: "achieved: requests completed".to_owned() });
        key.push(Key { class: "chart-dashed chart-s2", text: "requested".to_owned() });
    }
    if known.iter().any(|(swept, _)| swept.point.ended_early) {
        key.push(early_key("chart-hollow chart-s1"));
    }
    if error.is_some() {
        key.push(Key { class: "chart-error", text: "expected error".to_owned() });
    }
    if chosen.is_some() {
        key.push(star_key());
    }
    let best = known.iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let mut head = vec![capital(sweep.varied.words()), name.to_owned()];
    if rates {
        head = vec!["Requested requests/s".to_owned(), name.to_owned(), "Dropped".to_owned()];
    }
    head.push("Chosen".to_owned());
    Some(Chart {
        id: id.to_owned(),
        title: "Throughput against load".to_owned(),
        desc: format!(
            "{name} at {} loads, from {} to {} {}. The most is {} at {}.",
            known.len(),
            load_text(sweep.points[0].load),
            load_text(sweep.points[sweep.points.len() - 1].load),
            sweep.varied.unit(),
            figure(best.1),
            load_text(best.0.load)
        ) + &early_words(sweep),
        drawings: vec![draw(WIDE), draw(NARROW)],
        key,
        table: Table::of_points(head, &sweep.points, |swept| {
            let mut row = vec![load_cell(swept.load), of(swept).map_or_else(|| "not measured".into(), Cell::figure)];
            if rates {
                let dropped = swept.point.summary.dropped_requests;
                row.push(Cell::of(dropped as f64, crate::components::number::grouped(dropped)));
            }
            row.push(is_chosen(sweep, swept));
            row
        }),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{paths, point, sweep, words};
    use super::*;

    #[test]
    fn a_closed_loop_is_one_line_of_tokens() {
        let chart = capacity("c", &sweep(&[point(1, 100.0, 9.0, 20), point(2, 190.0, 9.0, 20)], 1)).unwrap();
        assert!(words(&chart).contains(&"Output tokens/s"));
        assert_eq!((paths(&chart, "chart-line").len(), paths(&chart, "chart-dashed").len()), (1, 0));
        assert_eq!(paths(&chart, "chart-star").len(), 1);
        assert!(chart.desc.ends_with("The most is 190 at 2."), "{}", chart.desc);
    }

    #[test]
    fn a_simulation_has_error_bars_and_a_measurement_none() {
        let mut simulated = sweep(&[point(1, 100.0, 9.0, 20), point(2, 190.0, 9.0, 20)], 1);
        assert!(paths(&capacity("c", &simulated).unwrap(), "chart-error").is_empty());
        simulated.error.e2el_ms = Some(50.0);
        let chart = capacity("c", &simulated).unwrap();
        assert_eq!(paths(&chart, "chart-error")[0].matches('V').count(), 2);
        // 190 tokens/s may be 380 where requests take half as long.
        assert!(words(&chart).contains(&"400") && chart.key.iter().any(|key| key.text == "expected error"));
    }

    #[test]
    fn a_point_that_ended_early_is_hollow_and_breaks_the_line() {
        let mut cut = point(16, 400.0, 9.0, 12);
        cut["ended_early"] = json!(true);
        let points = [point(1, 100.0, 9.0, 20), point(8, 300.0, 9.0, 20), cut, point(32, 350.0, 9.0, 20)];
        let chart = capacity("c", &sweep(&points, 1)).unwrap();
        assert_eq!(
            (paths(&chart, "chart-dot")[0].matches('M').count(), paths(&chart, "chart-hollow")[0].matches('M').count()),
            (3, 1)
        );
        assert_eq!(paths(&chart, "chart-line")[0].matches('M').count(), 2, "a new beginning after the gap");
        assert!(chart.desc.ends_with(" 1 load point ended early."), "{}", chart.desc);
        let whole = capacity("c", &sweep(&points[..2], 1)).unwrap();
        assert!(paths(&whole, "chart-hollow").is_empty() && !whole.desc.contains("early"));
    }

    #[test]
    fn of_rates_the_requested_is_dashed_beside_the_achieved() {
        let rate = |rate: f64, done: f64| json!({ "rate": rate, "request_throughput": done, "dropped_requests": 3 });
        let chart = capacity("c", &sweep(&[rate(5.0, 5.0), rate(20.0, 12.0)], 0)).unwrap();
        assert_eq!((paths(&chart, "chart-line").len(), paths(&chart, "chart-dashed").len()), (1, 1));
        assert!(words(&chart).contains(&"Requested requests/s") && words(&chart).contains(&"Completed requests/s"));
        assert_eq!(chart.table.rows[1], ["20", "12.0", "3", "no"]);
    }

    #[test]
    fn requests_count_where_there_are_no_tokens() {
        let of = |load: u32| json!({ "concurrency": load, "request_throughput": 5.0 });
        assert!(words(&capacity("c", &sweep(&[of(1), of(2)], 0)).unwrap()).contains(&"Completed requests/s"));
    }
}
