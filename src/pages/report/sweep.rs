//! The load points beside each other, as charts: what a search found, what is given up for what, how much it takes, up to
//! which load it is fast enough.

use leptos::prelude::*;

use super::chart_files::files;
use super::section::Section;
use super::title::loads;
use crate::components::badge::{Badge, Tone};
use crate::components::charts::sweep::{Limit, against_load, capacity, pareto};
use crate::components::charts::{Chart, ChartFigure};
use crate::components::definition::{Definition, Definitions};
use crate::components::metric::Term;
use dyno_measure::load::Slo;
use dyno_measure::metrics::metric;
use dyno_measure::report::Report;
use dyno_measure::sweep::{Per, Sweep};
use dyno_measure::validity::SearchOutcome;

/// The sweep; nothing where the report has a single load point and no search.
#[component]
pub fn SweepSection(
    report: Report,
    /// The benchmark's latency limits.
    slo: Option<Slo>,
) -> impl IntoView {
    let search = report.search.clone();
    let sweep = Sweep::of(&report);
    if search.is_none() && sweep.is_none() {
        return ().into_any();
    }
    let title = if search.is_some() { "Search" } else { "Sweep" };
    let per = Per::of(&report);
    let (throughput, latency) = match &sweep {
        Some(sweep) => (throughputs(sweep, per), latencies(sweep, slo.as_ref())),
        None => (Vec::new(), Vec::new()),
    };
    let divided = throughput.iter().any(|chart| chart.id == PARETO).then(|| per.sentence());
    let files = files(report.run_id, report.best);
    let figure = move |chart: Chart| view! { <ChartFigure chart=chart files=files.clone() /> };
    let panels = move |charts: Vec<Chart>| {
        (!charts.is_empty())
            .then(|| view! { <div class="chart-panels">{charts.into_iter().map(figure.clone()).collect_view()}</div> })
    };
    view! {
        <Section id="sweep" title=title panel=true>
            {(!report.valid).then(|| view! { <p><Badge tone=Tone::Partial text="Not valid".to_owned() /></p> })}
            {search.map(|search| view! { <Outcome search=search /> })}
            {panels(throughput)}
            {divided
                .map(|sentence| {
                    view! {
                        <p class="muted small">
                            <Term id="output_throughput_per_gpu" />" against "<Term id="output_throughput_per_user" />". " {sentence}
                        </p>
                    }
                })}
            {panels(latency)}
        </Section>
    }
    .into_any()
}

const PARETO: &str = "sweep-pareto";

/// All charts of a sweep; none where the report has a single load point.
pub fn charts(report: &Report, slo: Option<&Slo>) -> Vec<Chart> {
    let Some(sweep) = Sweep::of(report) else { return Vec::new() };
    throughputs(&sweep, Per::of(report)).into_iter().chain(latencies(&sweep, slo)).collect()
}

/// Throughput against one user's speed, and against the load.
fn throughputs(sweep: &Sweep, per: Per) -> Vec<Chart> {
    [pareto(PARETO, sweep, per), capacity("sweep-capacity", sweep)].into_iter().flatten().collect()
}

/// The latencies against the load, those that can be drawn.
fn latencies(sweep: &Sweep, slo: Option<&Slo>) -> Vec<Chart> {
    let limit = |value: Option<f64>| slo.map(|slo| Limit { value, percentile: slo.percentile });
    let latency = |id: &'static str, value: Option<f64>| {
        against_load(&format!("sweep-{}", id.trim_end_matches("_ms")), metric(id)?, sweep, limit(value))
    };
    let ttft = latency("ttft_ms", slo.and_then(|slo| slo.ttft_ms));
    let tpot = latency("tpot_ms", slo.and_then(|slo| slo.tpot_ms));
    let limited = slo.and_then(|slo| slo.e2el_ms);
    // Where there are no tokens, or the limit is on it, the whole request is what counts.
    let e2el = (limited.is_some() || (ttft.is_none() && tpot.is_none())).then(|| latency("e2el_ms", limited)).flatten();
    [ttft, tpot, e2el].into_iter().flatten().collect()
}

/// What the search found.
#[component]
fn Outcome(search: SearchOutcome) -> impl IntoView {
    let varied = search.variable;
    let load =
        move |value: Option<f64>, absent: &'static str| value.map_or_else(|| absent.to_owned(), |value| loads(value, varied));
    view! {
        <p class="load-sentence">{search.sentence}</p>
        <Definitions>
            <Definition term="Looked between">{format!("{} and {}", dyno_measure::words::load(search.min), loads(search.max, varied))}</Definition>
            <Definition term="Largest load that met the limits">{load(search.meets_at, "none did")}</Definition>
            <Definition term="Least load above it that did not">
                {load(search.fails_at, "none: the largest allowed load met them")}
            </Definition>
        </Definitions>
    }
    .into_any()
}
