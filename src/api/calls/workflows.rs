//! The wizard's drafts: one call for every step, whoever asks.

use serde_json::Value;
use uuid::Uuid;

use super::lookup::look_up;
use super::now;
use super::start::new_run;
use crate::domain::benchmark::{Benchmark, BenchmarkSpec};
use crate::domain::list::{ListQuery, Page};
use crate::domain::problem::Problem;
use crate::domain::run::Run;
use crate::domain::user::Actor;
use crate::domain::workflow::body::Call;
use crate::domain::workflow::{Body, Draft, Facts, Stamp, WorkflowAnswer, WorkflowRow, advance, needs};
use crate::state::AppState;
use crate::store::StoreError;
use dyno_measure::run::RunKind;

/// How often a save is tried when others save the same draft between look and save.
const TRIES: usize = 10;

/// Applies one body, as the specification has it, and answers with the draft after it. The last step starts the run, once,
/// however often and by however many it is asked. `form` names the drawing of a page's form whose first step begins a draft:
/// however often it is sent, it begins one.
pub async fn apply_step(app: &AppState, actor: &Actor, form: Option<Uuid>, body: Value) -> Result<WorkflowAnswer, Problem> {
    let body = Body::parse(&body).map_err(Problem::invalid)?;
    for _ in 0..TRIES {
        if let Some(answer) = attempt(app, actor, form, &body).await? {
            return Ok(answer);
        }
    }
    Err(Problem::conflict("This draft is being changed by others all the time. Nothing was saved."))
}

