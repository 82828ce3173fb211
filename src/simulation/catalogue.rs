//! The nodes of the catalogue cluster: one per device with a data sheet, or of which an administrator stated the figures, in the usual
//! numbers of devices.

use strum::VariantArray as _;

use dyno_simulate::device::{CATALOGUE, Generation, SimulatedDevice};

use super::device::ASSUMED_LINK;
use super::specification::{data_sheet, is_part, specification_of, specified_name};
use crate::domain::device_specification::{DeviceFigures, DeviceSpecification, STATED};
use crate::domain::engine::{EngineAvailability, EngineKind};
use crate::domain::inventory::{Device, DeviceConfig, DeviceInfo, DeviceType, Node};

/// Numbers of devices per node; a node has at most the device's `devices_per_node`.
const COUNTS: [u32; 4] = [1, 2, 4, 8];

/// Hypothetical nodes by data sheet, named like `h100-sxm-80gb-x8`. All are Ready.
pub fn hypothetical_nodes() -> Vec<Node> {
    hypothetical_nodes_with(&[])
}

/// The same with what administrators stated: in place of data sheets, and of devices that have none.
pub fn hypothetical_nodes_with(stated: &[DeviceSpecification]) -> Vec<Node> {
    let sheets = CATALOGUE.iter().map(|sheet| hypothetical(sheet.device(), specification_of(sheet.name, stated)));
    let others = stated.iter().filter_map(without_data_sheet);
    let mut nodes: Vec<Node> = sheets.chain(others).flat_map(|offered| offered.nodes().collect::<Vec<_>>()).collect();
    nodes.sort_by(|one, other| one.hostname.cmp(&other.hostname));
    // of two names that differ in a separator alone, one
    nodes.dedup_by(|one, other| one.hostname == other.hostname);
    nodes
}

/// A device that nobody has.
struct Hypothetical {
    profile: SimulatedDevice,
    kind: DeviceType,
    /// What an administrator stated of it.
    stated: Option<DeviceFigures>,
}

fn hypothetical(sheet: SimulatedDevice, stated: Option<&DeviceSpecification>) -> Hypothetical {
    let kind = match sheet.generation {
        Generation::Cdna3 => DeviceType::Rocm,
        Generation::Gaudi => DeviceType::Hpu,
        Generation::Cpu => DeviceType::Cpu,
        _ => DeviceType::Cuda,
    };
    let Some(figures) = stated.map(|stated| &stated.figures) else {
        return Hypothetical { profile: sheet, kind, stated: None };
    };
    let profile = SimulatedDevice {
        tflops_16: figures.peak_fp16_tflops,
        memory_gib: figures.memory_gib,
        memory_bandwidth: figures.memory_bandwidth_gbps,
        link_bandwidth: figures.link_bandwidth_gbps.unwrap_or(sheet.link_bandwidth),
        tflops_8: figures.peak_fp8_tflops.or(sheet.tflops_8),
        tflops_4: figures.peak_fp4_tflops.or(sheet.tflops_4),
        ..sheet
    };
    Hypothetical { profile, kind, stated: Some(*figures) }
}

/// A stated device that is not in the catalogue; a part of a device is not to be had alone.
fn without_data_sheet(stated: &DeviceSpecification) -> Option<Hypothetical> {
    let DeviceSpecification { device, figures, .. } = stated;
    if is_part(device) || data_sheet(&specified_name(device)).is_some() {
        return None;
    }
    let link = figures.link_bandwidth_gbps.unwrap_or(ASSUMED_LINK);
    let profile =
        SimulatedDevice::stated(device, figures.peak_fp16_tflops, figures.memory_gib, figures.memory_bandwidth_gbps, link)
            .and_then(|profile| profile.with_narrow_rates(figures.peak_fp8_tflops, figures.peak_fp4_tflops))
            .ok()?;
    let kind = kind_of_name(device);
    // what is stated of a processor is of the whole machine
    let devices_per_node = if kind == DeviceType::Cpu { 1 } else { profile.devices_per_node };
    Some(Hypothetical { profile: SimulatedDevice { devices_per_node, ..profile }, kind, stated: Some(*figures) })
}

