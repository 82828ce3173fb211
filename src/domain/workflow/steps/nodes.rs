//! Step 4: only hostnames and device types are taken from the body; everything else is read from the cluster.

use serde_json::Value;
use strum::VariantArray as _;

use super::{cluster, load_pods};
use crate::domain::benchmark::NodeChoice;
use crate::domain::inventory::{DeviceType, Node};
use crate::domain::problem::FieldError;
use crate::domain::workflow::facts::Facts;
use crate::domain::workflow::reader::{Patch, Reader};
use crate::domain::workflow::state::WorkflowSteps;
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

/// The changes of a body to step 4.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NodesPatch {
    pub nodes: Patch<Vec<NodeChoice>>,
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

/// A node of the body. Types of devices that no node can have count as none, unless all of them are such.
fn asked(value: &Value) -> Result<NodeChoice, NodeError> {
    let hostname = value.get("hostname").and_then(Value::as_str).map(str::trim).filter(|hostname| !hostname.is_empty());
    let Some(hostname) = hostname else { return Err(NodeError::NoHostname) };
    if hostname.len() > LONGEST_HOSTNAME {
        return Err(NodeError::LongHostname);
    }
    let spelled: Vec<&str> = match value.get("devices") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(devices)) => devices.iter().filter_map(|device| device.get("type").and_then(Value::as_str)).collect(),
        Some(_) => return Err(NodeError::NoDeviceList(hostname.to_owned())),
    };
    let device_types: Vec<DeviceType> = spelled.iter().filter_map(|name| device_type(name)).collect();
    if device_types.is_empty() && !spelled.is_empty() {
        return Err(NodeError::NoDevice {
            hostname: hostname.to_owned(),
            wanted: spelled.into_iter().map(str::to_owned).collect(),
        });
    }
    Ok(NodeChoice { hostname: hostname.to_owned(), device_types })
}

fn device_type(name: &str) -> Option<DeviceType> {
    DeviceType::VARIANTS.iter().copied().find(|kind| name.eq_ignore_ascii_case(kind.into_str()))
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
fn selection(wanted: &[DeviceType], node: &Node) -> Result<Vec<DeviceType>, NodeError> {
    let mut present: Vec<DeviceType> = Vec::new();
    for device in &node.devices {
        if !present.contains(&device.kind) {
            present.push(device.kind);
        }
    }
    let chosen: Vec<DeviceType> = present.iter().copied().filter(|kind| wanted.contains(kind)).collect();
    if wanted.is_empty() || (chosen.len() == present.len() && !present.is_empty()) {
        return Ok(Vec::new());
    }
    if chosen.is_empty() {
        let wanted = wanted.iter().map(|kind| kind.into_str().to_owned()).collect();
        return Err(NodeError::NoDevice { hostname: node.hostname.clone(), wanted });
    }
    Ok(chosen)
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
    warnings.extend(load_pods::suggested(steps, found.self_check.as_ref()).filter(|_| found.cluster.kind().can_measure()));
}

fn choose(asked: &[NodeChoice], cluster: &str, nodes: &[Node]) -> Result<Vec<NodeChoice>, Vec<NodeError>> {
    if asked.is_empty() {
        return Err(vec![NodeError::NoNodes]);
    }
    let mut chosen: Vec<NodeChoice> = Vec::with_capacity(asked.len());
    let mut refused = Vec::new();
    for (index, node) in asked.iter().enumerate() {
        if asked[..index].iter().any(|other| other.hostname == node.hostname) {
            refused.push(NodeError::Twice(node.hostname.clone()));
            continue;
        }
        let device_types = known(&node.hostname, cluster, nodes).and_then(|found| selection(&node.device_types, found));
        match device_types {
            Ok(device_types) => chosen.push(NodeChoice { hostname: node.hostname.clone(), device_types }),
            Err(error) => refused.push(error),
        }
    }
    if refused.is_empty() { Ok(chosen) } else { Err(refused) }
}

fn same(one: &[NodeChoice], other: &[NodeChoice]) -> bool {
    one.len() == other.len() && one.iter().all(|node| other.contains(node))
}

/// Checks the chosen nodes again before they are used.
pub fn check(steps: &WorkflowSteps, facts: &Facts, errors: &mut Vec<FieldError>) {
    let Some(found) = &facts.cluster else { return };
    let nodes = found.inventory();
    for chosen in &steps.nodes {
        let looked = known(&chosen.hostname, &found.cluster.name, nodes).and_then(|node| selection(&chosen.device_types, node));
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
