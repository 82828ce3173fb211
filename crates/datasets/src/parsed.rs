//! A parsed row, before its kind is known.

use serde_json::Value;

use super::array::{ArrayError, Element};
use super::read_error::ReadError;
use super::{kept, python_json};

/// A parsed row, or the error, with its line.
pub(super) type ParsedRow = (u64, Result<Parsed, ReadError>);

#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) value: Value,
    /// Number of unpaired surrogates that were replaced.
    pub(super) replaced: u64,
}

/// Parses a row of JSON.
pub(super) fn parsed(text: &[u8]) -> Result<Parsed, ReadError> {
    if std::str::from_utf8(text).is_err() {
        return Err(ReadError::NotUtf8);
    }
    let strict = match kept::parse(text) {
        Ok(value) => return Ok(Parsed { value, replaced: 0 }),
        Err(error) => error,
    };
    let (mended, replaced) = python_json::mend(text);
    kept::parse(&mended).map(|value| Parsed { value, replaced }).map_err(|error| {
        // strict parsing gives the column in the original text, unless only lenient parsing gets as far as the error
        let error = if strict.is_data() { error } else { strict };
        let what = error.to_string();
        // cuts the position off: the row's line is in the message already
        let what = what.split(" at line ").next().unwrap_or_default().to_owned();
        if error.is_data() { ReadError::Value(what) } else { ReadError::NotJson { what, column: error.column() } }
    })
}

/// An element of an array as a row.
pub(super) fn from_element(element: Element, limit: usize) -> ParsedRow {
    match element {
        Ok((line, text)) => (line, parsed(&text)),
        Err((line, ArrayError::TooLong)) => (line, Err(ReadError::TooLong { limit })),
        Err((line, ArrayError::NotClosed)) => (line, Err(ReadError::ListNotClosed)),
        Err((line, ArrayError::TextAfter)) => (line, Err(ReadError::TextAfterList)),
        Err((line, ArrayError::Io(kind))) => (line, Err(ReadError::Io(kind))),
    }
}
