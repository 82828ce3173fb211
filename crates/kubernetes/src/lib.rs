//! Speaks to Kubernetes clusters for Dyno: which kubeconfigs are taken, how a cluster is reached and what is permitted there,
//! and which nodes and devices it has. Knows nothing of the portal.

mod connection;
mod kubeconfig;
mod nodes;
mod permissions;
mod quantity;

pub use connection::{ApiError, Connection};
pub use kubeconfig::{KubeconfigError, ReachableCluster, check};
pub use nodes::{Accelerator, NodeFacts, Vendor};
pub use permissions::{Rule, missing_rules_manifest, required};
