//! The figures that answer "how good is it?", each with its limit and margin, its samples and its bound.

use leptos::prelude::*;

use super::point::offered;
use super::title::highest_decided;
use crate::components::badge::KindBadge;
use crate::components::charts::sweep::Limit;
use crate::components::icon::{Icon, IconName};
use crate::components::metric::Term;
use crate::components::number::{count, few_samples, figure, grouped, is_high, of_kind, percent};
use crate::domain::price::{amount_words, priced_words};
use dyno_measure::load::Slo;
use dyno_measure::metrics::{Shown, metric, percentile_name};
use dyno_measure::report::provenance::Provenance;
use dyno_measure::report::{LoadPoint, Report, Summary, TokenSource};
use dyno_measure::run::RunKind;

/// The headline of the best, or only, load point.
#[component]
pub fn Headline(
    report: Report,
    /// The benchmark's latency limits.
    slo: Option<Slo>,
) -> impl IntoView {
    let point = report.load_points.get(report.best).cloned();
    let title = point.as_ref().map_or_else(|| "Headline".to_owned(), |point| format!("At {}", offered(point)));
    let (summary, kind) = (report.summary, report.kind);
    let prediction = report.prediction.clone();
    let failed = summary.failed_requests + summary.dropped_requests;
    let limit = |value: fn(&Slo) -> Option<f64>| slo.as_ref().map(|slo| Limit { value: value(slo), percentile: slo.percentile });
    let latencies =
        [("ttft_ms", limit(|slo| slo.ttft_ms)), ("tpot_ms", limit(|slo| slo.tpot_ms)), ("e2el_ms", limit(|slo| slo.e2el_ms))]
            .into_iter()
            // The whole request counts where there are no tokens, or where the limit is on it.
            .filter(|(id, limit)| {
                *id != "e2el_ms" || summary.ttft_ms.is_none() || limit.is_some_and(|limit| limit.value.is_some())
            })
            .map(|(id, limit)| {
                let error = prediction.as_ref().and_then(|prediction| prediction.error_pct.of(id));
                latency(id, &summary, limit, point.as_ref(), error, kind)
            })
            .collect_view();
    let has_limits = slo.as_ref().is_some_and(|slo| slo.ttft_ms.or(slo.tpot_ms).or(slo.e2el_ms).is_some());
    let goodput = has_limits.then(|| goodput(&summary, kind));
    let cost = cost(&report.provenance, &summary, report.kind);
    let steady = summary.steady_state.as_ref().map(|steady| {
        let output = steady.figures.output_throughput.map(|value| format!("{} output tokens/s", figure(value)));
        let requests = steady.figures.request_throughput.map(|value| format!("{} requests/s", figure(value)));
        let figures: Vec<String> = [output, requests].into_iter().flatten().collect();
        format!("Steady state, from {:.1} to {:.1} s: {}.", steady.begin_s, steady.end_s, figures.join(", "))
    });
    view! {
        <section id="headline" class="stack" aria-labelledby="headline-title">
            <h2 id="headline-title">
                {title} {(report.kind == RunKind::Simulated).then(|| view! { " " <KindBadge kind=RunKind::Simulated /> })}
                {(!report.valid).then(|| view! { " " <span class="badge badge-partial">"Not valid"</span> })}
            </h2>
            <div class="headline">
                <div>
                    <h3>
                        <Term id="output_throughput" />
                    </h3>
                    {value(kind, summary.output_throughput, "tokens/s")}
                    <p class="muted small">{token_source(&summary)}</p>
                </div>
                {latencies}
                <div class=is_high(summary.error_rate).then_some("card-attention")>
                    <h3>
                        <Term id="error_rate" />
                    </h3>
                    <p class="headline-value">
                        {is_high(summary.error_rate).then(|| view! { <Icon name=IconName::Warning /> })} {of_kind(kind, percent(summary.error_rate))}
                    </p>
                    <p class="muted small">
                        {format!("{} of {} failed", grouped(failed), count(summary.total_requests, "request", "requests"))}
                    </p>
                </div>
                {goodput} {cost}
            </div>
            {steady.map(|sentence| view! { <p class="muted small">{sentence}</p> })}
        </section>
    }
    .into_any()
}

