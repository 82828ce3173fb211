//! Speaks to Kubernetes clusters for Dyno: which kubeconfigs are taken, how a cluster is reached and what is permitted there,
//! which nodes and devices it has and what these do, and what a run has on it: objects, their states in words, requests to pods. Knows nothing of
//! the portal.

mod answer;
mod connection;
mod discovery;
mod kubeconfig;
mod list;
mod nodes;
pub mod objects;
mod permissions;
mod pod_proxy;
mod quantity;
mod reasons;
mod run;
mod struck;
mod telemetry;

pub use answer::AnswerTooLarge;
pub use connection::{ApiError, Connection};
pub use kubeconfig::{KubeconfigError, ReachableCluster, check};
pub use nodes::{Accelerator, ClusterNode, Vendor};
pub use permissions::{Rule, missing_rules_manifest, required};
pub use pod_proxy::{PodAddress, PodError};
pub use reasons::{PodFailure, PodPart, PodState, PodStep};
pub use run::{FoundOwner, OwnerEnd, OwnerState, RunState};
pub use telemetry::{Exporter, ExporterAnswers, NodeLoad, SampledNode, optional};
