//! Speaks to Kubernetes clusters for Dyno: which kubeconfigs are taken, how a cluster is reached and what is permitted there,
//! which nodes and devices it has and what these do, and what a run has on it: objects, their states in words, requests to pods. Knows nothing of
//! the portal.

mod api_error;
mod connection;
mod discovery;
mod kubeconfig;
mod list;
mod node_use;
mod nodes;
pub mod objects;
mod permissions;
mod pod_proxy;
mod quantity;
mod reasons;
mod redaction;
mod response_limits;
mod run;
mod telemetry;
mod vendor;
mod words;

pub use api_error::ApiError;
pub use connection::{Connection, ExporterAnswers};
pub use kubeconfig::{KubeconfigError, ReachableCluster, check};
pub use node_use::NodeLoad;
pub use nodes::{Accelerator, ClusterNode};
pub use permissions::{Rule, missing_rules_manifest, required};
pub use pod_proxy::{PodAddress, PodError};
pub use reasons::{PodFailure, PodPart, PodState, PodStep};
pub use response_limits::AnswerTooLarge;
pub use run::{FoundOwner, OwnerEnd, OwnerState, RunState};
pub use telemetry::{Exporter, SampledNode, optional};
pub use vendor::Vendor;
