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

/// Why a node can't hold the copies; a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DealError {
    #[error("Node {0} has none of the chosen devices.")]
    NoDevices(String),
    #[error("The layout needs {needed} devices on node {node}, which has {there}.")]
    TooFew { node: String, needed: usize, there: usize },
}

/// Assigns a node's devices to the copies of the model.
///
/// # Errors
/// When the node has too few devices.
pub fn deal(node: &Node, choice: &NodeChoice, serving_as: &Serving, spreads_by_itself: bool) -> Result<Vec<Share>, DealError> {
    let devices = serving(node, choice);
    let replicas = serving_as.replicas.unwrap_or(1).max(1) as usize;
    let Some((_, first)) = devices.first() else {
        return Err(DealError::NoDevices(node.hostname.clone()));
    };
    let kind = first.kind;
    if kind == DeviceType::Cpu {
        let share = Share { kind, devices: vec![first.clone()], indices: vec![0] };
        return Ok(vec![share; replicas]);
    }
    let asked = serving_as.tensor_parallel.unwrap_or(1).max(1) * serving_as.pipeline_parallel.unwrap_or(1).max(1);
    let unasked = serving_as.tensor_parallel.is_none() && serving_as.pipeline_parallel.is_none();
    let each = if unasked && spreads_by_itself { (devices.len() / replicas).max(1) } else { asked as usize };
    if each * replicas > devices.len() {
        return Err(DealError::TooFew { node: node.hostname.clone(), needed: each * replicas, there: devices.len() });
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
        Node { hostname: "n".to_owned(), status: "Ready".to_owned(), devices, usage: None, system: None }
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
        assert!(deal(&node, &hpu, &Serving::default(), false).is_err());
    }

    #[test]
    fn copies_get_devices_of_their_own() {
        let node = node(vec![device(DeviceType::Cuda, "gpu", 1); 4]);
        let any = NodeChoice { hostname: "n".to_owned(), device_types: vec![] };
        let two = Serving { tensor_parallel: Some(2), replicas: Some(2), ..Serving::default() };
        let shares = deal(&node, &any, &two, false).unwrap();
        assert_eq!(shares.iter().map(|share| share.indices.clone()).collect::<Vec<_>>(), [[0, 1], [2, 3]]);
        let many = Serving { tensor_parallel: Some(4), replicas: Some(2), ..Serving::default() };
        assert_eq!(
            deal(&node, &any, &many, false).unwrap_err().to_string(),
            "The layout needs 8 devices on node n, which has 4."
        );
        assert_eq!(deal(&node, &any, &Serving::default(), true).unwrap()[0].devices.len(), 4);
        assert_eq!(deal(&node, &any, &Serving::default(), false).unwrap()[0].devices.len(), 1);
        assert_eq!(in_words(&node.devices), "4 × gpu");
    }
}
