//! What runs on a cluster's nodes now. Of other people's runs only that there is one is told.

use uuid::Uuid;

use crate::domain::occupancy::{NamedRun, NodeRun};
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::user::Actor;
use crate::state::AppState;
use dyno_measure::run::RunStatus;

/// The runs that have nodes of a cluster for themselves at present.
pub async fn of_cluster(app: &AppState, actor: &Actor, cluster: Uuid) -> Result<Vec<NodeRun>, Problem> {
    app.store.cluster(actor, cluster).await?;
    let prefix = format!("{cluster}/");
    let mut found = Vec::new();
    for open in app.store.open_runs().await? {
        if !matches!(open.run.status, RunStatus::Running | RunStatus::Cancelling) {
            continue;
        }
        let nodes: Vec<&str> = open.nodes.iter().filter_map(|node| node.strip_prefix(&prefix)).collect();
        if nodes.is_empty() {
            continue;
        }
        let run = match app.store.benchmark(actor, open.run.benchmark_id).await.map_err(Problem::from) {
            Ok(benchmark) => Some(NamedRun { id: open.run.id, name: benchmark.spec.name }),
            Err(problem) if problem.kind == ProblemKind::NotFound => None,
            Err(problem) => return Err(problem),
        };
        found.extend(nodes.into_iter().map(|node| NodeRun { hostname: node.to_owned(), run: run.clone() }));
    }
    Ok(found)
}
