//! Load points and nodes beside each other.

use leptos::prelude::*;

use super::verdict::offered;
use crate::components::number::{few_samples, figure, grouped, percent};
use crate::components::table::{Column, DataTable};
use crate::domain::metrics::Shown;
use crate::domain::report::{Report, Summary};

fn columns(first: &str) -> Vec<Column> {
    vec![
        Column::text(first),
        Column::figures("Requests"),
        Column::figures("Errors, %"),
        Column::figures("Output tokens/s"),
        Column::figures("Requests/s"),
        Column::figures("In flight"),
        Column::figures("TTFT p50, ms"),
        Column::figures("TTFT p99, ms"),
        Column::figures("TPOT p50, ms"),
        Column::figures("TPOT p99, ms"),
    ]
}

fn cells(summary: &Summary) -> impl IntoView + use<> {
    let known = |value: Option<f64>| value.map_or_else(|| "not measured".to_owned(), figure);
    let latency = |id: &str, name: &str| match summary.shown(id, name) {
        Shown::Value { value, .. } => figure(value),
        Shown::TooFew { have, need } => few_samples(have, need),
        Shown::Absent => "not measured".to_owned(),
    };
    let texts = [
        ("Requests", grouped(summary.total_requests)),
        ("Errors, %", percent(summary.error_rate).trim_end_matches('%').to_owned()),
        ("Output tokens/s", known(summary.output_throughput)),
        ("Requests/s", known(summary.request_throughput)),
        ("In flight", known(summary.achieved_concurrency)),
        ("TTFT p50, ms", latency("ttft_ms", "p50")),
        ("TTFT p99, ms", latency("ttft_ms", "p99")),
        ("TPOT p50, ms", latency("tpot_ms", "p50")),
        ("TPOT p99, ms", latency("tpot_ms", "p99")),
    ];
    texts.map(|(label, text)| view! { <td class="numeric" data-label=label>{text}</td> }).collect_view()
}

/// Each load point; with several, the one that the latency section shows can be chosen.
#[component]
pub fn LoadPoints(
    /// The report.
    report: Report,
    /// The page's path.
    path: String,
    /// The load point that is shown above.
    point: usize,
) -> impl IntoView {
    let several = report.load_points.len() > 1;
    let (best, valid) = (report.best, report.valid);
    let rows = report
        .load_points
        .into_iter()
        .enumerate()
        .map(|(index, load)| {
            let name = offered(&load);
            let slo = load.meets_slo.map(|meets| if meets { " (meets the limits)" } else { " (misses the limits)" });
            let mark = (several && valid && index == best).then_some(" (best)");
            let name = if several && index != point {
                view! { <a href=format!("{path}?point={index}&figures=shown#latency")>{name}</a> }.into_any()
            } else {
                name.into_any()
            };
            view! {
                <tr>
                    <th scope="row">{name} {mark} {slo}</th>
                    {cells(&load.summary)}
                </tr>
            }
        })
        .collect_view();
    view! {
        <section id="loads" class="stack" aria-labelledby="loads-title">
            <h2 id="loads-title">"Load points"</h2>
            <DataTable caption="One offered load a row" columns=columns("Load") blocks=true>
                {rows}
            </DataTable>
        </section>
    }
    .into_any()
}

/// Each node's share, where there are several.
#[component]
pub fn Nodes(
    /// The report.
    report: Report,
) -> impl IntoView {
    (report.nodes.len() > 1).then(|| {
        let rows = report
            .nodes
            .into_iter()
            .map(|node| {
                view! {
                    <tr>
                        <th scope="row">{node.hostname}</th>
                        {cells(&node.summary)}
                    </tr>
                }
            })
            .collect_view();
        view! {
            <section id="nodes" class="stack" aria-labelledby="nodes-title">
                <h2 id="nodes-title">"Nodes"</h2>
                <DataTable caption="One node's share of the run a row" columns=columns("Node") blocks=true>
                    {rows}
                </DataTable>
            </section>
        }
    })
}
