//! What can go wrong in the store.

use crate::domain::problem::{Problem, ProblemKind};

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is none, or it is another person's; the word says of what.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// Its state, or another object, forbids it; a sentence for people.
    #[error("{0}")]
    Conflict(String),
    /// Someone else changed it since it was read.
    #[error("changed meanwhile")]
    Stale,
    /// A query asked for something that the list does not have.
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
        /// The newest schema that this program has.
        known: i64,
    },
    /// What is stored is not what this program wrote.
    #[error("stored {what} is damaged: {cause}")]
    Damaged {
        /// Which column or table.
        what: &'static str,
        /// What the reader said.
        cause: String,
    },
    #[error("database: {0}")]
    Database(String),
}

impl StoreError {
    pub(super) fn damaged(what: &'static str, cause: impl std::fmt::Display) -> Self {
        Self::Damaged { what, cause: cause.to_string() }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) if database.is_unique_violation() => {
                Self::Conflict("There is one of that name already.".to_owned())
            }
            sqlx::Error::Database(database) if database.is_foreign_key_violation() => {
                Self::Conflict("It refers to something that is no longer there, or something refers to it.".to_owned())
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
            StoreError::Stale => Self::conflict("It was changed meanwhile. Load it again."),
            StoreError::Invalid { field, message } => Self::field(field, message),
            other => {
                // The cause is for the log, once; people learn only that it is our fault.
                tracing::error!(error = %other, "the store failed");
                Self::new(ProblemKind::Internal, "Something went wrong on the server. Its log says what.")
            }
        }
    }
}