fn value(kind: RunKind, value: Option<f64>, unit: impl Into<String>) -> AnyView {
    let unit = unit.into();
    match value {
        Some(value) => {
            view! { <p class="headline-value">{of_kind(kind, figure(value))} " " <span class="figure-unit">{unit}</span></p> }
                .into_any()
        }
        None => view! { <p class="muted">"not measured"</p> }.into_any(),
    }
}

fn goodput(summary: &Summary, kind: RunKind) -> impl IntoView + use<> {
    let share = summary.good_fraction.map(|share| format!("{} of all issued requests met every limit", percent(share)));
    view! {
        <div>
            <h3>
                <Term id="goodput" />
            </h3>
            {value(kind, summary.goodput, "requests/s")}
            <p class="muted small">{share}</p>
        </div>
    }
}

/// What tokens cost at this load; nothing unless every device that served had a price.
fn cost(known: &Provenance, summary: &Summary, kind: RunKind) -> Option<AnyView> {
    let cost = known.serving_cost()?;
    let per_million = cost.per_million_tokens(summary.output_throughput?)?;
    let of_time = amount_words(cost.of_time(summary.duration_s), cost.currency);
    let costs = if kind == RunKind::Simulated { "would cost" } else { "cost" };
    Some(
        view! {
            <div>
                <h3>
                    <Term id="cost_per_million_output_tokens" />
                </h3>
                {value(kind, Some(per_million), cost.currency)}
                <p class="muted small">{format!("{}; this load {costs} {of_time}", priced_words(&known.prices))}</p>
            </div>
        }
        .into_any(),
    )
}

/// How a percentile lies to its limit.
#[derive(Debug, Clone, PartialEq)]
struct Margin {
    /// Whether it is within; absent where that is not decided by this figure.
    within: Option<bool>,
    /// `12 % under the limit`
    words: String,
}

/// `value` is of the successful requests; the load point's verdict counts the failed ones as over every limit, so a value
/// within the limit is not enough. `most`: what it may be at most, by its confidence bound or its expected error.
fn margin(value: f64, most: Option<f64>, limit: f64, is_exact: bool, point: Option<&LoadPoint>) -> Margin {
    let off = percent((value - limit).abs() / limit);
    if value > limit {
        // A higher percentile than the limit's own may be over it while the limit is met.
        return Margin { within: is_exact.then_some(false), words: format!("{off} over the limit") };
    }
    match point.and_then(|point| point.meets_slo) {
        Some(true) => match most.filter(|most| *most > limit) {
            Some(most) => {
                Margin { within: None, words: format!("{off} under the limit, but not surely: it may be {} ms", figure(most)) }
            }
            None => Margin { within: Some(true), words: format!("{off} under the limit") },
        },
        Some(false) if point.is_some_and(|point| point.summary.failed_requests + point.summary.dropped_requests > 0) => {
            Margin { within: None, words: format!("{off} under the limit, failed requests aside") }
        }
        Some(false) | None => Margin { within: None, words: format!("{off} under the limit") },
    }
}

