//! Browser sessions, and the one-time links with which people set their first password. Only hashes of the secrets are stored.

use jiff::{SignedDuration, Timestamp};
use sqlx::{FromRow as _, Sqlite, Transaction};
use uuid::Uuid;
use uuid::fmt::Hyphenated;

use super::person_row::must_be_free;
use super::row::{Columns as _, ms};
use super::{Store, StoreError};
use crate::domain::user::{Actor, User};

/// A session's last use is written at most this often: otherwise each request would be a write.
const TOUCH_EVERY: SignedDuration = SignedDuration::from_secs(60);
/// How long the owner of an ended session is remembered, so that a form sent late can be attributed.
pub const REMEMBERED: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The state of a one-time link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkState {
    /// Valid: this person may set a password.
    Open(User),
    Used,
    Expired,
    Unknown,
}

impl Store {
    /// For sign-in: begins a session of a person whose password was verified against `password_hash`. `Stale` if that is no longer
    /// the password, or the account was shut or removed meanwhile: verifying takes long enough for either.
    pub async fn create_session(
        &self,
        hash: &[u8],
        user: Uuid,
        password_hash: &str,
        now: Timestamp,
        ends: Timestamp,
    ) -> Result<(), StoreError> {
        let done = sqlx::query(
            "INSERT INTO sessions (hash, user_id, created_at, last_seen_at, expires_at)
             SELECT ?1, id, ?2, ?2, ?3 FROM users
             WHERE id = ?4 AND password_hash = ?5 AND disabled_at IS NULL AND removed_at IS NULL",
        )
        .bind(hash)
        .bind(ms(now))
        .bind(ms(ends))
        .bind(user.to_string())
        .bind(password_hash)
        .execute(&self.write)
        .await?;
        if done.rows_affected() == 0 { Err(StoreError::Stale) } else { Ok(()) }
    }

    /// For sign-in: the session's owner, if it has neither been idle for longer than `idle` nor reached its absolute end.
    pub async fn session_actor(&self, hash: &[u8], now: Timestamp, idle: SignedDuration) -> Result<Option<Actor>, StoreError> {
        let row = sqlx::query(
            "SELECT u.id, u.name, u.role, s.last_seen_at FROM sessions s JOIN users u ON u.id = s.user_id
             WHERE s.hash = ? AND s.ended_at IS NULL AND s.expires_at > ? AND s.last_seen_at > ? AND u.disabled_at IS NULL AND u.removed_at IS NULL",
        )
        .bind(hash)
        .bind(ms(now))
        .bind(ms(now - idle))
        .fetch_optional(&self.read)
        .await?;
        let Some(row) = row else { return Ok(None) };
        if now.duration_since(row.time("last_seen_at")?) > TOUCH_EVERY {
            sqlx::query("UPDATE sessions SET last_seen_at = ? WHERE hash = ?")
                .bind(ms(now))
                .bind(hash)
                .execute(&self.write)
                .await?;
        }
        Ok(Some(Actor::from_row(&row)?))
    }

    /// For sign-out: ends the session. Its owner is remembered for [`REMEMBERED`].
    pub async fn end_session(&self, hash: &[u8], now: Timestamp) -> Result<(), StoreError> {
        sqlx::query("UPDATE sessions SET ended_at = coalesce(ended_at, ?1), expires_at = min(expires_at, ?1) WHERE hash = ?2")
            .bind(ms(now))
            .bind(hash)
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// For forms sent after the session's end: its owner.
    pub async fn session_owner(&self, hash: &[u8]) -> Result<Option<Uuid>, StoreError> {
        let owner = sqlx::query_scalar(
            "SELECT u.id FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.hash = ? AND u.removed_at IS NULL",
        )
        .bind(hash)
        .fetch_optional(&self.read)
        .await?;
        Ok(owner.map(Hyphenated::into_uuid))
    }

    /// For the portal itself: removes expired links, form entries and form actions, and sessions some time after their end.
    pub async fn sweep(&self, now: Timestamp, idle: SignedDuration) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("DELETE FROM sessions WHERE expires_at <= ? OR last_seen_at <= ?")
            .bind(ms(now - REMEMBERED))
            .bind(ms(now - idle - REMEMBERED))
            .execute(&mut *tx)
            .await?;
        // An expired link is reported as expired for a week, then as unknown.
        sqlx::query("DELETE FROM one_time_links WHERE expires_at <= ?")
            .bind(ms(now - SignedDuration::from_hours(7 * 24)))
            .execute(&mut *tx)
            .await?;
        sqlx::query("DELETE FROM form_entries WHERE expires_at <= ?").bind(ms(now)).execute(&mut *tx).await?;
        sqlx::query("DELETE FROM form_actions WHERE expires_at <= ?").bind(ms(now)).execute(&mut *tx).await?;
        Ok(tx.commit().await?)
    }

