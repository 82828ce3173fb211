//! The layout of a simulated run: the same copies that a measured run would start.

use dyno_measure::report::provenance::ServingDevices;
use dyno_simulate::{Engine, SimulatedDevice};

use super::device::{Known, UnknownDevice, known};
use crate::domain::benchmark::{NodeChoice, Serving};
use crate::domain::engine::EngineKind;
use crate::domain::inventory::{DeviceType, Node};
use crate::engine::devices::{AssignError, Share, Supply, assign_devices};
use crate::engine::recipe;

/// Why chosen nodes can't be simulated; a sentence for people.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LayoutError {
    #[error(transparent)]
    Devices(#[from] AssignError),
    #[error(transparent)]
    Unknown(#[from] UnknownDevice),
    #[error("Nodes with different devices can't be simulated together yet: {one} and {other}. Choose nodes that are alike.")]
    Mixed { one: String, other: String },
    #[error("How an own command serves is not known: it can't be simulated.")]
    OwnCommand,
    #[error("None of the chosen nodes is in the cluster.")]
    NoNodes,
}

/// Identical copies of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulatedLayout {
    pub engine: Engine,
    pub device: SimulatedDevice,
    /// Devices that share a copy.
    pub tensor_parallel: u32,
    /// The node of each copy.
    pub nodes: Vec<String>,
    /// Most requests that a copy processes at once, where Dyno starts its engine with such a limit.
    pub most_slots: u32,
    /// The serving devices, by which throughput is divided.
    pub serving_devices: Vec<ServingDevices>,
    pub assumptions: Vec<String>,
}

/// The devices of one copy.
#[derive(Debug, Clone, PartialEq)]
struct CopyPart {
    known: Known,
    tensor_parallel: u32,
    split_layers: bool,
}

/// Lays the copies out as a measured run would.
///
/// # Errors
/// When the model can't be served so, or not simulated.
pub fn layout(serving: &Serving, choices: &[NodeChoice], nodes: &[Node]) -> Result<SimulatedLayout, LayoutError> {
    let kind = serving.engine.unwrap_or(EngineKind::Vllm);
    let engine = match kind {
        EngineKind::LlamaCpp => Engine::LlamaCpp,
        EngineKind::Vllm => Engine::Vllm,
        EngineKind::Sglang => Engine::Sglang,
        EngineKind::Tgi => Engine::Tgi,
        EngineKind::Custom => return Err(LayoutError::OwnCommand),
    };
    let recipe = recipe(kind);
    let (mut parts, mut serving_devices): (Vec<(String, CopyPart)>, Vec<ServingDevices>) = (Vec::new(), Vec::new());
    for choice in choices {
        let Some(node) = nodes.iter().find(|node| node.hostname == choice.hostname) else { continue };
        let shares = assign_devices(node, choice, serving, recipe.spreads_by_itself(), Supply::Whole)?;
        let here = shares.len() as u32;
        for share in shares {
            let count = if share.kind == DeviceType::Cpu { 1 } else { share.devices.len() };
            serving_devices.push(ServingDevices {
                node: node.hostname.clone(),
                device_type: Some(share.kind.into_str().to_owned()),
                count: u32::try_from(count).unwrap_or(u32::MAX),
            });
            parts.push((node.hostname.clone(), part(&share, here, serving.tensor_parallel, engine)?));
        }
    }
    let Some((_, first)) = parts.first().cloned() else { return Err(LayoutError::NoNodes) };
    if let Some((_, other)) = parts.iter().find(|(_, part)| *part != first) {
        let (one, other) = (first.known.profile.name, other.known.profile.name.clone());
        return Err(LayoutError::Mixed { one, other });
    }
    let mut assumptions = vec![first.known.sentence()];
    if first.split_layers {
        assumptions.push("The layers are split over the devices of a copy, which compute one after the other.".to_owned());
    }
    Ok(SimulatedLayout {
        engine,
        device: first.known.profile,
        tensor_parallel: first.tensor_parallel,
        nodes: parts.into_iter().map(|(hostname, _)| hostname).collect(),
        most_slots: recipe.most_slots(),
        serving_devices,
        assumptions,
    })
}

