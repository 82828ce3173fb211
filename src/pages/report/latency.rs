//! Latencies: a table of all of them, then for each one what is typical and how bad the tail is.

use leptos::prelude::*;

use crate::components::charts::histogram::histogram;
use crate::components::charts::tail::percentile_curve;
use crate::components::charts::{Chart, ChartFigure};
use crate::components::metric::Term;
use crate::components::number::{few_samples, figure, grouped};
use crate::components::table::{Column, DataTable};
use crate::domain::metrics::{DRAWN, PERCENTILES, Shown, metric, percentile_name};
use crate::domain::report::{LoadPointSeries, Report, Summary};

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
    let summary = load_points.into_iter().nth(point).map_or(summary, |point| point.summary);
    let series = series.into_iter().nth(point).unwrap_or_default();
    let groups = DRAWN.into_iter().filter_map(|id| Some((id, charts(id, &summary, &series)?))).collect::<Vec<_>>();
    view! {
        <section id="latency" class="stack" aria-labelledby="latency-title">
            <h2 id="latency-title">"Latency"</h2>
            <Distributions summary=summary />
            {groups
                .into_iter()
                .map(|(id, charts)| {
                    let title = metric(id).map(|metric| view! { <Term id=metric.id text=metric.long_name /> });
                    view! {
                        <section class="panel" aria-labelledby=format!("latency-{id}")>
                            <h3 id=format!("latency-{id}")>{title}</h3>
                            <div class="chart-panels">{charts.into_iter().map(|chart| view! { <ChartFigure chart=chart /> }).collect_view()}</div>
                        </section>
                    }
                })
                .collect_view()}
        </section>
    }
    .into_any()
}

/// The charts of one metric; `None` when it was not measured.
fn charts(id: &str, summary: &Summary, series: &LoadPointSeries) -> Option<Vec<Chart>> {
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
