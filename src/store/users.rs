//! Accounts. A removed person's row stays, since runs refer to it, but is shown only as an owner's name.

use std::collections::HashMap;

use jiff::Timestamp;
use sqlx::{FromRow as _, Row as _, Sqlite, Transaction};
use uuid::Uuid;
use uuid::fmt::Hyphenated;

use super::person_row::must_be_free;
use super::row::ms;
use super::{Store, StoreError, sessions};
use crate::domain::text::folded;
use crate::domain::user::{Actor, Role, User};

/// Longest name that is compared with all others, bytes; no account's is as long.
const LONGEST_LOOKED_FOR: usize = 1_000;

impl Store {
    /// Adds a person, who can't sign in before a password is set.
    pub async fn create_user(&self, name: &str, role: Role, now: Timestamp) -> Result<User, StoreError> {
        let user = User { id: Uuid::now_v7(), name: name.to_owned(), role, active: false, disabled: false, created_at: now };
        let mut tx = self.begin().await?;
        must_be_free(&mut tx, name, None).await?;
        sqlx::query("INSERT INTO users (id, name, role, created_at) VALUES (?, ?, ?, ?)")
            .bind(user.id.to_string())
            .bind(name)
            .bind(role.into_str())
            .bind(ms(now))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(user)
    }

    /// All accounts, oldest first.
    pub async fn users(&self) -> Result<Vec<User>, StoreError> {
        let query = "SELECT * FROM users WHERE removed_at IS NULL ORDER BY created_at, id";
        Ok(sqlx::query_as(query).fetch_all(&self.read).await?)
    }

    /// The names of all accounts, removed ones included.
    pub async fn user_names(&self) -> Result<HashMap<Uuid, String>, StoreError> {
        let names: Vec<(Hyphenated, String)> = sqlx::query_as("SELECT id, name FROM users").fetch_all(&self.read).await?;
        Ok(names.into_iter().map(|(id, name)| (id.into_uuid(), name)).collect())
    }

    /// For the portal itself: a person by id.
    pub async fn user(&self, id: Uuid) -> Result<User, StoreError> {
        let query = "SELECT * FROM users WHERE id = ? AND removed_at IS NULL";
        let found = sqlx::query_as(query).bind(id.to_string()).fetch_optional(&self.read).await?;
        found.ok_or(StoreError::NotFound("person"))
    }

    /// For the portal itself: a person as an actor, also if removed: their runs continue.
    pub async fn actor(&self, id: Uuid) -> Result<Actor, StoreError> {
        let found = sqlx::query_as("SELECT * FROM users WHERE id = ?").bind(id.to_string()).fetch_optional(&self.read).await?;
        found.ok_or(StoreError::NotFound("person"))
    }

    /// For long-running requests: whether the account is neither disabled nor removed.
    pub async fn is_open_account(&self, id: Uuid) -> Result<bool, StoreError> {
        let query = "SELECT EXISTS (SELECT 1 FROM users WHERE id = ? AND disabled_at IS NULL AND removed_at IS NULL)";
        Ok(sqlx::query_scalar(query).bind(id.to_string()).fetch_one(&self.read).await?)
    }

    /// For sign-in: the person with that name, and the password's hash, if set. Where nobody has it as it is written, the one person
    /// whose name looks like it.
    pub async fn user_for_sign_in(&self, name: &str) -> Result<Option<(User, Option<String>)>, StoreError> {
        if name.len() > LONGEST_LOOKED_FOR {
            return Ok(None);
        }
        // all are compared, whether one is found or not, so that the time taken does not tell which accounts there are
        let query = "SELECT * FROM users WHERE disabled_at IS NULL AND removed_at IS NULL";
        let wanted = folded(name);
        let (mut same, mut alike) = (None, Vec::new());
        for person in sqlx::query(query).fetch_all(&self.read).await? {
            let known: &str = person.try_get("name")?;
            // as the column compares, which has each name once
            let (is_same, is_alike) = (known.eq_ignore_ascii_case(name), folded(known) == wanted);
            if is_same {
                same = Some(person);
            } else if is_alike {
                alike.push(person);
            }
        }
        let row = same.or_else(|| alike.pop().filter(|_| alike.is_empty()));
        row.map(|row| Ok((User::from_row(&row)?, row.try_get("password_hash")?))).transpose()
    }

    /// The first administrator, created on the first call.
    pub async fn first_administrator(&self, now: Timestamp) -> Result<User, StoreError> {
        let query = "SELECT * FROM users WHERE role = 'administrator' AND disabled_at IS NULL AND removed_at IS NULL
                     ORDER BY created_at, id LIMIT 1";
        match sqlx::query_as(query).fetch_optional(&self.read).await? {
            Some(user) => Ok(user),
            None => self.create_user("admin", Role::Administrator, now).await,
        }
    }

