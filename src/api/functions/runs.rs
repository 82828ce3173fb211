//! Runs: the history, a run's live page, and what is done to a run.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::CallError;
use crate::domain::benchmark::BenchmarkSpec;
use crate::domain::form::Flash;
use crate::domain::list::{HistoryChoices, ListQuery, Page};
use crate::domain::live::LiveRun;
use crate::domain::run::RunRow;
use crate::domain::workflow::WorkflowRow;

/// Rows on a page of the history.
pub const HISTORY_ROWS: u32 = 25;

/// What the history shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct History {
    pub runs: Page<RunRow>,
    /// What can be filtered by.
    pub choices: HistoryChoices,
    /// The caller's own drafts, the last changed first.
    pub drafts: Vec<WorkflowRow>,
    /// What was wrong with the last action.
    pub flash: Option<Flash>,
    /// Why the filters found nothing: for example an invalid date.
    pub refused: Option<String>,
}

/// What a run's live page begins with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LivePage {
    /// The run so far.
    pub live: LiveRun,
    /// What was asked for.
    pub spec: BenchmarkSpec,
    /// What was wrong with the last action.
    pub flash: Option<Flash>,
}

#[server(endpoint = "ui/history", input = server_fn::codec::Json)]
pub async fn load_history(query: ListQuery, flash: String) -> Result<History, CallError> {
    use crate::api::calls::{runs, workflows};
    use crate::domain::problem::ProblemKind;
    let (app, actor) = crate::auth::context()?;
    let query = ListQuery { page_size: Some(query.page_size.unwrap_or(HISTORY_ROWS)), ..query };
    let query = super::forms::readers_zone().days_of(query);
    // A filter that breaks a rule is told on the page, whose form can mend it.
    let (page, refused) = match runs::list(&app, &actor, query).await {
        Ok(page) => (page, None),
        Err(problem) if problem.kind == ProblemKind::InvalidInput => (Page { items: Vec::new(), total: 0 }, Some(problem.detail)),
        Err(problem) => return Err(problem.into()),
    };
    Ok(History {
        runs: page,
        choices: runs::choices(&app, &actor).await?,
        drafts: workflows::list(&app, &actor, &ListQuery::default()).await?.items,
        flash: super::forms::kept(&flash).await,
        refused,
    })
}

/// A run as it stands, with what its page needs to go on from there.
#[server(endpoint = "ui/runs/live", input = server_fn::codec::Json)]
pub async fn load_live(id: Uuid, flash: String) -> Result<LivePage, CallError> {
    use crate::api::calls::{benchmarks, runs};
    use crate::domain::live::LOG_LINES;
    let (app, actor) = crate::auth::context()?;
    let live = runs::live(&app, &actor, id, LOG_LINES as u32, SNAPSHOTS).await?;
    let spec = benchmarks::get(&app, &actor, live.run.benchmark_id).await?.spec;
    Ok(LivePage { live, spec, flash: super::forms::kept(&flash).await })
}

/// Asks a run to end.
#[server(endpoint = "ui/runs/cancel")]
pub async fn cancel_run(#[server(default)] id: String) -> Result<(), CallError> {
    let cancelled = async {
        let (app, actor) = crate::auth::context()?;
        crate::api::calls::runs::cancel(&app, &actor, known(&id)?).await?;
        Ok(format!("/runs/{id}"))
    };
    super::forms::answer(cancelled.await, &format!("/runs/{id}"), Vec::new()).await
}

/// Deletes a run with everything that it measured; `next` is the page to go to.
#[server(endpoint = "ui/runs/delete")]
pub async fn delete_run(#[server(default)] id: String, #[server(default)] next: String) -> Result<(), CallError> {
    let deleted = async {
        let (app, actor) = crate::auth::context()?;
        let name = crate::api::calls::runs::delete(&app, &actor, known(&id)?).await?;
        Ok((if next.is_empty() { "/".to_owned() } else { next.clone() }, format!("Deleted: {name}.")))
    };
    super::lists::done(deleted.await, if next.is_empty() { "/" } else { &next }, Vec::new()).await
}

/// Snapshots of the load that a live page begins with: about two for each point of its charts.
pub(crate) const SNAPSHOTS: u32 = 1200;

/// An id from a form.
pub(super) fn known(id: &str) -> Result<Uuid, crate::domain::problem::Problem> {
    id.parse().map_err(|_| crate::domain::problem::Problem::not_found("run"))
}
