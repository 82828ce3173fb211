//! What the simulator learnt: measured runs that it looked at, and the profiles fitted to them. All of it is the portal's own work;
//! of predictions beside figures, the owner's.

use dyno_measure::load::OfferedLoad;
use dyno_measure::report::{LoadPoint, Predicted, Report, RequestRecord};
use dyno_simulate::own_runs::MeasuredRun;
use dyno_simulate::profile::Profile;
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::types::Json;
use sqlx::{FromRow, Row as _};
use uuid::Uuid;
use uuid::fmt::Hyphenated;

use super::row::{Columns as _, ms};
use super::{Store, StoreError, reports};
use crate::domain::predictions::PredictedRun;
use crate::domain::user::Actor;

/// Factors fitted from a measured run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LearntRun {
    /// The profile's key and what was measured; absent where no factor could be fitted to the run.
    pub measured: Option<(String, MeasuredRun)>,
    /// Why it tells nothing, a sentence.
    pub reason: Option<String>,
    /// What had been expected of it.
    pub predicted: Option<Predicted>,
}

impl Store {
    /// Valid measured runs that no factors were fitted from yet, those that ended first before others.
    pub async fn unlearnt_runs_of_portal(&self, limit: u32) -> Result<Vec<Uuid>, StoreError> {
        let ids = sqlx::query_scalar(
            "SELECT runs.id FROM runs JOIN reports ON reports.run_id = runs.id
             WHERE runs.kind = 'measured' AND runs.status = 'succeeded' AND runs.valid = 1
             AND NOT EXISTS (SELECT 1 FROM profile_runs WHERE profile_runs.run_id = runs.id)
             ORDER BY runs.ended_at, runs.id LIMIT ?",
        )
        .bind(limit)
        .fetch_all(&self.read)
        .await?;
        Ok(ids.into_iter().map(Hyphenated::into_uuid).collect())
    }

    /// The first successful measured requests of a load point, in the order of sending, for the portal's own work.
    pub async fn first_records_of_portal(
        &self,
        run: Uuid,
        load_point: usize,
        limit: u32,
    ) -> Result<Vec<RequestRecord>, StoreError> {
        let records = sqlx::query_scalar(
            "SELECT data FROM request_records WHERE run_id = ? AND load_point = ? AND phase = 'measured' AND error_class IS NULL
             ORDER BY sent_unix_ns, seq LIMIT ?",
        )
        .bind(run.to_string())
        .bind(load_point as i64)
        .bind(limit)
        .fetch_all(&self.read)
        .await?;
        Ok(records.into_iter().map(Json::into_inner).collect())
    }

    /// Keeps what a run told, and puts what had been expected of it into its report. A run that was looked at already, or that is
    /// gone, stays as it is.
    pub async fn keep_learnt_run(&self, run: Uuid, learnt: &LearntRun, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let (profile, measured) = match &learnt.measured {
            Some((profile, measured)) => (Some(profile.as_str()), Some(Json(measured))),
            None => (None, None),
        };
        let kept = sqlx::query(
            "INSERT OR IGNORE INTO profile_runs (run_id, profile, measured, reason, learnt_at)
             SELECT id, ?, ?, ?, ? FROM runs WHERE id = ?",
        )
        .bind(profile)
        .bind(measured)
        .bind(&learnt.reason)
        .bind(ms(now))
        .bind(run.to_string())
        .execute(&mut *tx)
        .await?;
        if let Some(predicted) = learnt.predicted.as_ref().filter(|_| kept.rows_affected() == 1) {
            let query = sqlx::query("SELECT data, created_at FROM reports WHERE run_id = ?").bind(run.to_string());
            let row = query.fetch_one(&mut *tx).await?;
            let report = Report { predicted: Some(predicted.clone()), ..row.json("data")? };
            reports::put(&mut tx, run, &report, row.time("created_at")?).await?;
        }
        Ok(tx.commit().await?)
    }

    /// The runs behind a profile, the last ones first, for the portal's own work.
    pub async fn measured_runs_of_portal(&self, profile: &str, limit: u32) -> Result<Vec<MeasuredRun>, StoreError> {
        let query = "SELECT measured FROM profile_runs WHERE profile = ? ORDER BY learnt_at DESC, run_id DESC LIMIT ?";
        let runs = sqlx::query_scalar(query).bind(profile).bind(limit).fetch_all(&self.read).await?;
        Ok(runs.into_iter().map(Json::into_inner).collect())
    }

    /// Keeps a fitted profile in place of an earlier one.
    pub async fn put_profile(&self, key: &str, profile: &Profile, now: Timestamp) -> Result<(), StoreError> {
        sqlx::query("INSERT OR REPLACE INTO profiles (key, data, fitted_at) VALUES (?, ?, ?)")
            .bind(key)
            .bind(Json(profile))
            .bind(ms(now))
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// All fitted profiles. They hold no one's data: how efficient a device is belongs to nobody.
    pub async fn fitted_profiles(&self) -> Result<Vec<Profile>, StoreError> {
        let profiles = sqlx::query_scalar("SELECT data FROM profiles ORDER BY key").fetch_all(&self.read).await?;
        Ok(profiles.into_iter().map(Json::into_inner).collect())
    }

    /// The last measured runs of the actor's that were predicted, newest first.
    pub async fn predicted_runs(&self, actor: &Actor, limit: u32) -> Result<Vec<PredictedRun>, StoreError> {
        let everybodys = actor.is_administrator();
        let query = sqlx::query_as(
            "SELECT runs.id, runs.name, runs.model, runs.engine, runs.devices, runs.ended_at,
                 json_extract(reports.data, '$.predicted') AS predicted,
                 json_extract(reports.data, '$.load_points') AS load_points
             FROM runs JOIN reports ON reports.run_id = runs.id
             JOIN profile_runs ON profile_runs.run_id = runs.id
             WHERE json_extract(reports.data, '$.predicted') IS NOT NULL AND (? OR runs.owner = ?)
             ORDER BY runs.ended_at DESC, runs.id LIMIT ?",
        )
        .bind(everybodys)
        .bind(actor.id.to_string())
        .bind(limit);
        Ok(query.fetch_all(&self.read).await?)
    }
}

impl FromRow<'_, SqliteRow> for PredictedRun {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        let points: Vec<LoadPoint> = row.json("load_points")?;
        let load = |point: &LoadPoint| point.offered().map_or_else(|| "trace".to_owned(), OfferedLoad::words);
        Ok(Self {
            id: row.id("id")?,
            name: row.try_get("name")?,
            model: row.try_get("model")?,
            engine: row.try_get::<Option<_>, _>("engine")?.unwrap_or_default(),
            devices: row.try_get("devices")?,
            loads: points.iter().map(load).collect(),
            predicted: row.json("predicted")?,
        })
    }
}
