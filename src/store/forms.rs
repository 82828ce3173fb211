//! What a person typed into a form that was posted without WASM and had errors, kept for the page after the redirect.

use jiff::Timestamp;
use uuid::Uuid;

use super::row::{Columns, json, ms};
use super::{Store, StoreError};
use crate::domain::user::Actor;

impl Store {
    /// Keeps an entry until `ends`; the answer is its id.
    pub async fn keep_form_entry(&self, actor: &Actor, data: &serde_json::Value, ends: Timestamp) -> Result<Uuid, StoreError> {
        let id = Uuid::new_v4();
        sqlx::query("INSERT INTO form_entries (id, owner, data, expires_at) VALUES (?, ?, ?, ?)")
            .bind(id.to_string())
            .bind(actor.id.to_string())
            .bind(json(data)?)
            .bind(ms(ends))
            .execute(&self.write)
            .await?;
        Ok(id)
    }

    /// The actor's own entry, while it is kept.
    pub async fn form_entry(&self, actor: &Actor, id: Uuid, now: Timestamp) -> Result<serde_json::Value, StoreError> {
        sqlx::query("SELECT data FROM form_entries WHERE id = ? AND owner = ? AND expires_at > ?")
            .bind(id.to_string())
            .bind(actor.id.to_string())
            .bind(ms(now))
            .fetch_optional(&self.read)
            .await?
            .ok_or(StoreError::NotFound("form entry"))?
            .json("data")
    }
}
