//! The verdict: state, kind and validity as separate marks, the reason, and what was done in one sentence.

use leptos::prelude::*;

use super::notes::Notes;
use super::point::offered;
use super::title::Edge;
use crate::components::badge::{Badge, FiguresBadge, FiguresMark, KindBadge, RunBadge, Tone};
use crate::components::banner::{Banner, Notice};
use crate::components::button::LinkButton;
use crate::components::number::{count, duration, figure, grouped, is_high, percent};
use crate::components::time::Time;
use crate::domain::benchmark::BenchmarkSpec;
use crate::domain::run::Run;
use crate::domain::workflow::sentence::load_words;
use dyno_measure::plan::load_points;
use dyno_measure::report::{Distribution, LoadPoint, Prediction, Report, Summary};
use dyno_measure::run::{RunKind, RunStatus};
use dyno_measure::sweep::Sweep;
use dyno_measure::words;

/// What is to be thought of the run.
#[component]
pub fn Verdict(
    run: Run,
    spec: BenchmarkSpec,
    report: Option<Report>,
    /// Whether the figures are shown although they are not valid.
    shown: bool,
) -> impl IntoView {
    let refused = report.as_ref().filter(|report| !report.valid).map(|report| report.invalid_reasons.clone());
    let notes = report.as_ref().map(|report| report.notes.clone()).unwrap_or_default();
    let sentence = report.as_ref().map_or_else(|| plan(&spec, run.kind), |report| done(report, &spec));
    let prediction = report.as_ref().and_then(|report| report.prediction.as_ref()).map(worth);
    let between = report.as_ref().filter(|report| report.valid && spec.load.slo.is_some()).and_then(|report| {
        let sweep = Sweep::of(report)?;
        Edge::of(report, &sweep).between(&sweep)
    });
    let marks = report.as_ref().map(marks);
    let here = format!("/runs/{}/report", run.id);
    view! {
        <section id="verdict" class="stack" aria-label="Verdict">
            <div class="row">
                <RunBadge status=run.status />
                <KindBadge kind=run.kind />
                {marks}
                <span class="muted">{run.ended_at.map(|at| view! { "ended " <Time at=at /> })}</span>
            </div>
            {standing(&run)}
            {refused
                .map(|reasons| {
                    view! {
                        <Banner notice=Notice::Warning>
                            <ul>{reasons.into_iter().map(|reason| view! { <li>{reason}</li> }).collect_view()}</ul>
                            {if shown {
                                view! { <p>"They are shown below on demand; they are never called best and never compared."</p> }.into_any()
                            } else {
                                view! {
                                    <div class="actions">
                                        <a class="button" href=format!("{here}?figures=shown#headline")>
                                            "Show figures anyway"
                                        </a>
                                    </div>
                                }
                                    .into_any()
                            }}
                        </Banner>
                    }
                })}
            {between.map(|sentence| view! { <p>{sentence}</p> })}
            <p class="load-sentence">{sentence}</p>
            {prediction.map(|sentence| view! { <p class="simulated-standing">{sentence}</p> })}
            <Notes notes=notes />
        </section>
    }
    .into_any()
}

/// What simulated figures are worth, in a sentence.
fn worth(prediction: &Prediction) -> String {
    let error = prediction.error_words().map(|error| format!("; {error}")).unwrap_or_default();
    format!("These figures are simulated, not measured. {}{error}.", prediction.standing_words())
}

/// What the figures are worth: the client, the time, the errors. Nobody measured a simulation.
fn marks(report: &Report) -> AnyView {
    if report.kind == RunKind::Simulated {
        let lost = is_high(report.summary.error_rate);
        let errors = lost.then(|| format!("{} not served", percent(report.summary.error_rate)));
        return errors.map(|text| view! { <Badge tone=Tone::Partial text=text /> }).into_any();
    }
    let checked = report.self_check.as_ref().is_some_and(|check| check.failed.is_none());
    let client = FiguresMark::of_client(report.valid, checked);
    let summary = &report.summary;
    let short = (summary.successful_requests > 0 && summary.steady_state.is_none())
        .then(|| view! { <FiguresBadge mark=FiguresMark::Short /> });
    let errors = is_high(summary.error_rate).then(|| {
        view! { <Badge tone=Tone::Partial text=format!("{} errors", percent(summary.error_rate)) /> }
    });
    view! {
        <FiguresBadge mark=client />
        {short}
        {errors}
    }
    .into_any()
}

