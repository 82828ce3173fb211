//! Errors of the store.

use crate::domain::problem::{Problem, ProblemKind};

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The object does not exist or belongs to another person; the word names its kind.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// The object's state, or another object, does not permit the change; a sentence for people.
    #[error("{0}")]
    Conflict(String),
    /// The actor may see it but not change it; a sentence for people.
    #[error("{0}")]
    Forbidden(&'static str),
    /// Someone else changed it since it was read.
    #[error("changed meanwhile")]
    Stale,
    /// A list query has an invalid parameter.
    #[error("{field}: {message}")]
    Invalid {
        field: &'static str,
        /// A sentence for people.
        message: String,
    },
    /// The database can't be opened.
    #[error("can't open the database: {0}")]
    Open(String),
    /// The database was written by a newer Dyno.
    #[error(
        "the database has schema {found} ({name}), this dyno knows schemas up to {known}: start the dyno that wrote it, or a newer one"
    )]
    NewerSchema {
        /// The newest schema in the database.
        found: i64,
        name: String,
        /// The newest schema that this program knows.
        known: i64,
    },
    /// A stored value can't be read.
    #[error("stored {column} is damaged: {cause}")]
    Damaged { column: String, cause: String },
    #[error("the disk is full")]
    DiskFull,
    #[error("database: {0}")]
    Database(String),
}

/// SQLite's codes for a disk without room: SQLITE_FULL, and SQLITE_IOERR_SHMSIZE, where the index of the log can't grow.
const DISK_FULL: [&str; 2] = ["13", "4874"];

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) if database.is_unique_violation() => {
                Self::Conflict("There is one of that name already.".to_owned())
            }
            sqlx::Error::Database(database) if database.is_foreign_key_violation() => {
                Self::Conflict("It refers to something that is no longer there, or something refers to it.".to_owned())
            }
            sqlx::Error::Database(database) if database.code().is_some_and(|code| DISK_FULL.contains(&&*code)) => Self::DiskFull,
            sqlx::Error::ColumnDecode { index, source } => {
                Self::Damaged { column: index.trim_matches('"').to_owned(), cause: source.to_string() }
            }
            _ => Self::Database(error.to_string()),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound(what) => Self::not_found(what),
            StoreError::Conflict(detail) => Self::conflict(detail),
            StoreError::Forbidden(detail) => Self::forbidden(detail),
            StoreError::Stale => Self::conflict("It was changed meanwhile. Load it again."),
            StoreError::Invalid { field, message } => Self::field(field, message),
            StoreError::DiskFull => {
                tracing::error!("the store failed: the disk is full");
                Self::disk_full()
            }
            other => {
                // the cause is logged here; people get no details of a server error
                tracing::error!(error = %other, "the store failed");
                Self::new(ProblemKind::Internal, "Something went wrong on the server. Its log says what.")
            }
        }
    }
}
