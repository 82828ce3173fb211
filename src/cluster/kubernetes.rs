//! A Kubernetes cluster's nodes, in the shape that all clusters have.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use dyno_kubernetes::{Accelerator, ClusterNode, Connection, Vendor};

use super::{ClusterError, Driver, devices};
use crate::domain::inventory::{Device, DeviceConfig, DeviceInfo, DeviceType, Node, NodeRequests, NodeUsage};
use dyno_measure::telemetry::dcgm::{self, DcgmDevice};
use dyno_measure::telemetry::{Levels, Quantity};

/// Reads one cluster over its API server, each time it is asked.
#[derive(Debug, Clone)]
pub struct Kubernetes {
    connection: Connection,
}

impl Kubernetes {
    pub fn new(connection: Connection) -> Self {
        Self { connection }
    }
}

#[async_trait]
impl Driver for Kubernetes {
    async fn nodes(&self, runs: &BTreeSet<String>) -> Result<Vec<Node>, ClusterError> {
        let facts = self.connection.nodes().await?;
        let has_nvidia = |node: &ClusterNode| node.accelerators.iter().any(|own| own.vendor == Vendor::Nvidia);
        let answers = if facts.iter().any(has_nvidia) { self.connection.exporter_answers().await } else { Arc::default() };
        let at_work = |name: &str| answers.iter().find(|(node, _)| node == name).map(|(_, text)| dcgm::devices(text));
        let live = facts.into_iter().map(|facts| {
            let devices = at_work(&facts.name).unwrap_or_default();
            node(facts, &devices, runs)
        });
        Ok(live.collect())
    }

    async fn reach(&self) -> Result<(), ClusterError> {
        Ok(self.connection.version().await.map(drop)?)
    }
}

/// `runs`: ids of the portal's own runs.
fn node(facts: ClusterNode, at_work: &[DcgmDevice], runs: &BTreeSet<String>) -> Node {
    let status = match (&facts.problem, facts.taints.as_slice()) {
        (Some(problem), _) => problem.clone(),
        (None, []) => "Ready".to_owned(),
        (None, taints) => format!("Tainted: {}", taints.join(", ")),
    };
    let usage = facts.cpu_used.zip(facts.memory_used).map(|(cores, bytes)| NodeUsage {
        cpu_percent: (cores / facts.cpu_allocatable.max(f64::MIN_POSITIVE) * 1000.0).round().min(1000.0) / 10.0,
        load_1m: None,
        memory_total_bytes: facts.memory_allocatable,
        memory_available_bytes: facts.memory_allocatable.saturating_sub(bytes),
    });
    // Kubernetes counts in thousandths of a core; a sum of such fractions has more digits.
    let cores = |cores: f64| (cores * 1_000.0).round() / 1_000.0;
    let requests = NodeRequests {
        cpu_allocatable: cores(facts.cpu_allocatable),
        cpu_requested: cores(facts.cpu_requested),
        memory_allocatable_bytes: facts.memory_allocatable,
        memory_requested_bytes: facts.memory_requested,
        memory_requested_by_runs_bytes: facts.requested_by(runs, "memory") as u64,
    };
    let mut all = vec![cpu(&facts)];
    all.extend(facts.accelerators.iter().map(|own| accelerator(own, at_work, facts.requested_by(runs, &own.resource) as u32)));
    let system = Some(facts.system).filter(|system| !system.is_empty());
    Node { hostname: facts.hostname, status, devices: all, usage, requests: Some(requests), system }
}

/// What pods can be given of a node's processors. No label has their name.
fn cpu(facts: &ClusterNode) -> Device {
    let processor = facts.processor.as_ref().unwrap_or(&facts.architecture);
    let name = match &facts.instance_type {
        Some(machine) => format!("{processor} CPU of {machine}"),
        None => format!("{processor} CPU"),
    };
    Device {
        name: name.trim().to_owned(),
        kind: DeviceType::Cpu,
        device_info: DeviceInfo {
            num_virtual_cores: Some(facts.cpu_allocatable as u32),
            memory_bytes: Some(facts.memory_allocatable),
            memory_used_bytes: facts.memory_used,
            ..DeviceInfo::default()
        },
        device_config: DeviceConfig::default(),
        available_count: 1,
    }
}

fn accelerator(facts: &Accelerator, at_work: &[DcgmDevice], requested_by_runs: u32) -> Device {
    let name = facts.product.clone().unwrap_or_else(|| facts.resource.clone());
    let kind = match facts.vendor {
        Vendor::Nvidia => DeviceType::Cuda,
        Vendor::Amd => DeviceType::Rocm,
        Vendor::Habana => DeviceType::Hpu,
    };
    let now = if facts.vendor == Vendor::Nvidia { levels(&facts.resource, at_work) } else { DeviceInfo::default() };
    Device {
        // A slice of a device has a part of its peak, which part is not told.
        device_config: if facts.resource.contains("/mig-") {
            DeviceConfig::default()
        } else {
            devices::accelerator(&name).unwrap_or_default()
        },
        name,
        kind,
        device_info: DeviceInfo {
            num_devices: Some(facts.allocatable),
            num_requested: Some(facts.requested),
            num_requested_by_runs: Some(requested_by_runs).filter(|count| *count > 0),
            is_shared: facts.is_shared,
            memory_bytes: facts.memory_bytes,
            driver: facts.driver.clone(),
            ..now
        },
        available_count: facts.allocatable.saturating_sub(facts.requested),
    }
}

