//! Readers of basic JSON values.

use serde_json::Value;
use uuid::Uuid;

use dyno_measure::words::{count, grouped};

pub fn id(value: &Value) -> Option<Uuid> {
    value.as_str().and_then(|text| Uuid::try_parse(text.trim()).ok())
}

/// Why a text is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    #[error("{title} must be text.")]
    NotText {
        /// What the field is called.
        title: &'static str,
    },
    #[error("{title} must be {} or fewer; this has {}.", count(*most as u64, "character"), grouped(*length as u64))]
    TooLong {
        /// What the field is called.
        title: &'static str,
        /// Largest number of characters.
        most: usize,
        /// Actual number of characters.
        length: usize,
    },
}

/// A string of at most `most` characters, trimmed.
pub fn text(value: &Value, title: &'static str, most: usize) -> Result<String, TextError> {
    let text = value.as_str().ok_or(TextError::NotText { title })?.trim();
    let length = text.chars().count();
    if length > most { Err(TextError::TooLong { title, most, length }) } else { Ok(text.to_owned()) }
}
