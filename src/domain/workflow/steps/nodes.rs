//! Step 4: only hostnames and device types are taken from the body; everything else is read from the cluster.

use serde_json::Value;

use super::{cluster, load_pods};
use crate::domain::inventory::{DeviceType, Node};
use crate::domain::problem::FieldError;
use crate::domain::workflow::facts::Facts;
use crate::domain::workflow::reader::{Patch, Reader};
use crate::domain::workflow::state::{ChosenDevice, ChosenNode, WorkflowSteps};
use crate::domain::workflow::values;
use dyno_measure::plan::MOST_WORKERS;
use dyno_measure::words::{grouped, join as join_words};

const STEP: u8 = 4;
/// Most nodes of a run.
const MOST_NODES: usize = 1_000;
/// The limit of DNS, characters.
const LONGEST_HOSTNAME: usize = 253;
const NO_NODES: &str = "Choose at least one node.";

/// Why a node is refused.
#[derive(Debug, thiserror::Error)]
enum NodeError {
    #[error("{NO_NODES}")]
    NoNodes,
    #[error("Nodes must be a list of nodes, each with its hostname.")]
    NoList,
    #[error("Choose at most {} nodes.", grouped(MOST_NODES as u64))]
    TooMany,
    #[error("A hostname has at most {LONGEST_HOSTNAME} characters.")]
    LongHostname,
    #[error("Each node needs its hostname.")]
    NoHostname,
    #[error("The devices of {0} must be a list.")]
    NoDeviceList(String),
    #[error("There is no node {hostname} in cluster {cluster}.")]
    NotThere { hostname: String, cluster: String },
    #[error("{hostname} has no device of type {}.", join_words(.wanted))]
    NoDevice { hostname: String, wanted: Vec<String> },
    #[error("{0} is chosen twice.")]
    Twice(String),
}

/// A node of the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedNode {
    pub hostname: String,
    /// The chosen device types as spelled in the body; empty: no choice made.
    pub device_types: Vec<String>,
}

/// The changes of a body to step 4.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NodesPatch {
    pub nodes: Patch<Vec<AskedNode>>,
    /// The node that generates the load.
    pub load_node: Patch<String>,
    /// How many processes generate it.
    pub load_pods: Patch<u32>,
    /// CPU of each, thousandths of a core.
    pub load_cpu_millicores: Patch<u32>,
}

pub fn read(reader: &mut Reader<'_>) -> NodesPatch {
    NodesPatch {
        nodes: reader.field("nodes", STEP, |value| match value {
            Value::Array(nodes) if nodes.len() > MOST_NODES => Err(NodeError::TooMany),
            Value::Array(nodes) => nodes.iter().map(asked).collect(),
            _ => Err(NodeError::NoList),
        }),
        load_node: reader.field("load_node", STEP, |value| values::text(value, "Load node", LONGEST_HOSTNAME)),
        load_pods: reader.whole32(load_pods::LOAD_PODS, STEP, 1, MOST_WORKERS),
        load_cpu_millicores: reader.whole32(load_pods::LOAD_CPU, STEP, load_pods::LEAST_CPU, load_pods::MOST_CPU),
    }
}

fn asked(value: &Value) -> Result<AskedNode, NodeError> {
    let hostname = value.get("hostname").and_then(Value::as_str).map(str::trim).filter(|hostname| !hostname.is_empty());
    let Some(hostname) = hostname else { return Err(NodeError::NoHostname) };
    if hostname.len() > LONGEST_HOSTNAME {
        return Err(NodeError::LongHostname);
    }
    let device_types = match value.get("devices") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(devices)) => {
            devices.iter().filter_map(|device| device.get("type").and_then(Value::as_str)).map(str::to_owned).collect()
        }
        Some(_) => return Err(NodeError::NoDeviceList(hostname.to_owned())),
    };
    Ok(AskedNode { hostname: hostname.to_owned(), device_types })
}

/// A node of the cluster's inventory.
fn known<'a>(hostname: &str, cluster: &str, nodes: &'a [Node]) -> Result<&'a Node, NodeError> {
    let not_there = || NodeError::NotThere { hostname: hostname.to_owned(), cluster: cluster.to_owned() };
    nodes.iter().find(|node| node.hostname == hostname).ok_or_else(not_there)
}

/// Reasons for which nothing can be measured on the chosen nodes now; they do not prevent a simulation.
pub fn obstacles(steps: &WorkflowSteps, facts: &Facts) -> Vec<FieldError> {
    let Some(Ok(nodes)) = facts.cluster.as_ref().map(|found| &found.nodes) else { return Vec::new() };
    let chosen = steps.nodes.iter().map(|node| ("nodes", &node.hostname));
    let chosen = chosen.chain(steps.load_node.iter().map(|hostname| ("load_node", hostname)));
    let unready = chosen.filter_map(|(field, hostname)| {
        let node = nodes.iter().find(|node| node.hostname == *hostname && !node.is_ready())?;
        Some(FieldError::at(STEP, field, format!("{hostname} is {}. Choose another node.", node.status)))
    });
    unready.collect()
}

