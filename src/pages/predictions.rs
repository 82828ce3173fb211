//! Predicted against measured, over all runs that the simulator has looked at.

use leptos::prelude::*;

use crate::api::functions::predictions::load_predictions;
use crate::components::banner::Empty;
use crate::components::button::LinkButton;
use crate::components::charts::ChartFigure;
use crate::components::charts::predicted::{ScatterPoint, scatter};
use crate::components::failure::Failure;
use crate::components::heading::PageHeading;
use crate::components::number::{figure, grouped, of_kind};
use crate::components::table::{Column, DataTable};
use crate::domain::engine::title_of;
use crate::domain::predictions::{ErrorSummary, PredictedRun, errors};
use crate::pages::report::predicted::{error_words, metric_title};
use dyno_measure::report::Compared;
use dyno_measure::run::RunKind;

const METRICS: [&str; 4] = ["ttft_ms", "tpot_ms", "e2el_ms", "output_throughput"];

/// `/clusters/predictions`
#[component]
pub fn PredictionsPage() -> impl IntoView {
    let data = Resource::new(|| (), |()| load_predictions());
    view! {
        <Suspense>
            {move || Suspend::new(async move {
                match data.await {
                    Ok(runs) => view! { <Predictions runs=runs /> }.into_any(),
                    Err(error) => view! { <Failure error=error /> }.into_any(),
                }
            })}
        </Suspense>
    }
}

#[component]
fn Predictions(runs: Vec<PredictedRun>) -> impl IntoView {
    let body = if runs.is_empty() {
        view! {
            <Empty message="No measured run was predicted yet. The simulator looks at each valid measured run whose engine Dyno started, once no run is at work.">
                <LinkButton href="/benchmarks/new" text="New benchmark" />
            </Empty>
        }
        .into_any()
    } else {
        view! {
            <section class="stack">
                <h2>"Median error"</h2>
                {summaries(&errors(&runs))}
            </section>
            <section class="stack">
                <h2>"Predicted against measured"</h2>
                {charts(&runs)}
            </section>
            <section class="stack">
                <h2>"Runs"</h2>
                {table(&runs)}
            </section>
        }
        .into_any()
    };
    view! {
        <div class="inventory stack-loose">
            <a class="back" href="/clusters">"All clusters"</a>
            <PageHeading title="Predicted and measured" />
            <p class="hint">
                "What the simulator expected of each measured run, before it had learnt from it: means over a load point's requests. Its factors are fitted again after each run."
            </p>
            {body}
        </div>
    }
    .into_any()
}

fn summaries(errors: &[ErrorSummary]) -> AnyView {
    let mut columns =
        vec![Column::text("Devices"), Column::text("Engine"), Column::figures("Runs"), Column::figures("Load points")];
    columns.extend(["TTFT", "TPOT", "E2E", "Throughput"].map(|name| Column::figures(&format!("{name}, %"))));
    let row = |summary: &ErrorSummary| {
        let medians =
            ["TTFT, %", "TPOT, %", "E2E, %", "Throughput, %"].into_iter().zip(summary.medians).map(|(label, median)| {
                let text = median.map_or_else(|| "not measured".to_owned(), |median| format!("{median:.1}"));
                view! { <td class="numeric" data-label=label>{text}</td> }
            });
        view! {
            <tr>
                <th scope="row">{summary.devices.clone()}</th>
                <td data-label="Engine">{title_of(&summary.engine).to_owned()}</td>
                <td class="numeric" data-label="Runs">{grouped(summary.runs as u64)}</td>
                <td class="numeric" data-label="Load points">{grouped(summary.load_points as u64)}</td>
                {medians.collect_view()}
            </tr>
        }
    };
    let rows = errors.iter().map(row).collect_view();
    view! {
        <DataTable caption="Median of the absolute error by devices and engine" caption_hidden=true columns=columns blocks=true>
            {rows}
        </DataTable>
    }
    .into_any()
}

fn charts(runs: &[PredictedRun]) -> AnyView {
    let points = |id: &str| -> Vec<ScatterPoint> {
        let of = |run: &PredictedRun| -> Vec<ScatterPoint> {
            let named = run.predicted.load_points.iter().flat_map(|point| {
                let load = run.loads.get(point.load_point).cloned().unwrap_or_default();
                let compared = point.figures().into_iter().filter(|(name, _)| *name == id).filter_map(|(_, compared)| compared);
                compared.map(move |compared| (format!("{}, {load}", run.name), compared)).collect::<Vec<_>>()
            });
            named.collect()
        };
        runs.iter().flat_map(of).collect()
    };
    METRICS
        .into_iter()
        .filter_map(|id| scatter(&format!("scatter-{id}"), &metric_title(id), &points(id)))
        .map(|chart| view! { <ChartFigure chart=chart /> })
        .collect_view()
        .into_any()
}

fn table(runs: &[PredictedRun]) -> AnyView {
    let mut columns = vec![Column::text("Run"), Column::text("Model"), Column::text("Load"), Column::text("Rested on")];
    columns.extend(METRICS.map(|id| Column::figures(&metric_title(id))));
    let rows = runs
        .iter()
        .flat_map(|run| {
            run.predicted.load_points.iter().map(|point| {
                let load = run.loads.get(point.load_point).cloned().unwrap_or_default();
                let cells = point.figures().map(|(id, compared)| {
                    view! { <td class="numeric" data-label=metric_title(id)>{cell(compared)}</td> }
                });
                view! {
                    <tr>
                        <th scope="row">
                            <a href=format!("/runs/{}/report#predicted", run.id)>{run.name.clone()}</a>
                        </th>
                        <td data-label="Model">{run.model.clone()}</td>
                        <td data-label="Load">{load}</td>
                        <td data-label="Rested on">{run.predicted.basis.standing_words()}</td>
                        {cells.into_iter().collect_view()}
                    </tr>
                }
            })
        })
        .collect_view();
    view! {
        <DataTable caption="Predicted, measured and error of each load point" caption_hidden=true columns=columns blocks=true>
            {rows}
        </DataTable>
    }
    .into_any()
}

fn cell(compared: Option<Compared>) -> String {
    compared.map_or_else(
        || "not measured".to_owned(),
        |compared| {
            format!(
                "{} / {} ({})",
                of_kind(RunKind::Simulated, figure(compared.predicted)),
                figure(compared.measured),
                error_words(compared.error_pct)
            )
        },
    )
}
