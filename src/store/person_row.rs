//! Rows of people.

use sqlx::sqlite::SqliteRow;

use super::StoreError;
use super::row::Columns;
use crate::domain::user::{Actor, Role, User};

pub(super) fn user(row: &SqliteRow) -> Result<User, StoreError> {
    Ok(User {
        id: row.id("id")?,
        name: row.text("name")?,
        role: row.word("role")?,
        active: row.opt_text("password_hash")?.is_some(),
        disabled: row.opt_int("disabled_at")?.is_some(),
        created_at: row.time("created_at")?,
    })
}

pub(super) fn actor(row: &SqliteRow) -> Result<Actor, StoreError> {
    Ok(Actor { id: row.id("id")?, name: row.text("name")?, role: row.word("role")? })
}
