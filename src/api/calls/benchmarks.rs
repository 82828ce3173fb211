//! Frozen specifications: look at them, run one again, begin a draft from one.

use uuid::Uuid;

use super::lookup::look_up;
use super::now;
use super::start::new_run;
use crate::domain::benchmark::Benchmark;
use crate::domain::list::{ListQuery, Page};
use crate::domain::problem::Problem;
use crate::domain::run::Run;
use crate::domain::user::Actor;
use crate::domain::workflow::{WorkflowAnswer, draft_from, freeze, needs_to_run};
use crate::state::AppState;
use dyno_measure::run::RunKind;

/// A page of the benchmarks that the actor may see.
pub async fn list(app: &AppState, actor: &Actor, query: &ListQuery) -> Result<Page<Benchmark>, Problem> {
    query.check()?;
    Ok(app.store.benchmarks(actor, query).await?)
}

pub async fn get(app: &AppState, actor: &Actor, id: Uuid) -> Result<Benchmark, Problem> {
    Ok(app.store.benchmark(actor, id).await?)
}

/// Starts another run of a benchmark, after the same look at everything as its first had. The specification stays as it
/// was frozen.
pub async fn run_again(app: &AppState, actor: &Actor, id: Uuid, simulation: bool) -> Result<Run, Problem> {
    let benchmark = app.store.benchmark(actor, id).await?;
    let now = now();
    let mut draft = draft_from(&benchmark.spec, Uuid::nil(), actor.id, now);
    draft.steps.user_confirmation = true;
    draft.steps.run_as_simulation = Some(simulation);
    let facts = look_up(app, actor, &needs_to_run(&draft)).await?;
    freeze(&draft, &facts).map_err(Problem::invalid)?;
    let kind = if simulation { RunKind::Simulated } else { RunKind::Measured };
    let run = new_run(&benchmark, kind, actor.id, actor, &facts, now);
    app.store.insert_run(&benchmark, &run).await?;
    app.run_notifier.wake();
    Ok(app.store.run(actor, run.run.id).await?)
}

/// A new draft of the actor's with all that the benchmark was made of; it only has to be confirmed.
pub async fn clone_to_draft(app: &AppState, actor: &Actor, id: Uuid) -> Result<WorkflowAnswer, Problem> {
    let benchmark = app.store.benchmark(actor, id).await?;
    let draft = draft_from(&benchmark.spec, Uuid::now_v7(), actor.id, now());
    app.store.insert_workflow(&draft).await?;
    Ok(WorkflowAnswer::new(&draft, Vec::new(), None))
}
