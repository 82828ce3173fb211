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
    let goes_on = !live.run.status.is_end();
    let rows: Vec<AnyView> = progress.finished.iter().map(|finished| finished_row(finished, slo)).collect();
    // Between two load points the one that has just ended is still the snapshot's own.
    let is_begun = progress.finished.len() <= progress.load_point as usize;
    let is_short = progress.share().is_none_or(|share| share < 1.0);
    let now = (is_begun && (goes_on || is_short)).then(|| row_of_now(progress, goes_on, slo));
    if rows.is_empty() && now.is_none() {
        return ().into_any();
    }
    let to_come: Vec<AnyView> = match &progress.next {
        Some(Upcoming::Loads { loads }) if goes_on => loads.iter().map(|load| row_to_come(*load, slo)).collect(),
        _ => Vec::new(),
    };
    let next = progress.next.as_ref().filter(|_| goes_on).and_then(next_sentence);
    view! {
        <DataTable caption="Load points" columns=columns(slo) blocks=true>
            {rows}
            {now}
            {to_come}
        </DataTable>
        {next.map(|text| view! { <p class="muted">{text}</p> })}
    }
    .into_any()
}

/// The columns between load and state on the left and throughput on the right, in order.
fn latency_titles(slo: Option<&Slo>) -> Vec<String> {
    let limits = slo.map(LimitedLatency::of).unwrap_or_default();
    if limits.is_empty() {
        return ["TTFT p50, ms", "TPOT p50, ms"].map(str::to_owned).into();
    }
    let percentile = slo.map_or(99.0, |slo| slo.percentile);
    let title =
        |(latency, limit): &(LimitedLatency, f64)| format!("{} p{percentile} ≤ {} ms", latency.title(), words::plain(*limit));
    limits.iter().map(title).collect()
}

fn state_title(slo: Option<&Slo>) -> &'static str {
    if slo.is_some_and(|slo| !LimitedLatency::of(slo).is_empty()) { "Within the limits" } else { "State" }
}

const THROUGHPUT: &str = "Output tokens/s";
const ERRORS: &str = "Errors";

fn columns(slo: Option<&Slo>) -> Vec<Column> {
    let mut columns = vec![Column::text("Load"), Column::text(state_title(slo))];
    columns.extend(latency_titles(slo).iter().map(|title| Column::figures(title)));
    columns.extend([THROUGHPUT, ERRORS].map(Column::figures));
    columns
}

/// A row: its load, its state, a cell for each latency, throughput and errors.
fn row(class: Option<&'static str>, load: String, state: AnyView, figures: Vec<AnyView>, slo: Option<&Slo>) -> AnyView {
    let titles = latency_titles(slo).into_iter().chain([THROUGHPUT, ERRORS].map(str::to_owned));
    let cells =
        titles.zip(figures).map(|(title, cell)| view! { <td class="numeric" data-label=title>{cell}</td> }).collect_view();
    view! {
        <tr class=class>
            <th scope="row">{load}</th>
            <td data-label=state_title(slo)>{state}</td>
            {cells}
        </tr>
    }
    .into_any()
}

fn finished_row(finished: &FinishedLoadPoint, slo: Option<&Slo>) -> AnyView {
    let limits = slo.map(LimitedLatency::of).unwrap_or_default();
    let load = finished.load.map_or_else(|| "as recorded".to_owned(), OfferedLoad::words);
    let known = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), figure).into_any();
    let mut figures: Vec<AnyView> = if limits.is_empty() {
        [finished.latencies.ttft_ms.p50, finished.latencies.tpot_ms.p50].map(known).into()
    } else {
        let outcome = |latency| finished.limits.iter().find(|outcome| outcome.latency == latency);
        limits.iter().map(|(latency, _)| limit_cell(outcome(*latency))).collect()
    };
    let rate = finished.failed as f64 / finished.requests.max(1) as f64;
    let errors = match finished.failed {
        0 => "0".into_any(),
        _ if is_high(rate) => view! { <span class="attention"><Icon name=IconName::Warning />{percent(rate)}</span> }.into_any(),
        _ => percent(rate).into_any(),
    };
    figures.extend([known(finished.output_throughput), errors]);
    row(None, load, verdict(finished, slo.filter(|_| !limits.is_empty())), figures, slo)
}

