//! API tokens. Only their hashes are stored.

use jiff::{SignedDuration, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row as _};
use uuid::Uuid;

use super::row::{Columns as _, ms};
use super::{Store, StoreError};
use crate::domain::user::{Actor, ApiToken};

/// A token's last use is written at most this often.
const TOUCH_EVERY: SignedDuration = SignedDuration::from_secs(60);

impl FromRow<'_, SqliteRow> for ApiToken {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.id("id")?,
            name: row.try_get("name")?,
            created_at: row.time("created_at")?,
            last_used_at: row.opt_time("last_used_at")?,
        })
    }
}

impl Store {
    /// Adds a token of the actor's own. `NotFound` if the account was shut or removed since the request was let in: the token would
    /// work once it is opened again.
    pub async fn create_token(&self, actor: &Actor, name: &str, hash: &[u8], now: Timestamp) -> Result<ApiToken, StoreError> {
        let token = ApiToken { id: Uuid::now_v7(), name: name.to_owned(), created_at: now, last_used_at: None };
        let done = sqlx::query(
            "INSERT INTO tokens (id, owner, name, hash, created_at)
             SELECT ?, id, ?, ?, ? FROM users WHERE id = ? AND disabled_at IS NULL AND removed_at IS NULL",
        )
        .bind(token.id.to_string())
        .bind(name)
        .bind(hash)
        .bind(ms(now))
        .bind(actor.id.to_string())
        .execute(&self.write)
        .await?;
        if done.rows_affected() == 0 { Err(StoreError::NotFound("person")) } else { Ok(token) }
    }

    /// The actor's own tokens, newest first.
    pub async fn tokens(&self, actor: &Actor) -> Result<Vec<ApiToken>, StoreError> {
        let query = "SELECT * FROM tokens WHERE owner = ? ORDER BY created_at DESC, id DESC";
        Ok(sqlx::query_as(query).bind(actor.id.to_string()).fetch_all(&self.read).await?)
    }

    /// Removes a token of the actor's own; it stops working at once.
    pub async fn delete_token(&self, actor: &Actor, id: Uuid) -> Result<(), StoreError> {
        let done = sqlx::query("DELETE FROM tokens WHERE id = ? AND owner = ?")
            .bind(id.to_string())
            .bind(actor.id.to_string())
            .execute(&self.write)
            .await?;
        if done.rows_affected() == 0 { Err(StoreError::NotFound("token")) } else { Ok(()) }
    }

    /// For sign-in: the token's owner.
    pub async fn token_actor(&self, hash: &[u8], now: Timestamp) -> Result<Option<Actor>, StoreError> {
        let row = sqlx::query(
            "SELECT u.id, u.name, u.role, t.last_used_at FROM tokens t JOIN users u ON u.id = t.owner
             WHERE t.hash = ? AND u.disabled_at IS NULL AND u.removed_at IS NULL",
        )
        .bind(hash)
        .fetch_optional(&self.read)
        .await?;
        let Some(row) = row else { return Ok(None) };
        if row.opt_time("last_used_at")?.is_none_or(|last| now.duration_since(last) > TOUCH_EVERY) {
            sqlx::query("UPDATE tokens SET last_used_at = ? WHERE hash = ?")
                .bind(ms(now))
                .bind(hash)
                .execute(&self.write)
                .await?;
        }
        Ok(Some(Actor::from_row(&row)?))
    }
}
