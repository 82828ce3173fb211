//! Errors in files, rows and lines.

use std::io::ErrorKind;

use super::fields::no_known_column;
use super::{MAX_COLUMNS, MAX_UNPACKED_BYTES};

/// Why a row could not be read; the end of a sentence that begins with its line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ReadError {
    /// The file could not be read, or decompresses to too much.
    #[error("the file could not be read{}", why_not_read(*.0))]
    Io(ErrorKind),
    #[error("the row is longer than {} MB", limit >> 20)]
    TooLong { limit: usize },
    /// As `TooLong`, in a table: an unclosed quote may have swallowed the rest.
    #[error("the row is longer than {} MB; is a quote left open?", limit >> 20)]
    TooLongInTable { limit: usize },
    /// An object over several lines, which may hold rows in a list under one of these names.
    #[error("the row is longer than {} MB; rows within an object are read from a list under {}", limit >> 20, lists.join(", "))]
    ObjectTooLong { limit: usize, lists: &'static [&'static str] },
    #[error("not UTF-8")]
    NotUtf8,
    #[error("not JSON: {what} (column {column})")]
    NotJson { what: String, column: usize },
    /// JSON with values that can't be stored.
    #[error("{0}")]
    Value(String),
    #[error("not JSON: an object is expected here")]
    ObjectExpected,
    #[error("not JSON: a field's name is expected here")]
    NameExpected,
    #[error("not JSON: a colon is expected here")]
    ColonExpected,
    #[error("a field's name is too long")]
    NameTooLong,
    #[error("the file ends before the object is closed")]
    ObjectNotClosed,
    #[error("the file ends before the list is closed")]
    ListNotClosed,
    #[error("there is text after the end of the list")]
    TextAfterList,
    #[error("the file is UTF-16; save it as UTF-8")]
    Utf16,
    /// An unsupported file format, and what to do about it.
    #[error("the file is {0}")]
    OtherFormat(&'static str),
    #[error("there are more than {MAX_COLUMNS} columns")]
    TooManyColumns,
    #[error("the row has more than {MAX_COLUMNS} fields")]
    TooManyFields,
    #[error("{}", no_known_column(.0))]
    NoKnownColumn(Vec<String>),
    #[error("{fields} fields, but the header has {columns}")]
    FieldCount { fields: usize, columns: usize },
    #[error("the Parquet file is damaged")]
    ParquetDamaged,
    #[error("the Parquet file can't be read: {0}")]
    Parquet(String),
    /// Pages are unpacked whole.
    #[error("the Parquet file can't be read: its pages unpack to more than {} MB at one time; write it with fewer rows in a page or a group", limit >> 20)]
    PagesTooLarge { limit: usize },
    #[error("the Parquet file can't be read: its footer is longer than {} MB", limit >> 20)]
    FooterTooLarge { limit: usize },
    #[error("the Parquet file can't be read: its columns are nested too deep")]
    SchemaTooDeep,
    #[error("the Parquet file can't be read: it has too many columns, or one with too long a name")]
    SchemaTooWide,
    #[error(
        "the Parquet file can't be read: the column {column} is encoded as DELTA_BYTE_ARRAY; write it with another encoding, such as PLAIN"
    )]
    SharedPrefixes { column: String },
    #[error("a list of the row has more than 100,000 values")]
    ListTooLong,
    /// Over all columns, with the longest list of each.
    #[error(
        "the lists up to this row have more than 400,000 values over all columns, each counted for every level of its nesting"
    )]
    TooManyValues,
}

fn why_not_read(kind: ErrorKind) -> String {
    if kind == ErrorKind::QuotaExceeded {
        return format!(": unpacked, it is larger than {} MB", MAX_UNPACKED_BYTES >> 20);
    }
    format!(" ({kind})")
}

impl From<std::io::Error> for ReadError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error.kind())
    }
}

impl From<ReadError> for RowError {
    fn from(error: ReadError) -> Self {
        Self::Unreadable(error.to_string())
    }
}

/// Why a row has no prompt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum RowError {
    /// It is valid but has nothing to send.
    #[error("{0}")]
    Nothing(&'static str),
    /// It is invalid; the end of a sentence that begins with "Line 7: ".
    #[error("{0}")]
    Unreadable(String),
}

impl From<String> for RowError {
    fn from(why: String) -> Self {
        Self::Unreadable(why)
    }
}

impl From<&str> for RowError {
    fn from(why: &str) -> Self {
        Self::Unreadable(why.to_owned())
    }
}

/// The error in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineError {
    /// From 1.
    pub line: u64,
    /// The end of a sentence that begins with the line.
    pub message: String,
}
