//! A Kubernetes cluster's nodes, in the shape that all clusters have.

use async_trait::async_trait;
use dyno_kubernetes::{Accelerator, Connection, NodeFacts, Vendor};

use super::{ClusterError, Driver, devices};
use crate::domain::inventory::{Device, DeviceConfig, DeviceInfo, DeviceType, Node, NodeUsage};

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
    async fn nodes(&self) -> Result<Vec<Node>, ClusterError> {
        Ok(self.connection.nodes().await?.into_iter().map(node).collect())
    }

    async fn reach(&self) -> Result<(), ClusterError> {
        Ok(self.connection.version().await.map(drop)?)
    }
}

fn node(facts: NodeFacts) -> Node {
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
    let mut all = vec![cpu(&facts)];
    all.extend(facts.accelerators.iter().map(accelerator));
    Node { hostname: facts.hostname, status, devices: all, usage, system: Some(facts.system).filter(|system| !system.is_empty()) }
}

/// What pods can be given of a node's processors. No label says which they are.
fn cpu(facts: &NodeFacts) -> Device {
    let name = match &facts.instance_type {
        Some(machine) => format!("{} CPU of {machine}", facts.architecture),
        None => format!("{} CPU", facts.architecture),
    };
    Device {
        name: name.trim().to_owned(),
        kind: DeviceType::Cpu,
        device_info: DeviceInfo {
            num_virtual_cores: Some(facts.cpu_allocatable as u32),
            memory_bytes: Some(facts.memory_allocatable),
            memory_used_bytes: Some(facts.memory_requested.max(facts.memory_used.unwrap_or_default())),
            ..DeviceInfo::default()
        },
        device_config: DeviceConfig::default(),
        available_count: 1,
    }
}

fn accelerator(facts: &Accelerator) -> Device {
    let name = facts.product.clone().unwrap_or_else(|| facts.resource.clone());
    let kind = match facts.vendor {
        Vendor::Nvidia => DeviceType::Cuda,
        Vendor::Amd => DeviceType::Rocm,
        Vendor::Habana => DeviceType::Hpu,
    };
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
            memory_bytes: facts.memory_bytes,
            driver: facts.driver.clone(),
            ..DeviceInfo::default()
        },
        available_count: facts.allocatable.saturating_sub(facts.requested),
    }
}
