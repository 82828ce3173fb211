//! Conversion of values to and from columns, and access checks of rows.

use std::str::FromStr;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use sqlx::error::{BoxDynError, UnexpectedNullError};
use sqlx::sqlite::{Sqlite, SqliteRow};
use sqlx::types::Json;
use sqlx::{Decode, Row, Type};
use uuid::Uuid;
use uuid::fmt::Hyphenated;

use super::StoreError;
use crate::domain::user::Actor;

/// Milliseconds UTC, as times are stored.
pub(super) fn ms(time: Timestamp) -> i64 {
    time.as_millisecond()
}

/// Readers of columns, by name, for what sqlx knows no type of.
pub(super) trait Columns {
    fn id(&self, column: &str) -> sqlx::Result<Uuid>;
    fn opt_id(&self, column: &str) -> sqlx::Result<Option<Uuid>>;
    fn time(&self, column: &str) -> sqlx::Result<Timestamp>;
    fn opt_time(&self, column: &str) -> sqlx::Result<Option<Timestamp>>;
    fn json<T: DeserializeOwned>(&self, column: &str) -> sqlx::Result<T>;
    /// One of a fixed set of words.
    fn word<T: FromStr>(&self, column: &str) -> sqlx::Result<T>;
    fn opt_word<T: FromStr>(&self, column: &str) -> sqlx::Result<Option<T>>;
}

/// A column holds a value outside its type.
pub(super) fn damaged(column: &str, cause: impl Into<BoxDynError>) -> sqlx::Error {
    sqlx::Error::ColumnDecode { index: column.to_owned(), source: cause.into() }
}

fn to_time(column: &str, value: i64) -> sqlx::Result<Timestamp> {
    Timestamp::from_millisecond(value).map_err(|error| damaged(column, error))
}

fn to_word<T: FromStr>(column: &str, word: &str) -> sqlx::Result<T> {
    word.parse().map_err(|_| damaged(column, word))
}

/// A column that is never NULL. SQLite gives NULL as 0 or as an empty text to who asks for a number or a text.
fn present<'r, T>(row: &'r SqliteRow, column: &str) -> sqlx::Result<T>
where
    T: Decode<'r, Sqlite> + Type<Sqlite>,
{
    row.try_get::<Option<T>, _>(column)?.ok_or_else(|| damaged(column, UnexpectedNullError))
}

impl Columns for SqliteRow {
    fn id(&self, column: &str) -> sqlx::Result<Uuid> {
        present(self, column).map(Hyphenated::into_uuid)
    }
    fn opt_id(&self, column: &str) -> sqlx::Result<Option<Uuid>> {
        Ok(self.try_get::<Option<_>, _>(column)?.map(Hyphenated::into_uuid))
    }
    fn time(&self, column: &str) -> sqlx::Result<Timestamp> {
        to_time(column, present(self, column)?)
    }
    fn opt_time(&self, column: &str) -> sqlx::Result<Option<Timestamp>> {
        self.try_get::<Option<_>, _>(column)?.map(|value| to_time(column, value)).transpose()
    }
    fn json<T: DeserializeOwned>(&self, column: &str) -> sqlx::Result<T> {
        present(self, column).map(|Json(value)| value)
    }
    fn word<T: FromStr>(&self, column: &str) -> sqlx::Result<T> {
        to_word(column, present(self, column)?)
    }
    fn opt_word<T: FromStr>(&self, column: &str) -> sqlx::Result<Option<T>> {
        self.try_get::<Option<_>, _>(column)?.map(|word| to_word(column, word)).transpose()
    }
}

/// The object if the actor may see it: objects with an owner are visible to that person and to administrators. For everybody
/// else the answer is `NotFound`.
pub(super) fn visible_to<T>(actor: &Actor, owner: Uuid, what: &'static str, object: T) -> Result<T, StoreError> {
    if actor.may_touch(Some(owner)) { Ok(object) } else { Err(StoreError::NotFound(what)) }
}

/// As [`visible_to`]; objects without an owner are shared and visible to everybody.
pub(super) fn shared_or_visible_to<T>(
    actor: &Actor,
    owner: Option<Uuid>,
    what: &'static str,
    object: T,
) -> Result<T, StoreError> {
    if owner.is_none() || actor.may_touch(owner) { Ok(object) } else { Err(StoreError::NotFound(what)) }
}

#[cfg(test)]
mod tests {
    use sqlx::{Connection as _, SqliteConnection};

    use super::*;
    use crate::domain::user::Role;

    #[tokio::test]
    async fn a_damaged_value_is_named_by_its_column() {
        let mut db = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let query = "SELECT 'x' AS id, 'king' AS role, '[1' AS nodes, 9223372036854775807 AS ended_at, NULL AS begun_at";
        let row = sqlx::query(query).fetch_one(&mut db).await.unwrap();
        let said = |error: sqlx::Error| StoreError::from(error).to_string();
        assert_eq!(said(row.word::<Role>("role").unwrap_err()), "stored role is damaged: king");
        assert_eq!(said(row.opt_word::<Role>("role").unwrap_err()), "stored role is damaged: king");
        assert!(said(row.id("id").unwrap_err()).starts_with("stored id is damaged: "));
        assert!(said(row.opt_time("ended_at").unwrap_err()).starts_with("stored ended_at is damaged: "));
        assert!(said(row.json::<Vec<u8>>("nodes").unwrap_err()).starts_with("stored nodes is damaged: EOF"));
        assert!(said(row.time("begun_at").unwrap_err()).starts_with("stored begun_at is damaged: "));
        assert_eq!((row.opt_time("begun_at").unwrap(), row.opt_id("begun_at").unwrap()), (None, None));
    }
}
