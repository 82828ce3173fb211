//! "What did the engine report?": its queue and cache, on the time axis of the latency charts.

use super::drawing::{Axis, Drawing, NARROW, Size, WIDE, line};
use super::number::{second, span};
use super::over_time::RunTime;
use super::scale::{ScaleKind, nice_top};
use super::{Cell, Chart, Key, Table};
use crate::components::number::figure;
use dyno_measure::engine_metrics::{EngineQuantity, EngineSeries};

/// Classes of the lines: colour and dashes.
pub(super) const LINES: [&str; 6] = [
    "chart-line chart-s1",
    "chart-line chart-s2 chart-dash-2",
    "chart-line chart-s3 chart-dash-3",
    "chart-line chart-s4 chart-dash-4",
    "chart-line chart-s5 chart-dash-5",
    "chart-line chart-s6 chart-dash-6",
];

/// One line of a panel.
struct NodeLine {
    name: String,
    points: Vec<(f64, f64)>,
}

/// The panels of a load point whose first measured send was at `origin` (Unix ns), with the scrapes within its time.
pub fn panels(series: &[EngineSeries], origin: i64, time: &RunTime) -> Vec<Chart> {
    let mut nodes: Vec<&str> = series.iter().map(|series| series.node.as_str()).collect();
    nodes.sort_unstable();
    nodes.dedup();
    let several = nodes.len() > 1;
    let seconds = |at: i64| (at - origin) as f64 / 1e9;
    let within = |at: i64| (time.domain.0..=time.domain.1).contains(&seconds(at));
    let of = |node: &str, quantity: EngineQuantity| series.iter().find(|own| own.node == node && own.quantity == quantity);
    let gauge = |node: &str, quantity: EngineQuantity, factor: f64| -> Vec<(f64, f64)> {
        let points = of(node, quantity).into_iter().flat_map(|own| own.at_unix_ns.iter().zip(&own.values));
        points.filter(|(at, _)| within(**at)).map(|(at, value)| (seconds(*at), value * factor)).collect()
    };
    let mut charts = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        let lines = vec![
            NodeLine { name: "being computed".to_owned(), points: gauge(node, EngineQuantity::Running, 1.0) },
            NodeLine { name: "waiting in its queue".to_owned(), points: gauge(node, EngineQuantity::Waiting, 1.0) },
        ];
        let title = if several { format!("Requests in the engine of {node}") } else { "Requests in the engine".to_owned() };
        charts.extend(panel(&format!("engine-requests-{index}"), title, "Requests", lines, time));
    }
    let by_node = |points: &dyn Fn(&str) -> Vec<(f64, f64)>| -> Vec<NodeLine> {
        nodes.iter().map(|node| NodeLine { name: (*node).to_owned(), points: points(node) }).collect()
    };
    let usage = by_node(&|node| gauge(node, EngineQuantity::KvUsage, 100.0));
    charts.extend(panel("engine-kv", "KV cache in use".to_owned(), "Share of the KV cache, %", usage, time));
    let cached = by_node(&|node| match (of(node, EngineQuantity::CachedTokens), of(node, EngineQuantity::PromptTokens)) {
        (Some(cached), Some(prompt)) => {
            shares(cached, prompt).into_iter().filter(|(at, _)| within(*at)).map(|(at, share)| (seconds(at), share)).collect()
        }
        _ => Vec::new(),
    });
    let title = "Prompt tokens from the cache".to_owned();
    charts.extend(panel("engine-cached", title, "Share of the prompt tokens, %", cached, time));
    charts
}

/// Share of cached prompt tokens between scrapes, per cent. Left out where a counter was reset or no prompt was processed.
fn shares(cached: &EngineSeries, prompt: &EngineSeries) -> Vec<(i64, f64)> {
    let at = |series: &EngineSeries, time: i64| {
        series.at_unix_ns.binary_search(&time).ok().and_then(|index| series.values.get(index).copied())
    };
    cached
        .at_unix_ns
        .windows(2)
        .filter_map(|pair| {
            let grown = |series: &EngineSeries| Some(at(series, pair[1])? - at(series, pair[0])?);
            let (hits, all) = (grown(cached)?, grown(prompt)?);
            (hits >= 0.0 && all > 0.0).then(|| (pair[1], (hits / all * 100.0).min(100.0)))
        })
        .collect()
}

