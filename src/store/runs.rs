//! Runs: their status and stages, and what the supervisor needs to continue them.

use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::types::Json;
use sqlx::{FromRow, Row as _};
use uuid::Uuid;

use super::row::{Columns as _, ms, visible_to};
use super::search::search_text;
use super::{NewRun, Store, StoreError};
use crate::domain::benchmark::Benchmark;
use crate::domain::run::{Run, Stage, StageId};
use crate::domain::user::Actor;
use dyno_measure::run::{RunKind, RunStatus};

/// A run that is not over, with what the supervisor needs to continue it.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenRun {
    pub run: Run,
    /// The nodes that it needs exclusively.
    pub nodes: Vec<String>,
    /// A person has cancelled it.
    pub cancel_requested: bool,
    /// The executor's cursor, whose text only the executor understands.
    pub cursor: Option<String>,
}

impl FromRow<'_, SqliteRow> for OpenRun {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        let Json(nodes) = row.try_get("nodes")?;
        Ok(Self {
            run: Run::from_row(row)?,
            nodes,
            cancel_requested: row.try_get("cancel_requested")?,
            cursor: row.try_get("cursor")?,
        })
    }
}

/// A run without its stages and its place in the queue.
impl FromRow<'_, SqliteRow> for Run {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.id("id")?,
            benchmark_id: row.id("benchmark_id")?,
            owner: row.id("owner")?,
            kind: row.word("kind")?,
            status: row.word("status")?,
            reason: row.try_get("reason")?,
            queue_position: None,
            created_at: row.time("created_at")?,
            started_at: row.opt_time("started_at")?,
            ended_at: row.opt_time("ended_at")?,
            stages: Vec::new(),
        })
    }
}

impl FromRow<'_, SqliteRow> for Stage {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        let id: StageId = row.word("id")?;
        Ok(Self {
            id,
            title: id.title().to_owned(),
            status: row.word("status")?,
            started_at: row.opt_time("started_at")?,
            ended_at: row.opt_time("ended_at")?,
            message: row.try_get("message")?,
        })
    }
}

/// Most queued runs of a person, simulated ones that have begun included; further ones are refused, so that nobody fills the queue.
const MOST_QUEUED: i64 = 50;

