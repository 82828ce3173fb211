//! Conversion of values to and from columns, and access checks of rows.

use std::str::FromStr;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::StoreError;
use crate::domain::user::Actor;

/// Milliseconds UTC, as times are stored.
pub(super) fn ms(time: Timestamp) -> i64 {
    time.as_millisecond()
}

/// JSON text, as structured values are stored.
pub(super) fn json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::damaged("value", error))
}

pub(super) fn from_json<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::damaged(what, error))
}

/// Readers of columns, by name.
pub(super) trait Columns {
    fn text(&self, column: &'static str) -> Result<String, StoreError>;
    fn opt_text(&self, column: &'static str) -> Result<Option<String>, StoreError>;
    fn id(&self, column: &'static str) -> Result<Uuid, StoreError>;
    fn opt_id(&self, column: &'static str) -> Result<Option<Uuid>, StoreError>;
    fn int(&self, column: &'static str) -> Result<i64, StoreError>;
    fn opt_int(&self, column: &'static str) -> Result<Option<i64>, StoreError>;
    fn flag(&self, column: &'static str) -> Result<bool, StoreError>;
    fn opt_real(&self, column: &'static str) -> Result<Option<f64>, StoreError>;
    fn time(&self, column: &'static str) -> Result<Timestamp, StoreError>;
    fn opt_time(&self, column: &'static str) -> Result<Option<Timestamp>, StoreError>;
    fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<T, StoreError>;
    /// One of a fixed set of words.
    fn word<T: FromStr>(&self, column: &'static str) -> Result<T, StoreError>;
}

fn to_id(column: &'static str, text: &str) -> Result<Uuid, StoreError> {
    Uuid::parse_str(text).map_err(|error| StoreError::damaged(column, error))
}

fn to_time(column: &'static str, value: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(value).map_err(|error| StoreError::damaged(column, error))
}

impl Columns for SqliteRow {
    fn text(&self, column: &'static str) -> Result<String, StoreError> {
        Ok(self.try_get(column)?)
    }
    fn opt_text(&self, column: &'static str) -> Result<Option<String>, StoreError> {
        Ok(self.try_get(column)?)
    }
    fn id(&self, column: &'static str) -> Result<Uuid, StoreError> {
        to_id(column, self.try_get(column)?)
    }
    fn opt_id(&self, column: &'static str) -> Result<Option<Uuid>, StoreError> {
        self.opt_text(column)?.map(|text| to_id(column, &text)).transpose()
    }
    fn int(&self, column: &'static str) -> Result<i64, StoreError> {
        Ok(self.try_get(column)?)
    }
    fn opt_int(&self, column: &'static str) -> Result<Option<i64>, StoreError> {
        Ok(self.try_get(column)?)
    }
    fn flag(&self, column: &'static str) -> Result<bool, StoreError> {
        Ok(self.int(column)? != 0)
    }
    fn opt_real(&self, column: &'static str) -> Result<Option<f64>, StoreError> {
        Ok(self.try_get(column)?)
    }
    fn time(&self, column: &'static str) -> Result<Timestamp, StoreError> {
        to_time(column, self.int(column)?)
    }
    fn opt_time(&self, column: &'static str) -> Result<Option<Timestamp>, StoreError> {
        self.opt_int(column)?.map(|value| to_time(column, value)).transpose()
    }
    fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<T, StoreError> {
        from_json(column, self.try_get(column)?)
    }
    fn word<T: FromStr>(&self, column: &'static str) -> Result<T, StoreError> {
        let word: &str = self.try_get(column)?;
        word.parse().map_err(|_| StoreError::damaged(column, word))
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
