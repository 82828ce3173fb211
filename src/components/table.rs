//! Tables of data: caption, scopes, sorting by links whose state is in the address, and paging.

use leptos::prelude::*;
use leptos_router::params::ParamsMap;

use super::icon::{Icon, IconName};
use super::metric::{Term, TermMark};
use super::number::grouped;
use crate::domain::list::MOST_LETTERS;

/// Most bytes of a page's query that its links repeat: a list has a hundred links and more.
const MOST_REPEATED: usize = 1_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The title, with the unit.
    pub title: String,
    /// The name to sort by; absent: not sortable.
    pub sort: Option<&'static str>,
    /// Whether it holds figures: aligned to the right, and sorted from the largest first.
    pub numeric: bool,
    /// The metric whose definition the header opens.
    pub about: Option<&'static str>,
    /// Whether the title is for screen readers only.
    pub hidden: bool,
}

impl Column {
    /// A column of words.
    pub fn text(title: &str) -> Self {
        Self { title: title.to_owned(), sort: None, numeric: false, about: None, hidden: false }
    }

    /// A column of figures.
    pub fn figures(title: &str) -> Self {
        Self { title: title.to_owned(), sort: None, numeric: true, about: None, hidden: false }
    }

    #[must_use]
    pub fn sorted_by(mut self, name: &'static str) -> Self {
        self.sort = Some(name);
        self
    }

    /// Hides the title except for screen readers.
    #[must_use]
    pub fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }

    #[must_use]
    pub fn about(mut self, metric: &'static str) -> Self {
        self.about = Some(metric);
        self
    }
}

/// A table's sort order, and the page of its links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sorting {
    pub path: String,
    pub params: ParamsMap,
    /// The current order, such as `-created_at`.
    pub current: String,
}

impl Sorting {
    /// The address that sorts by a column; reverses the current order.
    fn href(&self, column: &str, numeric: bool) -> String {
        let next = if self.current == column {
            format!("-{column}")
        } else if self.current.strip_prefix('-') == Some(column) || !numeric {
            column.to_owned()
        } else {
            format!("-{column}")
        };
        with_query(&self.path, &self.params, &[("sort", Some(next)), ("page", None)])
    }

    /// `ascending` or `descending` when the table is sorted by the column.
    fn direction(&self, column: &str) -> Option<&'static str> {
        if self.current == column {
            Some("ascending")
        } else if self.current.strip_prefix('-') == Some(column) {
            Some("descending")
        } else {
            None
        }
    }
}

/// What of a page's query its links may repeat: no text that is too long for a list to take, and not too much in all.
pub fn repeatable(params: &ParamsMap) -> ParamsMap {
    let mut left = MOST_REPEATED;
    let mut kept = ParamsMap::new();
    for (name, value) in params.clone() {
        let size = name.len() + value.len();
        if size <= left && value.chars().count() <= MOST_LETTERS {
            left -= size;
            kept.insert(name, value);
        }
    }
    kept
}

