//! A run's report: verdict first, then the figures with what bounds them, then what produced them.

mod chart_files;
pub mod charts;
mod errors;
mod few;
mod headline;
mod latency;
mod lengths;
mod loads;
mod notes;
mod operators;
mod over_time;
mod point;
pub mod predicted;
mod provenance;
mod repeat;
mod requests;
mod section;
mod self_check;
mod stages;
mod sweep;
mod telemetry;
pub mod title;
mod verdict;
mod what_if;

use std::collections::BTreeMap;

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use leptos_router::params::ParamsMap;

use crate::api::functions::report::{ReportPage as Data, load_report};
use crate::components::badge::FiguresMarkTips;
use crate::components::button::Look;
use crate::components::failure::Failure;
use crate::components::heading::PageHeading;
use crate::components::menu::{DialogButton, Menu};
use crate::components::metric::MetricTips;
use crate::islands::ChartCursor;
use crate::pages::live::{no_such_run, run_id};
use crate::pages::run_actions::{ActionRefused, CopyForm, DeleteForm, RunAgainForm, Subject};
use dyno_measure::report::Report;
use dyno_measure::run::RunKind;

use errors::Errors;
use headline::Headline;
use latency::Latency;
use lengths::LengthsSection;
use loads::{LoadPoints, Nodes};
use operators::Operators;
use over_time::OverTime;
use point::PointChoice;
use predicted::PredictedSection;
use provenance::Provenance;
use repeat::{COMMAND, CopyAsCommand};
use requests::Requests;
use self_check::ClientSection;
use stages::Stages;
use sweep::SweepSection;
use verdict::Verdict;
use what_if::WhatIfSection;

/// `/runs/:id/report`
#[component]
pub fn ReportPage() -> impl IntoView {
    let id = run_id();
    let query = use_query_map();
    let flash = Memo::new(move |_| query.with(|query| query.get("flash")).unwrap_or_default());
    let data = Resource::new(
        move || (id.get(), flash.get(), query.with(sliders)),
        |(id, flash, sliders)| async move {
            match id {
                Some(id) => load_report(id, flash, sliders).await,
                None => Err(no_such_run()),
            }
        },
    );
    let chosen = Memo::new(move |_| query.with(ReportQuery::of));
    view! {
        <Suspense>
            {move || {
                let chosen = chosen.get();
                Suspend::new(async move {
                    match data.await {
                        Ok(data) => view! { <ReportView data=data query=query chosen=chosen /> }.into_any(),
                        Err(error) => view! { <Failure error=error /> }.into_any(),
                    }
                })
            }}
        </Suspense>
    }
    .into_any()
}

/// The values of what-if's fields that the address has.
fn sliders(params: &ParamsMap) -> BTreeMap<String, String> {
    dyno_whatif::FIELDS.iter().filter_map(|field| Some((field.name.to_owned(), params.get(field.name)?))).collect()
}

/// What of the report the address asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ReportQuery {
    /// The figures of a result that is not valid are shown on demand only.
    figures: bool,
    /// Which load point the latency section shows; else the best.
    point: Option<usize>,
}

impl ReportQuery {
    fn of(params: &ParamsMap) -> Self {
        Self { figures: params.get("figures").is_some(), point: params.get("point").and_then(|point| point.parse().ok()) }
    }
}

/// A section of the report: its anchor, and its name in the contents.
type ReportSection = (&'static str, &'static str);

/// The parts that a report has, in order.
fn parts(report: Option<&Report>, shown: bool, point: usize, what_if: bool) -> Vec<ReportSection> {
    let mut parts = vec![("verdict", "Verdict")];
    if let Some(report) = report.filter(|_| shown) {
        parts.push(("headline", "Headline"));
        let several = report.load_points.len() > 1;
        let summary = report.load_points.get(point).map_or(&report.summary, |point| &point.summary);
        if !summary.errors.is_empty() {
            parts.push(("errors", "Errors"));
        }
        if report.search.is_some() {
            parts.push(("sweep", "Search"));
        } else if several {
            parts.push(("sweep", "Sweep"));
        }
        parts.push(("loads", "Load points"));
        if what_if {
            parts.push(("what-if", "What if"));
        }
        if operators::is_known(report) {
            parts.push(("operators", "Where the time goes"));
        }
        if report.predicted.is_some() {
            parts.push(("predicted", "Predicted and measured"));
        }
        if report.nodes.len() > 1 {
            parts.push(("nodes", "Nodes"));
        }
        if several {
            parts.push(("point", "Load point"));
        }
        parts.push(("latency", "Latency"));
        if report.series.get(point).is_some_and(|series| !series.metrics.is_empty()) {
            parts.push(("time", "Over time"));
        }
        if summary.lengths.is_some() {
            parts.push(("lengths", "Lengths"));
        }
    }
    if report.is_some() {
        parts.push(("requests", "Requests"));
        parts.push(("provenance", "Provenance"));
        if report.is_some_and(|report| report.kind == RunKind::Measured) {
            parts.push(("client", "Self-check and client"));
        }
    }
    parts.push(("stages", "Stages and logs"));
    parts
}