/// A latency: the percentile that its limit names, else the highest that the samples decide, with the median beside it; of a
/// simulation with its expected error, per cent.
fn latency(
    id: &'static str,
    summary: &Summary,
    limit: Option<Limit>,
    point: Option<&LoadPoint>,
    error: Option<f64>,
    kind: RunKind,
) -> impl IntoView + use<> {
    let name = metric(id).map_or("", |metric| metric.name);
    let limited = limit.filter(|limit| limit.value.is_some());
    let percentile =
        limited.map_or_else(|| highest_decided(summary, id).map_or("p50", |(name, _)| name), |limit| limit.decides());
    let samples = summary.distribution(id).map_or(0, |found| found.n);
    let (main, more) = match summary.shown(id, percentile) {
        Shown::Value { value, bound } => {
            // A simulation repeats itself: its error is the model's, not one of sampling.
            let bound = bound.filter(|_| error.is_none());
            let most = error.map(|error| value * (1.0 + error / 100.0)).or(bound);
            let margin =
                limited.and_then(|limit| Some((limit.value?, margin(value, most, limit.value?, limit.is_exact(), point))));
            let mark = margin.as_ref().and_then(|(_, margin)| margin.within).map(mark);
            let unit = margin.as_ref().map_or_else(|| "ms".to_owned(), |(limit, _)| format!("of {} ms", figure(*limit)));
            let main = view! {
                <p class="headline-value">
                    {of_kind(kind, figure(value))} " " <span class="figure-unit">{unit}" "{mark}</span>
                </p>
            };
            let bound = bound.map(|bound| format!("with 99 % confidence at most {} ms", figure(bound)));
            (main.into_any(), margin.map(|(_, margin)| margin.words).into_iter().chain(bound).collect::<Vec<String>>())
        }
        Shown::TooFew { have, need } => (view! { <p class="muted">{few_samples(have, need)}</p> }.into_any(), Vec::new()),
        Shown::Absent => (view! { <p class="muted">"not measured"</p> }.into_any(), Vec::new()),
    };
    let median = match summary.shown(id, "p50") {
        Shown::Value { value, .. } if percentile != "p50" => format!("p50 {} ms; ", of_kind(kind, figure(value))),
        _ => String::new(),
    };
    let other = limited.filter(|limit| !limit.is_exact()).map(|limit| {
        view! { <p class="muted small">{format!("The limit is on p{}.", limit.percentile)}</p> }
    });
    view! {
        <div>
            <h3>
                <Term id=id text=format!("{name} {}", percentile_name(percentile)) />
            </h3>
            {main}
            {more.into_iter().map(|line| view! { <p class="small">{line}</p> }).collect_view()}
            {other}
            {error.map(|error| view! { <p class="small">{format!("±{error:.0} % expected error of the mean")}</p> })}
            <p class="muted small">{format!("{median}n = {}", count(samples, "request", "requests"))}</p>
        </div>
    }
    .into_any()
}

fn mark(within: bool) -> AnyView {
    let (class, icon, word) = if within {
        ("limit-met", IconName::Tick, "within the limit")
    } else {
        ("limit-missed", IconName::Cross, "over the limit")
    };
    view! {
        <span class=class>
            <Icon name=icon />
            <span class="visually-hidden">{word}</span>
        </span>
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
    let requests = format!("n = {}", count(summary.successful_requests, "request", "requests"));
    let source = if source.is_empty() { requests } else { format!("{requests}; {source}") };
    match summary.token_disagreement.filter(|difference| *difference > 0.1) {
        Some(difference) => format!("{source}; sources differ by up to {}", percent(difference)),
        None => source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(meets: Option<bool>, failed: u64) -> LoadPoint {
        serde_json::from_value(serde_json::json!({ "concurrency": 4, "meets_slo": meets, "failed_requests": failed })).unwrap()
    }

    #[test]
    fn a_figure_within_its_limit_is_ticked_only_where_the_load_point_meets_them() {
        let of = |value, exact, point: &LoadPoint| margin(value, Some(value), 12.0, exact, Some(point));
        assert_eq!(
            of(11.4, true, &point(Some(true), 0)),
            Margin { within: Some(true), words: "5.00 % under the limit".to_owned() }
        );
        assert_eq!(
            of(15.0, true, &point(Some(false), 0)),
            Margin { within: Some(false), words: "25.0 % over the limit".to_owned() }
        );
        // It is not certain where the bound of the percentile, or the error of a simulation, reaches beyond the limit.
        let unsure = margin(11.4, Some(13.0), 12.0, true, Some(&point(Some(true), 0)));
        assert_eq!((unsure.within, unsure.words.as_str()), (None, "5.00 % under the limit, but not surely: it may be 13.0 ms"));
        // Failed requests are over every limit, whatever the others took.
        assert_eq!(of(11.4, true, &point(Some(false), 3)).within, None);
        assert!(of(11.4, true, &point(Some(false), 3)).words.ends_with("failed requests aside"));
        // Another latency's limit is missed, or too few samples decide.
        assert_eq!(of(11.4, true, &point(Some(false), 0)).within, None);
        assert_eq!(of(11.4, true, &point(None, 0)).within, None);
        assert_eq!(of(15.0, false, &point(Some(true), 0)).within, None, "p99 says nothing of a limit on p97 that it is over");
    }
}
