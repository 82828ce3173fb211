//! Load points and nodes beside each other.

use leptos::prelude::*;

use super::point::point_href;
use super::verdict::offered;
use crate::components::icon::{Icon, IconName};
use crate::components::number::{few_samples, figure, grouped, percent};
use crate::components::table::{Column, DataTable};
use crate::domain::metrics::Shown;
use crate::domain::report::{Report, Summary};

fn columns(first: &str, limited: bool) -> Vec<Column> {
    let mut columns = vec![Column::text(first)];
    if limited {
        columns.push(Column::text("Meets the limits"));
    }
    columns.extend([
        Column::figures("Requests"),
        Column::figures("Errors, %").about("error_rate"),
        Column::figures("Output tokens/s").about("output_throughput"),
        Column::figures("Requests/s").about("request_throughput"),
        Column::figures("In flight").about("achieved_concurrency"),
        Column::figures("TTFT p50, ms").about("ttft_ms"),
        Column::figures("TTFT p99, ms").about("ttft_ms"),
        Column::figures("TPOT p50, ms").about("tpot_ms"),
        Column::figures("TPOT p99, ms").about("tpot_ms"),
    ]);
    columns
}

fn cells(summary: &Summary) -> impl IntoView + use<> {
    let known = |value: Option<f64>| value.map_or_else(|| "not measured".to_owned(), figure);
    let latency = |id: &str, name: &str| match summary.shown(id, name) {
        Shown::Value { value, .. } => (figure(value), false),
        Shown::TooFew { have, need } => (few_samples(have, need), true),
        Shown::Absent => ("not measured".to_owned(), true),
    };
    let plain = |text: String| (text, false);
    let cells = [
        ("Requests", plain(grouped(summary.total_requests))),
        ("Errors, %", plain(percent(summary.error_rate).trim_end_matches('%').to_owned())),
        ("Output tokens/s", plain(known(summary.output_throughput))),
        ("Requests/s", plain(known(summary.request_throughput))),
        ("In flight", plain(known(summary.achieved_concurrency))),
        ("TTFT p50, ms", latency("ttft_ms", "p50")),
        ("TTFT p99, ms", latency("ttft_ms", "p99")),
        ("TPOT p50, ms", latency("tpot_ms", "p50")),
        ("TPOT p99, ms", latency("tpot_ms", "p99")),
    ];
    cells
        .map(|(label, (text, worded))| {
            view! {
                <td class=if worded { "numeric muted few" } else { "numeric" } data-label=label>
                    {text}
                </td>
            }
        })
        .collect_view()
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
    /// Whether the benchmark has latency limits.
    limited: bool,
) -> impl IntoView {
    let several = report.load_points.len() > 1;
    let (best, valid) = (report.best, report.valid);
    let rows = report
        .load_points
        .into_iter()
        .enumerate()
        .map(|(index, load)| {
            let name = offered(&load);
            let name = if several {
                let current = (index == point).then_some("true");
                view! {
                    <a href=point_href(&path, index, !valid) aria-current=current>
                        {name}
                    </a>
                }
                .into_any()
            } else {
                name.into_any()
            };
            let mark = (several && valid && index == best)
                .then(|| view! { " " <span class="nowrap"><Icon name=IconName::Star />" chosen"</span> });
            let decided = limited.then(|| {
                let (class, text) = match load.meets_slo {
                    Some(true) => ("", "yes"),
                    Some(false) => ("", "no"),
                    None => ("muted few", "not enough samples"),
                };
                view! { <td class=class data-label="Meets the limits">{text}</td> }
            });
            view! {
                <tr>
                    <th scope="row">{name} {mark}</th>
                    {decided}
                    {cells(&load.summary)}
                </tr>
            }
        })
        .collect_view();
    view! {
        <section id="loads" class="stack" aria-labelledby="loads-title">
            <h2 id="loads-title">"Load points"</h2>
            <DataTable caption="One offered load a row" columns=columns("Load", limited) blocks=true>
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
                <DataTable caption="One node's share of the run a row" columns=columns("Node", false) blocks=true>
                    {rows}
                </DataTable>
            </section>
        }
    })
}
