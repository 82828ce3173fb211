//! All runs: searched, filtered, sorted and paged by the server, the whole state in the address.

mod filters;
mod rows;

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use leptos_router::params::ParamsMap;

use crate::api::functions::runs::{HISTORY_ROWS, History, load_history};
use crate::components::badge::FiguresMarkTips;
use crate::components::banner::{Banner, Empty, Notice};
use crate::components::button::{LinkButton, Look};
use crate::components::heading::PageHeading;
use crate::components::metric::MetricTips;
use crate::components::outcome::Outcome;
use crate::components::table::{Pager, repeatable, with_query};
use crate::domain::list::ListQuery;
use crate::domain::workflow::WorkflowRow;
use crate::pages::loaded::loaded;
use crate::pages::try_it::Invitation;

use filters::Filters;
use rows::Rows;

const PATH: &str = "/";

/// What the address asks for. Fields that were left empty in the form are no filters.
fn asked(params: &ParamsMap) -> ListQuery {
    let text = |name: &str| params.get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    ListQuery {
        search: text("search"),
        status: text("status"),
        model: text("model"),
        cluster: text("cluster"),
        tag: text("tag"),
        creator: text("creator"),
        from: text("from"),
        to: text("to"),
        sort: text("sort"),
        page: text("page").and_then(|page| page.parse().ok()),
        page_size: None,
    }
}

/// `/`
#[component]
pub fn HistoryPage() -> impl IntoView {
    let query = use_query_map();
    let asks = Memo::new(move |_| query.with(asked));
    let flash = Memo::new(move |_| query.with(|query| query.get("flash")).unwrap_or_default());
    let data = Resource::new(move || (asks.get(), flash.get()), |(asks, flash)| load_history(asks, flash));
    loaded(
        data,
        move |data| view! { <HistoryView data=data asks=asks.get_untracked() params=query.with_untracked(repeatable) /> },
    )
    .into_any()
}

#[component]
fn HistoryView(data: History, asks: ListQuery, params: ParamsMap) -> impl IntoView {
    let History { runs, choices, drafts, flash, refused } = data;
    let filtered = ListQuery { sort: None, page: None, ..asks.clone() } != ListQuery::default();
    let total = runs.total;
    let several_creators = choices.creators.len() > 1;
    let (page, past_end) = (asks.page(), runs.items.is_empty() && total > 0);
    let list = if total == 0 && !filtered && refused.is_none() {
        view! { <Invitation /> }.into_any()
    } else {
        let found = if total == 0 {
            view! {
                <Empty message="No runs match.">
                    <LinkButton href=PATH text="Clear filters" />
                </Empty>
            }
            .into_any()
        } else if past_end {
            let first = with_query(PATH, &params, &[("page", None)]);
            view! {
                <Empty message="There is no such page.">
                    <LinkButton href=first text="First page" />
                </Empty>
            }
            .into_any()
        } else {
            let here = with_query(PATH, &params, &[("flash", None)]);
            view! {
                <Rows first=runs asks=asks.clone() params=params.clone() here=here several_creators=several_creators />
                <Pager path=PATH params=params.clone() page=page page_size=HISTORY_ROWS total=total />
            }
            .into_any()
        };
        view! {
            <Filters asks=asks params=params.clone() choices=choices filtered=filtered />
            {refused.map(|reason| view! { <Banner notice=Notice::Error><p>{reason}</p></Banner> })}
            {found}
        }
        .into_any()
    };
    view! {
        <div class="history stack-loose">
            <Outcome flash=flash />
            <PageHeading title="Runs">
                <LinkButton href="/benchmarks/new" text="New benchmark" look=Look::Primary />
            </PageHeading>
            <Drafts drafts=drafts />
            {list}
            <MetricTips />
            <FiguresMarkTips />
        </div>
    }
    .into_any()
}

/// The draft that was changed last, to go on with.
#[component]
fn Drafts(drafts: Vec<WorkflowRow>) -> impl IntoView {
    let number = drafts.len();
    drafts.into_iter().next().map(|draft| {
        let text = format!("Continue: {} ({} of {})", draft.next_page, draft.next_page_number, draft.pages);
        let name = if draft.name.is_empty() { "Draft without a name".to_owned() } else { draft.name };
        view! {
            <Banner notice=Notice::Info>
                <div class="row-between">
                    <p>
                        {format!("{name}. ")} <a href=format!("/wizard/{}", draft.workflow_id)>{text}</a>
                    </p>
                    {(number > 1).then(|| view! { <a href="/drafts">{format!("All {number} drafts")}</a> })}
                </div>
            </Banner>
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_fields_are_no_filters() {
        let mut params = ParamsMap::new();
        params.insert("search", "  ".to_owned());
        params.insert("status", "failed".to_owned());
        params.insert("page", "x".to_owned());
        let asks = asked(&params);
        assert_eq!((asks.search, asks.status.as_deref(), asks.page), (None, Some("failed"), None));
    }
}
