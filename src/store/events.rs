//! Events of runs. An event and all changes that follow from it are stored before it is shown to anybody.

use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{FromRow, Row as _};
use uuid::Uuid;

use super::row::{Columns as _, damaged, ms, visible_to};
use super::{Store, StoreError, records, reports, telemetry};
use crate::domain::event::{RunEvent, StoredEvent};
use crate::domain::run::{Run, Stage, StageId};
use crate::domain::user::Actor;
use dyno_measure::report::{Report, RequestRecord};
use dyno_measure::telemetry::TelemetrySample;

/// The schema of the events that this program writes; those of 0.1.0 have it, too.
const EVENT_SCHEMA: u32 = 1;

/// What the supervisor pulled from a run's executor since the last update.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunUpdate {
    /// Events with their times. A stage event also writes the stage, an end event also ends the run.
    pub events: Vec<(Timestamp, RunEvent)>,
    /// Request records, added to those that are there.
    pub records: Vec<RequestRecord>,
    /// Whether those that are there are removed before.
    pub replaces_records: bool,
    /// What nodes and devices did, added to what is there; a sample that is there already is passed over.
    pub telemetry: Vec<TelemetrySample>,
    /// The report, which replaces an earlier one.
    pub report: Option<Report>,
    /// The executor's cursor after this update; absent: unchanged.
    pub cursor: Option<String>,
    /// The claim under which this is written: refused if another claimant has the run. Absent: the run is not claimed.
    pub claimant: Option<Uuid>,
}

/// The events that a run's page needs.
#[derive(Debug, Clone, PartialEq)]
pub struct RunSnapshot {
    pub events: Vec<StoredEvent>,
    /// For each stage with a log: the number of lines before those among the events.
    pub earlier: Vec<(StageId, u64)>,
    /// The number of the run's last event, included here or not.
    pub last_seq: i64,
}

impl Store {
    /// For the supervisor: stores an update in one transaction, so that the cursor always matches what was read up to it.
    /// Returns the events with their numbers, for subscribers. A run that is over takes no update.
    pub async fn update_run(&self, id: Uuid, update: &RunUpdate, now: Timestamp) -> Result<Vec<StoredEvent>, StoreError> {
        let mut tx = self.begin().await?;
        let is_over: Option<bool> =
            sqlx::query_scalar("SELECT status NOT IN ('queued', 'running', 'cancelling') FROM runs WHERE id = ?")
                .bind(id.to_string())
                .fetch_optional(&mut *tx)
                .await?;
        match is_over {
            None => return Err(StoreError::NotFound("run")),
            Some(true) => return Err(StoreError::Conflict("This run is over already.".to_owned())),
            Some(false) => {}
        }
        if let Some(claimant) = update.claimant {
            let holder: Option<String> =
                sqlx::query_scalar("SELECT claimed_by FROM runs WHERE id = ?").bind(id.to_string()).fetch_one(&mut *tx).await?;
            if holder.is_some_and(|holder| holder != claimant.to_string()) {
                return Err(StoreError::Conflict("Another portal has this run.".to_owned()));
            }
        }
        if update.replaces_records {
            records::remove(&mut tx, id).await?;
        }
        records::append(&mut tx, id, &update.records).await?;
        telemetry::append(&mut tx, id, &update.telemetry).await?;
        if let Some(report) = &update.report {
            reports::put(&mut tx, id, report, now).await?;
        }
        sqlx::query("UPDATE runs SET cursor = coalesce(?, cursor) WHERE id = ?")
            .bind(&update.cursor)
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?;
        let stored = append(&mut tx, id, &update.events).await?;
        tx.commit().await?;
        Ok(stored)
    }

    /// Events of a run after the number `after`, oldest first, at most `limit`.
    pub async fn events_after(&self, actor: &Actor, run: Uuid, after: i64, limit: u32) -> Result<Vec<StoredEvent>, StoreError> {
        self.check_run(actor, run).await?;
        let query = "SELECT * FROM run_events WHERE run_id = ? AND seq > ? ORDER BY seq LIMIT ?";
        Ok(sqlx::query_as(query).bind(run.to_string()).bind(after).bind(limit).fetch_all(&self.read).await?)
    }

    /// The last lines of a stage's log before an event, oldest first, at most `limit`.
    pub async fn log_lines_before(
        &self,
        actor: &Actor,
        run: Uuid,
        stage: StageId,
        before: i64,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        self.check_run(actor, run).await?;
        let mut db = self.read.acquire().await?;
        last_lines(&mut db, run, stage, before, limit).await
    }

