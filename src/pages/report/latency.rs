//! Latencies: a table of all of them, then for each one what is typical and how bad the tail is.

use leptos::prelude::*;

use super::chart_files::files;
use super::few::Lacking;
use super::section::Section;
use crate::components::charts::histogram::histogram;
use crate::components::charts::tail::percentile_curve;
use crate::components::charts::{Chart, ChartFigure};
use crate::components::metric::Term;
use crate::components::number::{figure, grouped};
use crate::components::table::{Column, DataTable};
use dyno_measure::metrics::{DRAWN, PERCENTILES, Shown, metric, percentile_name};
use dyno_measure::report::{Distribution, LoadPointSeries, Report, Summary};

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
pub fn Latency(report: Report, point: usize) -> impl IntoView {
    let files = files(report.run_id, point);
    let Report { summary, load_points, series, .. } = report;
    let summary = load_points.into_iter().nth(point).map_or(summary, |point| point.summary);
    let series = series.into_iter().nth(point).unwrap_or_default();
    let groups = DRAWN.into_iter().filter_map(|id| Some((id, charts_of(id, &summary, &series)?))).collect::<Vec<_>>();
    view! {
        <Section id="latency" title="Latency">
            <Distributions summary=summary />
            {groups
                .into_iter()
                .map(|(id, charts)| {
                    let files = files.clone();
                    let title = metric(id).map(|metric| view! { <Term id=metric.id text=metric.long_name /> });
                    view! {
                        <section class="panel" aria-labelledby=format!("latency-{id}")>
                            <h3 id=format!("latency-{id}")>{title}</h3>
                            <div class="chart-panels">{charts.into_iter().map(|chart| view! { <ChartFigure chart=chart files=files.clone() /> }).collect_view()}</div>
                        </section>
                    }
                })
                .collect_view()}
        </Section>
    }
    .into_any()
}

/// All charts of a load point's latencies.
pub fn charts(report: &Report, point: usize) -> Vec<Chart> {
    let summary = report.load_points.get(point).map_or(&report.summary, |point| &point.summary);
    let Some(series) = report.series.get(point) else { return Vec::new() };
    DRAWN.into_iter().filter_map(|id| charts_of(id, summary, series)).flatten().collect()
}

/// The charts of one metric; `None` when it was not measured.
fn charts_of(id: &str, summary: &Summary, series: &LoadPointSeries) -> Option<Vec<Chart>> {
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
    let mut lacking = Lacking::default();
    let rows = ROWS
        .into_iter()
        .filter_map(|id| {
            let found = summary.distribution(id)?;
            let samples = samples(found);
            let cells = PERCENTILES.map(|name| lacking.cell(name, summary.shown(id, name)));
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
                                <td class=if worded { "numeric muted" } else { "numeric" } data-label=percentile_name(name).to_owned()>
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
        {lacking.sentence().map(|sentence| view! { <p class="muted small">{sentence}</p> })}
    }
    .into_any()
}

/// How many samples there are. Of gaps, those that came at one moment are one observation.
fn samples(found: &Distribution) -> String {
    match found.clusters {
        Some(moments) if moments < found.n => format!("{} gaps, {} independent", grouped(found.n), grouped(moments)),
        Some(_) => format!("{} gaps", grouped(found.n)),
        None => grouped(found.n),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_say_how_many_of_them_are_independent() {
        let of = |n: u64, clusters: Option<u64>| {
            samples(
                &serde_json::from_value(
                    serde_json::json!({"mean": 1, "std": 0, "min": 1, "p25": 1, "p50": 1, "p75": 1, "p90": 1, "p95": 1,
                "p99": 1, "p999": 1, "max": 1, "n": n, "clusters": clusters}),
                )
                .unwrap(),
            )
        };
        assert_eq!(of(21_537, Some(277)), "21,537 gaps, 277 independent");
        // Moments are counted over all events, also the first of a request, which ends no gap.
        assert_eq!(of(11_788, Some(11_982)), "11,788 gaps");
        assert_eq!(of(700, None), "700");
    }
}
