//! Rows of the tables of people and sessions, and the rule for their names.

use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row as _, Sqlite, Transaction};

use super::StoreError;
use super::row::Columns as _;
use crate::domain::text::folded;
use crate::domain::user::{Actor, User};

impl FromRow<'_, SqliteRow> for User {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.id("id")?,
            name: row.try_get("name")?,
            role: row.word("role")?,
            active: row.try_get::<Option<&str>, _>("password_hash")?.is_some(),
            disabled: row.try_get::<Option<i64>, _>("disabled_at")?.is_some(),
            created_at: row.time("created_at")?,
        })
    }
}

impl FromRow<'_, SqliteRow> for Actor {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self { id: row.id("id")?, name: row.try_get("name")?, role: row.word("role")? })
    }
}

/// Refuses a name that looks like another person's, who was removed perhaps. `own`: whose it is to be; a name that they have
/// already stays theirs.
pub(super) async fn must_be_free(tx: &mut Transaction<'static, Sqlite>, name: &str, own: Option<&str>) -> Result<(), StoreError> {
    let people: Vec<(String, String)> = sqlx::query_as("SELECT id, name FROM users").fetch_all(&mut **tx).await?;
    let (own, others): (Vec<_>, Vec<_>) = people.into_iter().partition(|(id, _)| Some(id.as_str()) == own);
    let is_kept = own.iter().any(|(_, kept)| kept == name);
    let wanted = folded(name);
    if !is_kept && others.iter().any(|(_, other)| folded(other) == wanted) {
        return Err(StoreError::Invalid { field: "name", message: "Somebody has this name already.".to_owned() });
    }
    Ok(())
}