/// One try; nothing when someone else saved the draft meanwhile, so that it has to be judged anew.
async fn attempt(app: &AppState, actor: &Actor, form: Option<Uuid>, body: &Body) -> Result<Option<WorkflowAnswer>, Problem> {
    let before = match body.call {
        Call::First { .. } => None,
        Call::Later { workflow_id } => Some(app.store.workflow(actor, workflow_id).await?),
    };
    let facts = look_up(app, actor, &needs(before.as_ref(), body)).await?;
    let stamp = Stamp { new_id: Uuid::now_v7(), owner: actor.id, now: now() };
    let step = advance(before.as_ref(), body, &facts, &stamp)?;

    let Some(before) = before else {
        if app.store.begin_workflow(&step.draft, form).await? {
            return Ok(Some(WorkflowAnswer::new(&step.draft, step.dropped, None)));
        }
        // The other of two clicks was faster.
        let Some(begun) = form else { return Ok(None) };
        return match app.store.workflow_begun_by(actor, begun).await? {
            Some(begun) => answer(app, actor, &begun).await.map(Some),
            None => Ok(None),
        };
    };
    if let Some(spec) = step.start {
        return start(app, actor, &before, step.draft, spec, &facts)
            .await
            .map(|done| done.map(|(draft, run)| WorkflowAnswer::new(&draft, step.dropped, Some(run))));
    }
    if !step.is_changed {
        return answer(app, actor, &before).await.map(|answer| Some(answer.warning_of(step.warnings)));
    }
    match app.store.save_workflow(&step.draft, before.revision).await {
        Ok(()) => Ok(Some(WorkflowAnswer::new(&step.draft, step.dropped, None).warning_of(step.warnings))),
        Err(StoreError::Stale) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Freezes the benchmark, queues its run and marks the workflow, all in one transaction; then wakes the supervisor.
async fn start(
    app: &AppState,
    actor: &Actor,
    before: &Draft,
    mut draft: Draft,
    spec: BenchmarkSpec,
    facts: &Facts,
) -> Result<Option<(Draft, Run)>, Problem> {
    let now = draft.updated_at.max(now());
    let benchmark = Benchmark { id: Uuid::now_v7(), owner: draft.owner, workflow_id: Some(draft.id), created_at: now, spec };
    let run = new_run(&benchmark, kind_of(&draft), draft.owner, actor, facts, now);
    // The trigger is a change of its own, so that of two at once the second finds the first one's revision gone.
    draft.revision = before.revision + 1;
    draft.updated_at = now;
    match app.store.trigger_workflow(&draft, before.revision, &benchmark, &run).await {
        Ok(()) => {
            app.run_notifier.wake();
            draft.benchmark_id = Some(benchmark.id);
            draft.run_id = Some(run.run.id);
            let run = app.store.run(actor, run.run.id).await?;
            Ok(Some((draft, run)))
        }
        Err(StoreError::Stale) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What the last step was asked for.
fn kind_of(draft: &Draft) -> RunKind {
    if draft.steps.run_as_simulation == Some(true) { RunKind::Simulated } else { RunKind::Measured }
}

/// The draft that a form has begun already.
pub async fn begun_by(app: &AppState, actor: &Actor, form: Uuid) -> Result<Option<Uuid>, Problem> {
    Ok(app.store.workflow_begun_by(actor, form).await?.map(|begun| begun.id))
}

/// One workflow as it stands.
pub async fn get(app: &AppState, actor: &Actor, id: Uuid) -> Result<WorkflowAnswer, Problem> {
    let draft = app.store.workflow(actor, id).await?;
    answer(app, actor, &draft).await
}

/// The actor's drafts, last changed first: those whose run is not started.
pub async fn list(app: &AppState, actor: &Actor, query: &ListQuery) -> Result<Page<WorkflowRow>, Problem> {
    query.check()?;
    let unknown = [
        ("status", query.status.is_some()),
        ("model", query.model.is_some()),
        ("cluster", query.cluster.is_some()),
        ("tag", query.tag.is_some()),
        ("creator", query.creator.is_some()),
        ("from", query.from.is_some()),
        ("to", query.to.is_some()),
    ];
    if let Some((field, _)) = unknown.into_iter().find(|(_, is_set)| *is_set) {
        return Err(Problem::field(field, format!("Drafts can't be filtered by {field}, only searched by name.")));
    }
    let mut rows = Vec::new();
    let wanted = query.search.as_deref().map(|search| search.trim().to_lowercase()).unwrap_or_default();
    for draft in app.store.workflows(actor, true).await? {
        if draft.steps.name.to_lowercase().contains(&wanted) {
            rows.push(WorkflowRow::new(&draft));
        }
    }
    match query.sort.as_deref() {
        None | Some("-updated_at") => {}
        Some("updated_at") => rows.reverse(),
        Some("-created_at") => rows.sort_by_key(|row| std::cmp::Reverse(row.created_at)),
        Some("created_at") => rows.sort_by_key(|row| row.created_at),
        Some("name") => rows.sort_by_key(|row| row.name.to_lowercase()),
        Some("-name") => rows.sort_by_key(|row| std::cmp::Reverse(row.name.to_lowercase())),
        Some(_) => return Err(Problem::field("sort", "Drafts are sorted by name, created_at or updated_at.")),
    }
    let total = rows.len() as u64;
    let items = rows.into_iter().skip(query.offset() as usize).take(query.page_size() as usize).collect();
    Ok(Page { items, total })
}

/// Discards a draft. One whose run is started goes with that run, not before it.
pub async fn delete(app: &AppState, actor: &Actor, id: Uuid) -> Result<(), Problem> {
    let draft = app.store.workflow(actor, id).await?;
    if draft.run_id.is_some() {
        return Err(Problem::conflict("This workflow has started its run. Delete the run instead."));
    }
    Ok(app.store.delete_workflow(actor, id).await?)
}

async fn answer(app: &AppState, actor: &Actor, draft: &Draft) -> Result<WorkflowAnswer, Problem> {
    let run = match draft.run_id {
        Some(id) => Some(app.store.run(actor, id).await?),
        None => None,
    };
    Ok(WorkflowAnswer::new(draft, Vec::new(), run))
}
