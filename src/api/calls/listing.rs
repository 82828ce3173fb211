//! Lists that are few enough to be read whole: search, sort and paging in memory.

use jiff::Timestamp;

use crate::domain::list::{ListQuery, Page};
use crate::domain::problem::Problem;
use crate::domain::text::kept_name;
use dyno_measure::words::{is_blank, is_invisible};

/// What is asked of an item by the list that it is in.
pub(super) trait Listed {
    /// The name, searched and sorted by.
    fn name(&self) -> &str;
    /// Further text that is searched.
    fn more_text(&self) -> String {
        String::new()
    }
    /// Where it stands in a list that is not sorted otherwise: what has less comes first.
    fn sort_key(&self) -> u8 {
        0
    }
    /// When it was added.
    fn created_at(&self) -> Timestamp;
}

/// The page that is asked for. What the list can't do is refused, not ignored. `what` names the items: "Models".
pub(super) fn page_of<T: Listed>(mut items: Vec<T>, query: &ListQuery, what: &str) -> Result<Page<T>, Problem> {
    query.check()?;
    let filters = [
        ("status", query.status.is_some()),
        ("model", query.model.is_some()),
        ("cluster", query.cluster.is_some()),
        ("tag", query.tag.is_some()),
        ("creator", query.creator.is_some()),
        ("from", query.from.is_some()),
        ("to", query.to.is_some()),
    ];
    if let Some((field, _)) = filters.into_iter().find(|(_, is_set)| *is_set) {
        return Err(Problem::field(field, format!("{what} can't be filtered by {field}, only searched.")));
    }
    if let Some(search) = query.search.as_deref().map(|search| search.trim().to_lowercase()).filter(|search| !search.is_empty()) {
        items.retain(|item| item.name().to_lowercase().contains(&search) || item.more_text().to_lowercase().contains(&search));
    }
    let Some(sort) = query.sort.as_deref() else {
        items.sort_by_key(|item| (item.sort_key(), item.name().to_lowercase()));
        return Ok(paged(items, query));
    };
    let (column, descending) = sort.strip_prefix('-').map_or((sort, false), |column| (column, true));
    match column {
        "name" => items.sort_by_key(|item| item.name().to_lowercase()),
        "created_at" => items.sort_by_key(Listed::created_at),
        _ => return Err(Problem::field("sort", format!("{what} can be sorted by name and created_at."))),
    }
    if descending {
        items.reverse();
    }
    Ok(paged(items, query))
}

fn paged<T>(items: Vec<T>, query: &ListQuery) -> Page<T> {
    let total = items.len() as u64;
    let offset = usize::try_from(query.offset()).unwrap_or(usize::MAX);
    let items = items.into_iter().skip(offset).take(query.page_size() as usize).collect();
    Page { items, total }
}

/// What is wrong with the name of something in the inventory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NameError {
    #[error("Enter a name.")]
    Empty,
    #[error("Use at most 100 characters.")]
    TooLong,
    #[error("Use letters, digits and spaces.")]
    Control,
}

/// A name as it is kept.
pub(super) fn checked_name(name: &str) -> Result<String, NameError> {
    let name = kept_name(name);
    match name.chars().count() {
        _ if is_blank(&name) => Err(NameError::Empty),
        101.. => Err(NameError::TooLong),
        _ if name.chars().any(is_invisible) => Err(NameError::Control),
        _ => Ok(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Item(&'static str, i64);

    impl Listed for Item {
        fn name(&self) -> &str {
            self.0
        }
        fn more_text(&self) -> String {
            format!("number {}", self.1)
        }
        fn created_at(&self) -> Timestamp {
            Timestamp::from_second(self.1).unwrap()
        }
    }

    fn names(query: ListQuery) -> Result<(Vec<&'static str>, u64), Problem> {
        let items = vec![Item("b", 1), Item("A", 3), Item("c", 2)];
        page_of(items, &query, "Items").map(|page| (page.items.iter().map(|item| item.0).collect(), page.total))
    }

    #[test]
    fn searched_sorted_and_paged() {
        let query = ListQuery::default;
        assert_eq!(names(query()).unwrap(), (vec!["A", "b", "c"], 3));
        let sorted = |sort: &str| names(ListQuery { sort: Some(sort.to_owned()), ..query() });
        assert_eq!(sorted("-created_at").unwrap().0, ["A", "c", "b"]);
        assert!(sorted("colour").is_err());
        assert_eq!(names(ListQuery { search: Some(" NUMBER 2".to_owned()), ..query() }).unwrap(), (vec!["c"], 1));
        assert_eq!(names(ListQuery { page: Some(2), page_size: Some(2), ..query() }).unwrap(), (vec!["c"], 3));
        assert!(names(ListQuery { status: Some("x".to_owned()), ..query() }).is_err());
    }
}