#[component]
fn ReportView(data: Data, query: Memo<ParamsMap>, chosen: ReportQuery) -> impl IntoView {
    let Data { live, benchmark, report, repeat, flash, what_if } = data;
    let run = live.run.clone();
    let path = format!("/runs/{}/report", run.id);
    let subject = Subject {
        run: run.id,
        benchmark: benchmark.id,
        name: benchmark.spec.name.clone(),
        kind: run.kind,
        here: path.clone(),
        after_delete: "/".to_owned(),
    };
    let valid = report.as_ref().is_none_or(|report| report.valid);
    let shown = valid || chosen.figures;
    let point =
        report.as_ref().map_or(0, |report| chosen.point.filter(|point| *point < report.load_points.len()).unwrap_or(report.best));
    let parts = parts(report.as_ref(), shown, point, what_if.is_some());
    let verdict = view! { <Verdict run=run.clone() spec=benchmark.spec.clone() report=report.clone() shown=shown /> };
    let class = if run.kind == RunKind::Simulated { "report simulated" } else { "report" };
    let slo = benchmark.spec.load.slo.clone();
    let heading = title::of_run(&run, report.as_ref(), slo.as_ref());
    let body = report.map(|report| {
        let figures = shown.then(|| {
            view! {
                <Headline report=report.clone() slo=slo.clone() />
                <Errors report=report.clone() point=point />
                <SweepSection report=report.clone() slo=slo.clone() />
                <LoadPoints report=report.clone() path=path.clone() point=point slo=slo />
                {what_if
                    .map(|what_if| {
                        let prediction = report.prediction.clone();
                        view! { <WhatIfSection what_if=what_if prediction=prediction path=path.clone() query=query /> }
                    })}
                <Operators report=report.clone() />
                <PredictedSection report=report.clone() />
                <Nodes report=report.clone() />
                <PointChoice report=report.clone() path=path.clone() point=point />
                <Latency report=report.clone() point=point />
                <OverTime report=report.clone() point=point />
                <LengthsSection report=report.clone() point=point />
            }
        });
        view! {
            {figures}
            <Requests run=run.id path=path.clone() query=query report=report.clone() />
            <Provenance report=report.clone() benchmark=benchmark.clone() />
            {(report.kind == RunKind::Measured).then(|| view! { <ClientSection report=report /> })}
        }
    });
    let command = repeat.is_some().then(|| view! { <DialogButton opens=COMMAND text="Copy as command" /> });
    view! {
        <div class=class>
            <aside class="report-contents no-print">
                <Contents parts=parts />
            </aside>
            <article class="report-body stack-loose">
                <ActionRefused flash=flash />
                <PageHeading title=heading above=format!("Report: {}", subject.name)>
                    <RunAgainForm subject=subject.clone() look=Look::Primary />
                    <Menu id="report-menu" label="More actions">
                        <ul class="menu-links">
                            <li>
                                <a href="/">"Back to history"</a>
                            </li>
                            <li>
                                <a href=format!("/runs/{}", run.id)>"Open the run's page"</a>
                            </li>
                        </ul>
                        <CopyForm subject=subject.clone() />
                        {command}
                        <DeleteForm subject=subject look=Look::Plain />
                    </Menu>
                </PageHeading>
                {verdict}
                {body}
                <Stages live=live />
                {repeat.map(|repeat| view! { <CopyAsCommand run=run.id repeat=repeat /> })}
                <MetricTips />
                <FiguresMarkTips />
                {shown.then(|| view! { <ChartCursor /> })}
            </article>
        </div>
    }
    .into_any()
}

/// Where on the page what is; folded on a phone.
#[component]
fn Contents(parts: Vec<ReportSection>) -> impl IntoView {
    let links = move || {
        parts
            .iter()
            .map(|(anchor, name)| {
                view! {
                    <li>
                        <a href=format!("#{anchor}")>{*name}</a>
                    </li>
                }
            })
            .collect_view()
    };
    view! {
        <nav class="contents-open" aria-label="Contents">
            <ol>{links.clone()()}</ol>
        </nav>
        <details class="contents-folded">
            <summary>"Contents"</summary>
            <ol>{links()}</ol>
        </details>
    }
    .into_any()
}