    /// For sign-in: creates a one-time link, which replaces the person's unused ones. `NotFound` if the account was shut or removed
    /// meanwhile: the link would work once it is opened again.
    pub async fn create_link(&self, hash: &[u8], user: Uuid, now: Timestamp, ends: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("DELETE FROM one_time_links WHERE user_id = ? AND used_at IS NULL")
            .bind(user.to_string())
            .execute(&mut *tx)
            .await?;
        let done = sqlx::query(
            "INSERT INTO one_time_links (hash, user_id, created_at, expires_at)
             SELECT ?, id, ?, ? FROM users WHERE id = ? AND disabled_at IS NULL AND removed_at IS NULL",
        )
        .bind(hash)
        .bind(ms(now))
        .bind(ms(ends))
        .bind(user.to_string())
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Err(StoreError::NotFound("person"));
        }
        Ok(tx.commit().await?)
    }

    /// For sign-in: the state of a link.
    pub async fn link(&self, hash: &[u8], now: Timestamp) -> Result<LinkState, StoreError> {
        let row = sqlx::query(
            "SELECT u.*, l.used_at, l.expires_at FROM one_time_links l JOIN users u ON u.id = l.user_id
             WHERE l.hash = ? AND u.disabled_at IS NULL AND u.removed_at IS NULL",
        )
        .bind(hash)
        .fetch_optional(&self.read)
        .await?;
        let Some(row) = row else { return Ok(LinkState::Unknown) };
        if row.opt_time("used_at")?.is_some() {
            return Ok(LinkState::Used);
        }
        if row.time("expires_at")? <= now {
            return Ok(LinkState::Expired);
        }
        Ok(LinkState::Open(User::from_row(&row)?))
    }

    /// For sign-in: uses a link. Sets the person's password, and the name if given, and ends the person's older sessions. Of
    /// two concurrent uses, one gets `NotFound`.
    pub async fn use_link(
        &self,
        hash: &[u8],
        name: Option<&str>,
        password_hash: &str,
        now: Timestamp,
    ) -> Result<User, StoreError> {
        let mut tx = self.begin().await?;
        let user_id: Option<String> = sqlx::query_scalar(
            "UPDATE one_time_links SET used_at = ?1 WHERE hash = ?2 AND used_at IS NULL AND expires_at > ?1
             AND EXISTS (SELECT 1 FROM users u WHERE u.id = user_id AND u.disabled_at IS NULL AND u.removed_at IS NULL)
             RETURNING user_id",
        )
        .bind(ms(now))
        .bind(hash)
        .fetch_optional(&mut *tx)
        .await?;
        let user_id = user_id.ok_or(StoreError::NotFound("link"))?;
        if let Some(name) = name {
            must_be_free(&mut tx, name, Some(&user_id)).await?;
        }
        let user = sqlx::query_as("UPDATE users SET password_hash = ?, name = coalesce(?, name) WHERE id = ? RETURNING *")
            .bind(password_hash)
            .bind(name)
            .bind(&user_id)
            .fetch_one(&mut *tx)
            .await?;
        end_sessions(&mut tx, &user_id, None, now).await?;
        tx.commit().await?;
        Ok(user)
    }
}

/// Ends a person's sessions, except the one given.
pub(super) async fn end_sessions(
    tx: &mut Transaction<'static, Sqlite>,
    user: &str,
    except: Option<&[u8]>,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE sessions SET ended_at = coalesce(ended_at, ?1), expires_at = min(expires_at, ?1)
         WHERE user_id = ?2 AND hash IS NOT ?3",
    )
    .bind(ms(now))
    .bind(user)
    .bind(except)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
