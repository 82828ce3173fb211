//! Rows of the tables of people and sessions.

use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row as _};

use super::row::Columns as _;
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
