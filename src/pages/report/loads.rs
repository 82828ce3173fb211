//! Load points and nodes beside each other.

use leptos::prelude::*;

use super::few::Lacking;
use super::point::{named, point_href};
use super::section::Section;
use super::title::highest_decided;
use crate::components::charts::sweep::Limit;
use crate::components::definition::{Definition, Definitions};
use crate::components::icon::{Icon, IconName};
use crate::components::number::{figure, grouped, is_high};
use crate::components::table::{Column, DataTable};
use dyno_measure::load::Slo;
use dyno_measure::metrics::{Shown, percentile_name};
use dyno_measure::report::cost::ServingCost;
use dyno_measure::report::{LoadPoint, Report, Summary};

/// The percentile beside the median: the one that the limits name, else the highest that the samples of a summary decide.
fn high(slo: Option<&Slo>, summary: &Summary) -> &'static str {
    let limited = slo.filter(|slo| slo.ttft_ms.or(slo.tpot_ms).or(slo.e2el_ms).is_some());
    let chosen = match limited {
        Some(slo) => Limit { value: None, percentile: slo.percentile }.decides(),
        None => highest_decided(summary, "ttft_ms").map_or("p90", |(name, _)| name),
    };
    if chosen == "p50" { "p90" } else { chosen }
}

fn columns(first: &str, limited: bool, high: &'static str) -> Vec<Column> {
    let mut columns = vec![Column::text(first)];
    if limited {
        columns.push(Column::text("Meets the limits"));
    }
    let high = percentile_name(high);
    columns.extend([
        Column::figures("Requests"),
        Column::figures("Errors, %").about("error_rate"),
        Column::figures("Output tokens/s").about("output_throughput"),
        Column::figures("Requests/s").about("request_throughput"),
        Column::figures("In flight").about("achieved_concurrency"),
        Column::figures("TTFT p50, ms").about("ttft_ms"),
        Column::figures(&format!("TTFT {high}, ms")).about("ttft_ms"),
        Column::figures("TPOT p50, ms").about("tpot_ms"),
        Column::figures(&format!("TPOT {high}, ms")).about("tpot_ms"),
    ]);
    columns
}

/// Whether this percentile is the one that a limit is on, and is over it.
fn misses(summary: &Summary, id: &str, name: &str, slo: Option<&Slo>) -> bool {
    let limit = slo.and_then(|slo| match id {
        "ttft_ms" => Some((slo.ttft_ms?, slo.percentile)),
        "tpot_ms" => Some((slo.tpot_ms?, slo.percentile)),
        _ => None,
    });
    limit.is_some_and(|(most, percentile)| {
        let limit = Limit { value: Some(most), percentile };
        let is_over = matches!(summary.shown(id, name), Shown::Value { value, .. } if value > most);
        limit.is_exact() && limit.decides() == name && is_over
    })
}

/// A figure of a load point or node, by the title of its column.
struct FigureCell {
    title: String,
    text: AnyView,
    /// Whether that is words in the place of a figure.
    is_worded: bool,
}

fn figures(summary: &Summary, high: &'static str, slo: Option<&Slo>, lacking: &mut Lacking) -> Vec<FigureCell> {
    let known = |value: Option<f64>| value.map_or_else(|| "not measured".to_owned(), figure);
    let mut latency = |id: &str, name: &'static str| {
        let (text, worded) = lacking.cell(name, summary.shown(id, name));
        if misses(summary, id, name, slo) {
            let text = view! {
                <span class="limit-missed">
                    <Icon name=IconName::Cross />
                    <span class="visually-hidden">"over the limit "</span>
                    {text}
                </span>
            };
            return (text.into_any(), worded);
        }
        (text, worded)
    };
    let plain = |text: String| (text.into_any(), false);
    let errors = figure(summary.error_rate * 100.0);
    let errors = if is_high(summary.error_rate) {
        view! { <span class="attention"><Icon name=IconName::Warning />{errors}</span> }.into_any()
    } else {
        errors.into_any()
    };
    let name = percentile_name(high);
    let all = [
        ("Requests".to_owned(), plain(grouped(summary.total_requests))),
        ("Errors, %".to_owned(), (errors, false)),
        ("Output tokens/s".to_owned(), plain(known(summary.output_throughput))),
        ("Requests/s".to_owned(), plain(known(summary.request_throughput))),
        ("In flight".to_owned(), plain(known(summary.achieved_concurrency))),
        ("TTFT p50, ms".to_owned(), latency("ttft_ms", "p50")),
        (format!("TTFT {name}, ms"), latency("ttft_ms", high)),
        ("TPOT p50, ms".to_owned(), latency("tpot_ms", "p50")),
        (format!("TPOT {name}, ms"), latency("tpot_ms", high)),
    ];
    all.into_iter().map(|(title, (text, is_worded))| FigureCell { title, text, is_worded }).collect()
}

fn cells(summary: &Summary, high: &'static str, slo: Option<&Slo>, lacking: &mut Lacking) -> impl IntoView + use<> {
    figures(summary, high, slo, lacking)
        .into_iter()
        .map(|cell| {
            view! {
                <td class=if cell.is_worded { "numeric muted" } else { "numeric" } data-label=cell.title>
                    {cell.text}
                </td>
            }
        })
        .collect_view()
}

/// Whether a load point meets the limits, as a mark with its word.
fn decided(load: &LoadPoint) -> AnyView {
    match load.meets_slo {
        Some(true) => view! { <span class="limit-met"><Icon name=IconName::Tick />"yes"</span> }.into_any(),
        Some(false) if load.ended_early => {
            view! { <span class="limit-missed"><Icon name=IconName::Cross />"no, ended early"</span> }.into_any()
        }
        Some(false) => view! { <span class="limit-missed"><Icon name=IconName::Cross />"no"</span> }.into_any(),
        None => view! { <span class="muted">"not enough samples"</span> }.into_any(),
    }
}

