//! Steps that have a single possible answer, which the wizard skips.

use uuid::Uuid;

use crate::domain::inventory::{ClusterKind, ClusterRow, Node};

/// The cluster, if there is only one to measure on and it can be reached. The catalogue can still be chosen by going back.
pub fn only_cluster(clusters: &[ClusterRow]) -> Option<Uuid> {
    let mut real = clusters.iter().filter(|row| row.cluster.kind() != ClusterKind::Catalogue);
    match (real.next(), real.next()) {
        (Some(only), None) if only.reachable => Some(only.cluster.id),
        _ => None,
    }
}

/// The node, if there is only one, it is Ready and its devices are of one kind; with several kinds there is a choice.
pub fn only_node(nodes: &[Node]) -> Option<&str> {
    match nodes {
        [only] if only.is_ready() && only.devices.windows(2).all(|pair| pair[0].kind == pair[1].kind) => Some(&only.hostname),
        _ => None,
    }
}
