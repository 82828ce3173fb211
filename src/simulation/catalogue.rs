//! The nodes of the catalogue cluster: one per device with a data sheet, in the usual numbers of devices.

use strum::VariantArray as _;

use dyno_simulate::device::CATALOGUE;
use dyno_simulate::device::{Device as Profile, Generation};

use crate::domain::engine::EngineKind;
use crate::domain::inventory::{Device, DeviceConfig, DeviceInfo, DeviceType, EngineAvailability, Node};

/// Numbers of devices per node; a node has at most the device's `devices_per_node`.
const COUNTS: [u32; 4] = [1, 2, 4, 8];

/// Hypothetical nodes, named like `h100-sxm-80gb-x8`. All are Ready.
pub fn hypothetical_nodes() -> Vec<Node> {
    let mut nodes: Vec<Node> = CATALOGUE
        .iter()
        .flat_map(|sheet| {
            let profile = sheet.device();
            COUNTS
                .into_iter()
                .filter(move |count| *count <= profile.devices_per_node)
                .map(move |count| node(&sheet.device(), count))
        })
        .collect();
    nodes.sort_by(|one, other| one.hostname.cmp(&other.hostname));
    nodes
}

/// The engines that a simulation can be asked for.
pub fn engines() -> Vec<EngineAvailability> {
    let of = |kind: EngineKind| {
        let available = kind != EngineKind::Custom;
        let how_to_get = if available { "" } else { "How an own command serves is not known: it can't be simulated." };
        let title = kind.title().to_owned();
        EngineAvailability { kind, title, available, version: None, program: None, how_to_get: how_to_get.to_owned() }
    };
    EngineKind::VARIANTS.iter().copied().map(of).collect()
}

fn node(profile: &Profile, count: u32) -> Node {
    Node {
        hostname: format!("{}-x{count}", profile.name.to_ascii_lowercase()),
        status: "Ready".to_owned(),
        devices: vec![device(profile, count)],
        usage: None,
        requests: None,
        system: Some("Hypothetical, by data sheet: for simulation only".to_owned()),
    }
}

fn device(profile: &Profile, count: u32) -> Device {
    let kind = match profile.generation {
        Generation::Cdna3 => DeviceType::Rocm,
        Generation::Gaudi => DeviceType::Hpu,
        Generation::Cpu => DeviceType::Cpu,
        _ => DeviceType::Cuda,
    };
    // a processor's figures are those of the whole machine
    let machines = if kind == DeviceType::Cpu { f64::from(count) } else { 1.0 };
    Device {
        name: profile.name.clone(),
        kind,
        device_info: DeviceInfo {
            num_devices: Some(count),
            memory_bytes: Some((profile.memory_bytes() * machines) as u64),
            ..DeviceInfo::default()
        },
        device_config: DeviceConfig {
            peak_fp16_tflops: Some(profile.tflops_16 * machines),
            memory_bandwidth_gbps: Some(profile.memory_bandwidth * machines),
            source: Some(format!("datasheet: {}", profile.name)),
        },
        available_count: count,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::benchmark::{NodeChoice, Serving};
    use crate::simulation::layout;

    #[test]
    fn every_device_is_offered_and_can_be_simulated() {
        let nodes = hypothetical_nodes();
        let names: Vec<&str> = nodes.iter().map(|node| node.hostname.as_str()).collect();
        for expected in
            ["h100-sxm-80gb-x1", "h100-sxm-80gb-x8", "mi300x-192gb-x4", "gaudi3-128gb-x2", "xeon-6767p-x2", "l4-24gb-x1"]
        {
            assert!(names.contains(&expected), "{expected} is not among {names:?}");
        }
        assert!(!names.contains(&"gh200-96gb-x2"), "there is one in a machine");
        assert!(nodes.iter().all(Node::is_ready));
        for node in &nodes {
            let choice = NodeChoice { hostname: node.hostname.clone(), device_types: Vec::new() };
            let serving = Serving { engine: Some(EngineKind::Vllm), ..Serving::default() };
            let found = layout(&serving, &[choice], &nodes).unwrap();
            assert_eq!(found.device.name, node.devices[0].name, "its own data sheet");
        }
    }
}
