//! Selects a node's serving devices and assigns them to the copies of a model. Pure.

use crate::domain::benchmark::{NodeChoice, Serving};
use crate::domain::inventory::{Device, DeviceType, Node};

/// The devices of one copy of the model.
#[derive(Debug, Clone, PartialEq)]
pub struct Share {
    /// All of one kind.
    pub kind: DeviceType,
    /// One entry per device; for a CPU, the one processor.
    pub devices: Vec<Device>,
    /// Index of each in its node, from 0, for engines that address devices by number.
    pub indices: Vec<u32>,
}

impl Share {
    /// Whether an accelerator serves.
    pub fn is_accelerated(&self) -> bool {
        self.kind != DeviceType::Cpu
    }
}

/// The serving devices of a node: of the chosen kinds, accelerators before CPU.
pub fn serving(node: &Node, choice: &NodeChoice) -> Vec<(u32, Device)> {
    let chosen = |kind: DeviceType| choice.device_types.is_empty() || choice.device_types.contains(&kind);
    for kind in [DeviceType::Cuda, DeviceType::Rocm, DeviceType::Hpu, DeviceType::Cpu] {
        let mut index = 0;
        let mut found = Vec::new();
        for device in node.devices.iter().filter(|device| device.kind == kind && chosen(kind)) {
            // a processor is one device; identical accelerators may be one entry with a count
            let copies = if kind == DeviceType::Cpu || device.device_info.uuid.is_some() {
                1
            } else {
                device.device_info.num_devices.unwrap_or(device.available_count).max(1)
            };
            for _ in 0..copies {
                found.push((index, device.clone()));
                index += 1;
            }
        }
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

/// Which of a node's devices are given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Supply {
    /// All that it has, as a simulation assumes.
    Whole,
    /// Those that no pods of others have requested.
    Unrequested,
}

/// The serving devices less those that pods of others have requested. Whether accelerators serve does not depend on how many are
/// free: a node whose GPUs are taken does not serve with its processor instead.
fn supplied(node: &Node, choice: &NodeChoice, supply: Supply) -> Vec<(u32, Device)> {
    let mut devices = serving(node, choice);
    if supply == Supply::Unrequested {
        for taken in &node.devices {
            // The last go first: which of equal devices a pod is given is the scheduler's choice.
            for _ in 0..taken.requested_by_others() {
                let Some(last) = devices.iter().rposition(|(_, device)| device == taken) else { break };
                devices.remove(last);
            }
        }
    }
    devices
}

/// Why a node can't hold the copies; a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AssignError {
    #[error("Node {0} has none of the chosen devices.")]
    NoDevices(String),
    #[error("The layout needs {needed} devices on node {node}, which has {there}.")]
    TooFew { node: String, needed: usize, there: usize },
    #[error(
        "The layout needs {needed} devices on node {node}, where {free} of {there} are free: other pods have requested the rest."
    )]
    TooFewFree { node: String, needed: usize, free: usize, there: usize },
}

/// Assigns a node's devices to the copies of the model.
///
/// # Errors
/// When the node has too few devices.
pub fn assign_devices(
    node: &Node,
    choice: &NodeChoice,
    serving_as: &Serving,
    spreads_by_itself: bool,
    supply: Supply,
) -> Result<Vec<Share>, AssignError> {
    let all = serving(node, choice);
    let devices = supplied(node, choice, supply);
    let replicas = serving_as.replicas.unwrap_or(1).max(1) as usize;
    let Some((_, first)) = all.first() else {
        return Err(AssignError::NoDevices(node.hostname.clone()));
    };
    let kind = first.kind;
    if kind == DeviceType::Cpu {
        let share = Share { kind, devices: vec![first.clone()], indices: vec![0] };
        return Ok(vec![share; replicas]);
    }
    let asked = serving_as.tensor_parallel.unwrap_or(1).max(1) * serving_as.pipeline_parallel.unwrap_or(1).max(1);
    let unasked = serving_as.tensor_parallel.is_none() && serving_as.pipeline_parallel.is_none();
    let each = if unasked && spreads_by_itself { (devices.len() / replicas).max(1) } else { asked as usize };
    let (node, needed, free, there) = (node.hostname.clone(), each * replicas, devices.len(), all.len());
    if needed > free {
        return Err(if free == there {
            AssignError::TooFew { node, needed, there }
        } else {
            AssignError::TooFewFree { node, needed, free, there }
        });
    }
    Ok(devices
        .chunks(each)
        .take(replicas)
        .map(|chunk| Share {
            kind,
            devices: chunk.iter().map(|(_, device)| device.clone()).collect(),
            indices: chunk.iter().map(|(index, _)| *index).collect(),
        })
        .collect())
}

