//! Runs: the history, one run with its events, report and request records, and what is done to a run.

use std::collections::BTreeMap;

use tokio::sync::watch;
use uuid::Uuid;

use crate::domain::event::{RunEvent, StoredEvent};
use crate::domain::list::{HistoryChoices, ListQuery, Page};
use crate::domain::live::{LiveRun, LogEntry};
use crate::domain::predictions::PredictedRun;
use crate::domain::price::RunCost;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::run::{Run, RunRow, StageId};
use crate::domain::user::Actor;
use crate::state::AppState;
use dyno_measure::plan::Plan;
use dyno_measure::repeat::Repeat;
use dyno_measure::report::{Report, RequestRecord};
use dyno_measure::run::RunKind;
use dyno_measure::telemetry::TelemetrySample;

/// Predicted runs that are shown together.
const MOST_PREDICTED: u32 = 200;

/// A page of the runs that the actor may see.
pub async fn list(app: &AppState, actor: &Actor, query: ListQuery) -> Result<Page<RunRow>, Problem> {
    query.check()?;
    Ok(app.store.runs(actor, &query).await?)
}

/// Of these runs those that the actor may see, newest first.
pub async fn chosen(app: &AppState, actor: &Actor, ids: &[Uuid]) -> Result<Vec<RunRow>, Problem> {
    Ok(app.store.runs_by_id(actor, ids).await?)
}

/// What the history can be filtered by.
pub async fn choices(app: &AppState, actor: &Actor) -> Result<HistoryChoices, Problem> {
    let [models, clusters, tags, creators] = app.store.history_choices(actor).await?;
    Ok(HistoryChoices { models, clusters, tags, creators })
}

pub async fn get(app: &AppState, actor: &Actor, id: Uuid) -> Result<Run, Problem> {
    Ok(app.store.run(actor, id).await?)
}

/// Asks a run to end; answers the run as it stands then, which may not be its end yet.
pub async fn cancel(app: &AppState, actor: &Actor, id: Uuid) -> Result<Run, Problem> {
    app.store.request_cancel(actor, id).await?;
    app.run_notifier.wake();
    get(app, actor, id).await
}

/// Removes a run that is over with everything that it measured; with its last run goes the benchmark. Answers the
/// benchmark's name.
pub async fn delete(app: &AppState, actor: &Actor, id: Uuid) -> Result<String, Problem> {
    let run = app.store.run(actor, id).await?;
    let benchmark = app.store.benchmark_of_portal(run.benchmark_id).await?;
    let cluster = app.store.cluster_of_portal(benchmark.spec.cluster_id).await?;
    app.store.delete_run(actor, id).await?;
    // The run is gone for its owner; what is left is for the administrator.
    if run.kind == RunKind::Measured
        && let Err(error) = crate::run::remove(app, &cluster, id).await
    {
        tracing::warn!(run.id = %id, %error, "what a run left could not be removed");
    }
    Ok(benchmark.spec.name)
}

/// What a run measured; not found while there is nothing.
pub async fn report(app: &AppState, actor: &Actor, id: Uuid) -> Result<Report, Problem> {
    Ok(app.store.report(actor, id).await?)
}

/// What these runs cost, by run; those are absent of which a device had no price. The actor may see the rows.
pub async fn costs(app: &AppState, rows: &[RunRow]) -> Result<BTreeMap<Uuid, RunCost>, Problem> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    Ok(app.store.run_costs_of_portal(&ids).await?)
}

/// Measured runs with what had been expected of them, newest first.
pub async fn predicted(app: &AppState, actor: &Actor) -> Result<Vec<PredictedRun>, Problem> {
    Ok(app.store.predicted_runs(actor, MOST_PREDICTED).await?)
}

/// The plan of a run's load as anybody can carry it out: `dyno load --plan FILE`. Not found while there is no report.
pub async fn plan(app: &AppState, actor: &Actor, id: Uuid) -> Result<Plan, Problem> {
    let report = report(app, actor, id).await?;
    plan_of(&report).ok_or_else(|| Problem::not_found("plan"))
}

