//! Facts looked up for a body; the rules themselves do no I/O.

use crate::domain::benchmark::{NodeChoice, Serving};
use crate::domain::dataset::Dataset;
use crate::domain::engine::{EngineAvailability, EngineKind};
use crate::domain::inventory::{Cluster, Credential, Model, Node};
use dyno_measure::validity::SelfCheck;

/// Checks a person's engine arguments; the error is a sentence about the first that is not allowed.
pub type ArgsCheck = fn(engine: EngineKind, args: &[String], administrator: bool) -> Result<(), String>;

/// Checks whether a model with this serving can be simulated on the chosen nodes; the error is a sentence.
pub type SimulationCheck = fn(serving: &Serving, choices: &[NodeChoice], nodes: &[Node]) -> Result<(), String>;

/// The facts. `None` means that an object does not exist or belongs to another person, which are not distinguished.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Whether the person is an administrator.
    pub administrator: bool,
    /// The cluster, with its current nodes.
    pub cluster: Option<ClusterFacts>,
    pub model: Option<Model>,
    /// The datasets that were found.
    pub datasets: Vec<Dataset>,
    pub credential: Option<Credential>,
    /// The engines' availability on the cluster.
    pub engines: Vec<EngineAvailability>,
    /// The rule for engine arguments.
    pub check_args: ArgsCheck,
    /// The rule for nodes that are simulated.
    pub check_simulation: SimulationCheck,
}

impl Facts {
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

/// A cluster and its current nodes.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusterFacts {
    pub cluster: Cluster,
    /// Its nodes, or a sentence about why it can't be reached.
    pub nodes: Result<Vec<Node>, String>,
    /// If it can't be reached: its last known nodes.
    pub last_seen: Vec<Node>,
    /// The latest check of a load process there.
    pub self_check: Option<SelfCheck>,
}

impl ClusterFacts {
    /// Its current nodes, or else the last known ones.
    pub fn inventory(&self) -> &[Node] {
        self.nodes.as_ref().unwrap_or(&self.last_seen)
    }
}
