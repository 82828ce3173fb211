//! What the list pages share: the address as a question, the search, and what stands where there are no rows.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use leptos_router::params::ParamsMap;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api::functions::CallError;
use crate::components::banner::Empty;
use crate::components::button::{LinkButton, Submit};
use crate::components::field::TextField;
use crate::components::table::{Pager, Sorting, repeatable, with_query};
use crate::domain::list::ListQuery;
use crate::pages::loaded::loaded;

/// A list page: loads what the address asks for, again whenever it changes, and draws it.
pub fn list_page<V, F>(load: fn(ListQuery, String) -> F, draw: fn(V, ListQuery, ParamsMap) -> AnyView) -> impl IntoView
where
    V: Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
    F: Future<Output = Result<V, CallError>> + Send + 'static,
{
    let query = use_query_map();
    let asks = Memo::new(move |_| query.with(asked));
    let flash = Memo::new(move |_| query.with(|query| query.get("flash")).unwrap_or_default());
    let data = Resource::new(move || (asks.get(), flash.get()), move |(asks, flash)| load(asks, flash));
    loaded(data, move |view| draw(view, asks.get_untracked(), query.with_untracked(repeatable)))
}

/// Rows on a page.
const ROWS: u32 = 25;

/// What the address asks for; an empty field is none.
pub fn asked(params: &ParamsMap) -> ListQuery {
    let text = |name: &str| params.get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    ListQuery {
        search: text("search"),
        sort: text("sort"),
        page: text("page").and_then(|page| page.parse().ok()),
        page_size: Some(ROWS),
        ..ListQuery::default()
    }
}

/// A list as it was asked for and found.
#[derive(Debug, Clone)]
pub struct Listing {
    pub path: &'static str,
    pub params: ParamsMap,
    /// What was asked for.
    pub asks: ListQuery,
    /// Rows on all pages.
    pub total: u64,
    /// Rows on this page.
    pub shown: usize,
}

impl Listing {
    /// How its table is sorted.
    pub fn sorting(&self, default: &str) -> Sorting {
        Sorting {
            path: self.path.to_owned(),
            params: self.params.clone(),
            current: self.asks.sort.clone().unwrap_or_else(|| default.to_owned()),
        }
    }

    /// The search, the rows, and the pager; what is said instead where there are none. `noun` is the plural of the rows.
    pub fn around(self, noun: &str, empty: AnyView, rows: impl FnOnce() -> AnyView) -> AnyView {
        let search = self.asks.search.clone();
        if self.total == 0 && search.is_none() {
            return empty;
        }
        let found = if self.total == 0 {
            view! {
                <Empty message=format!("No {noun} match.")>
                    <LinkButton href=self.path text="Clear search" />
                </Empty>
            }
            .into_any()
        } else if self.shown == 0 {
            let first = with_query(self.path, &self.params, &[("page", None)]);
            view! {
                <Empty message="There is no such page.">
                    <LinkButton href=first text="First page" />
                </Empty>
            }
            .into_any()
        } else {
            let page = self.asks.page();
            view! {
                {rows()}
                <Pager path=self.path params=self.params.clone() page=page page_size=ROWS total=self.total />
            }
            .into_any()
        };
        let clear = search.is_some().then(|| view! { <LinkButton href=self.path text="Clear search" /> });
        let searches = search.is_some() || self.total > 5;
        let form = searches.then(|| {
            view! {
                <form class="form-inline" method="get" action=self.path role="search" aria-label=noun.to_owned()>
                    <div class="field-wide">
                        <TextField name="search" label="Search" kind="search" value=search.unwrap_or_default() />
                    </div>
                    <div class="actions">
                        <Submit text="Search" />
                        {clear}
                    </div>
                </form>
            }
        });
        view! {
            {form}
            {found}
        }
        .into_any()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_fields_ask_for_nothing() {
        let mut params = ParamsMap::new();
        params.insert("search", " ".to_owned());
        params.insert("sort", "-name".to_owned());
        params.insert("page", "two".to_owned());
        let asks = asked(&params);
        assert_eq!((asks.search, asks.sort.as_deref(), asks.page), (None, Some("-name"), None));
    }
}
