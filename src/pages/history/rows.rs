//! The table of runs. While some of them go on it is asked for anew every few seconds.

use leptos::prelude::*;
use leptos_router::params::ParamsMap;

use crate::components::badge::{KindBadge, RunBadge, ValidityBadge};
use crate::components::button::Look;
use crate::components::failure::SignedOut;
use crate::components::number::{figure, percent};
use crate::components::table::{Column, DataTable, Sorting};
use crate::components::tag::Tags;
use crate::components::time::moment;
use crate::domain::list::{ListQuery, Page};
use crate::domain::run::{RunRow, RunStatus};
use crate::islands::Renew;
use crate::pages::run_actions::{CancelForm, CopyForm, DeleteForm, RunAgainForm, Subject};

/// What is renewed while runs go on.
const TABLE: &str = "runs";
/// How often, in milliseconds.
const RENEW_MS: i32 = 4000;

/// The runs of one page.
#[component]
pub fn Rows(
    /// As the page was loaded.
    first: Page<RunRow>,
    /// What was asked for.
    asks: ListQuery,
    /// The page's query.
    params: ParamsMap,
    /// The page's address, to come back to.
    here: String,
) -> impl IntoView {
    let sorting =
        Sorting { path: super::PATH.to_owned(), params, current: asks.sort.clone().unwrap_or_else(|| "-created_at".to_owned()) };
    let goes_on = first.items.iter().any(|row| !row.status.is_end());
    let rows = first.items.into_iter().map(|row| view! { <Row row=row here=here.clone() /> }).collect_view();
    view! {
        <SignedOut />
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
        Column::text("State").sorted_by("status"),
        Column::text("Kind").sorted_by("kind"),
        Column::text("Validity").sorted_by("valid"),
        Column::text("Name").sorted_by("name"),
        Column::text("Model").sorted_by("model"),
        Column::text("Engine").sorted_by("engine"),
        Column::text("Devices").sorted_by("devices"),
        Column::text("Load").sorted_by("load"),
        Column::figures("Output tokens/s").sorted_by("output_throughput").about("output_throughput"),
        Column::figures("TTFT p99, ms").sorted_by("ttft_p99_ms").about("ttft_ms"),
        Column::figures("TPOT p99, ms").sorted_by("tpot_p99_ms").about("tpot_ms"),
        Column::figures("Errors, %").sorted_by("error_rate").about("error_rate"),
        Column::text("Started, UTC").sorted_by("started_at"),
        Column::text("Creator").sorted_by("creator"),
        Column::text("Actions"),
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

#[component]
fn Row(row: RunRow, here: String) -> impl IntoView {
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
    let cell = |label: &'static str, text: Option<String>| {
        let text = text.map_or_else(|| view! { <span class="muted">{missing}</span> }.into_any(), IntoAny::into_any);
        view! { <td class="numeric" data-label=label>{text}</td> }
    };
    let page = if ended { format!("/runs/{}/report", row.id) } else { format!("/runs/{}", row.id) };
    let engine = row.engine.clone().unwrap_or_else(|| "provider".to_owned());
    let errors = row.error_rate.map(|rate| percent(rate).trim_end_matches('%').to_owned());
    let delete = ended.then(|| view! { <DeleteForm subject=subject.clone() look=Look::Small /> });
    let cancel = (!ended).then(|| view! { <CancelForm run=row.id status=row.status /> });
    view! {
        <tr id=format!("run-{}", row.id) class=if matches!(row.status, RunStatus::Succeeded) && row.valid == Some(false) { "not-valid" } else { "" }>
            <td data-label="State"><RunBadge status=row.status /></td>
            <td class="phone-hidden"><KindBadge kind=row.kind /></td>
            <td class="phone-hidden">
                {if row.valid.is_some() {
                    view! { <ValidityBadge valid=row.valid /> }.into_any()
                } else {
                    view! { <span class="muted">{missing}</span> }.into_any()
                }}
            </td>
            <th scope="row">
                <a class="run-name" href=page>{row.name}</a>
                " "
                <Tags tags=row.tags />
            </th>
            <td data-label="Model" class="clipped" title=row.model.clone()>{row.model.clone()}</td>
            <td class="phone-hidden">{engine}</td>
            <td class="phone-hidden clipped" title=row.devices.clone()>{row.devices.clone()}</td>
            <td data-label="Load">{row.load}</td>
            {cell("Output tokens/s", row.output_throughput.map(figure))}
            {cell("TTFT p99, ms", row.ttft_p99_ms.map(figure))}
            {cell("TPOT p99, ms", row.tpot_p99_ms.map(figure))}
            {cell("Errors, %", errors)}
            <td data-label="Started, UTC">
                {match row.started_at {
                    Some(at) => view! { <time datetime=at.to_string() title=moment(at)>{at.strftime("%-d %b %H:%M").to_string()}</time> }.into_any(),
                    None => view! { <span class="muted">"not started"</span> }.into_any(),
                }}
            </td>
            <td class="phone-hidden">{row.creator}</td>
            <td>
                <details class="row-actions">
                    <summary>
                        "Actions" <span class="visually-hidden">{format!(" for {}", subject.name)}</span>
                    </summary>
                    <div class="stack-tight">
                        <a href=format!("/runs/{}", row.id)>"Open the run's page"</a>
                        <RunAgainForm subject=subject.clone() look=Look::Small />
                        <CopyForm subject=subject.clone() look=Look::Small />
                        {delete}
                        {cancel}
                    </div>
                </details>
            </td>
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
}
