//! Idempotency of forms: which submissions were carried out, and their answers. Kept for a while, across processes and
//! restarts.

use jiff::Timestamp;
use uuid::Uuid;

use super::row::ms;
use super::{Store, StoreError};

/// The state of a form's action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FormAction {
    /// It was not known: the caller has claimed it and must carry it out.
    Claimed,
    /// Another request is carrying it out.
    UnderWay,
    Done {
        /// The page to redirect to.
        path: String,
        /// What was done, for people; empty where the page itself shows it.
        sentence: String,
    },
}

impl Store {
    /// Claims an action for the caller, who must end or renew the claim before `claim_ends`.
    pub async fn claim_form_action(
        &self,
        key: &[u8],
        owner: Uuid,
        claim_ends: Timestamp,
        now: Timestamp,
    ) -> Result<FormAction, StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("DELETE FROM form_actions WHERE key = ? AND expires_at <= ?")
            .bind(key)
            .bind(ms(now))
            .execute(&mut *tx)
            .await?;
        let known: Option<(Option<String>, Option<String>)> =
            sqlx::query_as("SELECT path, sentence FROM form_actions WHERE key = ?").bind(key).fetch_optional(&mut *tx).await?;
        if let Some((path, sentence)) = known {
            return Ok(path.zip(sentence).map_or(FormAction::UnderWay, |(path, sentence)| FormAction::Done { path, sentence }));
        }
        sqlx::query("INSERT INTO form_actions (key, owner, expires_at) VALUES (?, ?, ?)")
            .bind(key)
            .bind(owner.to_string())
            .bind(ms(claim_ends))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(FormAction::Claimed)
    }

    /// Extends a claim while the action is carried out.
    pub async fn renew_form_action(&self, key: &[u8], claim_ends: Timestamp) -> Result<(), StoreError> {
        sqlx::query("UPDATE form_actions SET expires_at = ? WHERE key = ? AND path IS NULL")
            .bind(ms(claim_ends))
            .bind(key)
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// Ends the action: until `ends`, repeated submissions get this answer.
    pub async fn end_form_action(&self, key: &[u8], path: &str, sentence: &str, ends: Timestamp) -> Result<(), StoreError> {
        sqlx::query("UPDATE form_actions SET path = ?, sentence = ?, expires_at = ? WHERE key = ?")
            .bind(path)
            .bind(sentence)
            .bind(ms(ends))
            .bind(key)
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// Releases an action that was refused or failed, so that it may be tried again.
    pub async fn release_form_action(&self, key: &[u8]) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM form_actions WHERE key = ?").bind(key).execute(&self.write).await?;
        Ok(())
    }
}