/// What an exporter says of the devices behind a resource: use and memory of the busiest, power of all, temperature of the hottest.
/// Slices (MIG) are those of their profile; what only the whole device has is not theirs.
fn levels(resource: &str, at_work: &[DcgmDevice]) -> DeviceInfo {
    let profile = resource.rsplit_once("/mig-").map(|(_, profile)| profile);
    let own: Vec<&Levels> = at_work
        .iter()
        .filter(|device| device.profile.as_deref() == profile)
        // a device that is cut in slices is not given out whole
        .filter(|device| profile.is_some() || !at_work.iter().any(|slice| is_slice_of(slice, device)))
        .map(|device| &device.reading.levels)
        .collect();
    let largest = |quantity: Quantity| own.iter().filter_map(|levels| levels.get(quantity)).reduce(f64::max);
    DeviceInfo {
        memory_used_bytes: largest(Quantity::MemoryUsedBytes).map(|bytes| bytes as u64),
        utilization_percent: largest(Quantity::UtilizationPercent),
        power_w: own.iter().map(|levels| levels.power_w).sum::<Option<f64>>().filter(|_| !own.is_empty()),
        temperature_c: largest(Quantity::TemperatureC),
        ..DeviceInfo::default()
    }
}

fn is_slice_of(slice: &DcgmDevice, device: &DcgmDevice) -> bool {
    slice.reading.id.rsplit_once('/').is_some_and(|(whole, _)| whole == device.reading.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> ClusterNode {
        let requested = |memory, gpus| [("memory".to_owned(), memory), ("nvidia.com/gpu".to_owned(), gpus)].into();
        ClusterNode {
            hostname: "gpu-a".to_owned(),
            name: "gpu-a".to_owned(),
            architecture: "amd64".to_owned(),
            cpu_allocatable: 8.0,
            cpu_requested: 3.25,
            memory_allocatable: 64 << 30,
            memory_requested: 16 << 30,
            accelerators: vec![Accelerator {
                vendor: Vendor::Nvidia,
                resource: "nvidia.com/gpu".to_owned(),
                product: Some("NVIDIA H100 80GB HBM3".to_owned()),
                memory_bytes: Some(80 << 30),
                driver: None,
                allocatable: 8,
                requested: 5,
                is_shared: false,
            }],
            requested_by_run: [("own".to_owned(), requested(4e9, 2.0)), ("another portal's".to_owned(), requested(8e9, 3.0))]
                .into(),
            ..ClusterNode::default()
        }
    }

    #[test]
    fn what_is_requested_is_told_beside_what_is_in_use_and_own_runs_apart() {
        let at_work = dcgm::devices(include_str!("../../crates/measure/tests/fixtures/dcgm-exporter.txt"));
        let found = node(facts(), &at_work, &BTreeSet::from(["own".to_owned()]));
        assert_eq!(found.usage, None, "no metrics server");
        let requests = found.requests.as_ref().unwrap();
        assert_eq!((requests.cpu_requested, requests.cpu_allocatable), (3.25, 8.0));
        assert_eq!((requests.memory_requested_bytes, requests.memory_requested_by_runs_bytes), (16 << 30, 4_000_000_000));
        assert_eq!(requests.free_memory_bytes(), (48 << 30) + 4_000_000_000);
        let [cpu, gpu] = found.devices.as_slice() else { panic!("{:?}", found.devices) };
        assert_eq!(cpu.device_info.memory_used_bytes, None, "requested is not used");
        assert_eq!((gpu.available_count, gpu.requested_by_others()), (3, 3), "another portal's run is not waited for");
        assert_eq!(gpu.device_info.memory_used_bytes, Some(70_000 << 20));
        assert_eq!(gpu.free_memory_bytes(), Some(80 << 30), "the busiest is a neighbour's");
    }

    #[test]
    fn what_an_exporter_tells_is_of_the_resource_that_pods_ask_for() {
        let devices = dcgm::devices(include_str!("../../crates/measure/tests/fixtures/dcgm-exporter.txt"));
        let whole = levels("nvidia.com/gpu", &devices);
        assert_eq!((whole.utilization_percent, whole.temperature_c), (Some(87.0), Some(61.0)));
        assert_eq!(whole.power_w, Some(512.25 + 71.5), "without the device that is cut in slices");
        assert_eq!(whole.memory_used_bytes, Some(70_000 << 20));
        let slice = levels("nvidia.com/mig-1g.10gb", &devices);
        assert_eq!((slice.utilization_percent, slice.memory_used_bytes, slice.power_w), (Some(25.0), Some(1_024 << 20), None));
        assert_eq!(levels("nvidia.com/gpu", &[]), DeviceInfo::default());
    }
}
