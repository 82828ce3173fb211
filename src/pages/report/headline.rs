//! The figures that answer "how good is it?", each with its samples and its bound.

use leptos::prelude::*;

use super::verdict::offered;
use crate::components::metric::Term;
use crate::components::number::{count, few_samples, figure, grouped, percent};
use crate::domain::metrics::{Shown, percentile_name};
use crate::domain::report::{Report, Summary, TokenSource};

/// The headline of the best, or only, load point.
#[component]
pub fn Headline(
    /// The report.
    report: Report,
    /// Whether the benchmark has latency limits.
    has_limits: bool,
) -> impl IntoView {
    let title = match report.load_points.get(report.best).filter(|_| report.load_points.len() > 1) {
        Some(point) => format!("Headline: {}", offered(point)),
        None => "Headline".to_owned(),
    };
    let summary = report.summary;
    let failed = summary.failed_requests + summary.dropped_requests;
    let goodput = has_limits.then(|| goodput(&summary));
    let steady = summary.steady_state.as_ref().map(|steady| {
        let output = steady.figures.output_throughput.map(|value| format!("{} output tokens/s", figure(value)));
        let requests = steady.figures.request_throughput.map(|value| format!("{} requests/s", figure(value)));
        let figures: Vec<String> = [output, requests].into_iter().flatten().collect();
        format!("Steady state, from {:.1} to {:.1} s: {}.", steady.begin_s, steady.end_s, figures.join(", "))
    });
    view! {
        <section id="headline" class="stack" aria-labelledby="headline-title">
            <h2 id="headline-title">
                {title} {(!report.valid).then(|| view! { " " <span class="badge badge-partial">"Not valid"</span> })}
            </h2>
            <div class="headline">
                <div>
                    <h3>
                        <Term id="output_throughput" />
                    </h3>
                    {value(summary.output_throughput, "tokens/s")}
                    <p class="muted small">{format!("n = {}", count(summary.successful_requests, "request", "requests"))}</p>
                    <p class="muted small">{token_source(&summary)}</p>
                </div>
                <Percentiles id="ttft_ms" summary=summary.clone() />
                <Percentiles id="tpot_ms" summary=summary.clone() />
                <div>
                    <h3>
                        <Term id="error_rate" />
                    </h3>
                    <p class="headline-value">{percent(summary.error_rate)}</p>
                    <p class="muted small">
                        {format!("{} of {}", grouped(failed), count(summary.total_requests, "request", "requests"))}
                    </p>
                </div>
                {goodput}
            </div>
            <p class="muted small">
                {steady.unwrap_or_else(|| "No steady-state window: the run was too short for one, or never reached its load.".to_owned())}
            </p>
        </section>
    }
    .into_any()
}

fn value(value: Option<f64>, unit: &'static str) -> AnyView {
    match value {
        Some(value) => {
            view! { <p class="headline-value">{figure(value)} " " <span class="figure-unit">{unit}</span></p> }.into_any()
        }
        None => view! { <p class="muted">"not measured"</p> }.into_any(),
    }
}

fn goodput(summary: &Summary) -> impl IntoView + use<> {
    let share = summary.good_fraction.map(|share| format!("{} of all issued requests met every limit", percent(share)));
    view! {
        <div>
            <h3>
                <Term id="goodput" />
            </h3>
            {value(summary.goodput, "requests/s")}
            <p class="muted small">{share}</p>
        </div>
    }
}

/// p50 and p99 of a latency.
#[component]
fn Percentiles(id: &'static str, summary: Summary) -> impl IntoView {
    let samples = summary.distribution(id).map_or(0, |found| found.n);
    view! {
        <div>
            <h3>
                <Term id=id />
            </h3>
            <dl class="headline-percentiles">
                {["p50", "p99"]
                    .into_iter()
                    .map(|name| {
                        let (value, bound) = match summary.shown(id, name) {
                            Shown::Value { value, bound } => {
                                let text = view! { <span class="headline-value">{figure(value)}</span> " " <span class="figure-unit">"ms"</span> };
                                (text.into_any(), bound.map(|bound| format!("at most {} ms at 99 % confidence", figure(bound))))
                            }
                            Shown::TooFew { have, need } => (view! { <span class="muted">{few_samples(have, need)}</span> }.into_any(), None),
                            Shown::Absent => (view! { <span class="muted">"not measured"</span> }.into_any(), None),
                        };
                        view! {
                            <div>
                                <dt>{percentile_name(name).to_owned()}</dt>
                                <dd>{value} {bound.map(|bound| view! { <p class="muted small">{bound}</p> })}</dd>
                            </div>
                        }
                    })
                    .collect_view()}
            </dl>
            <p class="muted small">{format!("n = {}", count(samples, "request", "requests"))}</p>
        </div>
    }
    .into_any()
}

fn token_source(summary: &Summary) -> String {
    let source = match summary.token_source {
        Some(TokenSource::Usage) => "tokens as the engine counts them",
        Some(TokenSource::Tokenizer) => "tokens by the model's tokenizer",
        Some(TokenSource::Events) => "tokens estimated by the number of events",
        Some(TokenSource::Mixed) => "tokens from several sources",
        None => "",
    };
    match summary.token_disagreement.filter(|difference| *difference > 0.1) {
        Some(difference) => format!("{source}; sources differ by up to {}", percent(difference)),
        None => source.to_owned(),
    }
}