/// How the run ended, where that is not plain.
fn standing(run: &Run) -> Option<AnyView> {
    let reason = run.reason.clone().unwrap_or_default();
    let watch = format!("/runs/{}", run.id);
    match run.status {
        RunStatus::Succeeded => None,
        RunStatus::Queued | RunStatus::Running | RunStatus::Cancelling => Some(
            view! {
                <Banner notice=Notice::Info>
                    <p>"The run goes on: there is no report yet."</p>
                    <div class="actions">
                        <LinkButton href=watch text="Watch the run" />
                    </div>
                </Banner>
            }
            .into_any(),
        ),
        RunStatus::Failed | RunStatus::Interrupted => {
            Some(view! { <Banner notice=Notice::Error><p>{reason}</p></Banner> }.into_any())
        }
        RunStatus::Partial | RunStatus::Cancelled => {
            Some(view! { <Banner notice=Notice::Warning><p>{reason}</p></Banner> }.into_any())
        }
    }
}

fn where_and_what(spec: &BenchmarkSpec) -> String {
    let nodes: Vec<&str> = spec.nodes.iter().map(|node| node.hostname.as_str()).collect();
    match (spec.serving.engine, nodes.as_slice()) {
        (Some(engine), []) => format!("{} on {}", spec.model.name, engine.title()),
        (Some(engine), nodes) => format!("{} on {}, {}", spec.model.name, engine.title(), nodes.join(", ")),
        (None, _) => format!("{}, a provider's model", spec.model.name),
    }
}

/// What was asked for.
fn asked_lengths(spec: &BenchmarkSpec) -> String {
    let tokens = |number: Option<u32>| number.map(|number| grouped(u64::from(number)));
    match (tokens(spec.load.max_input_tokens), tokens(spec.load.max_output_tokens)) {
        (Some(input), Some(output)) => format!(", {input} tokens in and at most {output} out"),
        (None, Some(output)) => format!(", prompts of datasets, at most {output} tokens out"),
        _ => ", prompts of datasets".to_owned(),
    }
}

/// What was sent and received, on average: ", 128 tokens in and 33 of at most 64 out".
fn lengths(summary: &Summary) -> String {
    let Some(lengths) = &summary.lengths else { return String::new() };
    let mean = |found: &Option<Distribution>| found.as_ref().map(|found| found.mean);
    let tokens = |mean: f64| if mean < 10.0 && mean.fract() != 0.0 { figure(mean) } else { grouped(mean.round() as u64) };
    let input = mean(&lengths.input).or(mean(&lengths.requested_input)).map(|input| format!("{} tokens in", tokens(input)));
    let output = mean(&lengths.output).map(|output| match mean(&lengths.requested_output) {
        Some(limit) if limit - output >= 0.5 => format!("{} of at most {} out", tokens(output), tokens(limit)),
        Some(_) | None => format!("{} out", tokens(output)),
    });
    let parts: Vec<String> = input.into_iter().chain(output).collect();
    if parts.is_empty() { String::new() } else { format!(", {}", parts.join(" and ")) }
}

/// What was done, in one sentence.
fn done(report: &Report, spec: &BenchmarkSpec) -> String {
    if let Some(sweep) = Sweep::of(report) {
        return swept(report, spec, &sweep);
    }
    let summary = &report.summary;
    let load = report.load_points.get(report.best).map(offered).unwrap_or_default();
    let ended = match summary.failed_requests + summary.dropped_requests {
        0 => "all succeeded".to_owned(),
        failed => format!("{} succeeded, {} did not", grouped(summary.successful_requests), grouped(failed)),
    };
    format!(
        "{}: {}, {load}{}, in {}; {ended}.",
        where_and_what(spec),
        count(summary.total_requests, "request", "requests"),
        lengths(summary),
        duration((summary.duration_s * 1000.0) as u64),
    )
}

