//! Benchmarks: what a finished workflow was frozen to.

use sqlx::FromRow;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::types::Json;
use uuid::Uuid;

use super::history::Filter;
use super::row::{Columns as _, ms, visible_to};
use super::search::search_text;
use super::{Store, StoreError, runs};
use crate::domain::benchmark::Benchmark;
use crate::domain::list::{ListQuery, Page};
use crate::domain::run::Run;
use crate::domain::user::Actor;

/// A run to be queued, with the columns that the history shows.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRun {
    /// The run, with its stages.
    pub run: Run,
    /// The name of the person who started it.
    pub creator: String,
    /// The nodes that it needs exclusively, as `cluster id/hostname`. Runs that share a node wait for each other.
    pub nodes: Vec<String>,
    /// The devices in words: `2 × NVIDIA H100`.
    pub devices: String,
    /// The load in words: `128 in flight`.
    pub load: String,
}

impl FromRow<'_, SqliteRow> for Benchmark {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.id("id")?,
            owner: row.id("owner")?,
            workflow_id: row.opt_id("workflow_id")?,
            created_at: row.time("created_at")?,
            spec: row.json("spec")?,
        })
    }
}

/// Writes a benchmark with its tags and references to its inventory objects.
pub(super) async fn insert(db: &mut SqliteConnection, benchmark: &Benchmark) -> Result<(), StoreError> {
    let spec = &benchmark.spec;
    let id = benchmark.id.to_string();
    sqlx::query(
        "INSERT INTO benchmarks (id, owner, workflow_id, name, search, model, cluster, spec, created_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&id)
    .bind(benchmark.owner.to_string())
    .bind(benchmark.workflow_id.map(|id| id.to_string()))
    .bind(&spec.name)
    .bind(search_text(spec))
    .bind(&spec.model.name)
    .bind(&spec.cluster_name)
    .bind(Json(spec))
    .bind(ms(benchmark.created_at))
    .execute(&mut *db)
    .await?;
    for tag in &spec.tags {
        sqlx::query("INSERT OR IGNORE INTO benchmark_tags (tag, benchmark_id) VALUES (?, ?)")
            .bind(&tag.name)
            .bind(&id)
            .execute(&mut *db)
            .await?;
    }
    let uses =
        [spec.cluster_id, spec.model.id].into_iter().chain(spec.credential_id).chain(spec.load.dataset_ids.iter().copied());
    for object in uses {
        sqlx::query("INSERT OR IGNORE INTO benchmark_uses (object_id, benchmark_id) VALUES (?, ?)")
            .bind(object.to_string())
            .bind(&id)
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}

impl Store {
    pub async fn benchmark(&self, actor: &Actor, id: Uuid) -> Result<Benchmark, StoreError> {
        let found = self.benchmark_of_portal(id).await?;
        visible_to(actor, found.owner, "benchmark", found)
    }

    /// A benchmark, without access check; for the portal itself.
    pub async fn benchmark_of_portal(&self, id: Uuid) -> Result<Benchmark, StoreError> {
        let found = sqlx::query_as("SELECT * FROM benchmarks WHERE id = ?").bind(id.to_string()).fetch_optional(&self.read);
        found.await?.ok_or(StoreError::NotFound("benchmark"))
    }

    /// A page of the benchmarks that the actor may see. Sorts: `created_at`, `name`, `model`, `cluster`.
    pub async fn benchmarks(&self, actor: &Actor, query: &ListQuery) -> Result<Page<Benchmark>, StoreError> {
        let order = super::history::order(query, &["created_at", "name", "model", "cluster"])?;
        if query.status.is_some() {
            return Err(StoreError::Invalid { field: "status", message: "Benchmarks have no status, runs have.".to_owned() });
        }
        let filter = Filter::of_benchmarks(actor, query)?;
        let total: i64 =
            filter.query("SELECT count(*) FROM benchmarks t ", "").build_query_scalar().fetch_one(&self.read).await?;
        let mut page = filter.query("SELECT t.* FROM benchmarks t ", &order);
        page.push(" LIMIT ").push_bind(i64::from(query.page_size()));
        page.push(" OFFSET ").push_bind(query.offset() as i64);
        Ok(Page { items: page.build_query_as().fetch_all(&self.read).await?, total: total as u64 })
    }

    /// Queues another run of a benchmark.
    pub async fn insert_run(&self, benchmark: &Benchmark, run: &NewRun) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        runs::insert(&mut tx, benchmark, run).await?;
        Ok(tx.commit().await?)
    }
}