/// How a report's load is put on again from a terminal; nothing for a report without a plan.
pub fn repeat(id: Uuid, report: &Report) -> Option<Repeat> {
    let plan = plan_of(report)?;
    Some(dyno_load::repeat::repeat(&plan, &format!("plan-{id}.json"), &report.provenance))
}

fn plan_of(report: &Report) -> Option<Plan> {
    let plan: Plan = report.provenance.plan()?;
    Some(dyno_load::repeat::to_share(&plan))
}

/// A page of a run's request records.
pub async fn requests(app: &AppState, actor: &Actor, id: Uuid, query: ListQuery) -> Result<Page<RequestRecord>, Problem> {
    query.check()?;
    Ok(app.store.records(actor, id, &query).await?)
}

/// A piece of all request records, for exports: those after a number, each with its own.
pub async fn requests_after(
    app: &AppState,
    actor: &Actor,
    id: Uuid,
    after: i64,
    limit: u32,
) -> Result<Vec<(i64, RequestRecord)>, Problem> {
    Ok(app.store.records_after(actor, id, after, limit).await?)
}

/// A piece of what was sampled of nodes and devices, for exports: the samples after a number, each with its own.
pub async fn telemetry_after(
    app: &AppState,
    actor: &Actor,
    id: Uuid,
    after: i64,
    limit: u32,
) -> Result<Vec<(i64, TelemetrySample)>, Problem> {
    Ok(app.store.telemetry_after(actor, id, after, limit).await?)
}

/// Events of a run after a number, oldest first, at most `limit`.
pub async fn events_after(app: &AppState, actor: &Actor, id: Uuid, after: i64, limit: u32) -> Result<Vec<StoredEvent>, Problem> {
    Ok(app.store.events_after(actor, id, after, limit).await?)
}

/// A run as its page shows it, with at most so many lines of each log, and as many snapshots of the load as a chart has points.
pub async fn live(app: &AppState, actor: &Actor, id: Uuid, lines: u32, points: u32) -> Result<LiveRun, Problem> {
    // The run is read first: what its later events change is applied to it.
    let mut live = LiveRun::new(get(app, actor, id).await?);
    let snapshot = app.store.run_snapshot(actor, &live.run, lines, points).await?;
    for stored in snapshot.events {
        live.apply(stored.seq, stored.event);
    }
    for (stage, earlier) in snapshot.earlier {
        if let Some(log) = live.logs.iter_mut().find(|log| log.stage == stage) {
            log.earlier = earlier;
        }
    }
    live.last_seq = snapshot.last_seq;
    if live.run.status.is_end() {
        live.report = report_if_any(app, actor, id).await?.map(Box::new);
    }
    Ok(live)
}

/// The report of a run that is over; nothing where it measured nothing.
pub async fn report_if_any(app: &AppState, actor: &Actor, id: Uuid) -> Result<Option<Report>, Problem> {
    match report(app, actor, id).await {
        Ok(report) => Ok(Some(report)),
        Err(problem) if problem.kind == ProblemKind::NotFound => Ok(None),
        Err(problem) => Err(problem),
    }
}

/// Lines of a stage's log before an event, the last `limit` of them, oldest first.
pub async fn earlier_lines(
    app: &AppState,
    actor: &Actor,
    id: Uuid,
    stage: StageId,
    before: i64,
    limit: u32,
) -> Result<Vec<LogEntry>, Problem> {
    let events = app.store.log_lines_before(actor, id, stage, before, limit).await?;
    let lines = events.into_iter().filter_map(|stored| match stored.event {
        RunEvent::Log(line) => Some(LogEntry { seq: stored.seq, level: line.level, text: line.line }),
        RunEvent::Stage(_) | RunEvent::Progress(_) | RunEvent::End(_) => None,
    });
    Ok(lines.collect())
}

/// Changes whenever a run has a new event. Whoever may look at the run is for the caller to know.
pub fn news(app: &AppState, run: &Run) -> watch::Receiver<i64> {
    app.run_notifier.subscribe(run.id)
}