/// Devices in words: `2 × NVIDIA H100`.
pub fn in_words(devices: &[Device]) -> String {
    let mut counted: Vec<(&str, u32)> = Vec::new();
    for device in devices {
        match counted.iter_mut().find(|(name, _)| *name == device.name) {
            Some((_, count)) => *count += 1,
            None => counted.push((&device.name, 1)),
        }
    }
    counted.iter().map(|(name, count)| format!("{count} × {name}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::domain::inventory::{DeviceConfig, DeviceInfo};

    pub(crate) fn device(kind: DeviceType, name: &str, memory_bytes: u64) -> Device {
        Device {
            name: name.to_owned(),
            kind,
            device_info: DeviceInfo { memory_bytes: Some(memory_bytes), ..DeviceInfo::default() },
            device_config: DeviceConfig::default(),
            available_count: 1,
        }
    }

    fn node(devices: Vec<Device>) -> Node {
        Node { hostname: "n".to_owned(), status: "Ready".to_owned(), devices, usage: None, requests: None, system: None }
    }

    #[test]
    fn accelerators_come_before_the_processor() {
        let node =
            node(vec![device(DeviceType::Cpu, "cpu", 1), device(DeviceType::Cuda, "gpu", 1), device(DeviceType::Cuda, "gpu", 1)]);
        let any = NodeChoice { hostname: "n".to_owned(), device_types: vec![] };
        assert_eq!(serving(&node, &any).len(), 2);
        let cpu = NodeChoice { hostname: "n".to_owned(), device_types: vec![DeviceType::Cpu] };
        assert_eq!(serving(&node, &cpu)[0].1.kind, DeviceType::Cpu);
        let hpu = NodeChoice { hostname: "n".to_owned(), device_types: vec![DeviceType::Hpu] };
        assert!(assign_devices(&node, &hpu, &Serving::default(), false, Supply::Whole).is_err());
    }

    #[test]
    fn copies_get_devices_of_their_own() {
        let node = node(vec![device(DeviceType::Cuda, "gpu", 1); 4]);
        let any = NodeChoice { hostname: "n".to_owned(), device_types: vec![] };
        let two = Serving { tensor_parallel: Some(2), replicas: Some(2), ..Serving::default() };
        let shares = assign_devices(&node, &any, &two, false, Supply::Whole).unwrap();
        assert_eq!(shares.iter().map(|share| share.indices.clone()).collect::<Vec<_>>(), [[0, 1], [2, 3]]);
        let many = Serving { tensor_parallel: Some(4), replicas: Some(2), ..Serving::default() };
        assert_eq!(
            assign_devices(&node, &any, &many, false, Supply::Whole).unwrap_err().to_string(),
            "The layout needs 8 devices on node n, which has 4."
        );
        assert_eq!(assign_devices(&node, &any, &Serving::default(), true, Supply::Whole).unwrap()[0].devices.len(), 4);
        assert_eq!(assign_devices(&node, &any, &Serving::default(), false, Supply::Whole).unwrap()[0].devices.len(), 1);
        assert_eq!(in_words(&node.devices), "4 × gpu");
    }

    #[test]
    fn devices_that_other_pods_have_requested_are_not_given_out() {
        let mut gpus = device(DeviceType::Cuda, "gpu", 1);
        gpus.device_info.num_devices = Some(8);
        gpus.device_info.num_requested = Some(5);
        let any = NodeChoice { hostname: "n".to_owned(), device_types: vec![] };
        let partly = node(vec![device(DeviceType::Cpu, "cpu", 1), gpus.clone()]);
        let of = |node: &Node, serving: &Serving, supply| {
            assign_devices(node, &any, serving, true, supply).map(|shares| shares[0].devices.len())
        };
        let spread = Serving::default();
        assert_eq!(of(&partly, &spread, Supply::Unrequested), Ok(3), "spread over those that are free");
        assert_eq!(of(&partly, &spread, Supply::Whole), Ok(8));
        let four = Serving { tensor_parallel: Some(4), ..Serving::default() };
        assert_eq!(
            of(&partly, &four, Supply::Unrequested).unwrap_err().to_string(),
            "The layout needs 4 devices on node n, where 3 of 8 are free: other pods have requested the rest."
        );
        gpus.device_info.num_requested_by_runs = Some(4);
        let own = node(vec![device(DeviceType::Cpu, "cpu", 1), gpus.clone()]);
        assert_eq!(of(&own, &spread, Supply::Unrequested), Ok(7), "the portal's own run has ended when the next begins");
        gpus.device_info.num_requested_by_runs = None;
        gpus.device_info.num_requested = Some(8);
        let full = node(vec![device(DeviceType::Cpu, "cpu", 1), gpus]);
        let refused = of(&full, &spread, Supply::Unrequested).unwrap_err();
        assert_eq!(
            refused,
            AssignError::TooFewFree { node: "n".to_owned(), needed: 1, free: 0, there: 8 },
            "not the CPU instead"
        );
    }
}