/// An address with some of its query changed.
pub fn with_query(path: &str, params: &ParamsMap, changes: &[(&'static str, Option<String>)]) -> String {
    let mut changed = params.clone();
    for (name, value) in changes {
        match value {
            Some(value) => {
                changed.replace(*name, value.clone());
            }
            None => {
                changed.remove(name);
            }
        }
    }
    format!("{path}{}", changed.to_query_string())
}

/// A table; its children are the rows (`<tr>`).
#[component]
pub fn DataTable(
    /// What the table shows; read out before it.
    #[prop(into)]
    caption: String,
    /// Whether the caption is for screen readers only.
    #[prop(optional)]
    caption_hidden: bool,
    columns: Vec<Column>,
    /// How it is sorted; absent: not sortable.
    #[prop(optional_no_strip)]
    sorting: Option<Sorting>,
    /// On a phone rows become blocks; each `<td>` then needs `data-label` with its column's title.
    #[prop(optional)]
    blocks: bool,
    children: Children,
) -> impl IntoView {
    let class = if blocks { "table table-blocks" } else { "table" };
    // a scrolling region must be reachable by keyboard, and so needs a name
    let label = caption.clone();
    view! {
        <div class="table-scroll" tabindex="0" role="region" aria-label=label>
            <table class=class>
                <caption class=caption_hidden.then_some("visually-hidden")>{caption}</caption>
                <thead>
                    <tr>
                        {columns.into_iter().map(|column| view! { <Header column=column sorting=sorting.clone() /> }).collect_view()}
                    </tr>
                </thead>
                <tbody>{children()}</tbody>
            </table>
        </div>
    }
    .into_any()
}

#[component]
fn Header(column: Column, sorting: Option<Sorting>) -> impl IntoView {
    let class = column.numeric.then_some("numeric");
    let (Some(name), Some(sorting)) = (column.sort, sorting) else {
        let title = match column.about {
            Some(id) => view! { <Term id=id text=column.title /> }.into_any(),
            None if column.hidden => view! { <span class="visually-hidden">{column.title}</span> }.into_any(),
            None => column.title.into_any(),
        };
        return view! {
            <th scope="col" class=class>
                {title}
            </th>
        }
        .into_any();
    };
    let direction = sorting.direction(name);
    let mark = direction.map(|direction| {
        let icon = if direction == "ascending" { IconName::Up } else { IconName::Down };
        view! { <Icon name=icon /> }
    });
    view! {
        <th scope="col" class=class aria-sort=direction>
            <a href=sorting.href(name, column.numeric)>{column.title} {mark}</a>
            {column.about.map(|id| view! { <TermMark id=id /> })}
        </th>
    }
    .into_any()
}

/// The range of shown rows, and links to the previous and next page.
#[component]
pub fn Pager(
    #[prop(into)] path: String,
    params: ParamsMap,
    /// This page, from 1.
    page: u32,
    page_size: u32,
    /// Rows on all pages.
    total: u64,
) -> impl IntoView {
    let first = u64::from(page.saturating_sub(1)) * u64::from(page_size) + 1;
    let last = (first + u64::from(page_size) - 1).min(total);
    let to = |number: u32| with_query(&path, &params, &[("page", Some(number.to_string()))]);
    let previous =
        (page > 1).then(|| view! { <a class="button" rel="prev" href=to(page - 1)><Icon name=IconName::Left />"Previous"</a> });
    let next =
        (last < total).then(|| view! { <a class="button" rel="next" href=to(page + 1)>"Next"<Icon name=IconName::Right /></a> });
    (total > 0)
        .then(|| {
            view! {
                <nav class="pager" aria-label="Pages of the table">
                    <p class="muted">{format!("{} to {} of {}", grouped(first.min(total)), grouped(last), grouped(total))}</p>
                    <div class="row">{previous} {next}</div>
                </nav>
            }
        })
        .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorting(current: &str) -> Sorting {
        let mut params = ParamsMap::new();
        params.insert("search", "a b".to_owned());
        params.insert("page", "3".to_owned());
        Sorting { path: "/".to_owned(), params, current: current.to_owned() }
    }

    #[test]
    fn a_sort_link_keeps_filters_and_goes_to_the_first_page() {
        let href = sorting("-created_at").href("name", false);
        assert!(href.contains("sort=name") && href.contains("search=a") && !href.contains("page="), "{href}");
    }

    #[test]
    fn links_repeat_no_long_query() {
        let mut params = ParamsMap::new();
        params.insert("search", "ä".repeat(MOST_LETTERS));
        params.insert("tag", "x".repeat(MOST_LETTERS + 1));
        let kept = repeatable(&params);
        assert_eq!((kept.get("search"), kept.get("tag")), (params.get("search"), None));
        for number in 0..1_000 {
            params.insert(format!("name{number}"), "x".repeat(100));
        }
        assert!(with_query("/", &repeatable(&params), &[]).len() < 2 * MOST_REPEATED);
    }

    #[test]
    fn a_second_click_turns_the_direction_round() {
        // the server escapes the sign and the browser does not: both mean the same
        let href = |current: &str, column: &str, numeric: bool| sorting(current).href(column, numeric).replace("%2D", "-");
        assert!(href("name", "name", false).contains("sort=-name"));
        assert!(href("-name", "name", false).contains("sort=name"));
        assert!(href("name", "ttft", true).contains("sort=-ttft"));
        assert_eq!(sorting("-ttft").direction("ttft"), Some("descending"));
        assert_eq!(sorting("-ttft").direction("name"), None);
    }
}