fn panel(id: &str, title: String, y_title: &str, lines: Vec<NodeLine>, time: &RunTime) -> Option<Chart> {
    let lines: Vec<NodeLine> = lines.into_iter().filter(|line| line.points.len() > 1).take(LINES.len()).collect();
    let highest = lines.iter().flat_map(|line| &line.points).map(|point| point.1).fold(0.0, f64::max);
    if lines.is_empty() || !highest.is_finite() {
        return None;
    }
    let y = Axis { kind: ScaleKind::Linear, domain: (0.0, nice_top(highest)), title: y_title.to_owned() };
    let draw = |size: Size| {
        let (mut drawing, plot) = Drawing::with_axes(size, &time.axis(), &y, 0.0);
        time.shade(&mut drawing, &plot);
        for (own, class) in lines.iter().zip(LINES) {
            drawing.path(line(&plot, own.points.iter().copied()), class);
        }
        drawing
    };
    let peaks: Vec<String> = lines
        .iter()
        .map(|line| {
            let most = line.points.iter().map(|point| point.1).fold(f64::MIN, f64::max);
            format!("{}: at most {}.", line.name, figure(most))
        })
        .collect();
    let mut key: Vec<Key> = lines.iter().zip(LINES).map(|(line, class)| Key { class, text: line.name.clone() }).collect();
    key.extend(time.hatched());
    // scrapes of one engine share their times; with several engines, each row belongs to one of them
    let mut rows: Vec<(f64, usize, f64)> = lines
        .iter()
        .enumerate()
        .flat_map(|(index, line)| line.points.iter().map(move |(at, value)| (*at, index, *value)))
        .collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    let names: Vec<String> = lines.iter().map(|line| line.name.clone()).collect();
    let table = Table::of_points(vec!["Time, s".to_owned(), "Of".to_owned(), y_title.to_owned()], &rows, |(at, index, value)| {
        vec![Cell::of(*at, second(*at)), names[*index].clone().into(), Cell::figure(*value)]
    });
    Some(Chart {
        id: id.to_owned(),
        desc: format!("{title} over {}, as the engine says. {}", span(time.domain.1), peaks.join(" ")),
        title,
        drawings: vec![draw(WIDE), draw(NARROW)],
        key,
        table,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000_000;

    fn series(node: &str, quantity: EngineQuantity, points: &[(i64, f64)]) -> EngineSeries {
        EngineSeries {
            node: node.to_owned(),
            quantity,
            source: "x".to_owned(),
            at_unix_ns: points.iter().map(|(at, _)| 100 * S + at * S).collect(),
            values: points.iter().map(|(_, value)| *value).collect(),
        }
    }

    fn time() -> RunTime {
        RunTime { domain: (-1.0, 4.0), steady: None }
    }

    #[test]
    fn only_the_load_points_own_time_is_drawn() {
        let points = [(-5, 99.0), (0, 1.0), (2, 3.0), (9, 99.0)];
        let all = [series("n", EngineQuantity::Running, &points), series("n", EngineQuantity::Waiting, &points)];
        let charts = panels(&all, 100 * S, &time());
        assert_eq!(charts.len(), 1);
        assert!(charts[0].desc.contains("being computed: at most 3"), "{}", charts[0].desc);
        assert_eq!(charts[0].table.rows.len(), 4);
        assert!(panels(&all, 0, &time()).is_empty(), "another time altogether");
    }

    #[test]
    fn the_cached_share_is_of_each_stretch_and_a_restart_has_none() {
        let cached = series("n", EngineQuantity::CachedTokens, &[(0, 0.0), (1, 50.0), (2, 50.0), (3, 10.0)]);
        let prompt = series("n", EngineQuantity::PromptTokens, &[(0, 0.0), (1, 100.0), (2, 100.0), (3, 20.0)]);
        assert_eq!(shares(&cached, &prompt), [(101 * S, 50.0)]);
    }

    #[test]
    fn each_node_has_its_own_queue_and_a_line_in_the_cache() {
        let points = [(0, 0.25), (1, 0.5)];
        let of = |node: &str, quantity| series(node, quantity, &points);
        let all = [
            of("a", EngineQuantity::Running),
            of("b", EngineQuantity::Running),
            of("a", EngineQuantity::KvUsage),
            of("b", EngineQuantity::KvUsage),
        ];
        let charts = panels(&all, 100 * S, &time());
        let titles: Vec<&str> = charts.iter().map(|chart| chart.title.as_str()).collect();
        assert_eq!(titles, ["Requests in the engine of a", "Requests in the engine of b", "KV cache in use"]);
        assert_eq!(charts[2].key.iter().take(2).map(|key| key.text.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert!(charts[2].desc.contains("a: at most 50.0."));
    }
}
