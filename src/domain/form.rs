//! What a person typed into a form that was refused, and why: kept over the redirect back to the form's page.

use serde::{Deserialize, Serialize};

use super::problem::{FieldError, Problem};

/// The entry that tells what was done.
const DONE: &str = "done";

/// What is said of a form that was sent after its session had ended.
const SIGNED_OUT: &str = "You were signed out. Your entries are kept; nothing was saved yet.";

/// Entries of a refused form, and what is wrong with them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Flash {
    /// Field names and values as they were sent; a field may come more than once.
    pub entries: Vec<(String, String)>,
    /// A sentence about the whole.
    pub detail: String,
    /// What is wrong where.
    pub errors: Vec<FieldError>,
    /// For a revision conflict, the names of the fields that differ.
    pub changed: Option<Vec<String>>,
    /// Whether the form was refused only because its session had ended.
    pub signed_out: bool,
}

/// The most characters that are kept of an entry. The longest field, an engine's arguments, takes fewer.
const LONGEST_ENTRY: usize = 10_000;

/// Entries without what is longer than any field takes: what is kept for a person to correct must not fill the store.
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

    /// A form that was sent after its session had ended; `errors` says which fields have to be filled in again.
    pub fn signed_out(entries: Vec<(String, String)>, errors: Vec<FieldError>) -> Self {
        Self { entries: cut(entries), detail: SIGNED_OUT.to_owned(), errors, changed: None, signed_out: true }
    }

    /// Not a refused form: what was done, to be told on the next page.
    pub fn done(sentence: impl Into<String>) -> Self {
        Self { entries: vec![(DONE.to_owned(), sentence.into())], ..Self::default() }
    }

    /// What was done, where that is to be told.
    pub fn done_sentence(&self) -> Option<&str> {
        self.entry(DONE)
    }

    /// What was typed into a field; absent when the form had no such field.
    pub fn entry(&self, field: &str) -> Option<&str> {
        self.entries.iter().find(|(name, _)| name == field).map(|(_, value)| value.as_str())
    }

    /// Everything that was chosen in a field of several.
    pub fn entries_of(&self, field: &str) -> Vec<String> {
        self.entries.iter().filter(|(name, _)| name == field).map(|(_, value)| value.clone()).collect()
    }

    /// What is wrong with a field.
    pub fn error(&self, field: &str) -> Option<String> {
        self.errors.iter().find(|error| error.field == field).map(|error| error.message.clone())
    }

    /// What the field shows: what was typed, else what is stored.
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
