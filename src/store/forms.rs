//! Entries of refused forms, and of forms sent after the session's end: kept for the page after the redirect, and readable by
//! that person only.

use jiff::Timestamp;
use uuid::Uuid;

use super::row::ms;
use super::{Store, StoreError};
use crate::domain::user::Actor;

/// Most entries kept per person, and of all senders without a session together; the oldest are removed.
const MOST_KEPT: i64 = 100;

/// The owner of form entries.
#[derive(Debug, Clone, Copy)]
pub enum EntryOf<'a> {
    Person(Uuid),
    /// The person who next signs in at the browser that has the secret with this hash, if that person may see the draft.
    Browser {
        /// SHA-256 of the secret.
        hash: &'a [u8],
        /// The draft that the form edits.
        about: Option<Uuid>,
    },
}

impl Store {
    /// Stores entries until `ends`; returns their id.
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
            .bind(data)
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

    /// The actor's own entries, if not expired.
    pub async fn form_entry(&self, actor: &Actor, id: Uuid, now: Timestamp) -> Result<serde_json::Value, StoreError> {
        sqlx::query_scalar("SELECT data FROM form_entries WHERE id = ? AND owner = ? AND expires_at > ?")
            .bind(id.to_string())
            .bind(actor.id.to_string())
            .bind(ms(now))
            .fetch_optional(&self.read)
            .await?
            .ok_or(StoreError::NotFound("form entry"))
    }

    /// For sign-in: gives the actor the entries that this browser sent without a session, unless they belong to a draft that
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