    /// Whether an administrator can sign in with a password.
    pub async fn has_active_administrator(&self) -> Result<bool, StoreError> {
        let query = "SELECT EXISTS (SELECT 1 FROM users WHERE role = 'administrator' AND password_hash IS NOT NULL
                     AND disabled_at IS NULL AND removed_at IS NULL)";
        Ok(sqlx::query_scalar(query).fetch_one(&self.read).await?)
    }

    /// Whether there is a single account, for which some limits are wider.
    pub async fn has_single_user(&self) -> Result<bool, StoreError> {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM users WHERE removed_at IS NULL").fetch_one(&self.read).await?;
        Ok(count <= 1)
    }

    /// For sign-in: the hash of a person's password, if set.
    pub async fn password_hash(&self, id: Uuid) -> Result<Option<String>, StoreError> {
        let hash: Option<Option<String>> = sqlx::query_scalar("SELECT password_hash FROM users WHERE id = ?")
            .bind(id.to_string())
            .fetch_optional(&self.read)
            .await?;
        Ok(hash.flatten())
    }

    /// Changes a person's password from the one that was just verified (`was`). Ends the person's other sessions and voids
    /// unused links. `Stale` if the password was changed, or the account shut, meanwhile.
    pub async fn change_password(
        &self,
        id: Uuid,
        was: &str,
        hash: &str,
        session: Option<&[u8]>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let id = id.to_string();
        let done = sqlx::query("UPDATE users SET password_hash = ? WHERE id = ? AND password_hash = ? AND disabled_at IS NULL")
            .bind(hash)
            .bind(&id)
            .bind(was)
            .execute(&mut *tx)
            .await?;
        if done.rows_affected() == 0 {
            return Err(StoreError::Stale);
        }
        sessions::end_sessions(&mut tx, &id, session, now).await?;
        sqlx::query("DELETE FROM one_time_links WHERE user_id = ? AND used_at IS NULL").bind(&id).execute(&mut *tx).await?;
        Ok(tx.commit().await?)
    }

    /// Disables an account: sessions end, links are void, tokens are refused until it is enabled again.
    pub async fn disable_user(&self, id: Uuid, now: Timestamp) -> Result<User, StoreError> {
        let mut tx = self.begin().await?;
        leave_an_administrator(&mut tx, id).await?;
        let id = id.to_string();
        sqlx::query("UPDATE users SET disabled_at = coalesce(disabled_at, ?) WHERE id = ? AND removed_at IS NULL")
            .bind(ms(now))
            .bind(&id)
            .execute(&mut *tx)
            .await?;
        sessions::end_sessions(&mut tx, &id, None, now).await?;
        sqlx::query("DELETE FROM one_time_links WHERE user_id = ? AND used_at IS NULL").bind(&id).execute(&mut *tx).await?;
        let user = sqlx::query_as("SELECT * FROM users WHERE id = ?").bind(&id).fetch_one(&mut *tx).await?;
        tx.commit().await?;
        Ok(user)
    }

    /// Enables a disabled account; its password and tokens work again.
    pub async fn enable_user(&self, id: Uuid) -> Result<User, StoreError> {
        let found = sqlx::query_as("UPDATE users SET disabled_at = NULL WHERE id = ? AND removed_at IS NULL RETURNING *")
            .bind(id.to_string())
            .fetch_optional(&self.write)
            .await?;
        found.ok_or(StoreError::NotFound("person"))
    }

    /// Removes a person for good, with sessions, tokens, links, drafts and the secrets of credentials. Runs and the objects
    /// they use stay. The name can be used again.
    pub async fn remove_user(&self, id: Uuid, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        leave_an_administrator(&mut tx, id).await?;
        let id = id.to_string();
        for statement in [
            "DELETE FROM sessions WHERE user_id = ?",
            "DELETE FROM one_time_links WHERE user_id = ?",
            "DELETE FROM tokens WHERE owner = ?",
            "DELETE FROM form_entries WHERE owner = ?",
            "DELETE FROM workflows WHERE owner = ? AND run_id IS NULL",
            "UPDATE credentials SET sealed = x'', archived = 1 WHERE owner = ?",
        ] {
            sqlx::query(statement).bind(&id).execute(&mut *tx).await?;
        }
        // the id makes the new name unique
        sqlx::query(
            "UPDATE users SET removed_at = ?1, password_hash = NULL, name = name || ' (removed, ' || substr(id, -6) || ')'
             WHERE id = ?2",
        )
        .bind(ms(now))
        .bind(&id)
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }
}

/// Checks that the person exists and that another active administrator remains.
async fn leave_an_administrator(tx: &mut Transaction<'static, Sqlite>, id: Uuid) -> Result<(), StoreError> {
    let id = id.to_string();
    let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM users WHERE id = ? AND removed_at IS NULL)")
        .bind(&id)
        .fetch_one(&mut **tx)
        .await?;
    if !exists {
        return Err(StoreError::NotFound("person"));
    }
    let others: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM users WHERE role = 'administrator' AND disabled_at IS NULL AND removed_at IS NULL AND id <> ?)",
    )
    .bind(&id)
    .fetch_one(&mut **tx)
    .await?;
    if others { Ok(()) } else { Err(StoreError::Conflict("Nobody else is an administrator.".to_owned())) }
}