/// The kind of a device of which only the name is known: most accelerators are NVIDIA's.
fn kind_of_name(name: &str) -> DeviceType {
    let name = name.to_lowercase();
    let has = |words: &[&str]| name.split(|letter: char| !letter.is_alphanumeric()).any(|word| words.contains(&word));
    if has(&["cpu", "processor", "xeon", "epyc", "ryzen"]) {
        DeviceType::Cpu
    } else if has(&["amd", "instinct", "radeon"]) {
        DeviceType::Rocm
    } else if has(&["habana", "gaudi", "gaudi2", "gaudi3"]) {
        DeviceType::Hpu
    } else {
        DeviceType::Cuda
    }
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

impl Hypothetical {
    fn nodes(&self) -> impl Iterator<Item = Node> {
        COUNTS.into_iter().filter(|count| *count <= self.profile.devices_per_node).map(|count| self.node(count))
    }

    fn node(&self, count: u32) -> Node {
        let basis = if self.stated.is_some() { STATED } else { "by data sheet" };
        Node {
            hostname: format!("{}-x{count}", hostname(&self.profile.name)),
            status: "Ready".to_owned(),
            devices: vec![self.device(count)],
            usage: None,
            requests: None,
            system: Some(format!("Hypothetical, {basis}: for simulation only")),
        }
    }

    fn device(&self, count: u32) -> Device {
        let Self { profile, kind, stated } = self;
        // a processor's figures are those of the whole machine
        let machines = if *kind == DeviceType::Cpu { f64::from(count) } else { 1.0 };
        Device {
            name: profile.name.clone(),
            kind: *kind,
            device_info: DeviceInfo {
                num_devices: Some(count),
                memory_bytes: Some((profile.memory_bytes() * machines) as u64),
                ..DeviceInfo::default()
            },
            device_config: DeviceConfig {
                peak_fp16_tflops: Some(profile.tflops_16 * machines),
                memory_bandwidth_gbps: Some(profile.memory_bandwidth * machines),
                link_bandwidth_gbps: stated.and_then(|stated| stated.link_bandwidth_gbps),
                peak_fp8_tflops: stated.and_then(|stated| stated.peak_fp8_tflops),
                peak_fp4_tflops: stated.and_then(|stated| stated.peak_fp4_tflops),
                source: Some(if stated.is_some() { STATED.to_owned() } else { format!("datasheet: {}", profile.name) }),
            },
            available_count: count,
        }
    }
}

/// A name as a host has it: small letters, digits and points, with a hyphen for all that is between them.
fn hostname(device: &str) -> String {
    let device = device.to_lowercase();
    let words = device.split(|letter: char| !letter.is_alphanumeric() && letter != '.').filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::super::specification::tests::stated;
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
    #[test]
    fn what_is_stated_is_offered_in_place_of_data_sheets_and_beside_them() {
        let all = [
            stated("L4-24GB", 100.0, 20.0, 250.0),
            stated("Acme X1 (Gen 2)", 400.0, 80.0, 2_000.0),
            stated("amd64 CPU of m7i.large", 1.0, 8.0, 40.0),
            stated("NVIDIA L4 MIG 1g.3gb", 10.0, 3.0, 40.0),
        ];
        let nodes = hypothetical_nodes_with(&all);
        let find = |hostname: &str| nodes.iter().find(|node| node.hostname == hostname).map(|node| &node.devices[0]);
        let l4 = find("l4-24gb-x2").unwrap();
        assert_eq!((l4.device_config.peak_fp16_tflops, l4.device_info.memory_bytes), (Some(100.0), Some(20 << 30)));
        assert_eq!(l4.device_config.link_bandwidth_gbps, None, "it was not stated");
        let x1 = find("acme-x1-gen-2-x8").unwrap();
        assert_eq!((x1.kind, x1.available_count, x1.device_config.source.as_deref()), (DeviceType::Cuda, 8, Some(STATED)));
        assert_eq!(find("amd64-cpu-of-m7i.large-x1").unwrap().kind, DeviceType::Cpu);
        let of_data_sheets = hypothetical_nodes().len();
        assert_eq!(nodes.len(), of_data_sheets + COUNTS.len() + 1, "no part of a device, and a machine once");
        let choice = NodeChoice { hostname: "acme-x1-gen-2-x8".to_owned(), device_types: Vec::new() };
        let serving = Serving { engine: Some(EngineKind::Vllm), ..Serving::default() };
        let found = layout(&serving, &[choice], &nodes).unwrap();
        assert_eq!((found.device.tflops_16, found.device.memory_bandwidth, found.device.memory_gib), (400.0, 2_000.0, 80.0));
        assert!(found.assumptions[0].contains("as stated in Settings: 400.0 TFLOPS"), "{:?}", found.assumptions);
    }
}
