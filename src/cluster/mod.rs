//! Clusters: one interface, with this machine behind it. Kubernetes follows behind the same interface.

mod catalogue;
mod cpu;
mod devices;
mod gpu;
mod local;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::domain::inventory::{Cluster, ClusterAccess, Device, Node};
use crate::domain::problem::{Problem, ProblemKind};

pub use catalogue::Catalogue;
pub use local::Local;

/// Why a cluster could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    /// It does not answer.
    #[error("cluster is not reachable: {0}")]
    Unreachable(String),
    /// It did not answer within the time that a person waits.
    #[error("no answer within {} seconds", .0.as_secs())]
    TimedOut(Duration),
    /// There is nothing in this program that speaks to its kind.
    #[error("clusters of this kind are not available")]
    NotAvailable,
}

impl ClusterError {
    /// What a person reads.
    pub fn sentence(&self) -> String {
        match self {
            Self::Unreachable(_) => "The cluster does not answer.".to_owned(),
            Self::TimedOut(limit) => format!("The cluster did not answer within {} seconds.", limit.as_secs()),
            Self::NotAvailable => "Kubernetes clusters are not available yet.".to_owned(),
        }
    }
}

impl From<ClusterError> for Problem {
    fn from(error: ClusterError) -> Self {
        Self::new(ProblemKind::Unavailable, error.sentence())
    }
}

/// What every kind of cluster can do.
#[async_trait]
pub trait Driver: std::fmt::Debug + Send + Sync {
    /// Its nodes as they are now, all devices counted as free.
    async fn nodes(&self) -> Result<Vec<Node>, ClusterError>;

    /// Whether it answers; cheaper than reading the nodes where there is a way.
    async fn reach(&self) -> Result<(), ClusterError> {
        self.nodes().await.map(|_| ())
    }
}

/// The clusters that this portal can speak to.
#[derive(Debug, Clone)]
pub struct Clusters {
    local: Arc<dyn Driver>,
}

impl Default for Clusters {
    fn default() -> Self {
        Self::new(Arc::new(Local::default()))
    }
}

impl Clusters {
    /// With the driver of the portal's own machine.
    pub fn new(local: Arc<dyn Driver>) -> Self {
        Self { local }
    }

    /// What speaks to a cluster.
    pub fn driver(&self, cluster: &Cluster) -> Result<Arc<dyn Driver>, ClusterError> {
        match &cluster.access {
            ClusterAccess::Local => Ok(Arc::clone(&self.local)),
            ClusterAccess::Kubernetes(_) => Err(ClusterError::NotAvailable),
            ClusterAccess::Catalogue => Ok(Arc::new(Catalogue)),
        }
    }

    /// Whether a cluster answers.
    pub async fn reach(&self, cluster: &Cluster) -> Result<(), ClusterError> {
        self.driver(cluster)?.reach().await
    }

    /// A cluster's nodes, live. A run has its nodes to itself: the devices of the busy ones (by hostname) count as taken.
    pub async fn nodes(&self, cluster: &Cluster, busy: &BTreeSet<String>) -> Result<Vec<Node>, ClusterError> {
        let mut nodes = self.driver(cluster)?.nodes().await?;
        for node in &mut nodes {
            if busy.contains(&node.hostname) {
                node.devices.iter_mut().for_each(|device| device.available_count = 0);
            }
        }
        Ok(nodes)
    }
}

/// Devices in words: `1 × Intel Xeon, 8 × NVIDIA H100`; counted as they are built in, not as they are free.
pub fn devices_in_words(nodes: &[Node]) -> String {
    let mut counts: Vec<(String, u32)> = Vec::new();
    for device in nodes.iter().flat_map(|node| &node.devices) {
        let name = short_name(device);
        match counts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += device.device_info.num_devices.unwrap_or(1),
            None => counts.push((name, device.device_info.num_devices.unwrap_or(1))),
        }
    }
    counts.iter().map(|(name, count)| format!("{count} × {name}")).collect::<Vec<_>>().join(", ")
}

/// A device's name without trademarks and what every CPU's name says.
fn short_name(device: &Device) -> String {
    let mut name = device.name.replace("(R)", "").replace("(TM)", "").replace("(tm)", "");
    if let Some(at) = name.find('@') {
        name.truncate(at);
    }
    let words = name.split_whitespace().filter(|word| !matches!(*word, "CPU" | "Processor"));
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::inventory::{DeviceConfig, DeviceInfo, DeviceType, KubernetesAccess};

    fn device(name: &str, count: Option<u32>) -> Device {
        Device {
            name: name.to_owned(),
            kind: DeviceType::Cpu,
            device_info: DeviceInfo { num_devices: count, ..DeviceInfo::default() },
            device_config: DeviceConfig::default(),
            available_count: count.unwrap_or(1),
        }
    }

    fn node(hostname: &str, devices: Vec<Device>) -> Node {
        Node { hostname: hostname.to_owned(), status: "Ready".to_owned(), devices, usage: None, system: None }
    }

    #[derive(Debug)]
    struct Fixed(Vec<Node>);

    #[async_trait]
    impl Driver for Fixed {
        async fn nodes(&self) -> Result<Vec<Node>, ClusterError> {
            Ok(self.0.clone())
        }
    }

    fn cluster(access: ClusterAccess) -> Cluster {
        Cluster { id: uuid::Uuid::nil(), name: "c".to_owned(), access, owner: None, created_at: jiff::Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn devices_read_well() {
        let nodes = [
            node("a", vec![device("Intel(R) Xeon(R) Platinum 8480+", None), device("NVIDIA H100", Some(8))]),
            node("b", vec![device("Intel(R) Xeon(R) Platinum 8480+", None), device("AMD EPYC 9654 Processor", None)]),
        ];
        assert_eq!(devices_in_words(&nodes), "2 × Intel Xeon Platinum 8480+, 8 × NVIDIA H100, 1 × AMD EPYC 9654");
    }

    #[tokio::test]
    async fn a_busy_node_has_no_device_free() {
        let nodes = vec![node("a", vec![device("x", Some(2))]), node("b", vec![device("x", Some(2))])];
        let clusters = Clusters::new(Arc::new(Fixed(nodes)));
        let seen = clusters.nodes(&cluster(ClusterAccess::Local), &BTreeSet::from(["a".to_owned()])).await.unwrap();
        assert_eq!(seen[0].devices[0].available_count, 0);
        assert_eq!(seen[1].devices[0].available_count, 2);
    }

    #[tokio::test]
    async fn another_kind_is_said_to_be_unavailable() {
        let clusters = Clusters::default();
        assert_eq!(
            clusters.reach(&cluster(ClusterAccess::Kubernetes(KubernetesAccess::default()))).await,
            Err(ClusterError::NotAvailable)
        );
    }
}
