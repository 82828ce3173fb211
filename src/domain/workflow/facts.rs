//! What was looked up for a body: the rules themselves look nothing up.

use crate::domain::benchmark::{NodeChoice, Serving};
use crate::domain::dataset::Dataset;
use crate::domain::engine::EngineKind;
use crate::domain::inventory::{Cluster, Credential, EngineAvailability, Model, Node};

/// Checks the arguments of an engine for a person: a sentence about the first that is not allowed.
pub type ArgsCheck = fn(engine: EngineKind, args: &[String], administrator: bool) -> Result<(), String>;

/// Whether a model served so on the chosen nodes can be simulated: a sentence about why not.
pub type SimulationCheck = fn(serving: &Serving, choices: &[NodeChoice], nodes: &[Node]) -> Result<(), String>;

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
    /// The rule for nodes that are simulated.
    pub check_simulation: SimulationCheck,
}

impl Facts {
    /// Nothing looked up yet.
    pub fn none(administrator: bool, check_args: ArgsCheck, check_simulation: SimulationCheck) -> Self {
        Self {
            administrator,
            cluster: None,
            model: None,
            datasets: Vec::new(),
            credential: None,
            engines: Vec::new(),
            check_args,
            check_simulation,
        }
    }
}

/// A cluster, as a live look found it.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusterFacts {
    pub cluster: Cluster,
    /// Its nodes, or a sentence about why it can't be read.
    pub nodes: Result<Vec<Node>, String>,
    /// Of a cluster that can't be read: its nodes as they were last seen.
    pub last_seen: Vec<Node>,
}

impl ClusterFacts {
    /// Its nodes as they are, or else as they were last seen.
    pub fn inventory(&self) -> &[Node] {
        self.nodes.as_ref().unwrap_or(&self.last_seen)
    }
}
