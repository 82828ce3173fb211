//! What was looked up for a body: the rules themselves look nothing up.

use crate::domain::dataset::Dataset;
use crate::domain::engine::EngineKind;
use crate::domain::inventory::{Cluster, Credential, EngineAvailability, Model, Node};

/// Checks the arguments of an engine for a person: a sentence about the first that is not allowed.
pub type ArgsCheck = fn(engine: EngineKind, args: &[String], administrator: bool) -> Result<(), String>;

/// What was looked up. Absent means that there is none, or that it is another person's; the two are not told apart.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Whether the person is an administrator.
    pub administrator: bool,
    /// The cluster, with a live look at it.
    pub cluster: Option<ClusterFacts>,
    pub model: Option<Model>,
    /// Those of the datasets that were found.
    pub datasets: Vec<Dataset>,
    pub credential: Option<Credential>,
    /// Which engines the cluster has.
    pub engines: Vec<EngineAvailability>,
    /// The rule for engine arguments.
    pub check_args: ArgsCheck,
}

impl Facts {
    /// Nothing looked up yet.
    pub fn none(administrator: bool, check_args: ArgsCheck) -> Self {
        Self {
            administrator,
            cluster: None,
            model: None,
            datasets: Vec::new(),
            credential: None,
            engines: Vec::new(),
            check_args,
        }
    }
}

/// A cluster, as a live look found it.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusterFacts {
    pub cluster: Cluster,
    /// Its nodes, or a sentence about why it can't be read.
    pub nodes: Result<Vec<Node>, String>,
}
