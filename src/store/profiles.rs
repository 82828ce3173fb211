//! What the simulator learnt: measured runs that it looked at, and the profiles fitted to them. All of it is the portal's own work;
//! of predictions beside figures, the owner's.

use dyno_measure::load::OfferedLoad;
use dyno_measure::report::{LoadPoint, Predicted, Report, RequestRecord};
use dyno_simulate::own_runs::MeasuredRun;
use dyno_simulate::profile::Profile;
use jiff::Timestamp;
use uuid::Uuid;

use super::row::{Columns, from_json, json, ms};
use super::{Store, StoreError, reports};
use crate::domain::predictions::PredictedRun;
use crate::domain::user::Actor;

/// What a measured run told the simulator.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LearntRun {
    /// The profile's key and what was measured; absent where the run tells nothing.
    pub measured: Option<(String, MeasuredRun)>,
    /// Why it tells nothing, a sentence.
    pub reason: Option<String>,
    /// What had been expected of it.
    pub predicted: Option<Predicted>,
}

impl Store {
    /// Valid measured runs that were not looked at yet, those that ended first before others.
    pub async fn unlearnt_runs_of_portal(&self, limit: u32) -> Result<Vec<Uuid>, StoreError> {
        sqlx::query(
            "SELECT runs.id FROM runs JOIN reports ON reports.run_id = runs.id
             WHERE runs.kind = 'measured' AND runs.status = 'succeeded' AND runs.valid = 1
             AND NOT EXISTS (SELECT 1 FROM profile_runs WHERE profile_runs.run_id = runs.id)
             ORDER BY runs.ended_at, runs.id LIMIT ?",
        )
        .bind(limit)
        .fetch_all(&self.read)
        .await?
        .iter()
        .map(|row| row.id("id"))
        .collect()
    }

    /// The first successful measured requests of a load point, in the order of sending, for the portal's own work.
    pub async fn first_records_of_portal(
        &self,
        run: Uuid,
        load_point: usize,
        limit: u32,
    ) -> Result<Vec<RequestRecord>, StoreError> {
        sqlx::query(
            "SELECT data FROM request_records WHERE run_id = ? AND load_point = ? AND phase = 'measured' AND error_class IS NULL
             ORDER BY sent_unix_ns, seq LIMIT ?",
        )
        .bind(run.to_string())
        .bind(load_point as i64)
        .bind(limit)
        .fetch_all(&self.read)
        .await?
        .iter()
        .map(|row| row.json("data"))
        .collect()
    }

    /// Keeps what a run told, and puts what had been expected of it into its report. A run that was looked at already, or that is
    /// gone, stays as it is.
    pub async fn keep_learnt_run(&self, run: Uuid, learnt: &LearntRun, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let (profile, measured) = match &learnt.measured {
            Some((profile, measured)) => (Some(profile.as_str()), Some(json(measured)?)),
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
            let row = sqlx::query("SELECT data, created_at FROM reports WHERE run_id = ?")
                .bind(run.to_string())
                .fetch_one(&mut *tx)
                .await?;
            let report = Report { predicted: Some(predicted.clone()), ..row.json("data")? };
            reports::put(&mut tx, run, &report, row.time("created_at")?).await?;
        }
        Ok(tx.commit().await?)
    }

    /// The runs behind a profile, the last ones first, for the portal's own work.
    pub async fn measured_runs_of_portal(&self, profile: &str, limit: u32) -> Result<Vec<MeasuredRun>, StoreError> {
        sqlx::query("SELECT measured FROM profile_runs WHERE profile = ? ORDER BY learnt_at DESC, run_id DESC LIMIT ?")
            .bind(profile)
            .bind(limit)
            .fetch_all(&self.read)
            .await?
            .iter()
            .map(|row| row.json("measured"))
            .collect()
    }

    /// Keeps a fitted profile in place of an earlier one.
    pub async fn put_profile(&self, key: &str, profile: &Profile, now: Timestamp) -> Result<(), StoreError> {
        sqlx::query("INSERT OR REPLACE INTO profiles (key, data, fitted_at) VALUES (?, ?, ?)")
            .bind(key)
            .bind(json(profile)?)
            .bind(ms(now))
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// All fitted profiles. They hold no one's data: how efficient a device is belongs to nobody.
    pub async fn fitted_profiles(&self) -> Result<Vec<Profile>, StoreError> {
        sqlx::query("SELECT data FROM profiles ORDER BY key")
            .fetch_all(&self.read)
            .await?
            .iter()
            .map(|row| row.json("data"))
            .collect()
    }

    /// The last measured runs of the actor's that were predicted, newest first.
    pub async fn predicted_runs(&self, actor: &Actor, limit: u32) -> Result<Vec<PredictedRun>, StoreError> {
        let everybodys = actor.is_administrator();
        sqlx::query(
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
        .bind(limit)
        .fetch_all(&self.read)
        .await?
        .iter()
        .map(|row| {
            let points: Vec<LoadPoint> = from_json("load_points", &row.text("load_points")?)?;
            Ok(PredictedRun {
                id: row.id("id")?,
                name: row.text("name")?,
                model: row.text("model")?,
                engine: row.opt_text("engine")?.unwrap_or_default(),
                devices: row.text("devices")?,
                loads: points
                    .iter()
                    .map(|point| point.offered().map_or_else(|| "trace".to_owned(), OfferedLoad::words))
                    .collect(),
                predicted: row.json("predicted")?,
            })
        })
        .collect()
    }
}
