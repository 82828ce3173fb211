//! The table of runs. While some of them go on it is asked for anew every few seconds.

use leptos::prelude::*;
use leptos_router::params::ParamsMap;

use crate::components::badge::{FiguresBadge, FiguresMark, KindBadge, RunBadge};
use crate::components::button::{Look, Submit};
use crate::components::failure::SignedOut;
use crate::components::icon::{Icon, IconName};
use crate::components::menu::Menu;
use crate::components::number::{figure, is_high, of_kind};
use crate::components::table::{Column, DataTable, Sorting};
use crate::components::tag::Tags;
use crate::components::time::{Time, TimePrecision};
use crate::domain::engine::title_of;
use crate::domain::list::{ListQuery, Page};
use crate::domain::run::{LimitsVerdict, RunRow};
use crate::islands::Renew;
use crate::pages::run_actions::{CancelForm, CopyForm, DeleteForm, RunAgainForm, Subject};
use dyno_measure::run::{RunKind, RunStatus};

/// What is renewed while runs go on.
const TABLE: &str = "runs";
/// The form that runs are chosen for.
const CHOSEN: &str = "chosen-runs";
/// How often, in milliseconds.
const RENEW_MS: i32 = 4000;

/// The runs of one page.
#[component]
pub fn Rows(
    /// As the page was loaded.
    first: Page<RunRow>,
    /// What was asked for.
    asks: ListQuery,
    params: ParamsMap,
    /// The page's address, to come back to.
    here: String,
    /// Whether there are runs of several people.
    several_creators: bool,
) -> impl IntoView {
    // The list's own query goes with the form: where no run is chosen, the file has what the page shows.
    let kept = params
        .clone()
        .into_iter()
        .filter(|(name, _)| name != "flash")
        .map(|(name, value)| view! { <input type="hidden" name=name.to_string() value=value /> })
        .collect_view();
    let sorting =
        Sorting { path: super::PATH.to_owned(), params, current: asks.sort.clone().unwrap_or_else(|| "-created_at".to_owned()) };
    let goes_on = first.items.iter().any(|row| !row.status.is_end());
    let rows = first.items.into_iter();
    let rows = rows.map(|row| view! { <Row row=row here=here.clone() several_creators=several_creators /> }).collect_view();
    view! {
        <SignedOut />
        <form id=CHOSEN class="choose-runs" method="get" action="/runs/figures.csv">
            {kept}
            <Submit text="Download figures as CSV" look=Look::Plain />
            <span class="hint">"Of the runs that are ticked, or of all on this page."</span>
        </form>
        <div id=TABLE data-renew=goes_on>
            <DataTable caption="Runs" caption_hidden=true columns=columns() sorting=Some(sorting) blocks=true>
                {rows}
            </DataTable>
        </div>
        {goes_on.then(|| view! { <Renew part=TABLE every_ms=RENEW_MS address="" /> })}
    }
    .into_any()
}

fn columns() -> Vec<Column> {
    vec![
        Column::text("Name").sorted_by("name"),
        Column::text("Model").sorted_by("model"),
        Column::text("Engine").sorted_by("engine"),
        Column::text("Load").sorted_by("load"),
        Column::figures("Output tokens/s").sorted_by("output_throughput").about("output_throughput"),
        Column::figures("TTFT p50\u{a0}·\u{a0}p90, ms").sorted_by("ttft_p90_ms").about("ttft_ms"),
        Column::figures("TPOT p50\u{a0}·\u{a0}p90, ms").sorted_by("tpot_p90_ms").about("tpot_ms"),
        Column::figures("Errors, %").sorted_by("error_rate").about("error_rate"),
        Column::text("Started").sorted_by("started_at"),
        Column::text("Actions").hidden(),
    ]
}

/// What stands where there is no figure.
fn absent(row: &RunRow) -> &'static str {
    match (row.status.is_end(), row.output_throughput) {
        (false, _) => "not yet",
        (true, None) => "none",
        (true, Some(_)) => "too few samples",
    }
}