    /// The events that a run's page needs, without reading all: the last lines of each stage's log, load snapshots evenly
    /// spread over the run (always with the last), stage changes, and the end.
    pub async fn run_snapshot(&self, actor: &Actor, run: &Run, lines: u32, progress: u32) -> Result<RunSnapshot, StoreError> {
        visible_to(actor, run.owner, "run", ())?;
        let id = run.id.to_string();
        // one transaction, so that all queries see the same state
        let mut tx = self.read.begin().await?;
        let last_seq: i64 = sqlx::query_scalar("SELECT coalesce(max(seq), 0) FROM run_events WHERE run_id = ?")
            .bind(&id)
            .fetch_one(&mut *tx)
            .await?;
        let turns = "SELECT * FROM run_events INDEXED BY run_turns WHERE run_id = ? AND name IN ('stage', 'end')";
        let mut events: Vec<StoredEvent> = sqlx::query_as(turns).bind(&id).fetch_all(&mut *tx).await?;
        events.extend(
            sqlx::query_as::<_, StoredEvent>(
                "SELECT * FROM run_events WHERE run_id = ?1 AND seq IN (
                     SELECT seq FROM (
                         SELECT seq, row_number() OVER (ORDER BY seq) AS position, count(*) OVER () AS total
                         FROM run_events INDEXED BY run_progress WHERE run_id = ?1 AND name = 'progress'
                     ) WHERE (total - position) % max(1, total / ?2) = 0)",
            )
            .bind(&id)
            .bind(progress.max(1))
            .fetch_all(&mut *tx)
            .await?,
        );
        let mut earlier = Vec::new();
        for stage in run.stages.iter().map(|stage| stage.id) {
            let total: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM run_events INDEXED BY run_log_lines
                 WHERE run_id = ? AND name = 'log' AND json_extract(data, '$.stage') = ?",
            )
            .bind(&id)
            .bind(stage.into_str())
            .fetch_one(&mut *tx)
            .await?;
            if total > 0 {
                let kept = last_lines(&mut tx, run.id, stage, i64::MAX, lines).await?;
                earlier.push((stage, total.unsigned_abs() - kept.len() as u64));
                events.extend(kept);
            }
        }
        events.sort_by_key(|event| event.seq);
        Ok(RunSnapshot { events, earlier, last_seq })
    }

    /// Checks that the run exists and that the actor may see it.
    async fn check_run(&self, actor: &Actor, run: Uuid) -> Result<(), StoreError> {
        let owner: Option<String> =
            sqlx::query_scalar("SELECT owner FROM runs WHERE id = ?").bind(run.to_string()).fetch_optional(&self.read).await?;
        let owner = owner.and_then(|owner| Uuid::parse_str(&owner).ok()).ok_or(StoreError::NotFound("run"))?;
        visible_to(actor, owner, "run", ())
    }
}

/// The index hint keeps SQLite from scanning all events of the run, and makes a statement that can't use the index an error.
async fn last_lines(
    db: &mut SqliteConnection,
    run: Uuid,
    stage: StageId,
    before: i64,
    limit: u32,
) -> Result<Vec<StoredEvent>, StoreError> {
    let mut lines: Vec<StoredEvent> = sqlx::query_as(
        "SELECT * FROM run_events INDEXED BY run_log_lines WHERE run_id = ? AND name = 'log' AND json_extract(data, '$.stage') = ? AND seq < ?
         ORDER BY seq DESC LIMIT ?",
    )
    .bind(run.to_string())
    .bind(stage.into_str())
    .bind(before)
    .bind(limit)
    .fetch_all(db)
    .await?;
    lines.reverse();
    Ok(lines)
}

impl FromRow<'_, SqliteRow> for StoredEvent {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        let (name, data): (&str, serde_json::Value) = (row.try_get("name")?, row.try_get("data")?);
        let event = serde_json::from_value(serde_json::json!({ "event": name, "data": data }));
        Ok(Self { seq: row.try_get("seq")?, at: row.time("at")?, event: event.map_err(|error| damaged("event", error))? })
    }
}

async fn append(db: &mut SqliteConnection, run: Uuid, events: &[(Timestamp, RunEvent)]) -> Result<Vec<StoredEvent>, StoreError> {
    let id = run.to_string();
    let last: i64 =
        sqlx::query_scalar("SELECT coalesce(max(seq), 0) FROM run_events WHERE run_id = ?").bind(&id).fetch_one(&mut *db).await?;
    let mut stored = Vec::with_capacity(events.len());
    for (seq, (at, event)) in (last + 1..).zip(events) {
        let data = match event {
            RunEvent::Stage(stage) => {
                put_stage(&mut *db, &id, stage).await?;
                serde_json::to_string(stage)
            }
            RunEvent::Progress(progress) => serde_json::to_string(progress),
            RunEvent::Log(line) => serde_json::to_string(line),
            RunEvent::End(end) => {
                sqlx::query("UPDATE runs SET status = ?, reason = ?, ended_at = ? WHERE id = ?")
                    .bind(end.status.into_str())
                    .bind(&end.reason)
                    .bind(ms(*at))
                    .bind(&id)
                    .execute(&mut *db)
                    .await?;
                serde_json::to_string(end)
            }
        };
        sqlx::query("INSERT INTO run_events (run_id, seq, at, name, data, schema_version) VALUES (?, ?, ?, ?, ?, ?)")
            .bind(&id)
            .bind(seq)
            .bind(ms(*at))
            .bind(event.into_str())
            .bind(data.map_err(|error| damaged("event", error))?)
            .bind(EVENT_SCHEMA)
            .execute(&mut *db)
            .await?;
        stored.push(StoredEvent { seq, at: *at, event: event.clone() });
    }
    Ok(stored)
}

async fn put_stage(db: &mut SqliteConnection, run: &str, stage: &Stage) -> Result<(), StoreError> {
    sqlx::query("UPDATE stages SET status = ?, started_at = ?, ended_at = ?, message = ? WHERE run_id = ? AND id = ?")
        .bind(stage.status.into_str())
        .bind(stage.started_at.map(ms))
        .bind(stage.ended_at.map(ms))
        .bind(&stage.message)
        .bind(run)
        .bind(stage.id.into_str())
        .execute(db)
        .await?;
    Ok(())
}
