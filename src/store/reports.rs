//! What runs measured, computed once; lists show the headline's copy.

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;
use uuid::Uuid;

use super::row::{Columns, json, ms};
use super::{Store, StoreError};
use crate::domain::report::{Distribution, Report, Summary};
use crate::domain::user::Actor;

/// A metric's 99th percentile, unless it stands on too few samples.
fn p99(summary: &Summary, name: &str, metric: Option<&Distribution>) -> Option<f64> {
    let floor = format!("{name}.p99");
    metric.map(|metric| metric.p99).filter(|_| !summary.below_floor.contains(&floor))
}

/// Writes a report and its headline.
pub(super) async fn put(db: &mut SqliteConnection, run: Uuid, report: &Report, now: Timestamp) -> Result<(), StoreError> {
    sqlx::query("INSERT OR REPLACE INTO reports (run_id, data, created_at) VALUES (?, ?, ?)")
        .bind(run.to_string())
        .bind(json(report)?)
        .bind(ms(now))
        .execute(&mut *db)
        .await?;
    let summary = &report.summary;
    sqlx::query(
        "UPDATE runs SET valid = ?, output_throughput = ?, ttft_p99_ms = ?, tpot_p99_ms = ?, error_rate = ? WHERE id = ?",
    )
    .bind(report.valid)
    .bind(summary.output_throughput)
    .bind(p99(summary, "ttft_ms", summary.ttft_ms.as_ref()))
    .bind(p99(summary, "tpot_ms", summary.tpot_ms.as_ref()))
    .bind((summary.total_requests > 0).then_some(summary.error_rate))
    .bind(run.to_string())
    .execute(db)
    .await?;
    Ok(())
}

impl Store {
    /// A run's report; not found while there is none.
    pub async fn report(&self, actor: &Actor, run: Uuid) -> Result<Report, StoreError> {
        self.run(actor, run).await?;
        sqlx::query("SELECT data FROM reports WHERE run_id = ?")
            .bind(run.to_string())
            .fetch_optional(&self.read)
            .await?
            .ok_or(StoreError::NotFound("report"))?
            .json("data")
    }
}
