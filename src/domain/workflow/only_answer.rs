//! Steps at which nothing can be chosen.

use uuid::Uuid;

use crate::domain::inventory::{ClusterRow, Node};

/// The cluster, where there is one alone and it answers.
pub fn only_cluster(clusters: &[ClusterRow]) -> Option<Uuid> {
    match clusters {
        [only] if only.reachable => Some(only.cluster.id),
        _ => None,
    }
}

/// The node, where there is one alone, Ready, with devices of one kind: of several, one chooses what serves.
pub fn only_node(nodes: &[Node]) -> Option<&str> {
    match nodes {
        [only] if only.is_ready() && only.devices.windows(2).all(|pair| pair[0].kind == pair[1].kind) => Some(&only.hostname),
        _ => None,
    }
}