/// The devices of one copy, at least one. Copies on one processor share it; llama.cpp splits layers over devices by default.
fn part(share: &Share, copies: u32, asked: Option<u32>, engine: Engine) -> Result<CopyPart, UnknownDevice> {
    let mut known = known(&share.devices[0])?;
    let devices = share.devices.len() as u32;
    if share.kind == DeviceType::Cpu {
        let portion = 1.0 / f64::from(copies.max(1));
        known.profile.tflops_16 *= portion;
        known.profile.memory_bandwidth *= portion;
        known.profile.memory_gib *= portion;
        return Ok(CopyPart { known, tensor_parallel: 1, split_layers: false });
    }
    if engine == Engine::LlamaCpp && asked.is_none() && devices > 1 {
        known.profile.memory_gib *= f64::from(devices);
        return Ok(CopyPart { known, tensor_parallel: 1, split_layers: true });
    }
    Ok(CopyPart { known, tensor_parallel: devices, split_layers: false })
}

#[cfg(test)]
mod tests {
    use super::super::hypothetical_nodes;
    use serde_json::json;

    use super::*;

    fn choices(hostnames: &[&str]) -> Vec<NodeChoice> {
        hostnames.iter().map(|name| NodeChoice { hostname: (*name).to_owned(), device_types: Vec::new() }).collect()
    }

    fn of(
        engine: EngineKind,
        tensor_parallel: Option<u32>,
        replicas: Option<u32>,
        hosts: &[&str],
    ) -> Result<SimulatedLayout, LayoutError> {
        let serving = Serving { engine: Some(engine), tensor_parallel, replicas, ..Serving::default() };
        layout(&serving, &choices(hosts), &hypothetical_nodes())
    }

    #[test]
    fn copies_are_those_that_a_run_would_start() {
        let found = of(EngineKind::Vllm, Some(4), Some(2), &["h100-sxm-80gb-x8"]).unwrap();
        assert_eq!((found.tensor_parallel, found.nodes.len()), (4, 2));
        assert_eq!(json!(found.serving_devices[1]), json!({ "node": "h100-sxm-80gb-x8", "type": "cuda", "count": 4 }));
        let two = of(EngineKind::Vllm, Some(8), None, &["h200-sxm-141gb-x8", "h200-sxm-141gb-x8"]).unwrap();
        assert_eq!(two.nodes.len(), 2);
        let too_few = of(EngineKind::Vllm, Some(8), Some(2), &["h100-sxm-80gb-x8"]).unwrap_err();
        assert_eq!(too_few.to_string(), "The layout needs 16 devices on node h100-sxm-80gb-x8, which has 8.");
        let mixed = of(EngineKind::Vllm, None, None, &["h100-sxm-80gb-x1", "l4-24gb-x1"]).unwrap_err();
        assert!(mixed.to_string().contains("H100-SXM-80GB and L4-24GB"), "{mixed}");
        assert_eq!(of(EngineKind::Custom, None, None, &["l4-24gb-x1"]), Err(LayoutError::OwnCommand));
        assert_eq!(of(EngineKind::Vllm, None, None, &["gone"]), Err(LayoutError::NoNodes));
    }

    #[test]
    fn shared_processors_are_divided_and_split_devices_pooled() {
        let alone = of(EngineKind::LlamaCpp, None, None, &["epyc-9575f-x1"]).unwrap();
        let shared = of(EngineKind::LlamaCpp, None, Some(2), &["epyc-9575f-x1"]).unwrap();
        assert_eq!(shared.nodes.len(), 2);
        assert_eq!(shared.device.memory_bandwidth * 2.0, alone.device.memory_bandwidth);
        let split = of(EngineKind::LlamaCpp, None, None, &["l4-24gb-x4"]).unwrap();
        let one = of(EngineKind::LlamaCpp, None, None, &["l4-24gb-x1"]).unwrap();
        assert_eq!((split.tensor_parallel, split.device.memory_gib), (1, one.device.memory_gib * 4.0));
        assert_eq!(split.device.memory_bandwidth, one.device.memory_bandwidth);
    }
}