/// The device types chosen on a node: listing none or all means no choice.
fn selection(wanted: &[String], node: &Node) -> Result<Vec<ChosenDevice>, NodeError> {
    let mut present: Vec<DeviceType> = Vec::new();
    for device in &node.devices {
        if !present.contains(&device.kind) {
            present.push(device.kind);
        }
    }
    let wants = |kind: &DeviceType| wanted.iter().any(|name| name.eq_ignore_ascii_case(kind.into_str()));
    let chosen: Vec<DeviceType> = present.iter().copied().filter(wants).collect();
    if wanted.is_empty() || (chosen.len() == present.len() && !present.is_empty()) {
        return Ok(Vec::new());
    }
    if chosen.is_empty() {
        return Err(NodeError::NoDevice { hostname: node.hostname.clone(), wanted: wanted.to_vec() });
    }
    Ok(chosen.into_iter().map(|kind| ChosenDevice { kind }).collect())
}

/// Sets the nodes and the load's side; nodes that are not Ready are accepted with a warning.
pub fn apply(
    steps: &mut WorkflowSteps,
    patch: &NodesPatch,
    facts: &Facts,
    errors: &mut Vec<FieldError>,
    warnings: &mut Vec<FieldError>,
) {
    let found = match cluster::existing(facts) {
        Ok(found) => found,
        Err(problem) => {
            errors.push(problem);
            return;
        }
    };
    let inventory = found.inventory();
    let name = &found.cluster.name;
    match &patch.nodes {
        Patch::Keep if !steps.nodes.is_empty() => {}
        Patch::Keep | Patch::Clear => errors.push(FieldError::at(STEP, "nodes", NO_NODES)),
        Patch::Set(asked) => match choose(asked, name, inventory) {
            // another order of the same nodes is no change
            Ok(nodes) if same(&nodes, &steps.nodes) => {}
            Ok(nodes) => steps.nodes = nodes,
            Err(refused) => errors.extend(refused.iter().map(|error| FieldError::at(STEP, "nodes", error.to_string()))),
        },
    }
    match &patch.load_node {
        Patch::Keep => {}
        Patch::Clear => steps.load_node = None,
        Patch::Set(hostname) if hostname.is_empty() => steps.load_node = None,
        Patch::Set(hostname) => match known(hostname, name, inventory) {
            Ok(_) => steps.load_node = Some(hostname.clone()),
            Err(error) => errors.push(FieldError::at(STEP, "load_node", error.to_string())),
        },
    }
    patch.load_pods.clone().apply(&mut steps.load_pods);
    patch.load_cpu_millicores.clone().apply(&mut steps.load_cpu_millicores);
    load_pods::check_cpu(steps, found.cluster.kind(), errors);
    warnings.extend(cluster::obstacle(found));
    warnings.extend(obstacles(steps, facts));
    warnings.extend(load_pods::suggested(steps).filter(|_| found.cluster.kind().can_measure()));
}

fn choose(asked: &[AskedNode], cluster: &str, nodes: &[Node]) -> Result<Vec<ChosenNode>, Vec<NodeError>> {
    if asked.is_empty() {
        return Err(vec![NodeError::NoNodes]);
    }
    let mut chosen: Vec<ChosenNode> = Vec::with_capacity(asked.len());
    let mut refused = Vec::new();
    for (index, node) in asked.iter().enumerate() {
        if asked[..index].iter().any(|other| other.hostname == node.hostname) {
            refused.push(NodeError::Twice(node.hostname.clone()));
            continue;
        }
        let devices = known(&node.hostname, cluster, nodes).and_then(|found| selection(&node.device_types, found));
        match devices {
            Ok(devices) => chosen.push(ChosenNode { hostname: node.hostname.clone(), devices }),
            Err(error) => refused.push(error),
        }
    }
    if refused.is_empty() { Ok(chosen) } else { Err(refused) }
}

fn same(one: &[ChosenNode], other: &[ChosenNode]) -> bool {
    one.len() == other.len() && one.iter().all(|node| other.contains(node))
}

/// Checks the chosen nodes again before they are used.
pub fn check(steps: &WorkflowSteps, facts: &Facts, errors: &mut Vec<FieldError>) {
    let Some(found) = &facts.cluster else { return };
    let nodes = found.inventory();
    for chosen in &steps.nodes {
        let wanted: Vec<String> = chosen.devices.iter().map(|device| device.kind.into_str().to_owned()).collect();
        let looked = known(&chosen.hostname, &found.cluster.name, nodes).and_then(|node| selection(&wanted, node));
        if let Err(error) = looked {
            errors.push(FieldError::at(STEP, "nodes", error.to_string()));
        }
    }
    if let Some(hostname) = &steps.load_node
        && let Err(error) = known(hostname, &found.cluster.name, nodes)
    {
        errors.push(FieldError::at(STEP, "load_node", error.to_string()));
    }
}
