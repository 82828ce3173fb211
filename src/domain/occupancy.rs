//! What runs on the nodes of a cluster at a moment.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A run that has a node for itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRun {
    pub hostname: String,
    /// The run; absent where it is another person's.
    pub run: Option<NamedRun>,
}

/// A run and what its benchmark is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedRun {
    pub id: Uuid,
    pub name: String,
}