/// Inserts a run with its stages, unless the person has too many queued ones.
pub(super) async fn insert(db: &mut SqliteConnection, benchmark: &Benchmark, new: &NewRun) -> Result<(), StoreError> {
    let (run, spec) = (&new.run, &benchmark.spec);
    let waiting: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM runs WHERE owner = ? AND (status = 'queued' OR status = 'running' AND kind = 'simulated')",
    )
    .bind(run.owner.to_string())
    .fetch_one(&mut *db)
    .await?;
    if run.status == RunStatus::Queued && waiting >= MOST_QUEUED {
        return Err(StoreError::Conflict(format!(
            "{waiting} of your runs are waiting, which is the most that may. Wait for one to begin, or cancel one."
        )));
    }
    sqlx::query(
        "INSERT INTO runs (id, benchmark_id, owner, kind, status, reason, name, search, model, engine, cluster, devices, load,
         creator, nodes, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(run.id.to_string())
    .bind(benchmark.id.to_string())
    .bind(run.owner.to_string())
    .bind(run.kind.into_str())
    .bind(run.status.into_str())
    .bind(&run.reason)
    .bind(&spec.name)
    .bind(search_text(spec))
    .bind(&spec.model.name)
    .bind(spec.serving.engine.map(<&str>::from))
    .bind(&spec.cluster_name)
    .bind(&new.devices)
    .bind(&new.load)
    .bind(&new.creator)
    .bind(Json(&new.nodes))
    .bind(ms(run.created_at))
    .execute(&mut *db)
    .await?;
    for (position, stage) in run.stages.iter().enumerate() {
        sqlx::query("INSERT INTO stages (run_id, position, id, status, message) VALUES (?, ?, ?, ?, ?)")
            .bind(run.id.to_string())
            .bind(position as i64)
            .bind(stage.id.into_str())
            .bind(stage.status.into_str())
            .bind(&stage.message)
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}

impl Store {
    /// A run with its stages and, while queued, its position in the queue.
    pub async fn run(&self, actor: &Actor, id: Uuid) -> Result<Run, StoreError> {
        let found = self.run_of_portal(id).await?;
        visible_to(actor, found.owner, "run", found)
    }

    /// A run, without access check; for the portal itself.
    pub async fn run_of_portal(&self, id: Uuid) -> Result<Run, StoreError> {
        let found = sqlx::query_as("SELECT * FROM runs WHERE id = ?").bind(id.to_string()).fetch_optional(&self.read).await?;
        let OpenRun { run: mut found, nodes, .. } = found.ok_or(StoreError::NotFound("run"))?;
        found.stages = self.stages(id).await?;
        if found.status == RunStatus::Queued {
            found.queue_position = Some(self.queue_position(id, &nodes, found.created_at).await?);
        }
        Ok(found)
    }

    async fn stages(&self, run: Uuid) -> Result<Vec<Stage>, StoreError> {
        let query = "SELECT * FROM stages WHERE run_id = ? ORDER BY position";
        Ok(sqlx::query_as(query).bind(run.to_string()).fetch_all(&self.read).await?)
    }

    /// Number of earlier runs that are not over and need one of these nodes.
    async fn queue_position(&self, run: Uuid, nodes: &[String], created_at: Timestamp) -> Result<u32, StoreError> {
        let before: Vec<Json<Vec<String>>> = sqlx::query_scalar(
            "SELECT nodes FROM runs WHERE status IN ('queued', 'running', 'cancelling')
             AND (created_at < ?1 OR (created_at = ?1 AND id < ?2))",
        )
        .bind(ms(created_at))
        .bind(run.to_string())
        .fetch_all(&self.read)
        .await?;
        let shares = |theirs: &&Json<Vec<String>>| theirs.iter().any(|node| nodes.contains(node));
        Ok(before.iter().filter(shares).count() as u32)
    }

    /// For the portal's own work: how many runs there are of each kind, by where they stand.
    pub async fn run_counts(&self) -> Result<Vec<(RunKind, RunStatus, i64)>, StoreError> {
        let rows =
            sqlx::query("SELECT kind, status, count(*) AS runs FROM runs GROUP BY kind, status").fetch_all(&self.read).await?;
        let count = |row: &SqliteRow| Ok((row.word("kind")?, row.word("status")?, row.try_get("runs")?));
        rows.iter().map(count).collect()
    }

    /// For the supervisor: every run that is not over, oldest first.
    pub async fn open_runs(&self) -> Result<Vec<OpenRun>, StoreError> {
        let query = "SELECT * FROM runs WHERE status IN ('queued', 'running', 'cancelling') ORDER BY created_at, id";
        let mut open: Vec<OpenRun> = sqlx::query_as(query).fetch_all(&self.read).await?;
        for found in &mut open {
            found.run.stages = self.stages(found.run.id).await?;
        }
        Ok(open)
    }

    /// For the supervisor: starts a queued run; false if it is no longer queued (cancelled meanwhile, say).
    pub async fn begin_run(&self, id: Uuid, now: Timestamp) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE runs SET status = 'running', started_at = coalesce(started_at, ?)
             WHERE id = ? AND status = 'queued' AND cancel_requested = 0",
        )
        .bind(ms(now))
        .bind(id.to_string())
        .execute(&self.write)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// For the supervisor: claims a run that is not over, or renews the claim on it; false if another has it.
    pub async fn claim_run(&self, id: Uuid, claimant: Uuid, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE runs SET claimed_by = ?1, claim_expires_at = ?2
             WHERE id = ?3 AND status IN ('queued', 'running', 'cancelling')
             AND (claimed_by IS NULL OR claimed_by = ?1 OR claim_expires_at <= ?4)",
        )
        .bind(claimant.to_string())
        .bind(ms(until))
        .bind(id.to_string())
        .bind(ms(now))
        .execute(&self.write)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// For the supervisor: releases a claim, if this claimant still holds it.
    pub async fn release_run(&self, id: Uuid, claimant: Uuid) -> Result<(), StoreError> {
        sqlx::query("UPDATE runs SET claimed_by = NULL, claim_expires_at = NULL WHERE id = ? AND claimed_by = ?")
            .bind(id.to_string())
            .bind(claimant.to_string())
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// Requests cancellation. A running run becomes `cancelling`; a queued one stays queued for the supervisor to end; one that
    /// is over is a conflict. Repeating has no effect.
    pub async fn request_cancel(&self, actor: &Actor, id: Uuid) -> Result<(), StoreError> {
        let found = self.run(actor, id).await?;
        let done = sqlx::query(
            "UPDATE runs SET cancel_requested = 1, status = CASE status WHEN 'running' THEN 'cancelling' ELSE status END
             WHERE id = ? AND status IN ('queued', 'running', 'cancelling')",
        )
        .bind(found.id.to_string())
        .execute(&self.write)
        .await?;
        if done.rows_affected() == 1 { Ok(()) } else { Err(StoreError::Conflict("This run is over already.".to_owned())) }
    }

    /// Deletes a run that is over, with its events, report and records; the benchmark too with its last run. The caller removes
    /// the run's folder.
    pub async fn delete_run(&self, actor: &Actor, id: Uuid) -> Result<(), StoreError> {
        let found = self.run(actor, id).await?;
        let mut tx = self.begin().await?;
        let done = sqlx::query("DELETE FROM runs WHERE id = ? AND status NOT IN ('queued', 'running', 'cancelling')")
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?;
        if done.rows_affected() == 0 {
            return Err(StoreError::Conflict("This run is not over. Cancel it first.".to_owned()));
        }
        sqlx::query("DELETE FROM benchmarks WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM runs WHERE benchmark_id = ?1)")
            .bind(found.benchmark_id.to_string())
            .execute(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }
}
