//! People with an account.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::row::{Columns, ms};
use super::{Store, StoreError};
use crate::domain::user::{Actor, Role, User};

pub(super) fn user(row: &SqliteRow) -> Result<User, StoreError> {
    Ok(User {
        id: row.id("id")?,
        name: row.text("name")?,
        role: row.word("role", Role::parse)?,
        active: row.opt_text("password_hash")?.is_some(),
        created_at: row.time("created_at")?,
    })
}

pub(super) fn actor(row: &SqliteRow) -> Result<Actor, StoreError> {
    Ok(Actor { id: row.id("id")?, name: row.text("name")?, role: row.word("role", Role::parse)? })
}

impl Store {
    /// Adds a person, who can't sign in before a password is set.
    pub async fn create_user(&self, name: &str, role: Role, now: Timestamp) -> Result<User, StoreError> {
        let user = User { id: Uuid::now_v7(), name: name.to_owned(), role, active: false, created_at: now };
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
        sqlx::query("SELECT * FROM users ORDER BY created_at, id").fetch_all(&self.read).await?.iter().map(user).collect()
    }

    /// For the portal's own work: a person by id.
    pub async fn user(&self, id: Uuid) -> Result<User, StoreError> {
        let row = sqlx::query("SELECT * FROM users WHERE id = ?").bind(id.to_string()).fetch_optional(&self.read).await?;
        user(&row.ok_or(StoreError::NotFound("user"))?)
    }

    /// For the portal's own work: a person as one who acts.
    pub async fn actor(&self, id: Uuid) -> Result<Actor, StoreError> {
        let user = self.user(id).await?;
        Ok(Actor { id: user.id, name: user.name, role: user.role })
    }

    /// For sign-in: the person of that name, and the password's hash where one is set.
    pub async fn user_for_sign_in(&self, name: &str) -> Result<Option<(User, Option<String>)>, StoreError> {
        let row = sqlx::query("SELECT * FROM users WHERE name = ?").bind(name).fetch_optional(&self.read).await?;
        row.map(|row| Ok((user(&row)?, row.opt_text("password_hash")?))).transpose()
    }

    /// The first administrator, made at the first call.
    pub async fn first_administrator(&self, now: Timestamp) -> Result<User, StoreError> {
        let found = sqlx::query("SELECT * FROM users WHERE role = 'administrator' ORDER BY created_at, id LIMIT 1")
            .fetch_optional(&self.read)
            .await?;
        match found {
            Some(row) => user(&row),
            None => self.create_user("admin", Role::Administrator, now).await,
        }
    }

    /// Whether an administrator can sign in with a password.
    pub async fn has_active_administrator(&self) -> Result<bool, StoreError> {
        let query = "SELECT EXISTS (SELECT 1 FROM users WHERE role = 'administrator' AND password_hash IS NOT NULL)";
        Ok(sqlx::query_scalar(query).fetch_one(&self.read).await?)
    }

    /// Whether just one person has an account: some limits are wider then.
    pub async fn has_single_user(&self) -> Result<bool, StoreError> {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(&self.read).await?;
        Ok(count <= 1)
    }
}
