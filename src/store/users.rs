//! People with an account. One that was removed leaves its row behind: runs name it. Nobody sees it but as an owner.

use std::collections::HashMap;

use jiff::Timestamp;
use sqlx::{Sqlite, Transaction};
use uuid::Uuid;

use super::row::{Columns, ms};
use super::{Store, StoreError, person_row, sessions};
use crate::domain::user::{Actor, Role, User};

impl Store {
    /// Adds a person, who can't sign in before a password is set.
    pub async fn create_user(&self, name: &str, role: Role, now: Timestamp) -> Result<User, StoreError> {
        let user = User { id: Uuid::now_v7(), name: name.to_owned(), role, active: false, disabled: false, created_at: now };
        sqlx::query("INSERT INTO users (id, name, role, created_at) VALUES (?, ?, ?, ?)")
            .bind(user.id.to_string())
            .bind(name)
            .bind(role.as_str())
            .bind(ms(now))
            .execute(&self.write)
            .await
            .map_err(|error| match StoreError::from(error) {
                StoreError::Conflict(_) => {
                    StoreError::Invalid { field: "name", message: "Somebody has this name already.".to_owned() }
                }
                other => other,
            })?;
        Ok(user)
    }

    /// Everybody, oldest account first.
    pub async fn users(&self) -> Result<Vec<User>, StoreError> {
        sqlx::query("SELECT * FROM users WHERE removed_at IS NULL ORDER BY created_at, id")
            .fetch_all(&self.read)
            .await?
            .iter()
            .map(person_row::user)
            .collect()
    }

    /// The names of all who own something, those who were removed as well.
    pub async fn user_names(&self) -> Result<HashMap<Uuid, String>, StoreError> {
        let rows = sqlx::query("SELECT id, name FROM users").fetch_all(&self.read).await?;
        rows.iter().map(|row| Ok((row.id("id")?, row.text("name")?))).collect()
    }

    /// For the portal's own work: a person by id.
    pub async fn user(&self, id: Uuid) -> Result<User, StoreError> {
        let query = "SELECT * FROM users WHERE id = ? AND removed_at IS NULL";
        let row = sqlx::query(query).bind(id.to_string()).fetch_optional(&self.read).await?;
        person_row::user(&row.ok_or(StoreError::NotFound("person"))?)
    }

    /// For the portal's own work: a person as one who acts. Runs of somebody who was removed go on in that name.
    pub async fn actor(&self, id: Uuid) -> Result<Actor, StoreError> {
        let row = sqlx::query("SELECT * FROM users WHERE id = ?").bind(id.to_string()).fetch_optional(&self.read).await?;
        person_row::actor(&row.ok_or(StoreError::NotFound("person"))?)
    }

    /// For what goes on for long: whether the person's account still stands.
    pub async fn is_open_account(&self, id: Uuid) -> Result<bool, StoreError> {
        let query = "SELECT EXISTS (SELECT 1 FROM users WHERE id = ? AND disabled_at IS NULL AND removed_at IS NULL)";
        Ok(sqlx::query_scalar(query).bind(id.to_string()).fetch_one(&self.read).await?)
    }

    /// For sign-in: the person of that name, and the password's hash where one is set.
    pub async fn user_for_sign_in(&self, name: &str) -> Result<Option<(User, Option<String>)>, StoreError> {
        let query = "SELECT * FROM users WHERE name = ? AND disabled_at IS NULL AND removed_at IS NULL";
        let row = sqlx::query(query).bind(name).fetch_optional(&self.read).await?;
        row.map(|row| Ok((person_row::user(&row)?, row.opt_text("password_hash")?))).transpose()
    }

    /// The first administrator, made at the first call.
    pub async fn first_administrator(&self, now: Timestamp) -> Result<User, StoreError> {
        let query = "SELECT * FROM users WHERE role = 'administrator' AND disabled_at IS NULL AND removed_at IS NULL
                     ORDER BY created_at, id LIMIT 1";
        let found = sqlx::query(query).fetch_optional(&self.read).await?;
        match found {
            Some(row) => person_row::user(&row),
            None => self.create_user("admin", Role::Administrator, now).await,
        }
    }

    /// Whether an administrator can sign in with a password.
    pub async fn has_active_administrator(&self) -> Result<bool, StoreError> {
        let query = "SELECT EXISTS (SELECT 1 FROM users WHERE role = 'administrator' AND password_hash IS NOT NULL
                     AND disabled_at IS NULL AND removed_at IS NULL)";
        Ok(sqlx::query_scalar(query).fetch_one(&self.read).await?)
    }

    /// Whether just one person has an account: some limits are wider then.
    pub async fn has_single_user(&self) -> Result<bool, StoreError> {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM users WHERE removed_at IS NULL").fetch_one(&self.read).await?;
        Ok(count <= 1)
    }

    /// For sign-in: the hash of a person's password, where one is set.
    pub async fn password_hash(&self, id: Uuid) -> Result<Option<String>, StoreError> {
        let hash: Option<Option<String>> = sqlx::query_scalar("SELECT password_hash FROM users WHERE id = ?")
            .bind(id.to_string())
            .fetch_optional(&self.read)
            .await?;
        Ok(hash.flatten())
    }

    /// Sets a person's password in place of the one that was just checked (`was`). Ends the person's sessions but this one,
    /// and voids the links that were not used. `Stale` when the password was changed by another meanwhile.
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
        let done = sqlx::query("UPDATE users SET password_hash = ? WHERE id = ? AND password_hash = ?")
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

    /// Shuts a person's account: sessions end, links are void, tokens are refused until it is opened again.
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
        let row = sqlx::query("SELECT * FROM users WHERE id = ?").bind(&id).fetch_one(&mut *tx).await?;
        let user = person_row::user(&row)?;
        tx.commit().await?;
        Ok(user)
    }

    /// Opens a shut account again; the old password and the tokens work as before.
    pub async fn enable_user(&self, id: Uuid) -> Result<User, StoreError> {
        let row = sqlx::query("UPDATE users SET disabled_at = NULL WHERE id = ? AND removed_at IS NULL RETURNING *")
            .bind(id.to_string())
            .fetch_optional(&self.write)
            .await?;
        person_row::user(&row.ok_or(StoreError::NotFound("person"))?)
    }

    /// Removes a person for good: sessions, tokens, links, drafts and the secrets of credentials go; runs and what they were
    /// made of stay. The name is free again.
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
        // The id makes the new name one that nobody else has.
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

/// The person exists, and another than this one is still an administrator who can act.
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
