//! The one way by which nodes of clusters are had, live and as they were last seen: with what administrators stated of their devices.

use jiff::Timestamp;
use uuid::Uuid;

use super::AppState;
use crate::cluster::{ClusterError, RunsAtWork};
use crate::domain::inventory::{Cluster, ClusterKind, Node};
use crate::simulation::{hypothetical_nodes_with, specify};
use crate::store::StoreError;

impl AppState {
    /// A cluster's nodes, live. A run has its nodes to itself: the devices of those that one is on count as taken. What another
    /// machine's cluster answered is kept, for simulations while it does not answer.
    pub async fn nodes(&self, cluster: &Cluster, at_work: &RunsAtWork) -> Result<Vec<Node>, ClusterError> {
        let stated = self.store.device_specifications().await.map_err(|error| ClusterError::Specifications(error.to_string()))?;
        if cluster.kind() == ClusterKind::Catalogue {
            return Ok(hypothetical_nodes_with(&stated));
        }
        let mut nodes = self.clusters.nodes(cluster, at_work).await?;
        // as the cluster told them: what is stated may be another tomorrow
        if cluster.kind() == ClusterKind::Kubernetes
            && let Err(error) = self.store.keep_last_seen(cluster.id, &nodes, Timestamp::now()).await
        {
            tracing::warn!(cluster.name = cluster.name, %error, "a cluster's nodes could not be kept");
        }
        specify(&mut nodes, &stated);
        Ok(nodes)
    }

    /// The last known nodes of a cluster; empty if it was never read.
    pub async fn last_seen(&self, cluster: Uuid) -> Result<Vec<Node>, StoreError> {
        let mut nodes = self.store.last_seen(cluster).await?;
        specify(&mut nodes, &self.store.device_specifications().await?);
        Ok(nodes)
    }
}
