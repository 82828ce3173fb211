//! Clusters and their nodes, looked at live.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;
use uuid::Uuid;

use super::listing::{Listed, page_of};
use crate::cluster::{ClusterError, devices_in_words};
use crate::domain::inventory::{Cluster, ClusterKind, ClusterRow, Node, NodeMetrics};
use crate::domain::list::{ListQuery, Page};
use crate::domain::problem::{FieldError, Problem};
use crate::domain::user::Actor;
use crate::state::AppState;
use dyno_measure::run::RunStatus;

/// How long a cluster may take to answer; a person waits.
const LIVE_LIMIT: Duration = Duration::from_secs(10);

/// A cluster to be added.
#[derive(Debug, Clone, Default, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCluster {
    /// The name in lists.
    #[serde(default)]
    pub name: String,
    /// `kubernetes`.
    #[serde(default)]
    pub kind: String,
    /// How it is reached.
    #[serde(default)]
    pub kubeconfig: Option<String>,
    /// Which of the kubeconfig's contexts.
    #[serde(default)]
    pub context: Option<String>,
}

impl Listed for ClusterRow {
    fn name(&self) -> &str {
        &self.cluster.name
    }
    fn more_text(&self) -> String {
        self.devices.clone()
    }
    fn place(&self) -> u8 {
        self.cluster.kind().place()
    }
    fn created_at(&self) -> Timestamp {
        self.cluster.created_at
    }
}

/// The clusters that the actor may use, each with what a live look found.
pub async fn list(app: &AppState, actor: &Actor, query: &ListQuery) -> Result<Page<ClusterRow>, Problem> {
    let clusters = app.store.clusters(actor).await?;
    let rows: Vec<ClusterRow> = join_all(clusters.into_iter().map(|cluster| row(app, cluster))).await;
    page_of(rows, query, "Clusters")
}

pub async fn get(app: &AppState, actor: &Actor, id: Uuid) -> Result<Cluster, Problem> {
    Ok(app.store.cluster(actor, id).await?)
}

/// One cluster with what a live look found.
pub async fn look(app: &AppState, actor: &Actor, id: Uuid) -> Result<ClusterRow, Problem> {
    let cluster = app.store.cluster(actor, id).await?;
    Ok(row(app, cluster).await)
}

/// A cluster's nodes, live; the devices of nodes that a run has are not available.
pub async fn node_metrics(app: &AppState, actor: &Actor, id: Uuid) -> Result<NodeMetrics, Problem> {
    let cluster = app.store.cluster(actor, id).await?;
    let busy = busy_nodes(app, id).await?;
    let nodes = nodes(app, &cluster, &busy).await?;
    Ok(NodeMetrics { nodes })
}

/// Adds a cluster. Only the portal's own machine is spoken to so far, so that nothing can be added yet.
pub async fn create(_app: &AppState, _actor: &Actor, new: &NewCluster) -> Result<Cluster, Problem> {
    let mut errors = Vec::new();
    if new.name.trim().is_empty() {
        errors.push(FieldError::new("name", "Enter a name."));
    }
    errors.push(match new.kind.as_str() {
        "kubernetes" => FieldError::new("kind", "Kubernetes clusters are not available yet."),
        "local" => FieldError::new("kind", "The portal's own machine is there already."),
        "catalogue" => FieldError::new("kind", "The catalogue of devices is there already."),
        "" => FieldError::new("kind", "Choose a kind."),
        _ => FieldError::new("kind", "This kind of cluster is not known."),
    });
    Err(Problem::invalid(errors))
}

/// Removes a cluster, or archives it where benchmarks were made with it.
pub async fn delete(app: &AppState, actor: &Actor, id: Uuid) -> Result<(), Problem> {
    Ok(app.store.remove_cluster(actor, id).await?)
}

async fn row(app: &AppState, cluster: Cluster) -> ClusterRow {
    match nodes(app, &cluster, &BTreeSet::new()).await {
        Ok(nodes) => ClusterRow {
            reachable: true,
            problem: None,
            nodes: nodes.len() as u32,
            ready_nodes: nodes.iter().filter(|node| node.is_ready()).count() as u32,
            devices: devices_of(&cluster, &nodes),
            cluster,
        },
        Err(error) => {
            let problem = Some(error.sentence());
            ClusterRow { reachable: false, problem, nodes: 0, ready_nodes: 0, devices: String::new(), cluster }
        }
    }
}

/// A cluster's devices in words; of the catalogue, how many there are.
fn devices_of(cluster: &Cluster, nodes: &[Node]) -> String {
    if cluster.kind() != ClusterKind::Catalogue {
        return devices_in_words(nodes);
    }
    let names: BTreeSet<&str> = nodes.iter().flat_map(|node| &node.devices).map(|device| device.name.as_str()).collect();
    format!("{} devices by data sheet, for simulation only", names.len())
}

/// A cluster's nodes, live, within a time that a person waits. What another machine's cluster answered is kept, for
/// simulations while it does not answer.
pub(super) async fn nodes(app: &AppState, cluster: &Cluster, busy: &BTreeSet<String>) -> Result<Vec<Node>, ClusterError> {
    let read = tokio::time::timeout(LIVE_LIMIT, app.clusters.nodes(cluster, busy)).await;
    let nodes = read
        .unwrap_or(Err(ClusterError::TimedOut(LIVE_LIMIT)))
        .inspect_err(|error| tracing::warn!(cluster.name = cluster.name, %error, "cluster could not be read"))?;
    if cluster.kind() == ClusterKind::Kubernetes
        && let Err(error) = app.store.keep_last_seen(cluster.id, &nodes, Timestamp::now()).await
    {
        tracing::warn!(cluster.name = cluster.name, %error, "a cluster's nodes could not be kept");
    }
    Ok(nodes)
}

/// The nodes of a cluster that a run has for itself at present.
async fn busy_nodes(app: &AppState, cluster: Uuid) -> Result<BTreeSet<String>, Problem> {
    let prefix = format!("{cluster}/");
    let open = app.store.open_runs().await?;
    let at_work = open.iter().filter(|open| matches!(open.run.status, RunStatus::Running | RunStatus::Cancelling));
    Ok(at_work.flat_map(|open| &open.nodes).filter_map(|node| node.strip_prefix(&prefix)).map(str::to_owned).collect())
}
