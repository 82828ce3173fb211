//! The history's form: a plain GET, so that its state is the address.

use leptos::prelude::*;

use super::PATH;
use crate::components::badge::run_look;
use crate::components::button::{LinkButton, Submit};
use crate::components::field::{SelectField, TextField};
use crate::domain::list::{HistoryChoices, ListQuery};
use crate::domain::run::RunStatus;

/// What a phone sorts by; wider pages sort at the columns' heads.
const SORTS: [(&str, &str); 8] = [
    ("-created_at", "Newest first"),
    ("created_at", "Oldest first"),
    ("name", "Name"),
    ("status", "State"),
    ("-output_throughput", "Most output tokens/s first"),
    ("ttft_p99_ms", "Lowest TTFT p99 first"),
    ("tpot_p99_ms", "Lowest TPOT p99 first"),
    ("-error_rate", "Most errors first"),
];

/// Search and filters.
#[component]
pub fn Filters(
    /// What the page's address asks for.
    asks: ListQuery,
    /// What there is to choose from.
    choices: HistoryChoices,
    /// Whether anything is filtered.
    filtered: bool,
) -> impl IntoView {
    let sort = asks.sort.clone().unwrap_or_else(|| "-created_at".to_owned());
    let mut sorts: Vec<(String, String)> = SORTS.map(|(value, text)| (value.to_owned(), text.to_owned())).into();
    // A sort chosen at a column's head stays as it is when the form is sent.
    if !sorts.iter().any(|(value, _)| *value == sort) {
        sorts.push((sort.clone(), "As sorted now".to_owned()));
    }
    let statuses = RunStatus::ALL.map(|status| (status.as_str().to_owned(), run_look(status).1.to_owned())).into();
    view! {
        <form class="form-inline" method="get" action=PATH role="search" aria-label="Runs">
            <div class="field-wide">
                <TextField name="search" label="Search" kind="search" value=asks.search.unwrap_or_default() />
            </div>
            <SelectField name="status" label="State" options=with_any(statuses) value=asks.status.unwrap_or_default() />
            <SelectField name="model" label="Model" options=named(choices.models) value=asks.model.unwrap_or_default() />
            <SelectField name="cluster" label="Cluster" options=named(choices.clusters) value=asks.cluster.unwrap_or_default() />
            <SelectField name="tag" label="Tag" options=named(choices.tags) value=asks.tag.unwrap_or_default() />
            <SelectField name="creator" label="Creator" options=named(choices.creators) value=asks.creator.unwrap_or_default() />
            <TextField name="from" label="From" kind="date" value=asks.from.unwrap_or_default() />
            <TextField name="to" label="To" kind="date" value=asks.to.unwrap_or_default() />
            <div class="phone-only">
                <SelectField name="sort" label="Sort" options=sorts value=sort />
            </div>
            <div class="actions">
                <Submit text="Filter" />
                {filtered.then(|| view! { <LinkButton href=PATH text="Clear filters" /> })}
            </div>
        </form>
    }
    .into_any()
}

fn with_any(options: Vec<(String, String)>) -> Vec<(String, String)> {
    std::iter::once((String::new(), "Any".to_owned())).chain(options).collect()
}

fn named(values: Vec<String>) -> Vec<(String, String)> {
    with_any(values.into_iter().map(|value| (value.clone(), value)).collect())
}