fn limit_cell(outcome: Option<&LimitOutcome>) -> AnyView {
    let Some(outcome) = outcome else { return "–".into_any() };
    let value = match (outcome.value_ms, outcome.meets) {
        (Some(value), _) => figure(value),
        (None, Some(_)) => "requests failed".to_owned(),
        // That requests were too few is said once, beside the verdict.
        (None, None) => "–".to_owned(),
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

fn verdict(finished: &FinishedLoadPoint, limits: Option<&Slo>) -> AnyView {
    let requests = if finished.ended_early {
        format!("ended early after {}", words::count(finished.requests, "request"))
    } else {
        words::count(finished.requests, "request")
    };
    let Some(limits) = limits else { return format!("Done: {requests}").into_any() };
    let is_lacking = finished.limits.iter().any(|outcome| outcome.value_ms.is_none() && outcome.meets.is_none());
    let requests = if is_lacking { format!("{requests}, too few for p{}", limits.percentile) } else { requests };
    match finished.meets_slo {
        Some(true) => view! { <span class="within-limit"><Icon name=IconName::Tick /> " Yes"</span> ", " {requests} }.into_any(),
        Some(false) => view! { <span class="over-limit"><Icon name=IconName::Cross /> " No"</span> ", " {requests} }.into_any(),
        None => format!("Not decided, {requests}").into_any(),
    }
}

/// The figures of a load point that has none yet.
fn no_figures(slo: Option<&Slo>) -> Vec<AnyView> {
    (0..latency_titles(slo).len() + 2).map(|_| view! { <span class="muted">"–"</span> }.into_any()).collect()
}

/// The load point under way; of a run that is over, the one that it ended in.
fn row_of_now(progress: &Progress, goes_on: bool, slo: Option<&Slo>) -> AnyView {
    let load = progress.load.map_or_else(|| "as recorded".to_owned(), OfferedLoad::words);
    if !goes_on {
        let state = match progress.total {
            Some(total) => format!("Not finished: {} of {}", grouped(progress.ended()), words::count(total, "request")),
            None => format!("Not finished: {}", words::count(progress.ended(), "request")),
        };
        return row(None, load, state.into_any(), no_figures(slo), slo);
    }
    let state = match (progress.phase, progress.total) {
        (Some(Phase::Warmup), _) => "Warming up".to_owned(),
        (_, Some(total)) => format!("Running: {} of {}", grouped(progress.ended()), grouped(total)),
        (_, None) => format!("Running: {}", words::count(progress.ended(), "request")),
    };
    row(Some("load-now"), load, state.into_any(), no_figures(slo), slo)
}

fn row_to_come(load: OfferedLoad, slo: Option<&Slo>) -> AnyView {
    row(Some("load-next"), load.words(), "To come".into_any(), no_figures(slo), slo)
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
    fn the_load_point_that_a_run_ended_in_is_said_to_be_unfinished() {
        let progress = |completed| Progress { completed, total: Some(100), load: Some(concurrency(8)), ..Progress::default() };
        let html = |progress, goes_on| Owner::new().with(|| row_of_now(&progress, goes_on, None).to_html());
        assert!(html(progress(40), true).contains("Running: 40 of 100"));
        let ended = html(progress(40), false);
        assert!(ended.contains("Not finished: 40 of 100 requests") && !ended.contains("load-now"), "{ended}");
    }

    #[test]
    fn a_row_says_limit_by_limit_what_a_load_came_to() {
        let slo = Slo { percentile: 90.0, ttft_ms: Some(150.0), tpot_ms: Some(12.0), e2el_ms: None, search: None };
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
        let neither = vec![outcome(LimitedLatency::TtftMs, None, None), outcome(LimitedLatency::TpotMs, None, None)];
        let undecided = FinishedLoadPoint { limits: neither, meets_slo: None, ..finished.clone() };
        let html = Owner::new().with(|| finished_row(&finished, Some(&slo)).to_html());
        for words in ["16 in flight", "210", "over the limit", "1,240", "attention", "25.0 %", " No", "TTFT p90 ≤ 150 ms"] {
            assert!(html.contains(words), "{words}: {html}");
        }
        assert!(html.contains("ended early after 40 requests, too few for p90"), "{html}");
        let html = Owner::new().with(|| finished_row(&undecided, Some(&slo)).to_html());
        assert_eq!(html.matches("too few").count(), 1, "{html}");
    }
}
