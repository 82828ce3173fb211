//! Clusters and their nodes, as their pages show them. Read-only.

use jiff::Timestamp;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use super::CallError;
use super::lists::Owned;
use crate::domain::inventory::{Cluster, ClusterRow, Node};
use crate::domain::list::{ListQuery, Page};
use crate::domain::occupancy::NodeRun;

/// A cluster with its nodes, live.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClusterView {
    pub cluster: Cluster,
    pub nodes: Vec<Node>,
    /// Why they could not be read.
    pub problem: Option<String>,
    /// What has nodes for itself now.
    pub runs: Vec<NodeRun>,
    /// When all this was read.
    pub read_at: Timestamp,
}

/// The clusters, each looked at live.
#[server(endpoint = "ui/clusters", input = server_fn::codec::Json)]
pub async fn load_clusters(query: ListQuery) -> Result<Page<Owned<ClusterRow>>, CallError> {
    let (app, actor) = crate::auth::context()?;
    let owners = super::lists::Owners::seen_by(&app, &actor).await?;
    let page = crate::api::calls::clusters::list(&app, &actor, &query).await?;
    let rows = page.items.into_iter().map(|row| {
        let owner = row.cluster.owner;
        owners.of(row, owner)
    });
    Ok(Page { items: rows.collect(), total: page.total })
}

/// One cluster's nodes as they are now.
#[server(endpoint = "ui/cluster")]
pub async fn load_cluster(#[server(default)] id: String) -> Result<ClusterView, CallError> {
    use crate::api::calls::{clusters, occupancy};
    use crate::domain::problem::ProblemKind;
    let (app, actor) = crate::auth::context()?;
    let id = super::lists::id_of(&id, "cluster")?;
    let cluster = clusters::get(&app, &actor, id).await?;
    let (nodes, problem) = match clusters::node_metrics(&app, &actor, id).await {
        Ok(metrics) => (metrics.nodes, None),
        Err(problem) if problem.kind == ProblemKind::Unavailable => (Vec::new(), Some(problem.detail)),
        Err(problem) => return Err(problem.into()),
    };
    let runs = occupancy::of_cluster(&app, &actor, id).await?;
    Ok(ClusterView { cluster, nodes, problem, runs, read_at: Timestamp::now() })
}
