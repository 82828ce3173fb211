//! Looks up what the workflow's rules want to know: inventory from the store, clusters live, engines on the disk.

use uuid::Uuid;

use crate::cluster::RunsAtWork;
use crate::domain::inventory::{Cluster, ClusterKind};
use crate::domain::problem::Problem;
use crate::domain::user::Actor;
use crate::domain::workflow::{ClusterFacts, Facts, Needs};
use crate::engine;
use crate::simulation;
use crate::state::AppState;
use crate::store::StoreError;
use dyno_measure::validity::SelfCheck;

/// Looks everything up that is needed, as the actor may see it.
pub async fn look_up(app: &AppState, actor: &Actor, needs: &Needs) -> Result<Facts, Problem> {
    let mut facts = Facts::none(
        actor.is_administrator(),
        |engine, args, administrator| engine::validate_args(engine, args, administrator).map_err(|error| error.to_string()),
        |serving, choices, nodes| simulation::layout(serving, choices, nodes).map(drop).map_err(|error| error.to_string()),
    );
    if let Some(id) = needs.cluster {
        facts.cluster = cluster(app, actor, id).await?;
    }
    if let Some(id) = needs.model {
        facts.model = found(app.store.model(actor, id).await)?;
    }
    for id in &needs.datasets {
        facts.datasets.extend(found(app.store.dataset(actor, *id).await)?);
    }
    if let Some(id) = needs.credential {
        facts.credential = found(app.store.credential(actor, id).await)?;
    }
    if needs.engines {
        facts.engines = match &facts.cluster {
            // On a cluster that can't be asked, none can be started: its log says why.
            Some(found) => super::engines::of_cluster(app, &found.cluster).await.unwrap_or_default(),
            None => Vec::new(),
        };
    }
    Ok(facts)
}

fn found<T>(result: Result<T, StoreError>) -> Result<Option<T>, Problem> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(StoreError::NotFound(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The latest check of a load pod on a cluster. On the portal's own machine load processes share what there is: more of them are no help
/// where one was late.
pub async fn last_self_check(app: &AppState, cluster: &Cluster) -> Result<Option<SelfCheck>, Problem> {
    match cluster.kind() {
        ClusterKind::Kubernetes => Ok(app.store.last_self_check(cluster.id).await?),
        ClusterKind::Local | ClusterKind::Catalogue => Ok(None),
    }
}

/// From the list, since a removed cluster is still found by its id.
async fn cluster(app: &AppState, actor: &Actor, id: Uuid) -> Result<Option<ClusterFacts>, Problem> {
    let Some(cluster) = app.store.clusters(actor).await?.into_iter().find(|cluster| cluster.id == id) else {
        return Ok(None);
    };
    let nodes = super::clusters::nodes(app, &cluster, &RunsAtWork::default()).await.map_err(|error| error.sentence());
    let last_seen = if nodes.is_err() { app.last_seen(id).await? } else { Vec::new() };
    let self_check = last_self_check(app, &cluster).await?;
    Ok(Some(ClusterFacts { cluster, nodes, last_seen, self_check }))
}
