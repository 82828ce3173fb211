//! Progress, counters and small charts of a run that goes on.

use leptos::prelude::*;

use crate::components::charts::ChartFigure;
use crate::components::charts::live::{so_far, thinned};
use crate::components::charts::number::remaining;
use crate::components::number::{figure, grouped};
use crate::domain::event::Progress;
use crate::domain::live::{LivePoint, LiveRun};
use crate::domain::report::Phase;

/// Points of a line.
const LINE: usize = 300;

/// What the load has done so far: how far it is, and the counters.
pub fn progress(live: &LiveRun) -> AnyView {
    match live.progress.clone() {
        None => {
            let text = if live.run.status.is_end() {
                "No load was put on the model."
            } else {
                "No load yet. Figures come with the stage that runs the benchmark."
            };
            view! { <p class="muted">{text}</p> }.into_any()
        }
        Some(progress) => view! { <Bar progress=progress.clone() /> <Counters progress=progress /> }.into_any(),
    }
}

/// The figures over time, once there are some.
pub fn charts(points: &[LivePoint]) -> AnyView {
    if points.is_empty() {
        return ().into_any();
    }
    let chart = |id: &'static str, title: &'static str, unit: &'static str, value: fn(&LivePoint) -> Option<f64>| {
        let line: Vec<(f64, f64)> = points.iter().filter_map(|point| Some((point.at_s, value(point)?))).collect();
        view! { <ChartFigure chart=so_far(id, title, unit, &thinned(&line, LINE)) /> }
    };
    view! {
        {chart("live-tokens", "Output tokens per second", "tokens/s", |point| point.output_tokens_per_s)}
        {chart("live-flight", "Requests in flight", "requests", |point| Some(point.in_flight))}
        {chart("live-ttft", "TTFT so far, median", "ms", |point| point.ttft_ms)}
        {chart("live-tpot", "TPOT so far, median", "ms", |point| point.tpot_ms)}
    }
    .into_any()
}

/// "640 of 1,280 requests, 2 minutes left"; without a known end there is no bar.
#[component]
fn Bar(progress: Progress) -> impl IntoView {
    let point = (progress.load_points > 1)
        .then(|| view! { <p class="muted">{format!("Load point {} of {}", progress.load_point + 1, progress.load_points)}</p> });
    let text = sentence(&progress);
    let bar = progress.share().filter(|_| progress.phase != Some(Phase::Warmup)).map(|share| {
        // A fresh `<progress>` element needs its words as well: browsers read only the percentage of it.
        view! { <progress max="1" value=format!("{share:.4}") aria-valuetext=text.clone() aria-label="Requests"></progress> }
    });
    view! {
        <div class="stack-tight">
            {point}
            {bar}
            <p class="progress-text">{text}</p>
        </div>
    }
    .into_any()
}

/// What a snapshot says of how far the load is.
fn sentence(progress: &Progress) -> String {
    if progress.phase == Some(Phase::Warmup) {
        return format!("Warming up: {} requests in flight, not measured yet.", grouped(progress.in_flight));
    }
    let ended = progress.ended();
    let is_over = progress.total.is_some_and(|total| ended >= total);
    let left = progress.eta_ms.filter(|_| !is_over).map(|ms| format!(", {}", remaining(ms))).unwrap_or_default();
    match progress.total {
        Some(total) => format!("{} of {} requests{left}", grouped(ended), grouped(total)),
        None => format!("{} requests{left}", grouped(ended)),
    }
}

/// Counters change once a second; nobody wants them read out.
#[component]
fn Counters(progress: Progress) -> impl IntoView {
    let known =
        |value: Option<f64>, unit: &str| value.map_or_else(|| "not yet".to_owned(), |value| format!("{} {unit}", figure(value)));
    let entries = [
        ("Issued", grouped(progress.issued)),
        ("Completed", grouped(progress.completed)),
        ("Failed", grouped(progress.failed)),
        ("In flight", grouped(progress.in_flight)),
        ("Output", known(progress.output_tokens_per_s, "tokens/s")),
        ("TTFT, median so far", known(progress.ttft_ms, "ms")),
        ("TPOT, median so far", known(progress.tpot_ms, "ms")),
    ];
    view! {
        <dl class="counters" aria-live="off">
            {entries
                .into_iter()
                .map(|(name, value)| {
                    view! {
                        <div>
                            <dt>{name}</dt>
                            <dd>{value}</dd>
                        </div>
                    }
                })
                .collect_view()}
        </dl>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_reads_as_a_sentence() {
        let progress = Progress { completed: 600, failed: 40, total: Some(1280), eta_ms: Some(120_000), ..Progress::default() };
        assert_eq!(sentence(&progress), "640 of 1,280 requests, 2 minutes left");
        let timed = Progress { completed: 12, ..Progress::default() };
        assert_eq!(sentence(&timed), "12 requests");
        let warm = Progress { phase: Some(Phase::Warmup), in_flight: 16, ..Progress::default() };
        assert_eq!(sentence(&warm), "Warming up: 16 requests in flight, not measured yet.");
    }
}
