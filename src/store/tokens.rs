//! Tokens of scripts. Only hashes are kept.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::row::{Columns, ms};
use super::{Store, StoreError, person_row};
use crate::domain::user::{Actor, ApiToken};

/// How often a token's last use is written.
const TOUCH_EVERY: SignedDuration = SignedDuration::from_secs(60);

impl Store {
    /// Adds a token of the actor's own.
    pub async fn create_token(&self, actor: &Actor, name: &str, hash: &[u8], now: Timestamp) -> Result<ApiToken, StoreError> {
        let token = ApiToken { id: Uuid::now_v7(), name: name.to_owned(), created_at: now, last_used_at: None };
        sqlx::query("INSERT INTO tokens (id, owner, name, hash, created_at) VALUES (?, ?, ?, ?, ?)")
            .bind(token.id.to_string())
            .bind(actor.id.to_string())
            .bind(name)
            .bind(hash)
            .bind(ms(now))
            .execute(&self.write)
            .await?;
        Ok(token)
    }

    /// The actor's own tokens, newest first.
    pub async fn tokens(&self, actor: &Actor) -> Result<Vec<ApiToken>, StoreError> {
        sqlx::query("SELECT * FROM tokens WHERE owner = ? ORDER BY created_at DESC, id DESC")
            .bind(actor.id.to_string())
            .fetch_all(&self.read)
            .await?
            .iter()
            .map(|row| {
                Ok(ApiToken {
                    id: row.id("id")?,
                    name: row.text("name")?,
                    created_at: row.time("created_at")?,
                    last_used_at: row.opt_time("last_used_at")?,
                })
            })
            .collect()
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

    /// For sign-in: whose token it is.
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
        person_row::actor(&row).map(Some)
    }
}