/// A load point on a phone: a line with the figures that decide, and the others folded.
fn fold(name: String, chosen: bool, load: &LoadPoint, href: Option<String>, high: &'static str, slo: Option<&Slo>) -> AnyView {
    let high_name = percentile_name(high);
    let deciding = ["Output tokens/s".to_owned(), format!("TTFT {high_name}, ms"), format!("TPOT {high_name}, ms")];
    let (first, rest): (Vec<FigureCell>, Vec<FigureCell>) =
        figures(&load.summary, high, slo, &mut Lacking::default()).into_iter().partition(|cell| deciding.contains(&cell.title));
    let first = first.into_iter().map(|cell| {
        view! {
            <span class="load-fold-figure">
                <span class="muted">{format!("{} ", cell.title)}</span>
                {cell.text}
            </span>
        }
    });
    let rest = rest.into_iter().map(|cell| view! { <Definition term=cell.title>{cell.text}</Definition> });
    let limits =
        slo.map(|_| view! { <span class="load-fold-figure"><span class="muted">"Limits met: "</span> {decided(load)}</span> });
    view! {
        <li>
            <details>
                <summary>
                    <strong>{name} {chosen.then(|| view! { " " <Icon name=IconName::Star /> " chosen" })}</strong>
                    <span class="load-fold-figures">{limits} {first.collect_view()}</span>
                </summary>
                <Definitions>{rest.collect_view()}</Definitions>
                {href.map(|href| view! { <p><a href=href>"Its latencies"</a></p> })}
            </details>
        </li>
    }
    .into_any()
}

fn cost_label(cost: ServingCost<'_>) -> String {
    format!("{} per million output tokens", cost.currency)
}

/// What a million output tokens cost at this load.
fn cost_cell(cost: ServingCost<'_>, summary: &Summary) -> impl IntoView + use<> {
    let per_million = summary.output_throughput.and_then(|throughput| cost.per_million_tokens(throughput));
    let words = per_million.map_or_else(|| "not measured".to_owned(), figure);
    view! {
        <td class="numeric" data-label=cost_label(cost)>
            {words}
        </td>
    }
}

/// Each load point; with several, the one that the latency section shows can be chosen.
#[component]
pub fn LoadPoints(
    report: Report,
    path: String,
    /// The load point that is shown above.
    point: usize,
    /// The benchmark's latency limits.
    slo: Option<Slo>,
) -> impl IntoView {
    let several = report.load_points.len() > 1;
    let run = report.run_id;
    let (best, valid) = (report.best, report.valid);
    let (limited, high) = (slo.is_some(), high(slo.as_ref(), &report.summary));
    let serving = report.provenance.clone();
    let cost = serving.serving_cost();
    let mut all_columns = columns("Load", limited, high);
    all_columns.extend(cost.map(|cost| Column::figures(&cost_label(cost)).about("cost_per_million_output_tokens")));
    let mut lacking = Lacking::default();
    // A search puts loads on in another order than people read them in.
    let names: Vec<String> =
        (0..report.load_points.len()).map(|index| named(&report.load_points, index).unwrap_or_default()).collect();
    let mut points: Vec<(usize, LoadPoint)> = report.load_points.into_iter().enumerate().collect();
    points.sort_by(|(_, a), (_, b)| load_of(a).total_cmp(&load_of(b)));
    let folds = points
        .iter()
        .map(|(index, load)| {
            let href = several.then(|| point_href(&path, *index, !valid));
            fold(names[*index].clone(), several && valid && *index == best, load, href, high, slo.as_ref())
        })
        .collect_view();
    let rows = points
        .into_iter()
        .map(|(index, load)| {
            let name = names[index].clone();
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
            let decided = limited.then(|| view! { <td data-label="Meets the limits">{decided(&load)}</td> });
            view! {
                <tr>
                    <th scope="row">{name} {mark}</th>
                    {decided}
                    {cells(&load.summary, high, slo.as_ref(), &mut lacking)}
                    {cost.map(|cost| cost_cell(cost, &load.summary))}
                </tr>
            }
        })
        .collect_view();
    view! {
        <Section id="loads" title="Load points">
            <div class="phone-hidden">
                <DataTable caption="One offered load a row" columns=all_columns blocks=true>
                    {rows}
                </DataTable>
            </div>
            <ul class="load-folds phone-only">{folds}</ul>
            {lacking.sentence().map(|sentence| view! { <p class="muted small">{sentence}</p> })}
            <p class="small">
                "All figures: " <a href=format!("/runs/{run}/report/loads.csv") download>"CSV"</a>
            </p>
        </Section>
    }
    .into_any()
}

/// The offered load as a number.
fn load_of(point: &LoadPoint) -> f64 {
    point.concurrency.map(f64::from).or(point.rate).unwrap_or(0.0)
}

/// Each node's share, where there are several.
#[component]
pub fn Nodes(report: Report) -> impl IntoView {
    (report.nodes.len() > 1).then(|| {
        let high = high(None, &report.summary);
        let mut lacking = Lacking::default();
        let rows = report
            .nodes
            .into_iter()
            .map(|node| {
                view! {
                    <tr>
                        <th scope="row">{node.hostname}</th>
                        {cells(&node.summary, high, None, &mut lacking)}
                    </tr>
                }
            })
            .collect_view();
        view! {
            <Section id="nodes" title="Nodes">
                <DataTable caption="One node's share of the run a row" columns=columns("Node", false, high) blocks=true>
                    {rows}
                </DataTable>
                {lacking.sentence().map(|sentence| view! { <p class="muted small">{sentence}</p> })}
            </Section>
        }
    })
}
