//! Engines: which a cluster can start, and how to get the others.

use crate::domain::engine::EngineAvailability;
use crate::domain::inventory::{Cluster, ClusterKind};
use crate::domain::list::Page;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::user::Actor;
use crate::run;
use crate::simulation;
use crate::state::AppState;

/// Every engine that has a recipe, as it is on the portal's own machine.
pub async fn list(app: &AppState, actor: &Actor) -> Result<Page<EngineAvailability>, Problem> {
    let local = app.store.clusters(actor).await?.into_iter().find(|cluster| cluster.kind() == ClusterKind::Local);
    let items = match local {
        Some(local) => of_cluster(app, &local).await?,
        None => Vec::new(),
    };
    Ok(Page { total: items.len() as u64, items })
}

/// Every engine that has a recipe, as it is on a cluster.
pub async fn of_cluster(app: &AppState, cluster: &Cluster) -> Result<Vec<EngineAvailability>, Problem> {
    if cluster.kind() == ClusterKind::Catalogue {
        return Ok(simulation::engines());
    }
    run::engines(app, cluster).await.map_err(|error| {
        tracing::error!(cluster.name, %error, "a cluster's engines could not be looked up");
        Problem::new(ProblemKind::Unavailable, error.to_string())
    })
}
