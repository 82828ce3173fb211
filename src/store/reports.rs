//! Reports of runs. The headline figures are also stored in columns of the run, for lists.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::row::{Columns as _, ms};
use super::{Store, StoreError};
use crate::domain::price::RunCost;
use crate::domain::run::LimitsVerdict;
use crate::domain::user::Actor;
use dyno_measure::load::OfferedLoad;
use dyno_measure::metrics::Shown;
use dyno_measure::report::cost::PricedDevices;
use dyno_measure::report::{LoadPoint, Report, Summary};
use dyno_measure::validity::SelfCheck;

/// A percentile of a metric, unless it has too few samples.
fn percentile(summary: &Summary, metric: &str, name: &str) -> Option<f64> {
    match summary.shown(metric, name) {
        Shown::Value { value, .. } => Some(value),
        Shown::TooFew { .. } | Shown::Absent => None,
    }
}

/// The load that a report's figures are of, in words; nothing where there was one load.
fn chosen_load(report: &Report) -> Option<String> {
    let point = report.load_points.get(report.best).filter(|_| report.load_points.len() > 1);
    point.and_then(LoadPoint::offered).map(OfferedLoad::words)
}

/// Whether that load met the limits; nothing is said of figures that are not valid.
fn limits_verdict(report: &Report, has_limits: bool) -> Option<LimitsVerdict> {
    let point = report.load_points.get(report.best).filter(|_| report.valid)?;
    Some(match point.meets_slo {
        Some(true) => LimitsVerdict::Met,
        Some(false) => LimitsVerdict::NotMet,
        None if has_limits => LimitsVerdict::Undecided,
        None => LimitsVerdict::None,
    })
}

/// Writes a report and its headline.
pub(super) async fn put(db: &mut SqliteConnection, run: Uuid, report: &Report, now: Timestamp) -> Result<(), StoreError> {
    sqlx::query("INSERT OR REPLACE INTO reports (run_id, data, created_at) VALUES (?, ?, ?)")
        .bind(run.to_string())
        .bind(Json(report))
        .bind(ms(now))
        .execute(&mut *db)
        .await?;
    let summary = &report.summary;
    let has_limits: Option<bool> = sqlx::query_scalar(
        "SELECT coalesce(json_extract(b.spec, '$.load.slo.ttft_ms'), json_extract(b.spec, '$.load.slo.tpot_ms'),
         json_extract(b.spec, '$.load.slo.e2el_ms')) IS NOT NULL FROM benchmarks b JOIN runs r ON r.benchmark_id = b.id WHERE r.id = ?",
    )
    .bind(run.to_string())
    .fetch_optional(&mut *db)
    .await?;
    sqlx::query(
        "UPDATE runs SET valid = ?, output_throughput = ?, ttft_p50_ms = ?, ttft_p90_ms = ?, ttft_p99_ms = ?, tpot_p50_ms = ?,
         tpot_p90_ms = ?, tpot_p99_ms = ?, steady = ?, error_rate = ?, chosen_load = ?, limits = ? WHERE id = ?",
    )
    .bind(report.valid)
    .bind(summary.output_throughput)
    .bind(percentile(summary, "ttft_ms", "p50"))
    .bind(percentile(summary, "ttft_ms", "p90"))
    .bind(percentile(summary, "ttft_ms", "p99"))
    .bind(percentile(summary, "tpot_ms", "p50"))
    .bind(percentile(summary, "tpot_ms", "p90"))
    .bind(percentile(summary, "tpot_ms", "p99"))
    .bind((summary.successful_requests > 0).then_some(summary.steady_state.is_some()))
    .bind((summary.total_requests > 0).then_some(summary.error_rate))
    .bind(chosen_load(report))
    .bind(limits_verdict(report, has_limits.unwrap_or(false)).map(|verdict| verdict.into_str()))
    .bind(run.to_string())
    .execute(db)
    .await?;
    Ok(())
}

impl Store {
    /// A run's report; not found while there is none.
    pub async fn report(&self, actor: &Actor, run: Uuid) -> Result<Report, StoreError> {
        self.run(actor, run).await?;
        self.report_of_portal(run).await?.ok_or(StoreError::NotFound("report"))
    }

    /// The same for the portal itself; absent while there is none.
    pub async fn report_of_portal(&self, run: Uuid) -> Result<Option<Report>, StoreError> {
        let found = sqlx::query_scalar("SELECT data FROM reports WHERE run_id = ?");
        Ok(found.bind(run.to_string()).fetch_optional(&self.read).await?.map(Json::into_inner))
    }

    /// The latest self-check of a load process among a cluster's last runs, whoever's they were; for the portal's own work. One that came to
    /// no figures is none.
    pub async fn last_self_check(&self, cluster: Uuid) -> Result<Option<SelfCheck>, StoreError> {
        // Of the last alone: a report is long, and an old check says little.
        let query = "SELECT json_extract(p.data, '$.self_check') AS checked FROM reports p JOIN (
                 SELECT r.id, r.created_at FROM benchmark_uses u JOIN runs r ON r.benchmark_id = u.benchmark_id
                 WHERE u.object_id = ? ORDER BY r.created_at DESC LIMIT 20
             ) last ON last.id = p.run_id
             WHERE checked IS NOT NULL AND json_extract(checked, '$.failed') IS NULL ORDER BY last.created_at DESC LIMIT 1";
        let found: Option<Json<SelfCheck>> =
            sqlx::query_scalar(query).bind(cluster.to_string()).fetch_optional(&self.read).await?;
        Ok(found.map(Json::into_inner))
    }

    /// What these runs cost, for the portal's own work: who may see them is decided by the caller. Runs without prices are absent.
    pub async fn run_costs_of_portal(&self, runs: &[Uuid]) -> Result<BTreeMap<Uuid, RunCost>, StoreError> {
        let ids: Vec<String> = runs.iter().map(Uuid::to_string).collect();
        let rows = sqlx::query(
            "SELECT run_id, json_extract(data, '$.provenance.prices') AS prices,
                    CAST(json_extract(data, '$.summary.output_throughput') AS REAL) AS output_throughput,
                    (SELECT total(json_extract(point.value, '$.duration_s')) FROM json_each(data, '$.load_points') point) AS duration_s
             FROM reports WHERE run_id IN (SELECT value FROM json_each(?)) AND prices IS NOT NULL",
        )
        .bind(Json(ids))
        .fetch_all(&self.read)
        .await?;
        let mut costs = BTreeMap::new();
        for row in rows {
            let prices: Vec<PricedDevices> = row.json("prices")?;
            if let Some(cost) = RunCost::of(&prices, row.try_get("output_throughput")?, row.try_get("duration_s")?) {
                costs.insert(row.id("run_id")?, cost);
            }
        }
        Ok(costs)
    }
}