/// The median and the 90th percentile; a dash where the samples do not decide the second.
fn percentiles(kind: RunKind, p50: Option<f64>, p90: Option<f64>) -> Option<AnyView> {
    let p90 = p90.map(figure);
    p50.map(|p50| of_kind(kind, figure(p50))).map(|p50| match p90 {
        Some(p90) => format!("{p50}\u{a0}·\u{a0}{p90}").into_any(),
        None => view! {
            {p50}
            "\u{a0}·\u{a0}"
            <span title="too few samples for p90">
                <span aria-hidden="true">"–"</span>
                <span class="visually-hidden">"too few samples for p90"</span>
            </span>
        }
        .into_any(),
    })
}

/// Which of several loads the figures are of, and whether that load met the limits.
fn figures_of(chosen: Option<&str>, limits: Option<LimitsVerdict>) -> Option<AnyView> {
    let limits = match limits {
        Some(LimitsVerdict::Met) => Some(("limit-met", IconName::Tick, "limits met")),
        Some(LimitsVerdict::NotMet) => Some(("limit-missed", IconName::Cross, "limits not met")),
        Some(LimitsVerdict::Undecided) => Some(("muted", IconName::HalfDisc, "limits not decided: too few samples")),
        Some(LimitsVerdict::None) | None => None,
    };
    let mark = limits.map(|(class, icon, words)| {
        view! {
            <span class=class title=words>
                <Icon name=icon />
                <span class="visually-hidden">{words}</span>
            </span>
        }
    });
    let text = chosen.map(|load| format!("figures at {load}"));
    (text.is_some() || mark.is_some()).then(|| view! { <span class="chosen-load">{text} " " {mark}</span> }.into_any())
}

