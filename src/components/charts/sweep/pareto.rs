//! "What is the trade-off?": per-user speed against throughput of the hardware.

use super::super::drawing::{Anchor, Axis, Drawing, MarkerShape, NARROW, Size, WIDE, line, markers};
use super::super::labels::{Labels, Near};
use super::super::scale::{ScaleKind, nice_top};
use super::super::{Cell, Chart, Key, Table};
use super::{cell, early_words, is_chosen, lacking, load_cell, load_text, star, star_key, value};
use crate::components::number::figure;
use dyno_measure::sweep::{Per, Sweep, Swept, frontier};

const USER: &str = "output_throughput_per_user";
const BETTER: &str = "better: up and right ↗";

/// A point that can be drawn.
struct Dot<'a> {
    swept: &'a Swept,
    user: f64,
    system: f64,
    best: bool,
}

/// The chart; `None` with fewer than two points.
pub fn pareto(id: &str, sweep: &Sweep, per: Per) -> Option<Chart> {
    let system = |swept: &Swept| swept.point.summary.output_throughput.map(|all| all / per.number());
    let user = |swept: &Swept| value(swept.point.summary.shown(USER, "p50"));
    let known: Vec<(&Swept, f64, f64)> =
        sweep.points.iter().filter_map(|swept| Some((swept, user(swept)?, system(swept)?))).collect();
    if known.len() < 2 {
        return None;
    }
    // points that ended early have fewer requests and can't be on the frontier
    let whole: Vec<(f64, f64)> =
        known.iter().filter(|(swept, ..)| !swept.point.ended_early).map(|(_, user, system)| (*user, *system)).collect();
    let mut best = frontier(&whole).into_iter();
    let dots: Vec<Dot<'_>> = known
        .into_iter()
        .map(|(swept, user, system)| {
            let best = !swept.point.ended_early && best.next().unwrap_or_default();
            Dot { swept, user, system, best }
        })
        .collect();
    let most = |of: fn(&Dot<'_>) -> f64| dots.iter().map(of).fold(0.0, f64::max);
    let y_name = format!("Output tokens/s{}", per.suffix());
    let x_name = "Tokens/s per user (median of 1/TPOT)";
    let x = Axis { kind: ScaleKind::Linear, domain: (0.0, nice_top(most(|dot| dot.user) * 1.05)), title: x_name.to_owned() };
    let y = Axis { kind: ScaleKind::Linear, domain: (0.0, nice_top(most(|dot| dot.system) * 1.08)), title: y_name.clone() };
    let title = "Throughput against speed of one user".to_owned();
    Some(Chart {
        id: id.to_owned(),
        desc: describe(sweep, &dots, &y_name),
        drawings: vec![draw(WIDE, &x, &y, sweep, &dots), draw(NARROW, &x, &y, sweep, &dots)],
        key: key(sweep, &dots),
        table: Table::of_points(
            vec![
                super::super::capital(sweep.varied.words()),
                x_name.to_owned(),
                y_name,
                "On the frontier".to_owned(),
                "Chosen".to_owned(),
            ],
            &sweep.points,
            |swept| {
                let dot = dots.iter().find(|dot| dot.swept.index == swept.index);
                let frontier = dot.map_or("not drawn", |dot| if dot.best { "yes" } else { "no" });
                vec![
                    load_cell(swept.load),
                    cell(swept.point.summary.shown(USER, "p50")),
                    system(swept).map_or_else(|| "not measured".into(), Cell::figure),
                    frontier.into(),
                    is_chosen(sweep, swept),
                ]
            },
        )
        .along(1, 1),
        title,
    })
}

fn draw(size: Size, x: &Axis, y: &Axis, sweep: &Sweep, dots: &[Dot<'_>]) -> Drawing {
    let (mut drawing, plot) = Drawing::with_axes(size, x, y, 0.0);
    let at = |dot: &Dot<'_>| (plot.x.at(dot.user), plot.y.at(dot.system));
    let mut best: Vec<&Dot<'_>> = dots.iter().filter(|dot| dot.best).collect();
    best.sort_by(|a, b| a.user.total_cmp(&b.user).then(b.system.total_cmp(&a.system)));
    drawing.path(line(&plot, best.iter().map(|dot| (dot.user, dot.system))), "chart-line chart-s1");
    let of = |best: bool| dots.iter().filter(move |dot| dot.best == best).map(at);
    drawing.path(markers(MarkerShape::Circle, 4.5, of(false)), "chart-hollow chart-s1");
    drawing.path(markers(MarkerShape::Circle, 4.5, of(true)), "chart-dot chart-s1");
    let chosen = |dot: &&Dot<'_>| sweep.chosen == Some(dot.swept.index);
    let mut labels = Labels::on(size, &plot);
    for dot in dots {
        let (x, y) = at(dot);
        labels.keep_clear(x, y, 5.0);
    }
    let joined: Vec<(f64, f64)> = best.iter().map(|dot| at(dot)).collect();
    labels.keep_clear_of_line(&joined);
    // beside the axis' title, since the best points are in the plot's corner
    drawing.text(plot.right(), plot.top() - 14.0, Anchor::End, "chart-hint", BETTER.to_owned());
    if let Some(dot) = dots.iter().find(chosen) {
        star(&mut drawing, &mut labels, at(dot), Near::Around);
    }
    // labels of the chosen point and the frontier are placed first
    let mut order: Vec<&Dot<'_>> = dots.iter().collect();
    order.sort_by_key(|dot| (!chosen(dot), !dot.best));
    for dot in order {
        let word = load_text(dot.swept.load);
        if let Some((x, y, anchor)) = labels.place(at(dot), &word) {
            drawing.text(x, y, anchor, "chart-rule-name", word);
        }
    }
    drawing
}

fn key(sweep: &Sweep, dots: &[Dot<'_>]) -> Vec<Key> {
    let mut key = vec![Key {
        class: "chart-dot chart-s1",
        text: format!("load point, with its {}: no other is better in both", sweep.varied.words()),
    }];
    let hollow = |early: bool| dots.iter().any(|dot| !dot.best && dot.swept.point.ended_early == early);
    let text = match (hollow(false), hollow(true)) {
        (true, true) => Some("another is better in both, or it ended early"),
        (true, false) => Some("another is better in both"),
        (false, true) => Some("ended early: of fewer requests than the others"),
        (false, false) => None,
    };
    key.extend(text.map(|text| Key { class: "chart-hollow chart-s1", text: text.to_owned() }));
    if dots.iter().any(|dot| sweep.chosen == Some(dot.swept.index)) {
        key.push(star_key());
    }
    key
}

fn describe(sweep: &Sweep, dots: &[Dot<'_>], y_name: &str) -> String {
    let mut desc = format!(
        "{y_name} against what one user sees, {} load points, {} of them on the frontier.",
        dots.len(),
        dots.iter().filter(|dot| dot.best).count()
    );
    if let Some(dot) = dots.iter().find(|dot| sweep.chosen == Some(dot.swept.index)) {
        desc.push_str(&format!(
            " Chosen: {} {}, {} tokens/s for one user, {} in all.",
            load_text(dot.swept.load),
            sweep.varied.unit(),
            figure(dot.user),
            figure(dot.system)
        ));
    }
    desc.push_str(&early_words(sweep));
    let drawn = |swept: &Swept| dots.iter().any(|dot| dot.swept.index == swept.index);
    desc + &lacking(sweep, "the median", |swept| !drawn(swept))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{paths, point, sweep, words};
    use super::*;

    #[test]
    fn the_frontier_is_straight_dominated_points_are_hollow_and_the_chosen_has_a_star() {
        let points = [point(1, 100.0, 100.0, 20), point(8, 600.0, 80.0, 20), point(16, 500.0, 40.0, 20)];
        let chart = pareto("p", &sweep(&points, 1), Per::Accelerator(2)).unwrap();
        // the frontier has two points
        assert_eq!(paths(&chart, "chart-line")[0].matches(['M', 'L']).count(), 2);
        assert_eq!(paths(&chart, "chart-hollow")[0].matches('M').count(), 1);
        assert_eq!(paths(&chart, "chart-dot")[0].matches('M').count(), 2);
        assert_eq!(paths(&chart, "chart-star").len(), 1);
        assert!(words(&chart).contains(&"Output tokens/s per GPU") && words(&chart).contains(&BETTER));
        assert!(words(&chart).contains(&"8") && words(&chart).contains(&"16"), "labels are the loads");
        assert_eq!(chart.table.rows[1], ["8", "80.0", "300", "yes", "yes"], "throughput is per GPU");
        assert_eq!(chart.table.rows[2][3], "no");
    }

    #[test]
    fn a_point_of_too_few_samples_is_not_drawn_and_that_is_said() {
        let points = [point(1, 100.0, 100.0, 5), point(2, 200.0, 90.0, 20), point(4, 300.0, 80.0, 20)];
        let chart = pareto("p", &sweep(&points, 0), Per::Node(1)).unwrap();
        assert!(chart.desc.ends_with("Not enough samples for the median at 1 in flight."), "{}", chart.desc);
        assert_eq!(chart.table.rows[0][1], "not enough samples (5 of 11)");
        assert!(paths(&chart, "chart-star").is_empty(), "the chosen point can't be drawn");
        assert!(pareto("p", &sweep(&points[..2], 0), Per::Node(1)).is_none());
    }

    #[test]
    fn nothing_is_chosen_where_the_figures_are_not_valid() {
        let mut sweep = sweep(&[point(1, 100.0, 100.0, 20), point(2, 200.0, 90.0, 20)], 1);
        sweep.chosen = None;
        assert!(paths(&pareto("p", &sweep, Per::Service).unwrap(), "chart-star").is_empty());
    }
}
