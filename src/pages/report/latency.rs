//! Latencies: a table of all of them, then for each one what is typical, how bad the tail is, and whether it was steady.

use leptos::prelude::*;

use super::definitions::Term;
use crate::components::charts::histogram::histogram;
use crate::components::charts::over_time::{RunTime, latency, level};
use crate::components::charts::tail::percentile_curve;
use crate::components::charts::{Chart, ChartFigure};
use crate::components::number::{few_samples, figure, grouped};
use crate::components::table::{Column, DataTable};
use crate::domain::metrics::{DRAWN, PERCENTILES, Shown, metric, percentile_name};
use crate::domain::report::{LoadPointSeries, Report, Summary};
use crate::pages::report::verdict::offered;

/// The rows of the table, where there are samples.
const ROWS: [&str; 9] = [
    "ttft_ms",
    "ttfo_ms",
    "tpot_ms",
    "itl_ms",
    "e2el_ms",
    "ttft_from_schedule_ms",
    "e2el_from_schedule_ms",
    "schedule_lag_ms",
    "output_throughput_per_user",
];

/// The latencies of one load point.
#[component]
pub fn Latency(
    /// The report.
    report: Report,
    /// Which load point.
    point: usize,
) -> impl IntoView {
    let Report { summary, load_points, series, .. } = report;
    let about = (load_points.len() > 1).then(|| load_points.get(point).map(offered)).flatten();
    let summary = load_points.into_iter().nth(point).map_or(summary, |point| point.summary);
    let series = series.into_iter().nth(point).unwrap_or_default();
    let steady = summary.steady_state.as_ref().map(|steady| (steady.begin_s, steady.end_s));
    let time = RunTime::of(&series, steady);
    let groups = DRAWN.into_iter().filter_map(|id| Some((id, charts(id, &summary, &series, &time)?))).collect::<Vec<_>>();
    let levels: Vec<Chart> = [
        level("in-flight", "Requests in flight", "Requests", &series.in_flight, &time),
        level("tokens-per-s", "Output tokens per second", "Tokens/s", &series.tokens_per_s, &time),
    ]
    .into_iter()
    .flatten()
    .collect();
    view! {
        <section id="latency" class="stack" aria-labelledby="latency-title">
            <h2 id="latency-title">"Latency"</h2>
            {about.map(|load| view! { <p class="muted">{format!("Of the load point with {load}.")}</p> })}
            <Distributions summary=summary />
            {groups
                .into_iter()
                .map(|(id, charts)| {
                    let title = metric(id).map(|metric| metric.long_name);
                    view! {
                        <section class="panel" aria-labelledby=format!("latency-{id}")>
                            <h3 id=format!("latency-{id}")>{title}</h3>
                            <div class="chart-panels">{charts.into_iter().map(|chart| view! { <ChartFigure chart=chart /> }).collect_view()}</div>
                        </section>
                    }
                })
                .collect_view()}
            {(!levels.is_empty())
                .then(|| {
                    view! {
                        <section class="panel" aria-labelledby="latency-load">
                            <h3 id="latency-load">"Load over the run"</h3>
                            <div class="chart-panels">{levels.into_iter().map(|chart| view! { <ChartFigure chart=chart /> }).collect_view()}</div>
                        </section>
                    }
                })}
        </section>
    }
    .into_any()
}

/// The charts of one metric; `None` when it was not measured.
fn charts(id: &str, summary: &Summary, series: &LoadPointSeries, time: &RunTime) -> Option<Vec<Chart>> {
    let metric = metric(id)?;
    let drawn = series.metrics.iter().find(|drawn| drawn.metric == id)?;
    let distribution = summary.distribution(id)?;
    let counted = if id == "itl_ms" { "gaps" } else { "requests" };
    let rules: Vec<(f64, String)> = ["p50", "p90", "p99"]
        .into_iter()
        .filter_map(|name| match summary.shown(id, name) {
            Shown::Value { value, .. } => Some((value, percentile_name(name).to_owned())),
            Shown::TooFew { .. } | Shown::Absent => None,
        })
        .collect();
    let charts = [
        histogram(&format!("{id}-histogram"), metric.name, metric.unit, counted, &drawn.histogram, &rules),
        percentile_curve(&format!("{id}-percentiles"), metric.name, metric.unit, distribution.independent(), &drawn.curve),
        latency(&format!("{id}-time"), metric.name, metric.unit, &drawn.over_time, &series.failures_s, time),
    ];
    Some(charts.into_iter().flatten().collect())
}

#[component]
fn Distributions(summary: Summary) -> impl IntoView {
    let mut columns = vec![Column::text("Metric"), Column::figures("Mean"), Column::figures("Std")];
    columns.extend(PERCENTILES.iter().map(|name| Column::figures(percentile_name(name))));
    columns.extend([Column::figures("Max"), Column::figures("Samples")]);
    let rows = ROWS
        .into_iter()
        .filter_map(|id| {
            let found = summary.distribution(id)?;
            let samples = match found.clusters {
                Some(clusters) => format!("{} in {} clusters", grouped(found.n), grouped(clusters)),
                None => grouped(found.n),
            };
            let cells = PERCENTILES.map(|name| match summary.shown(id, name) {
                Shown::Value { value, .. } => (figure(value), false),
                Shown::TooFew { have, need } => (few_samples(have, need), true),
                Shown::Absent => ("not measured".to_owned(), true),
            });
            Some(view! {
                <tr>
                    <th scope="row">
                        <Term id=id with_unit=true />
                    </th>
                    <td class="numeric" data-label="Mean">{figure(found.mean)}</td>
                    <td class="numeric" data-label="Std">{figure(found.std)}</td>
                    {cells
                        .into_iter()
                        .zip(PERCENTILES)
                        .map(|((text, worded), name)| {
                            view! {
                                <td class=if worded { "numeric muted few" } else { "numeric" } data-label=percentile_name(name).to_owned()>
                                    {text}
                                </td>
                            }
                        })
                        .collect_view()}
                    <td class="numeric" data-label="Max">{figure(found.max)}</td>
                    <td class="numeric" data-label="Samples">{samples}</td>
                </tr>
            })
        })
        .collect_view();
    view! {
        <DataTable caption="Distributions over the measured, successful requests" columns=columns blocks=true>
            {rows}
        </DataTable>
    }
    .into_any()
}
