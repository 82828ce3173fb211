//! The load points of a sweep or search as they come in: what each came to, which one goes on, and what comes next.

use leptos::prelude::*;

use crate::components::icon::{Icon, IconName};
use crate::components::number::{figure, grouped, is_high, percent};
use crate::components::table::{Column, DataTable};
use crate::domain::live::LiveRun;
use dyno_measure::events::Progress;
use dyno_measure::limits::LimitedLatency;
use dyno_measure::live_figures::{FinishedLoadPoint, LimitOutcome, Upcoming};
use dyno_measure::load::{OfferedLoad, Slo};
use dyno_measure::report::Phase;
use dyno_measure::words;

/// The table; nothing where there is a single load.
pub fn load_table(live: &LiveRun, slo: Option<&Slo>) -> AnyView {
    let Some(progress) = live.progress.as_ref().filter(|progress| progress.load_points > 1) else {
        return ().into_any();
    };
    let limits = slo.map(LimitedLatency::of).unwrap_or_default();
    let goes_on = !live.run.status.is_end();
    let rows: Vec<AnyView> = progress.finished.iter().map(|finished| finished_row(finished, &limits)).collect();
    // Between two load points the one that has just ended is still the snapshot's own.
    let is_begun = progress.finished.len() <= progress.load_point as usize;
    let now = (goes_on && is_begun).then(|| row_of_now(progress, &limits));
    let to_come: Vec<AnyView> = match &progress.next {
        Some(Upcoming::Loads { loads }) if goes_on => loads.iter().map(|load| row_to_come(*load, &limits)).collect(),
        _ => Vec::new(),
    };
    let next = progress.next.as_ref().filter(|_| goes_on).and_then(next_sentence);
    view! {
        <DataTable caption="Load points" columns=columns(slo, &limits)>
            {rows}
            {now}
            {to_come}
        </DataTable>
        {next.map(|text| view! { <p class="muted">{text}</p> })}
    }
    .into_any()
}

fn columns(slo: Option<&Slo>, limits: &[(LimitedLatency, f64)]) -> Vec<Column> {
    let mut columns = vec![Column::text("Load"), Column::text(if limits.is_empty() { "State" } else { "Within the limits" })];
    if limits.is_empty() {
        columns.extend(["TTFT p50, ms", "TPOT p50, ms"].map(Column::figures));
    }
    let percentile = slo.map_or(99.0, |slo| slo.percentile);
    columns.extend(
        limits
            .iter()
            .map(|(latency, limit)| Column::figures(&format!("{} p{percentile} ≤ {} ms", latency.title(), words::plain(*limit)))),
    );
    columns.extend(["Output tokens/s", "Errors"].map(Column::figures));
    columns
}

fn finished_row(finished: &FinishedLoadPoint, limits: &[(LimitedLatency, f64)]) -> AnyView {
    let load = finished.load.map_or_else(|| "as recorded".to_owned(), OfferedLoad::words);
    let known = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), figure);
    let latencies: Vec<AnyView> = if limits.is_empty() {
        [finished.latencies.ttft_ms.p50, finished.latencies.tpot_ms.p50]
            .map(|value| view! { <td class="numeric">{known(value)}</td> }.into_any())
            .into()
    } else {
        let outcome = |latency| finished.limits.iter().find(|outcome| outcome.latency == latency);
        limits.iter().map(|(latency, _)| view! { <td class="numeric">{limit_cell(outcome(*latency))}</td> }.into_any()).collect()
    };
    let rate = finished.failed as f64 / finished.requests.max(1) as f64;
    let errors = match finished.failed {
        0 => "0".into_any(),
        _ if is_high(rate) => view! { <span class="attention"><Icon name=IconName::Warning />{percent(rate)}</span> }.into_any(),
        _ => percent(rate).into_any(),
    };
    view! {
        <tr>
            <th scope="row">{load}</th>
            <td>{verdict(finished, !limits.is_empty())}</td>
            {latencies}
            <td class="numeric">{known(finished.output_throughput)}</td>
            <td class="numeric">{errors}</td>
        </tr>
    }
    .into_any()
}

fn limit_cell(outcome: Option<&LimitOutcome>) -> AnyView {
    let Some(outcome) = outcome else { return "–".into_any() };
    let value = match (outcome.value_ms, outcome.meets) {
        (Some(value), _) => figure(value),
        (None, Some(_)) => "requests failed".to_owned(),
        (None, None) => "too few requests".to_owned(),
    };
    let mark = outcome.meets.map(mark);
    view! { {value} " " {mark} }.into_any()
}

/// ✓ or ✗, with the words for it.
fn mark(meets: bool) -> impl IntoView {
    let (class, icon, word) = if meets {
        ("within-limit", IconName::Tick, "within the limit")
    } else {
        ("over-limit", IconName::Cross, "over the limit")
    };
    view! {
        <span class=class>
            <Icon name=icon />
            <span class="visually-hidden">{word}</span>
        </span>
    }
}

