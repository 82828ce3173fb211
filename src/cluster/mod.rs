//! Clusters: one interface, with this machine and Kubernetes clusters behind it.

mod catalogue;
mod cpu;
mod devices;
pub(crate) mod gpu;
mod kubernetes;
mod local;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use dyno_kubernetes::{ApiError, Connection};
use uuid::Uuid;

use crate::credentials::Secret;
use crate::domain::inventory::{Cluster, ClusterAccess, Device, Node};
use crate::domain::problem::{Problem, ProblemKind};

pub use catalogue::Catalogue;
pub use kubernetes::Kubernetes;
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
    /// A Kubernetes cluster did not answer as asked; the text is for people.
    #[error("{0}")]
    Kubernetes(String),
    /// Its kubeconfig could not be read or opened.
    #[error("kubeconfig: {0}")]
    Kubeconfig(String),
    /// What administrators stated of devices could not be read.
    #[error("specifications of devices: {0}")]
    Specifications(String),
}

impl ClusterError {
    /// What a person reads.
    pub fn sentence(&self) -> String {
        match self {
            Self::Unreachable(_) => "The cluster does not answer.".to_owned(),
            Self::TimedOut(limit) => format!("The cluster did not answer within {} seconds.", limit.as_secs()),
            Self::Kubernetes(sentence) => sentence.clone(),
            Self::Kubeconfig(_) => "The cluster's kubeconfig could not be opened. Give it again.".to_owned(),
            Self::Specifications(_) => "What is stated of devices could not be read. The server's log says why.".to_owned(),
        }
    }
}

impl From<ApiError> for ClusterError {
    fn from(error: ApiError) -> Self {
        Self::Kubernetes(error.to_string())
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
    /// Its nodes as they are now. What pods of the runs with these ids have requested is told apart.
    async fn nodes(&self, runs: &BTreeSet<String>) -> Result<Vec<Node>, ClusterError>;

    /// Whether it answers; cheaper than reading the nodes where there is a way.
    async fn reach(&self) -> Result<(), ClusterError> {
        self.nodes(&BTreeSet::new()).await.map(|_| ())
    }
}

/// What the portal's runs have of a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunsAtWork {
    /// Hostnames of the nodes that a run has for itself.
    pub nodes: BTreeSet<String>,
    /// Ids of the runs.
    pub runs: BTreeSet<String>,
}

/// Where the kubeconfigs of clusters are kept.
#[async_trait]
pub trait Kubeconfigs: std::fmt::Debug + Send + Sync {
    /// A cluster's kubeconfig, opened; none for the cluster that the portal runs in.
    async fn kubeconfig(&self, cluster: Uuid) -> Result<Option<Secret>, ClusterError>;
}

/// The clusters that this portal can speak to.
#[derive(Debug)]
pub struct Clusters {
    local: Arc<dyn Driver>,
    kubeconfigs: Arc<dyn Kubeconfigs>,
    /// Connections that are open, each with the kubeconfig that it was made with.
    connections: Mutex<HashMap<Uuid, (Option<Secret>, Connection)>>,
}

impl Clusters {
    /// With the driver of the portal's own machine.
    pub fn new(local: Arc<dyn Driver>, kubeconfigs: Arc<dyn Kubeconfigs>) -> Self {
        Self { local, kubeconfigs, connections: Mutex::default() }
    }

    /// What speaks to a cluster.
    pub async fn driver(&self, cluster: &Cluster) -> Result<Arc<dyn Driver>, ClusterError> {
        match &cluster.access {
            ClusterAccess::Local => Ok(Arc::clone(&self.local)),
            ClusterAccess::Kubernetes(_) => Ok(Arc::new(Kubernetes::new(self.connection(cluster.id).await?))),
            ClusterAccess::Catalogue => Ok(Arc::new(Catalogue)),
        }
    }

    /// A connection to a Kubernetes cluster, the same as before as long as its kubeconfig is.
    pub async fn connection(&self, cluster: Uuid) -> Result<Connection, ClusterError> {
        let kubeconfig = self.kubeconfigs.kubeconfig(cluster).await?;
        let known = self.open_connections().get(&cluster).filter(|(with, _)| *with == kubeconfig).map(|(_, known)| known.clone());
        if let Some(known) = known {
            return Ok(known);
        }
        let connection = match &kubeconfig {
            Some(kubeconfig) => Connection::with_kubeconfig(kubeconfig.expose()).await?,
            None => Connection::in_cluster()?,
        };
        self.open_connections().insert(cluster, (kubeconfig, connection.clone()));
        Ok(connection)
    }

    /// Forgets a cluster that is gone.
    pub fn forget(&self, cluster: Uuid) {
        self.open_connections().remove(&cluster);
    }

    fn open_connections(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, (Option<Secret>, Connection)>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a cluster answers.
    pub async fn reach(&self, cluster: &Cluster) -> Result<(), ClusterError> {
        self.driver(cluster).await?.reach().await
    }

    /// A cluster's nodes as it tells them; `AppState::nodes` adds what administrators stated of their devices. A run has its nodes to
    /// itself: the devices of those that one is on count as taken.
    pub async fn nodes(&self, cluster: &Cluster, at_work: &RunsAtWork) -> Result<Vec<Node>, ClusterError> {
        let mut nodes = self.driver(cluster).await?.nodes(&at_work.runs).await?;
        for node in &mut nodes {
            if at_work.nodes.contains(&node.hostname) {
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
    use crate::domain::inventory::{DeviceConfig, DeviceInfo, DeviceType};
    use crate::domain::kubernetes::KubernetesAccess;

    /// No cluster has a kubeconfig here.
    #[derive(Debug)]
    struct Unset;

    #[async_trait]
    impl Kubeconfigs for Unset {
        async fn kubeconfig(&self, _cluster: Uuid) -> Result<Option<Secret>, ClusterError> {
            Ok(None)
        }
    }

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
        Node { hostname: hostname.to_owned(), status: "Ready".to_owned(), devices, usage: None, requests: None, system: None }
    }

    #[derive(Debug)]
    struct Fixed(Vec<Node>);

    #[async_trait]
    impl Driver for Fixed {
        async fn nodes(&self, _runs: &BTreeSet<String>) -> Result<Vec<Node>, ClusterError> {
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
        let clusters = Clusters::new(Arc::new(Fixed(nodes)), Arc::new(Unset));
        let at_work = RunsAtWork { nodes: BTreeSet::from(["a".to_owned()]), ..RunsAtWork::default() };
        let seen = clusters.nodes(&cluster(ClusterAccess::Local), &at_work).await.unwrap();
        assert_eq!(seen[0].devices[0].available_count, 0);
        assert_eq!(seen[1].devices[0].available_count, 2);
    }

    #[tokio::test]
    async fn without_a_kubeconfig_the_portal_must_run_in_the_cluster() {
        let clusters = Clusters::new(Arc::new(Fixed(Vec::new())), Arc::new(Unset));
        let found = clusters.reach(&cluster(ClusterAccess::Kubernetes(KubernetesAccess::default()))).await;
        assert_eq!(found, Err(ApiError::NotInCluster.into()));
    }
}
