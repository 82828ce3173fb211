//! The inventory: models, datasets, credentials, and what they have in common with clusters (`clusters.rs`).
//!
//! An object that a benchmark refers to is archived instead of deleted: it leaves the lists and can't be chosen any more, but
//! is found by its id.

use sqlx::sqlite::SqliteRow;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, FromRow, Row as _, Sqlite, Transaction};
use uuid::Uuid;
use uuid::fmt::Hyphenated;

use super::row::{Columns as _, ms, shared_or_visible_to, visible_to};
use super::{Store, StoreError};
use crate::domain::dataset::Dataset;
use crate::domain::inventory::{Credential, Model};
use crate::domain::user::Actor;

/// A credential with its sealed secret; only the vault opens it.
#[derive(Clone)]
pub struct SealedCredential {
    /// The part that may be shown.
    pub credential: Credential,
    /// Which key sealed the secret.
    pub key_id: String,
    pub sealed: Vec<u8>,
}

impl FromRow<'_, SqliteRow> for SealedCredential {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self { credential: Credential::from_row(row)?, key_id: row.try_get("key_id")?, sealed: row.try_get("sealed")? })
    }
}

impl std::fmt::Debug for SealedCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealedCredential").field("credential", &self.credential).finish_non_exhaustive()
    }
}

/// A kind of inventory object: its table, and the word for people.
#[derive(Clone, Copy)]
pub(super) struct InventoryTable {
    pub table: &'static str,
    pub word: &'static str,
    /// The assignments that archive an object.
    pub archive: &'static str,
}

/// What a row of the inventory is read as.
pub(super) trait Object: for<'r> FromRow<'r, SqliteRow> + Send + Unpin {}
impl<T: for<'r> FromRow<'r, SqliteRow> + Send + Unpin> Object for T {}

const MODEL: InventoryTable = InventoryTable { table: "models", word: "model", archive: "archived = 1" };
const DATASET: InventoryTable = InventoryTable { table: "datasets", word: "dataset", archive: "archived = 1" };
/// Archiving erases the secret too.
const CREDENTIAL: InventoryTable =
    InventoryTable { table: "credentials", word: "credential", archive: "archived = 1, sealed = x''" };

/// The stored object, with the columns that override it.
impl FromRow<'_, SqliteRow> for Model {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self { archived: row.try_get("archived")?, ..row.json("data")? })
    }
}

impl FromRow<'_, SqliteRow> for Dataset {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self { archived: row.try_get("archived")?, ..row.json("data")? })
    }
}

impl FromRow<'_, SqliteRow> for Credential {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.id("id")?,
            name: row.try_get("name")?,
            provider: row.word("provider")?,
            origin: row.try_get("origin")?,
            owner: row.id("owner")?,
            archived: row.try_get("archived")?,
            created_at: row.time("created_at")?,
        })
    }
}

impl Store {
    /// The models that the actor may use.
    pub async fn models(&self, actor: &Actor) -> Result<Vec<Model>, StoreError> {
        self.listed(MODEL, actor).await
    }

    /// A model, archived or not.
    pub async fn model(&self, actor: &Actor, id: Uuid) -> Result<Model, StoreError> {
        let found: Model = self.found(MODEL, id).await?;
        shared_or_visible_to(actor, found.owner, MODEL.word, found)
    }

    pub async fn insert_model(&self, model: &Model) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO models (id, owner, name, data, created_at) VALUES (?, ?, ?, ?, ?)")
            .bind(model.id.to_string())
            .bind(model.owner.map(|owner| owner.to_string()))
            .bind(&model.name)
            .bind(Json(model))
            .bind(ms(model.created_at))
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// For the portal itself: updates a model with what was learned of it (its facts, after a transfer).
    pub async fn update_model(&self, model: &Model) -> Result<(), StoreError> {
        let done = sqlx::query("UPDATE models SET name = ?, data = ? WHERE id = ?")
            .bind(&model.name)
            .bind(Json(model))
            .bind(model.id.to_string())
            .execute(&self.write)
            .await?;
        if done.rows_affected() == 1 { Ok(()) } else { Err(StoreError::NotFound(MODEL.word)) }
    }

    /// Deletes or archives a model; true if deleted.
    pub async fn remove_model(&self, actor: &Actor, id: Uuid) -> Result<bool, StoreError> {
        let owner = self.model(actor, id).await?.owner;
        self.remove(MODEL, actor, id, owner).await
    }

    /// The datasets that the actor may use.
    pub async fn datasets(&self, actor: &Actor) -> Result<Vec<Dataset>, StoreError> {
        self.listed(DATASET, actor).await
    }

    /// Ids of all datasets of a person, archived ones included.
    pub async fn dataset_ids_of(&self, owner: Uuid) -> Result<Vec<Uuid>, StoreError> {
        let query = sqlx::query_scalar("SELECT id FROM datasets WHERE owner = ?").bind(owner.to_string());
        Ok(query.fetch_all(&self.read).await?.into_iter().map(Hyphenated::into_uuid).collect())
    }

    /// A dataset, archived or not.
    pub async fn dataset(&self, actor: &Actor, id: Uuid) -> Result<Dataset, StoreError> {
        let found: Dataset = self.found(DATASET, id).await?;
        shared_or_visible_to(actor, found.owner, DATASET.word, found)
    }

