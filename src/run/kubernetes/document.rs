//! What a run is, as its Secret keeps it on the cluster: whichever portal goes on with the run reads it there.

use dyno_kubernetes::objects::{EnginePod, LoadPod};
use serde::{Deserialize, Serialize};

use crate::run::execution::ExecutionSpec;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct RunDocument {
    pub execution: ExecutionSpec,
    /// In the order of the specification's engines.
    pub engines: Vec<EnginePod>,
    /// The owner's, which leads the load.
    pub load: LoadPod,
    /// The other load pods.
    #[serde(default)]
    pub workers: Vec<LoadPod>,
    /// What the load is sent before it begins.
    #[serde(default)]
    pub files: Vec<SentFile>,
    /// What a reader of the log should know of how it was laid out.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// A file of the portal's that the load reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SentFile {
    /// A dataset's id; its name in the pod, too.
    pub dataset: uuid::Uuid,
    pub name: String,
    pub sha256: String,
}

impl RunDocument {
    /// The numbers of the load pods beside the owner's, which is the first, in their order.
    pub(super) fn worker_numbers(&self) -> std::ops::Range<usize> {
        2..self.workers.len() + 2
    }
}