/// What a sweep did, in one sentence.
fn swept(report: &Report, spec: &BenchmarkSpec, sweep: &Sweep) -> String {
    let points = &sweep.points;
    let sum = |of: fn(&LoadPoint) -> u64| report.load_points.iter().map(of).sum::<u64>();
    let all = sum(|point| point.summary.total_requests);
    let bad = sum(|point| point.summary.failed_requests + point.summary.dropped_requests);
    let range = match (points.first(), points.last()) {
        (Some(first), Some(last)) => format!(" from {} to {}", words::load(first.load), offered(&last.point)),
        _ => String::new(),
    };
    let ended = match bad {
        0 => "all requests succeeded".to_owned(),
        bad => format!("{} of {} did not succeed", grouped(bad), count(all, "request", "requests")),
    };
    let none_meets = report.load_points.iter().all(|point| point.meets_slo == Some(false));
    let chosen = sweep.chosen.and_then(|index| report.load_points.get(index)).filter(|_| !none_meets);
    let chosen = chosen.map(|point| format!(" Chosen: {}.", offered(point)));
    let chosen = chosen.unwrap_or_else(|| if none_meets { " No load meets the limits.".to_owned() } else { String::new() });
    let measured = count(report.load_points.len() as u64, "load point", "load points");
    // A search measures loads twice.
    let loads = match points.len() {
        loads if loads < report.load_points.len() => format!("{measured} at {}", count(loads as u64, "load", "loads")),
        _ => measured,
    };
    format!(
        "{}: {loads}{range}, {} in all{}; {ended}.{chosen}",
        where_and_what(spec),
        count(all, "request", "requests"),
        lengths(&report.summary),
    )
}

/// What should have been done.
fn plan(spec: &BenchmarkSpec, kind: RunKind) -> String {
    let done = if kind == RunKind::Simulated { "simulated" } else { "measured" };
    let load = load_words(&spec.load, &spec.datasets);
    let is_trace = spec.datasets.iter().any(|dataset| dataset.format.is_trace());
    let points = load_points(&spec.load, is_trace);
    // How many a search sends is found as it goes.
    let searches = spec.load.slo.as_ref().is_some_and(|slo| slo.search.is_some());
    let all = points.iter().map(|point| point.requests().map(u64::from)).sum::<Option<u64>>();
    match all.filter(|_| !searches) {
        Some(requests) => {
            let requests = count(requests, "request", "requests");
            format!("{}: {requests}, {load}{}. Nothing was {done}.", where_and_what(spec), asked_lengths(spec))
        }
        None => format!("{}: {load}{}. Nothing was {done}.", where_and_what(spec), asked_lengths(spec)),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_was_received_is_said_beside_what_was_asked_for() {
        let of = |mean: f64| {
            serde_json::json!({"mean": mean, "std": 0, "min": mean, "p25": mean, "p50": mean, "p75": mean, "p90": mean,
            "p95": mean, "p99": mean, "p999": mean, "max": mean, "n": 9})
        };
        let said = |lengths: serde_json::Value| {
            super::lengths(&serde_json::from_value(serde_json::json!({ "lengths": lengths })).unwrap())
        };
        assert_eq!(
            said(serde_json::json!({ "input": of(128.2), "output": of(33.4), "requested_output": of(64.0) })),
            ", 128 tokens in and 33 of at most 64 out"
        );
        assert_eq!(
            said(serde_json::json!({ "requested_input": of(1280.0), "output": of(64.0), "requested_output": of(64.0) })),
            ", 1,280 tokens in and 64 out"
        );
        assert_eq!(said(serde_json::json!({})), "");
    }
}