    /// Inserts a dataset; the caller writes the file of its rows.
    pub async fn insert_dataset(&self, dataset: &Dataset) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO datasets (id, owner, name, data, created_at) VALUES (?, ?, ?, ?, ?)")
            .bind(dataset.id.to_string())
            .bind(dataset.owner.map(|owner| owner.to_string()))
            .bind(&dataset.name)
            .bind(Json(dataset))
            .bind(ms(dataset.created_at))
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// Deletes or archives a dataset; true if deleted: then the caller may remove its file.
    pub async fn remove_dataset(&self, actor: &Actor, id: Uuid) -> Result<bool, StoreError> {
        let owner = self.dataset(actor, id).await?.owner;
        self.remove(DATASET, actor, id, owner).await
    }

    /// The credentials that the actor may use, without their secrets.
    pub async fn credentials(&self, actor: &Actor) -> Result<Vec<Credential>, StoreError> {
        self.listed(CREDENTIAL, actor).await
    }

    /// A credential without its secret, archived or not.
    pub async fn credential(&self, actor: &Actor, id: Uuid) -> Result<Credential, StoreError> {
        let found: Credential = self.found(CREDENTIAL, id).await?;
        visible_to(actor, found.owner, CREDENTIAL.word, found)
    }

    /// A credential with its sealed secret, for use. Archived ones have none.
    pub async fn sealed_credential(&self, actor: &Actor, id: Uuid) -> Result<SealedCredential, StoreError> {
        let sealed: SealedCredential = self.found(CREDENTIAL, id).await?;
        if sealed.credential.archived {
            return Err(StoreError::NotFound(CREDENTIAL.word));
        }
        visible_to(actor, sealed.credential.owner, CREDENTIAL.word, sealed)
    }

    /// For the portal itself: every credential that has a secret.
    pub async fn sealed_credentials(&self) -> Result<Vec<SealedCredential>, StoreError> {
        Ok(sqlx::query_as("SELECT * FROM credentials WHERE archived = 0").fetch_all(&self.read).await?)
    }

    /// For the portal itself: replaces a sealed secret after its key has changed.
    pub async fn seal_credential_anew(&self, id: Uuid, key_id: &str, sealed: &[u8]) -> Result<(), StoreError> {
        sqlx::query("UPDATE credentials SET key_id = ?, sealed = ? WHERE id = ?")
            .bind(key_id)
            .bind(sealed)
            .bind(id.to_string())
            .execute(&self.write)
            .await?;
        Ok(())
    }

    pub async fn insert_credential(&self, new: &SealedCredential) -> Result<(), StoreError> {
        let credential = &new.credential;
        sqlx::query(
            "INSERT INTO credentials (id, owner, name, provider, origin, key_id, sealed, created_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(credential.id.to_string())
        .bind(credential.owner.to_string())
        .bind(&credential.name)
        .bind(credential.provider.into_str())
        .bind(&credential.origin)
        .bind(&new.key_id)
        .bind(&new.sealed)
        .bind(ms(credential.created_at))
        .execute(&self.write)
        .await?;
        Ok(())
    }

    /// Deletes or archives a credential; its secret is erased in both cases.
    pub async fn remove_credential(&self, actor: &Actor, id: Uuid) -> Result<(), StoreError> {
        let owner = self.credential(actor, id).await?.owner;
        self.remove(CREDENTIAL, actor, id, Some(owner)).await.map(drop)
    }

    pub(super) async fn found<T: Object>(&self, kind: InventoryTable, id: Uuid) -> Result<T, StoreError> {
        sqlx::query_as(AssertSqlSafe(format!("SELECT * FROM {} WHERE id = ?", kind.table)))
            .bind(id.to_string())
            .fetch_optional(&self.read)
            .await?
            .ok_or(StoreError::NotFound(kind.word))
    }

    /// The objects for lists: the actor's own and shared ones; for administrators, all.
    pub(super) async fn listed<T: Object>(&self, kind: InventoryTable, actor: &Actor) -> Result<Vec<T>, StoreError> {
        let query = format!(
            "SELECT * FROM {} WHERE archived = 0 AND (? OR owner IS NULL OR owner = ?) ORDER BY name COLLATE NOCASE, id",
            kind.table
        );
        Ok(sqlx::query_as(AssertSqlSafe(query))
            .bind(actor.is_administrator())
            .bind(actor.id.to_string())
            .fetch_all(&self.read)
            .await?)
    }

    /// Deletes or archives; true if deleted.
    pub(super) async fn remove(
        &self,
        kind: InventoryTable,
        actor: &Actor,
        id: Uuid,
        owner: Option<Uuid>,
    ) -> Result<bool, StoreError> {
        may_remove(actor, owner)?;
        let mut tx = self.begin().await?;
        let deleted = delete_unused(&mut tx, kind, id).await?;
        if !deleted {
            sqlx::query(AssertSqlSafe(format!("UPDATE {} SET {} WHERE id = ?", kind.table, kind.archive)))
                .bind(id.to_string())
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(deleted)
    }
}

/// Only administrators remove what everybody uses.
pub(super) fn may_remove(actor: &Actor, owner: Option<Uuid>) -> Result<(), StoreError> {
    if actor.may_touch(owner) {
        return Ok(());
    }
    Err(StoreError::Forbidden("Only an administrator can remove what everybody uses."))
}

async fn delete_unused(tx: &mut Transaction<'static, Sqlite>, kind: InventoryTable, id: Uuid) -> Result<bool, StoreError> {
    let query =
        format!("DELETE FROM {} WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM benchmark_uses WHERE object_id = ?1)", kind.table);
    let done = sqlx::query(AssertSqlSafe(query)).bind(id.to_string()).execute(&mut **tx).await?;
    Ok(done.rows_affected() == 1)
}
