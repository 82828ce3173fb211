//! What the history is narrowed down by: one search, and a row of choices that act at once, since each is a link. All of
//! it is the address.

use leptos::prelude::*;
use leptos_router::params::ParamsMap;
use strum::VariantArray as _;

use super::PATH;
use crate::api::functions::forms::readers_zone;
use crate::components::badge::run_look;
use crate::components::button::{LinkButton, Look, Submit};
use crate::components::field::TextField;
use crate::components::menu::DropDown;
use crate::components::table::with_query;
use crate::domain::list::{HistoryChoices, ListQuery};
use dyno_measure::run::RunStatus;

/// What a phone sorts by; wider pages sort at the columns' heads.
const SORTS: [(&str, &str); 8] = [
    ("-created_at", "Newest first"),
    ("created_at", "Oldest first"),
    ("name", "Name"),
    ("status", "State"),
    ("-output_throughput", "Most output tokens/s first"),
    ("ttft_p90_ms", "Lowest TTFT p90 first"),
    ("tpot_p90_ms", "Lowest TPOT p90 first"),
    ("-error_rate", "Most errors first"),
];

#[component]
pub fn Filters(
    /// What the page's address asks for.
    asks: ListQuery,
    params: ParamsMap,
    /// What there is to choose from.
    choices: HistoryChoices,
    /// Whether anything is filtered.
    filtered: bool,
) -> impl IntoView {
    let statuses =
        RunStatus::VARIANTS.iter().map(|status| (status.into_str().to_owned(), run_look(*status).1.to_owned())).collect();
    let menus = [
        ("status", "State", statuses, asks.status.clone()),
        ("model", "Model", same(choices.models), asks.model.clone()),
        ("cluster", "Cluster", same(choices.clusters), asks.cluster.clone()),
        ("tag", "Tag", same(choices.tags), asks.tag.clone()),
        ("creator", "Creator", same(choices.creators), asks.creator.clone()),
    ];
    let menus = menus
        .into_iter()
        // What there is one of leaves nothing to choose.
        .filter(|(_, _, options, chosen)| options.len() > 1 || chosen.is_some())
        .map(|(name, label, options, chosen)| {
            view! { <Choice name=name label=label options=options chosen=chosen params=params.clone() /> }
        })
        .collect_view();
    let sort = asks.sort.clone().unwrap_or_else(|| "-created_at".to_owned());
    let sorts = SORTS.map(|(value, text)| (value.to_owned(), text.to_owned())).into();
    view! {
        <div class="filters">
            <form class="search-form" method="get" action=PATH role="search" aria-label="Runs">
                {kept(&params, &["search"])}
                <label class="visually-hidden" for="search-runs">
                    "Search runs"
                </label>
                <input
                    class="input"
                    type="search"
                    id="search-runs"
                    name="search"
                    placeholder="Name, model, engine or tag"
                    value=asks.search.clone().unwrap_or_default()
                />
                <Submit text="Search" />
            </form>
            <div class="filter-row" role="group" aria-label="Filters">
                {menus}
                <Dates asks=asks params=params.clone() />
                <span class="phone-only">
                    <Choice name="sort" label="Sort" options=sorts chosen=Some(sort) params=params />
                </span>
                {filtered.then(|| view! { <LinkButton href=PATH text="Clear filters" look=Look::Small /> })}
            </div>
        </div>
    }
    .into_any()
}

/// The rest of the address, which a form takes along; its page is the first again.
fn kept(params: &ParamsMap, but: &[&str]) -> impl IntoView + use<> {
    ["search", "status", "model", "cluster", "tag", "creator", "from", "to", "sort"]
        .into_iter()
        .filter(|name| !but.contains(name))
        .filter_map(|name| Some((name, params.get(name).filter(|value| !value.is_empty())?)))
        .map(|(name, value)| view! { <input type="hidden" name=name value=value /> })
        .collect_view()
}

/// One filter: a link for each value.
#[component]
fn Choice(
    name: &'static str,
    label: &'static str,
    options: Vec<(String, String)>,
    chosen: Option<String>,
    params: ParamsMap,
) -> impl IntoView {
    let is_sort = name == "sort";
    let word = chosen
        .as_ref()
        .map(|chosen| options.iter().find(|(value, _)| value == chosen).map_or_else(|| chosen.clone(), |(_, text)| text.clone()));
    let text = word.map_or_else(|| label.to_owned(), |word| format!("{label}: {word}"));
    let to = |value: Option<String>| with_query(PATH, &params, &[(name, value), ("page", None), ("flash", None)]);
    let any = (!is_sort).then(|| {
        view! {
            <li>
                <a href=to(None) aria-current=chosen.is_none().then_some("true")>
                    "Any"
                </a>
            </li>
        }
    });
    let links = options
        .into_iter()
        .map(|(value, text)| {
            let current = (chosen.as_ref() == Some(&value)).then_some("true");
            view! {
                <li>
                    <a href=to(Some(value)) aria-current=current>
                        {text}
                    </a>
                </li>
            }
        })
        .collect_view();
    view! {
        <DropDown id=format!("filter-{name}") text=text active=chosen.is_some() && !is_sort>
            <ul class="menu-links">{any} {links}</ul>
        </DropDown>
    }
    .into_any()
}

/// The days of asking.
#[component]
fn Dates(asks: ListQuery, params: ParamsMap) -> impl IntoView {
    let text = match (&asks.from, &asks.to) {
        (None, None) => "Dates".to_owned(),
        (Some(from), None) => format!("From {from}"),
        (None, Some(to)) => format!("Until {to}"),
        (Some(from), Some(to)) => format!("{from} to {to}"),
    };
    let zone = match readers_zone().name() {
        "UTC" => "UTC".to_owned(),
        name => format!("{} time", name.replace('_', " ")),
    };
    view! {
        <DropDown id="filter-dates" text=text active=asks.from.is_some() || asks.to.is_some()>
            <form class="stack-tight" method="get" action=PATH>
                {kept(&params, &["from", "to"])}
                <TextField name="from" label="From" kind="date" value=asks.from.unwrap_or_default() />
                <TextField name="to" label="To" kind="date" value=asks.to.unwrap_or_default() />
                <p class="hint">{format!("When runs were asked for, in {zone}.")}</p>
                <div class="actions">
                    <Submit text="Show" />
                </div>
            </form>
        </DropDown>
    }
    .into_any()
}

fn same(values: Vec<String>) -> Vec<(String, String)> {
    values.into_iter().map(|value| (value.clone(), value)).collect()
}
