//! What a person typed into a form that had errors, or that was sent after its session had ended: kept for the page after
//! the redirect, and for that person alone.

use jiff::Timestamp;
use uuid::Uuid;

use super::row::{Columns, json, ms};
use super::{Store, StoreError};
use crate::domain::user::Actor;

/// Entries that are kept at once of one person, or of all who sent theirs without a session; the oldest go.
const MOST_KEPT: i64 = 100;

/// Whose entries they are.
#[derive(Debug, Clone, Copy)]
pub enum EntryOf<'a> {
    Person(Uuid),
    /// Whoever signs in next at the browser that keeps the secret of this hash, and may see the draft.
    Browser {
        /// SHA-256 of the secret.
        hash: &'a [u8],
        /// The draft that the form was about.
        about: Option<Uuid>,
    },
}

impl Store {
    /// Keeps entries until `ends`; the answer is their id.
    pub async fn keep_form_entry(
        &self,
        whose: EntryOf<'_>,
        data: &serde_json::Value,
        ends: Timestamp,
    ) -> Result<Uuid, StoreError> {
        let id = Uuid::new_v4();
        let (owner, browser, about) = match whose {
            EntryOf::Person(owner) => (Some(owner.to_string()), None, None),
            EntryOf::Browser { hash, about } => (None, Some(hash), about.map(|about| about.to_string())),
        };
        let mut tx = self.begin().await?;
        sqlx::query("INSERT INTO form_entries (id, owner, browser, about, data, expires_at) VALUES (?, ?, ?, ?, ?, ?)")
            .bind(id.to_string())
            .bind(&owner)
            .bind(browser)
            .bind(about)
            .bind(json(data)?)
            .bind(ms(ends))
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "DELETE FROM form_entries WHERE id IN
             (SELECT id FROM form_entries WHERE owner IS ? ORDER BY expires_at DESC, rowid DESC LIMIT -1 OFFSET ?)",
        )
        .bind(&owner)
        .bind(MOST_KEPT)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(id)
    }

    /// The actor's own entries, while they are kept.
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

    /// For sign-in: makes entries that were sent without a session the actor's own, if they came from this browser and are about nothing that
    /// the actor may not see.
    pub async fn claim_form_entry(&self, actor: &Actor, id: Uuid, browser: &[u8], now: Timestamp) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE form_entries SET owner = ?1
             WHERE id = ?2 AND owner IS NULL AND browser = ?3 AND expires_at > ?4
             AND (about IS NULL OR EXISTS (SELECT 1 FROM workflows w WHERE w.id = about AND (?5 OR w.owner = ?1)))",
        )
        .bind(actor.id.to_string())
        .bind(id.to_string())
        .bind(browser)
        .bind(ms(now))
        .bind(actor.is_administrator())
        .execute(&self.write)
        .await?;
        Ok(())
    }
}