fn verdict(finished: &FinishedLoadPoint, has_limits: bool) -> AnyView {
    let requests = if finished.ended_early {
        format!("ended early after {}", words::count(finished.requests, "request"))
    } else {
        words::count(finished.requests, "request")
    };
    if !has_limits {
        return format!("Done: {requests}").into_any();
    }
    match finished.meets_slo {
        Some(true) => view! { <span class="within-limit"><Icon name=IconName::Tick /> " Yes"</span> ", " {requests} }.into_any(),
        Some(false) => view! { <span class="over-limit"><Icon name=IconName::Cross /> " No"</span> ", " {requests} }.into_any(),
        None => format!("Not decided, {requests}").into_any(),
    }
}

/// The cells of figures of a load point that has none yet.
fn no_figures(limits: &[(LimitedLatency, f64)]) -> Vec<AnyView> {
    let latencies = if limits.is_empty() { 2 } else { limits.len() };
    (0..latencies + 2).map(|_| view! { <td class="numeric muted">"–"</td> }.into_any()).collect()
}

fn row_of_now(progress: &Progress, limits: &[(LimitedLatency, f64)]) -> AnyView {
    let load = progress.load.map_or_else(|| "as recorded".to_owned(), OfferedLoad::words);
    let state = match (progress.phase, progress.total) {
        (Some(Phase::Warmup), _) => "Warming up".to_owned(),
        (_, Some(total)) => format!("Running: {} of {}", grouped(progress.ended()), grouped(total)),
        (_, None) => format!("Running: {}", words::count(progress.ended(), "request")),
    };
    view! {
        <tr class="load-now">
            <th scope="row">{load}</th>
            <td>{state}</td>
            {no_figures(limits)}
        </tr>
    }
    .into_any()
}

fn row_to_come(load: OfferedLoad, limits: &[(LimitedLatency, f64)]) -> AnyView {
    view! {
        <tr class="load-next">
            <th scope="row">{load.words()}</th>
            <td>"To come"</td>
            {no_figures(limits)}
        </tr>
    }
    .into_any()
}

/// What a search does next; of a sweep the table has it.
fn next_sentence(next: &Upcoming) -> Option<String> {
    let Upcoming::Depends { if_met, if_not } = next else { return None };
    let then = |load: &Option<OfferedLoad>| load.map_or_else(|| "the search is over".to_owned(), OfferedLoad::words);
    Some(match (if_met, if_not) {
        (None, None) => "This load decides: the search is over after it.".to_owned(),
        _ => format!("Next: {} if this load meets the limits, {} if not.", then(if_met), then(if_not)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use dyno_measure::live_figures::Latencies;

    fn concurrency(concurrency: u32) -> OfferedLoad {
        OfferedLoad::Concurrency { concurrency }
    }

    #[test]
    fn what_comes_next_in_a_search_is_said_either_way() {
        let depends = |if_met, if_not| next_sentence(&Upcoming::Depends { if_met, if_not });
        assert_eq!(
            depends(Some(concurrency(24)), Some(concurrency(8))).as_deref(),
            Some("Next: 24 in flight if this load meets the limits, 8 in flight if not.")
        );
        assert_eq!(
            depends(None, Some(concurrency(8))).as_deref(),
            Some("Next: the search is over if this load meets the limits, 8 in flight if not.")
        );
        assert_eq!(depends(None, None).as_deref(), Some("This load decides: the search is over after it."));
        assert_eq!(next_sentence(&Upcoming::Loads { loads: Vec::new() }), None);
    }

    #[test]
    fn a_row_says_limit_by_limit_what_a_load_came_to() {
        let limits = [(LimitedLatency::TtftMs, 150.0), (LimitedLatency::TpotMs, 12.0)];
        let outcome = |latency, value_ms, meets| LimitOutcome { latency, value_ms, meets };
        let finished = FinishedLoadPoint {
            load: Some(concurrency(16)),
            requests: 40,
            failed: 10,
            output_throughput: Some(1240.0),
            latencies: Latencies::default(),
            limits: vec![outcome(LimitedLatency::TtftMs, Some(210.0), Some(false)), outcome(LimitedLatency::TpotMs, None, None)],
            meets_slo: Some(false),
            ended_early: true,
        };
        let html = Owner::new().with(|| finished_row(&finished, &limits).to_html());
        for words in ["16 in flight", "210", "over the limit", "too few requests", "1,240", "attention", "25.0%", " No"] {
            assert!(html.contains(words), "{words}: {html}");
        }
        assert!(html.contains("ended early after 40 requests"), "{html}");
    }
}
