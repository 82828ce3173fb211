//! The verdict: state, kind and validity as separate marks, the reason, and what was done in one sentence.

use leptos::prelude::*;

use crate::components::badge::{KindBadge, RunBadge, ValidityBadge};
use crate::components::banner::{Banner, Notice};
use crate::components::button::LinkButton;
use crate::components::number::{count, duration, grouped};
use crate::components::time::Time;
use crate::domain::benchmark::BenchmarkSpec;
use crate::domain::report::{LoadPoint, Report};
use crate::domain::run::{Run, RunStatus};
use crate::domain::sweep::Sweep;
use crate::domain::workflow::fields::join_words;
use crate::domain::workflow::sentence::load_words;
use dyno_measure::load::OfferedLoad;
use dyno_measure::words;

/// What is to be thought of the run.
#[component]
pub fn Verdict(
    /// The run.
    run: Run,
    /// Its benchmark.
    spec: BenchmarkSpec,
    /// What it measured.
    report: Option<Report>,
    /// Whether the figures are shown although they are not valid.
    shown: bool,
) -> impl IntoView {
    let valid = report.as_ref().map(|report| report.valid);
    let refused = report.as_ref().filter(|report| !report.valid).map(|report| report.invalid_reasons.clone());
    let refused = refused.map(|reasons| together(&reasons));
    let notes = report.as_ref().map(|report| together(&report.notes)).unwrap_or_default();
    let sentence = report.as_ref().map_or_else(|| plan(&spec), |report| done(report, &spec));
    let here = format!("/runs/{}/report", run.id);
    view! {
        <section id="verdict" class="stack" aria-label="Verdict">
            <div class="row">
                <RunBadge status=run.status />
                <KindBadge kind=run.kind />
                <ValidityBadge valid=valid />
                <span class="muted">{run.ended_at.map(|at| view! { "ended " <Time at=at /> })}</span>
            </div>
            {standing(&run)}
            {refused
                .map(|reasons| {
                    view! {
                        <Banner notice=Notice::Warning>
                            <p>
                                <strong>"The figures are not valid."</strong>
                            </p>
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
            <p class="load-sentence">{sentence}</p>
            {(!notes.is_empty())
                .then(|| view! { <ul class="small">{notes.into_iter().map(|note| view! { <li>{note}</li> }).collect_view()}</ul> })}
        </section>
    }
    .into_any()
}

/// What is said of several load points in the same words is said once: "… (load points 2 to 8)."
fn together(said: &[String]) -> Vec<String> {
    let parts = |text: &str| -> Option<(String, u32)> {
        let (words, rest) = text.rsplit_once(" (load point ")?;
        Some((words.to_owned(), rest.trim_end_matches('.').trim_end_matches(')').parse().ok()?))
    };
    let mut grouped: Vec<(String, Vec<u32>)> = Vec::new();
    for text in said {
        let (words, number) = parts(text).map_or_else(|| (text.clone(), None), |(words, number)| (words, Some(number)));
        match grouped.iter_mut().find(|(own, numbers)| *own == words && number.is_some() && !numbers.is_empty()) {
            Some((_, numbers)) => numbers.extend(number),
            None => grouped.push((words, number.into_iter().collect())),
        }
    }
    let of = |(words, numbers): (String, Vec<u32>)| match numbers.as_slice() {
        [] => words,
        [number] => format!("{words} (load point {number})."),
        [first, .., last] if last - first + 1 == numbers.len() as u32 => format!("{words} (load points {first} to {last})."),
        _ => {
            let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
            format!("{words} (load points {}).", join_words(&numbers))
        }
    };
    grouped.into_iter().map(of).collect()
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

/// A load point's offered load in words.
pub fn offered(point: &LoadPoint) -> String {
    point.offered().map_or_else(|| "its load".to_owned(), OfferedLoad::words)
}

fn where_and_what(spec: &BenchmarkSpec) -> String {
    let nodes: Vec<&str> = spec.nodes.iter().map(|node| node.hostname.as_str()).collect();
    match (spec.serving.engine, nodes.as_slice()) {
        (Some(engine), []) => format!("{} on {}", spec.model.name, engine.title()),
        (Some(engine), nodes) => format!("{} on {}, {}", spec.model.name, engine.title(), nodes.join(", ")),
        (None, _) => format!("{}, a provider's model", spec.model.name),
    }
}

fn lengths(spec: &BenchmarkSpec) -> String {
    let tokens = |number: Option<u32>| number.map(|number| grouped(u64::from(number)));
    match (tokens(spec.load.max_input_tokens), tokens(spec.load.max_output_tokens)) {
        (Some(input), Some(output)) => format!(", {input} tokens in and {output} out"),
        (None, Some(output)) => format!(", prompts of datasets, at most {output} tokens out"),
        _ => ", prompts of datasets".to_owned(),
    }
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
        lengths(spec),
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
    let chosen = sweep.chosen.and_then(|index| report.load_points.get(index));
    let chosen = chosen.map(|point| format!(" Chosen: {}.", offered(point))).unwrap_or_default();
    format!(
        "{}: {}{range}, {} in all{}; {ended}.{chosen}",
        where_and_what(spec),
        count(points.len() as u64, "load point", "load points"),
        count(all, "request", "requests"),
        lengths(spec),
    )
}

/// What should have been done.
fn plan(spec: &BenchmarkSpec) -> String {
    let load = load_words(&spec.load, &spec.datasets);
    match spec.load.requests() {
        Some(requests) => {
            let requests = count(u64::from(requests), "request", "requests");
            format!("{}: {requests}, {load}{}. Nothing was measured.", where_and_what(spec), lengths(spec))
        }
        None => format!("{}: {load}{}. Nothing was measured.", where_and_what(spec), lengths(spec)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_words_of_several_load_points_are_said_once() {
        let said = |texts: &[&str]| together(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        assert_eq!(
            said(&["Too short (load point 2).", "Odd.", "Too short (load point 3).", "Too short (load point 4)."]),
            ["Too short (load points 2 to 4).", "Odd."]
        );
        assert_eq!(said(&["A (load point 1).", "A (load point 3).", "A (load point 9)."]), ["A (load points 1, 3 and 9)."]);
        assert_eq!(said(&["A (load point 1).", "B.", "B."]), ["A (load point 1).", "B.", "B."]);
    }
}
