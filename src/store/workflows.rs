//! The wizard's drafts, stored as JSON with a revision.

use sqlx::sqlite::SqliteRow;
use sqlx::types::Json;
use sqlx::{FromRow, Row as _, Sqlite, Transaction};
use uuid::Uuid;

use super::row::{Columns as _, damaged, ms, visible_to};
use super::{NewRun, Store, StoreError, benchmarks, runs};
use crate::domain::benchmark::Benchmark;
use crate::domain::user::Actor;
use crate::domain::workflow::Draft;
use dyno_measure::words::grouped;

/// Most drafts of a person; further ones are refused, so that nobody fills the disk.
const MOST_DRAFTS: i64 = 1_000;

impl FromRow<'_, SqliteRow> for Draft {
    /// Benchmark and run are in columns alone: the trigger sets them there. Id, owner and revision are read from the columns that
    /// queries go by.
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        let id = row.id("id")?;
        let state = row.json("state").map_err(|error| damaged("state", format!("workflow {id}: {error}")))?;
        Ok(Self {
            id,
            owner: row.id("owner")?,
            revision: row.try_get::<i64, _>("revision")? as u64,
            benchmark_id: row.opt_id("benchmark_id")?,
            run_id: row.opt_id("run_id")?,
            ..state
        })
    }
}

impl Store {
    pub async fn insert_workflow(&self, draft: &Draft) -> Result<(), StoreError> {
        self.begin_workflow(draft, None).await.map(drop)
    }

    /// Inserts a draft, unless its owner has already begun one with the same form (double click), or has too many. Returns whether
    /// it did.
    pub async fn begin_workflow(&self, draft: &Draft, form: Option<Uuid>) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "INSERT INTO workflows (id, owner, name, revision, state, created_at, updated_at, begun_by)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (owner, begun_by) WHERE begun_by IS NOT NULL DO NOTHING",
        )
        .bind(draft.id.to_string())
        .bind(draft.owner.to_string())
        .bind(&draft.steps.name)
        .bind(draft.revision as i64)
        .bind(Json(draft))
        .bind(ms(draft.created_at))
        .bind(ms(draft.updated_at))
        .bind(form.map(|form| form.to_string()))
        .execute(&mut *tx)
        .await?;
        let drafts: i64 = sqlx::query_scalar("SELECT count(*) FROM workflows WHERE owner = ? AND run_id IS NULL")
            .bind(draft.owner.to_string())
            .fetch_one(&mut *tx)
            .await?;
        let is_new = done.rows_affected() == 1;
        if is_new && drafts > MOST_DRAFTS {
            return Err(StoreError::Conflict(format!(
                "You have {} drafts, which is the most that one may have. Discard some that are no longer needed.",
                grouped(MOST_DRAFTS as u64)
            )));
        }
        tx.commit().await?;
        Ok(is_new)
    }

    /// The workflow that the actor began with this form, if any.
    pub async fn workflow_begun_by(&self, actor: &Actor, form: Uuid) -> Result<Option<Draft>, StoreError> {
        let query = "SELECT * FROM workflows WHERE owner = ? AND begun_by = ?";
        Ok(sqlx::query_as(query).bind(actor.id.to_string()).bind(form.to_string()).fetch_optional(&self.read).await?)
    }

    pub async fn workflow(&self, actor: &Actor, id: Uuid) -> Result<Draft, StoreError> {
        let query = "SELECT * FROM workflows WHERE id = ?";
        let found = sqlx::query(query).bind(id.to_string()).fetch_optional(&self.read).await?;
        let row = found.ok_or(StoreError::NotFound("workflow"))?;
        // before it is read: one that is damaged exists for its owner alone, too
        let row = visible_to(actor, row.id("owner")?, "workflow", row)?;
        Ok(Draft::from_row(&row)?)
    }

    /// The actor's own workflows, last changed first; with `drafts_only`, those that were not triggered.
    pub async fn workflows(&self, actor: &Actor, drafts_only: bool) -> Result<Vec<Draft>, StoreError> {
        let query = "SELECT * FROM workflows WHERE owner = ? AND (NOT ? OR run_id IS NULL) ORDER BY updated_at DESC, id DESC";
        Ok(sqlx::query_as(query).bind(actor.id.to_string()).bind(drafts_only).fetch_all(&self.read).await?)
    }

    /// Saves name, state and revision of a draft that still has the revision `was`; `Stale` if someone else saved it
    /// meanwhile, or it was triggered.
    pub async fn save_workflow(&self, draft: &Draft, was: u64) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        save(&mut tx, draft, was).await?;
        Ok(tx.commit().await?)
    }

    /// Deletes a workflow; its benchmark and run stay.
    pub async fn delete_workflow(&self, actor: &Actor, id: Uuid) -> Result<(), StoreError> {
        self.workflow(actor, id).await?;
        sqlx::query("DELETE FROM workflows WHERE id = ?").bind(id.to_string()).execute(&self.write).await?;
        Ok(())
    }

    /// Triggers a workflow in one transaction: saves it (as `save_workflow` does), freezes the benchmark, queues its run. A
    /// second trigger finds the revision changed and gets `Stale`.
    pub async fn trigger_workflow(&self, draft: &Draft, was: u64, benchmark: &Benchmark, run: &NewRun) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        save(&mut tx, draft, was).await?;
        benchmarks::insert(&mut tx, benchmark).await?;
        runs::insert(&mut tx, benchmark, run).await?;
        sqlx::query("UPDATE workflows SET benchmark_id = ?, run_id = ? WHERE id = ?")
            .bind(benchmark.id.to_string())
            .bind(run.run.id.to_string())
            .bind(draft.id.to_string())
            .execute(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }
}

async fn save(tx: &mut Transaction<'static, Sqlite>, draft: &Draft, was: u64) -> Result<(), StoreError> {
    let done = sqlx::query(
        "UPDATE workflows SET name = ?, state = ?, revision = ?, updated_at = ?
         WHERE id = ? AND revision = ? AND run_id IS NULL",
    )
    .bind(&draft.steps.name)
    .bind(Json(draft))
    .bind(draft.revision as i64)
    .bind(ms(draft.updated_at))
    .bind(draft.id.to_string())
    .bind(was as i64)
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(StoreError::Stale) }
}
