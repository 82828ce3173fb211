//! What nodes and devices did while a run's load went on.

use sqlx::sqlite::SqliteConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::{Store, StoreError};
use crate::domain::user::Actor;
use dyno_measure::telemetry::TelemetrySample;

/// Appends samples to a run; those that are there are passed over.
pub(super) async fn append(db: &mut SqliteConnection, run: Uuid, samples: &[TelemetrySample]) -> Result<(), StoreError> {
    if samples.is_empty() {
        return Ok(());
    }
    let id = run.to_string();
    let last: i64 = sqlx::query_scalar("SELECT coalesce(max(seq), 0) FROM telemetry_samples WHERE run_id = ?")
        .bind(&id)
        .fetch_one(&mut *db)
        .await?;
    for (seq, sample) in (last + 1..).zip(samples) {
        sqlx::query(
            "INSERT INTO telemetry_samples (run_id, seq, node, source, at_unix_ns, data) VALUES (?, ?, ?, ?, ?, ?)
             ON CONFLICT (run_id, node, source, at_unix_ns) DO NOTHING",
        )
        .bind(&id)
        .bind(seq)
        .bind(&sample.node)
        .bind(sample.source.as_str())
        .bind(sample.at_unix_ns)
        .bind(Json(sample))
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

impl Store {
    /// The samples of a run after the number `after`, at most `limit`, with their numbers: for exports, piece by piece.
    pub async fn telemetry_after(
        &self,
        actor: &Actor,
        run: Uuid,
        after: i64,
        limit: u32,
    ) -> Result<Vec<(i64, TelemetrySample)>, StoreError> {
        self.run(actor, run).await?;
        self.samples_after(run, after, limit).await
    }

    /// For the supervisor: all samples of a run.
    pub async fn telemetry_of_portal(&self, run: Uuid) -> Result<Vec<TelemetrySample>, StoreError> {
        Ok(self.samples_after(run, 0, u32::MAX).await?.into_iter().map(|(_, sample)| sample).collect())
    }

    async fn samples_after(&self, run: Uuid, after: i64, limit: u32) -> Result<Vec<(i64, TelemetrySample)>, StoreError> {
        let samples: Vec<(i64, Json<TelemetrySample>)> =
            sqlx::query_as("SELECT seq, data FROM telemetry_samples WHERE run_id = ? AND seq > ? ORDER BY seq LIMIT ?")
                .bind(run.to_string())
                .bind(after)
                .bind(limit)
                .fetch_all(&self.read)
                .await?;
        Ok(samples.into_iter().map(|(seq, Json(sample))| (seq, sample)).collect())
    }
}
