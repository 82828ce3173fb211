//! What stands in a run's way on a Kubernetes cluster.

use dyno_kubernetes::ApiError;
use dyno_pod::TokenError;
use dyno_pod::client::{PodClientError, UploadError};

use crate::cluster::ClusterError;
use crate::models::{ModelFileError, PathError};
use crate::run::executor::ExecutorError;
use crate::store::StoreError;

/// A sentence for people.
#[derive(Debug, thiserror::Error)]
pub(in crate::run) enum KubernetesError {
    #[error(transparent)]
    Api(#[from] ApiError),
    #[error("{}", .0.sentence())]
    Cluster(#[from] ClusterError),
    #[error(transparent)]
    Pod(#[from] PodClientError),
    #[error(transparent)]
    Upload(#[from] UploadError),
    #[error("The portal does not know its own image, of which load pods are made. An administrator names it in DYNO_IMAGE.")]
    NoOwnImage,
    #[error("{0} has no image for these devices that is known to work. Name one as the engine's image.")]
    NoEngineImage(String),
    #[error("The own command runs in a container: name its image as the engine's image.")]
    NoCommandImage,
    #[error("Node {0} is not in the cluster, or takes no pods.")]
    NoLoadNode(String),
    #[error("No node is left that the load could come from.")]
    NoNode,
    /// `left`: what nodes have, in words.
    #[error(
        "No node has room for {which}, which asks for {cpu} CPU: {left}. Ask for less CPU or fewer load pods, or choose other nodes."
    )]
    NoRoomForLoad { which: String, cpu: f64, left: String },
    #[error("Node {node} has none of the devices that were chosen.")]
    NoDevices { node: String },
    #[error("What the run was asked to do can't be read on the cluster any more: {0}.")]
    Unreadable(#[from] serde_json::Error),
    #[error("{0} is loopback: from a pod, that is the pod itself. Name the address by which the cluster reaches the model.")]
    Loopback(String),
    #[error(transparent)]
    Removal(#[from] RemovalError),
    #[error("The run's objects were not made.")]
    NotMade,
    #[error("{path} is not below a folder that an administrator named for models on this cluster's nodes ({roots}).")]
    OutsideRoots { path: String, roots: String },
    #[error("{path} is not on node {node}.")]
    NotOnNode { path: String, node: String },
    #[error("{path} is another file on node {node} than on the first.")]
    DiffersOnNode { path: String, node: String },
    #[error("The model's files have changed since it was added. Add it again under a new name.")]
    Changed,
    #[error("The cluster has no cache for models yet. An administrator names one in the cluster's settings.")]
    NoCache,
    #[error("The pod that looks after files on node {node} does not run: {why}")]
    FilesPod { node: String, why: String },
    #[error("The hub's files could not be fetched: {0}")]
    Fetch(String),
    #[error("{}", .0.sentence())]
    Path(#[from] PathError),
    #[error("{}", .0.sentence())]
    Model(#[from] ModelFileError),
    #[error("{0} could not be read: {1}.")]
    File(String, #[source] std::io::Error),
    #[error("The store failed: {0}.")]
    Store(#[from] StoreError),
    #[error("The run's token is damaged: {0}.")]
    Token(#[from] TokenError),
    #[error("The work broke off: {0}.")]
    BrokeOff(#[from] tokio::task::JoinError),
}

/// Why something of a run may still be on the cluster; sentences for people.
#[derive(Debug, thiserror::Error)]
pub(in crate::run) enum RemovalError {
    #[error("The cluster has not removed yet: {}.", .0.join(", "))]
    Left(Vec<String>),
    #[error(
        "What the run has on the cluster could not be removed: {0} The cluster ends it by itself at the run's time limit, and it is removed when the cluster answers again."
    )]
    Unanswered(ApiError),
}

impl From<KubernetesError> for ExecutorError {
    fn from(error: KubernetesError) -> Self {
        Self::Cluster(Box::new(error))
    }
}