#[component]
fn Row(row: RunRow, here: String, several_creators: bool) -> impl IntoView {
    let ended = row.status.is_end();
    let subject = Subject {
        run: row.id,
        benchmark: row.benchmark_id,
        name: row.name.clone(),
        kind: row.kind,
        after_delete: here.clone(),
        here,
    };
    let missing = absent(&row);
    let cell = |label: &'static str, shown: Option<AnyView>| {
        let shown = shown.unwrap_or_else(|| view! { <span class="muted">{missing}</span> }.into_any());
        view! { <td class="numeric" data-label=label>{shown}</td> }
    };
    let page = if ended { format!("/runs/{}/report", row.id) } else { format!("/runs/{}", row.id) };
    let engine = row.engine.as_deref().map_or("provider", title_of).to_owned();
    // A phone shows what is worth a line.
    let clean = row.error_rate.is_none_or(|rate| rate == 0.0);
    let errors = row.error_rate.map(|rate| {
        let text = of_kind(row.kind, figure(rate * 100.0));
        if is_high(rate) {
            view! { <span class="attention"><Icon name=IconName::Warning />{text}</span> }.into_any()
        } else {
            text.into_any()
        }
    });
    let delete = ended.then(|| view! { <DeleteForm subject=subject.clone() look=Look::Plain /> });
    let cancel = (!ended).then(|| view! { <CancelForm run=row.id status=row.status /> });
    // An ordinary run carries no marks: what differs is what is seen.
    let state = (row.status != RunStatus::Succeeded).then(|| view! { <RunBadge status=row.status /> });
    let kind = (row.kind == RunKind::Simulated).then(|| view! { <KindBadge kind=row.kind /> });
    let not_valid = (row.valid == Some(false)).then(|| view! { <FiguresBadge mark=FiguresMark::NotValid /> });
    let short = (row.steady == Some(false)).then(|| view! { <FiguresBadge mark=FiguresMark::Short /> });
    let chosen = figures_of(row.chosen_load.as_deref(), row.limits);
    let creator = several_creators.then(|| view! { <span class="muted small">{format!("by {}", row.creator)}</span> });
    let menu = view! {
        <Menu id=format!("menu-{}", row.id) label=format!("Actions for {}", subject.name)>
            <ul class="menu-links">
                <li>
                    <a href=format!("/runs/{}", row.id)>"Open the run's page"</a>
                </li>
            </ul>
            <RunAgainForm subject=subject.clone() />
            <CopyForm subject=subject.clone() />
            {delete}
            {cancel}
        </Menu>
    };
    view! {
        <tr id=format!("run-{}", row.id) class=if row.valid == Some(false) { "not-valid" } else { "" }>
            <th scope="row" class="run-cell">
                <span class="run-choice">
                    <input type="checkbox" name="run" value=row.id.to_string() form=CHOSEN aria-label=format!("Choose {}", row.name) />
                    <a class="run-name" href=page>{row.name.clone()}</a>
                </span>
                <span class="run-marks">{state} {kind} {not_valid} {short} <Tags tags=row.tags /> {creator}</span>
            </th>
            <td data-label="Model" class="run-model">{row.model}</td>
            <td data-label="Engine" class="phone-hidden">{engine}</td>
            <td data-label="Load">{row.load} {chosen}</td>
            {cell("Output tokens/s", row.output_throughput.map(|value| of_kind(row.kind, figure(value)).into_any()))}
            {cell("TTFT p50\u{a0}·\u{a0}p90, ms", percentiles(row.kind, row.ttft_p50_ms, row.ttft_p90_ms))}
            {cell("TPOT p50\u{a0}·\u{a0}p90, ms", percentiles(row.kind, row.tpot_p50_ms, row.tpot_p90_ms))}
            <td class=if clean { "numeric phone-hidden" } else { "numeric" } data-label="Errors, %">
                {errors.unwrap_or_else(|| view! { <span class="muted">{missing}</span> }.into_any())}
            </td>
            <td data-label="Started" class="nowrap">
                {match row.started_at {
                    Some(at) => view! { <Time at=at precision=TimePrecision::Short /> }.into_any(),
                    None => view! { <span class="muted">"not started"</span> }.into_any(),
                }}
            </td>
            <td class="row-menu">{menu}</td>
        </tr>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_but_the_actions_can_be_sorted_by() {
        let columns = columns();
        assert_eq!(columns.iter().filter(|column| column.sort.is_none()).count(), 1);
    }

    #[test]
    fn the_load_of_the_figures_is_named_and_its_verdict_is_a_word_as_well() {
        let html = |load, limits| figures_of(load, limits).map(RenderHtml::to_html).unwrap_or_default();
        let met = html(Some("24 in flight"), Some(LimitsVerdict::Met));
        assert!(met.contains("figures at 24 in flight") && met.contains(">limits met<"), "{met}");
        assert!(html(None, Some(LimitsVerdict::NotMet)).contains(">limits not met<"));
        assert!(html(None, Some(LimitsVerdict::Undecided)).contains("limits not decided"));
        assert_eq!(html(None, Some(LimitsVerdict::None)) + &html(None, None), "");
    }

    #[test]
    fn percentiles_stand_beside_each_other_and_a_missing_one_is_worded() {
        let html = |p50, p90| percentiles(RunKind::Measured, p50, p90).map(RenderHtml::to_html);
        assert_eq!(html(Some(12.34), Some(1234.0)).unwrap(), "12.3\u{a0}·\u{a0}1,230");
        assert!(html(Some(12.34), None).unwrap().contains("too few samples for p90"));
        assert!(html(None, Some(1.0)).is_none());
    }

    fn row(kind: RunKind) -> RunRow {
        serde_json::from_value(serde_json::json!({
            "id": uuid::Uuid::nil(), "benchmark_id": uuid::Uuid::nil(), "kind": kind, "status": "succeeded", "valid": true,
            "name": "nightly", "tags": [], "model": "m", "cluster": "c", "devices": "1 × CPU", "load": "4 in flight",
            "output_throughput": 1240.0, "ttft_p50_ms": 20.0, "tpot_p50_ms": 8.0, "error_rate": 0.0, "creator": "anna",
            "created_at": "2026-11-24T10:55:00Z",
        }))
        .unwrap()
    }

    #[test]
    fn each_simulated_figure_is_marked_and_no_measured_one_is() {
        let marks = |kind| {
            let html = Owner::new().with(|| view! { <Row row=row(kind) here="/".to_owned() several_creators=false /> }.to_html());
            html.matches('≈').count()
        };
        assert_eq!((marks(RunKind::Simulated), marks(RunKind::Measured)), (4, 0));
    }
}
