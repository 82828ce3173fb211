//! Entries of a refused form and its errors, kept over the redirect back to the form's page.

use serde::{Deserialize, Serialize};

use super::problem::{FieldError, Problem};

/// Name of the entry that holds a confirmation.
const DONE: &str = "done";

/// The message after a form was sent without a valid session.
const SIGNED_OUT: &str = "You were signed out. Your entries are kept; nothing was saved yet.";

/// Entries of a refused form, and its errors.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Flash {
    /// Field names and values as sent; a field may be repeated.
    pub entries: Vec<(String, String)>,
    /// A sentence about the form as a whole.
    pub detail: String,
    pub errors: Vec<FieldError>,
    /// For a revision conflict, the names of the fields that differ.
    pub changed: Option<Vec<String>>,
    /// Whether the form was refused only because its session had ended.
    pub signed_out: bool,
}

/// Most characters kept of an entry. The longest field, an engine's arguments, has fewer.
const LONGEST_ENTRY: usize = 10_000;

/// Cuts entries to that length, so that they can't fill the store.
fn cut(mut entries: Vec<(String, String)>) -> Vec<(String, String)> {
    for (_, value) in &mut entries {
        if let Some((end, _)) = value.char_indices().nth(LONGEST_ENTRY) {
            value.truncate(end);
        }
    }
    entries
}

impl Flash {
    /// A refused form; the caller leaves secrets out of the entries.
    pub fn new(entries: Vec<(String, String)>, problem: Problem) -> Self {
        let entries = cut(entries);
        Self { entries, detail: problem.detail, errors: problem.errors, changed: problem.changed, signed_out: false }
    }

    /// A form sent after its session had ended; `errors` names the fields that have to be filled in again.
    pub fn signed_out(entries: Vec<(String, String)>, errors: Vec<FieldError>) -> Self {
        Self { entries: cut(entries), detail: SIGNED_OUT.to_owned(), errors, changed: None, signed_out: true }
    }

    /// Not a refusal: a confirmation for the next page.
    pub fn done(sentence: impl Into<String>) -> Self {
        Self { entries: vec![(DONE.to_owned(), sentence.into())], ..Self::default() }
    }

    /// The confirmation, if this is one.
    pub fn done_sentence(&self) -> Option<&str> {
        self.entry(DONE)
    }

    /// The entry of a field; `None` when the form had no such field.
    pub fn entry(&self, field: &str) -> Option<&str> {
        self.entries.iter().find(|(name, _)| name == field).map(|(_, value)| value.as_str())
    }

    /// All entries of a repeated field.
    pub fn entries_of(&self, field: &str) -> Vec<String> {
        self.entries.iter().filter(|(name, _)| name == field).map(|(_, value)| value.clone()).collect()
    }

    /// The error of a field.
    pub fn error(&self, field: &str) -> Option<String> {
        self.errors.iter().find(|error| error.field == field).map(|error| error.message.clone())
    }

    /// The value to show: the entry, else the stored value.
    pub fn value(&self, field: &str, stored: impl Into<String>) -> String {
        self.entry(field).map_or_else(|| stored.into(), str::to_owned)
    }

    /// Whether anything was refused.
    pub fn is_refusal(&self) -> bool {
        !self.detail.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_kept_as_far_as_a_field_can_take() {
        let entries = || vec![("name".to_owned(), "é".repeat(LONGEST_ENTRY + 1)), ("tags".to_owned(), "short".to_owned())];
        for flash in [Flash::new(entries(), Problem::not_found("draft")), Flash::signed_out(entries(), Vec::new())] {
            assert_eq!(flash.entry("name").map(|value| value.chars().count()), Some(LONGEST_ENTRY));
            assert_eq!(flash.entry("tags"), Some("short"));
        }
    }
}
