//! Nodes and their devices, as Node and Pod objects and the usual labels tell of them.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join3;
use k8s_openapi::api::core::v1::{Container, Node, NodeCondition, Pod, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::api::ListParams;

use crate::api_error::ApiError;
use crate::connection::Connection;
use crate::discovery;
use crate::list::{MAX_ITEMS, MAX_WHOLE, NODES, PODS};
use crate::node_use::NodeUse;
use crate::objects::{DEVICE_TAINTS, MANAGED_BY, RUN_LABEL};
use crate::quantity;
use crate::vendor::Vendor;
use crate::words::{is_key, is_label_value, is_object_name, shortened};

type NodeLabels = BTreeMap<String, String>;

/// Accelerators of one kind on a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accelerator {
    pub vendor: Vendor,
    /// The resource that pods ask for, such as `nvidia.com/gpu`.
    pub resource: String,
    /// What its label calls it; absent where nothing labels the node.
    pub product: Option<String>,
    /// Bytes of one device, or of one slice of it.
    pub memory_bytes: Option<u64>,
    pub driver: Option<String>,
    /// How many pods can be given.
    pub allocatable: u32,
    /// How many of these pods have asked for.
    pub requested: u32,
    /// Whether several pods are given the same device (time slicing, MPS).
    pub is_shared: bool,
}

/// A node as it was when it was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ClusterNode {
    /// The value of its label `kubernetes.io/hostname`, else its name.
    pub hostname: String,
    /// Its name as an object.
    pub name: String,
    /// Why it takes no benchmark, in words; absent where it does.
    pub problem: Option<String>,
    /// Taints that a pod must tolerate, as `key=value:effect`. Those that devices have for themselves are left out.
    pub taints: Vec<String>,
    /// Operating system, kernel and kubelet, in words.
    pub system: String,
    /// `amd64`, `arm64`.
    pub architecture: String,
    /// Maker, family and model of its processors, where node feature discovery tells.
    pub processor: Option<String>,
    /// The provider's name for the machine type.
    pub instance_type: Option<String>,
    /// Cores that pods can be given.
    pub cpu_allocatable: f64,
    /// Cores that pods have asked for.
    pub cpu_requested: f64,
    /// Bytes that pods can be given.
    pub memory_allocatable: u64,
    /// Bytes that pods have asked for.
    pub memory_requested: u64,
    pub accelerators: Vec<Accelerator>,
    /// What the pods of Dyno's runs have asked for, by run id and resource; it is part of what was requested.
    pub requested_by_run: BTreeMap<String, BTreeMap<String, f64>>,
    /// Cores at work, where a metrics server tells.
    pub cpu_used: Option<f64>,
    /// Bytes in use, where a metrics server tells.
    pub memory_used: Option<u64>,
}

impl ClusterNode {
    /// How much of a resource the pods of these runs have asked for.
    pub fn requested_by(&self, runs: &BTreeSet<String>, resource: &str) -> f64 {
        let of_runs = self.requested_by_run.iter().filter(|(run, _)| runs.contains(*run));
        of_runs.filter_map(|(_, requested)| requested.get(resource)).sum()
    }
}

/// A node without what is not read of it: images, volumes and who set which field are most of its size. Its texts are fit to be
/// shown, whoever answers: names, labels and resources that Kubernetes would not have are left out, others shortened.
#[derive(Debug, serde::Deserialize)]
#[serde(from = "Node")]
pub(crate) struct TrimmedNode(pub(crate) Node);

impl From<Node> for TrimmedNode {
    fn from(mut node: Node) -> Self {
        /// Most entries of a list or map that are kept.
        const MOST: usize = 1_000;
        node.metadata.managed_fields = None;
        node.metadata.annotations = None;
        node.metadata.name = node.metadata.name.filter(|name| is_object_name(name));
        if let Some(labels) = &mut node.metadata.labels {
            let mut kept = 0..MOST;
            labels.retain(|key, value| is_key(key) && is_label_value(value) && kept.next().is_some());
        }
        if let Some(taints) = node.spec.as_mut().and_then(|spec| spec.taints.as_mut()) {
            taints.truncate(MOST);
            for taint in taints {
                (taint.key, taint.effect) = (shortened(&taint.key), shortened(&taint.effect));
                taint.value = taint.value.as_deref().map(shortened);
            }
        }
        if let Some(status) = &mut node.status {
            (status.images, status.volumes_attached, status.volumes_in_use) = (None, None, None);
            let conditions = status.conditions.get_or_insert_default();
            conditions.truncate(MOST);
            for condition in conditions {
                condition.message = condition.message.as_deref().map(shortened);
            }
            if let Some(resources) = &mut status.allocatable {
                resources.retain(|resource, _| is_key(resource));
            }
            if let Some(info) = &mut status.node_info {
                for text in [&mut info.os_image, &mut info.kernel_version, &mut info.kubelet_version, &mut info.architecture] {
                    *text = shortened(text);
                }
            }
        }
        Self(node)
    }
}

/// What a pod takes of its node.
#[derive(Debug, serde::Deserialize)]
#[serde(from = "Pod")]
pub(crate) struct PodRequests {
    /// Absent where it is on none, or has ended.
    node: Option<String>,
    /// The run that it was made for, where Dyno made it.
    run: Option<String>,
    asked: BTreeMap<String, f64>,
}

impl From<Pod> for PodRequests {
    fn from(pod: Pod) -> Self {
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        let ended = phase.is_some_and(|phase| matches!(phase, "Succeeded" | "Failed"));
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).filter(|_| !ended);
        Self { node, run: run_of(&pod).map(str::to_owned), asked: asked_for(&pod) }
    }
}

impl Connection {
    /// The cluster's nodes as they are now: what they have, what pods have asked for, and how busy they are where a metrics
    /// server tells.
    ///
    /// # Errors
    /// When it does not answer, or nodes and pods may not be listed.
    pub async fn nodes(&self) -> Result<Vec<ClusterNode>, ApiError> {
        let every = ListParams::default();
        let nodes = self.list::<TrimmedNode>(NODES, &every, MAX_WHOLE);
        // What has ended holds nothing any more.
        let running = ListParams::default().fields("status.phase!=Succeeded,status.phase!=Failed");
        let pods = self.list::<PodRequests>(PODS, &running, MAX_ITEMS);
        // There need not be a metrics server.
        let usage = async { Ok(self.node_use().await.unwrap_or_default()) };
        let (nodes, pods, usage) = try_join3(nodes, pods, usage).await?;
        let nodes: Vec<Node> = nodes.items.into_iter().map(|facts| facts.0).collect();
        Ok(facts(&nodes, &pods.items, &usage))
    }
}

/// The nodes by name, with what the pods on them have asked for; one without a name can't be used for anything.
fn facts(nodes: &[Node], pods: &[PodRequests], usage: &[NodeUse]) -> Vec<ClusterNode> {
    let mut requested: BTreeMap<&str, Requested> = BTreeMap::new();
    for pod in pods {
        let Some(node) = pod.node.as_deref() else { continue };
        let of_node = requested.entry(node).or_default();
        for (resource, amount) in &pod.asked {
            if let Some(run) = &pod.run {
                *of_node.by_run.entry(run.clone()).or_default().entry(resource.clone()).or_default() += amount;
            }
            *of_node.all.entry(resource.clone()).or_default() += amount;
        }
    }
    let none = Requested::default();
    let mut found: Vec<ClusterNode> = nodes
        .iter()
        .filter_map(|node| {
            let name = node.metadata.name.as_deref()?;
            let used = usage.iter().find(|used| used.node() == name);
            Some(one(node, name, requested.get(name).unwrap_or(&none), used))
        })
        .collect();
    found.sort_by(|a, b| a.hostname.cmp(&b.hostname));
    found
}

/// What the pods on a node have asked for, by resource.
#[derive(Debug, Default)]
struct Requested {
    all: BTreeMap<String, f64>,
    /// Of these, what the pods of each of Dyno's runs have asked for.
    by_run: BTreeMap<String, BTreeMap<String, f64>>,
}

/// The run that a pod was made for, where Dyno made it.
fn run_of(pod: &Pod) -> Option<&str> {
    let labels = pod.metadata.labels.as_ref()?;
    let is_managed = labels.get(MANAGED_BY.0).is_some_and(|by| by == MANAGED_BY.1);
    labels.get(RUN_LABEL).filter(|_| is_managed).map(String::as_str)
}

fn one(node: &Node, name: &str, requested: &Requested, used: Option<&NodeUse>) -> ClusterNode {
    let none = NodeLabels::new();
    let labels = node.metadata.labels.as_ref().unwrap_or(&none);
    let allocatable = |resource: &str| {
        let all = node.status.as_ref().and_then(|status| status.allocatable.as_ref());
        all.and_then(|all| all.get(resource)).and_then(|amount| quantity::value(&amount.0)).unwrap_or_default()
    };
    let asked = |resource: &str| requested.all.get(resource).copied().unwrap_or_default();
    let info = node.status.as_ref().and_then(|status| status.node_info.as_ref());
    let usage = |resource: &str| used.and_then(|used| used.amount(resource));
    ClusterNode {
        hostname: labels
            .get("kubernetes.io/hostname")
            .filter(|name| !name.is_empty())
            .cloned()
            .unwrap_or_else(|| name.to_owned()),
        name: name.to_owned(),
        problem: problem(node),
        taints: taints(node),
        system: info
            .map(|info| format!("{}, kernel {}, kubelet {}", info.os_image, info.kernel_version, info.kubelet_version))
            .unwrap_or_default(),
        architecture: info.map(|info| info.architecture.clone()).unwrap_or_default(),
        processor: discovery::processor(labels),
        instance_type: labels.get("node.kubernetes.io/instance-type").cloned(),
        cpu_allocatable: allocatable("cpu"),
        cpu_requested: asked("cpu"),
        memory_allocatable: allocatable("memory") as u64,
        memory_requested: asked("memory") as u64,
        accelerators: accelerators(node, labels, &requested.all),
        requested_by_run: requested.by_run.clone(),
        cpu_used: usage("cpu"),
        memory_used: usage("memory").map(|bytes| bytes as u64),
    }
}

/// Why nothing can be placed on a node: everything that is the matter with it.
pub(crate) fn problem(node: &Node) -> Option<String> {
    let problems: Vec<String> =
        not_ready(node).into_iter().chain(is_cordoned(node).then(|| "Cordoned".to_owned())).chain(pressures(node)).collect();
    (!problems.is_empty()).then(|| problems.join(", "))
}

/// Why a node is not Ready; absent where it is.
pub(crate) fn not_ready(node: &Node) -> Option<String> {
    let ready = conditions(node).iter().find(|condition| condition.type_ == "Ready");
    match ready.map(|condition| condition.status.as_str()) {
        Some("True") => None,
        Some("False") => {
            let why = ready.and_then(|condition| condition.message.as_deref()).filter(|message| !message.is_empty());
            Some(
                why.map_or_else(
                    || "NotReady".to_owned(),
                    |why| format!("NotReady: {}", why.chars().take(200).collect::<String>()),
                ),
            )
        }
        _ => Some("NotReady: the kubelet does not report".to_owned()),
    }
}

fn is_cordoned(node: &Node) -> bool {
    node.spec.as_ref().and_then(|spec| spec.unschedulable).unwrap_or(false)
}

fn pressures(node: &Node) -> impl Iterator<Item = String> {
    let known = ["MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable"];
    let is_under = move |condition: &&NodeCondition| condition.status == "True" && known.contains(&condition.type_.as_str());
    conditions(node).iter().filter(is_under).map(|condition| condition.type_.clone())
}

fn conditions(node: &Node) -> &[NodeCondition] {
    node.status.as_ref().and_then(|status| status.conditions.as_ref()).map_or(&[][..], Vec::as_slice)
}

/// Device plugins taint the nodes that have their device; a run's pods tolerate those taints, and no others.
fn taints(node: &Node) -> Vec<String> {
    let taints = node.spec.as_ref().and_then(|spec| spec.taints.as_ref()).map_or(&[][..], Vec::as_slice);
    taints
        .iter()
        .filter(|taint| {
            taint.effect != "PreferNoSchedule"
                && !DEVICE_TAINTS.contains(&taint.key.as_str())
                && !taint.key.starts_with("node.kubernetes.io/")
        })
        .map(|taint| match &taint.value {
            Some(value) => format!("{}={value}:{}", taint.key, taint.effect),
            None => format!("{}:{}", taint.key, taint.effect),
        })
        .collect()
}

fn accelerators(node: &Node, labels: &NodeLabels, requested: &BTreeMap<String, f64>) -> Vec<Accelerator> {
    let allocatable = node.status.as_ref().and_then(|status| status.allocatable.as_ref());
    let devices = allocatable.into_iter().flatten().filter_map(|(resource, Quantity(amount))| {
        let vendor = Vendor::of(resource)?;
        let count = quantity::whole(amount).filter(|count| *count > 0)?;
        let label = |name: &str| labels.get(name).filter(|value| !value.is_empty()).cloned();
        // GPU feature discovery and its node-labeller counterparts of AMD and Habana.
        let (product, memory_bytes, driver) = match vendor {
            Vendor::Nvidia => {
                let of = resource.trim_end_matches(".shared");
                let driver = label("nvidia.com/cuda.driver-version.full").or_else(|| {
                    let parts = ["nvidia.com/cuda.driver.major", "nvidia.com/cuda.driver.minor", "nvidia.com/cuda.driver.rev"];
                    let parts: Vec<String> = parts.iter().filter_map(|part| label(part)).collect();
                    (!parts.is_empty()).then(|| parts.join("."))
                });
                let mebibytes = label(&format!("{of}.memory")).and_then(|memory| memory.parse::<u64>().ok());
                (label(&format!("{of}.product")), mebibytes.map(|memory| memory << 20), driver)
            }
            Vendor::Amd => {
                let either = |name: &str| label(&format!("amd.com/{name}")).or_else(|| label(&format!("beta.amd.com/{name}")));
                let vram =
                    either("gpu.vram").and_then(|vram| quantity::whole(vram.trim_end_matches('B')).map(|bytes| (vram, bytes)));
                // `192G` there means binary gigabytes.
                let bytes =
                    vram.map(|(text, bytes)| if text.ends_with(['G', 'B']) { (bytes / 1_000_000_000) << 30 } else { bytes });
                (either("gpu.product-name"), bytes, either("gpu.driver-version"))
            }
            Vendor::Habana => (label("habana.ai/hpu_type").or_else(|| label("habana.ai/gaudi.product")), None, None),
        };
        // A slice is not told from the whole device by its PCI id.
        let discovered = if resource.contains("/mig-") { None } else { discovery::product(labels, vendor) };
        let product = product.map(|product| product.replace(['-', '_'], " ")).or_else(|| discovered.map(str::to_owned));
        Some(Accelerator {
            vendor,
            resource: resource.clone(),
            product,
            memory_bytes,
            driver,
            allocatable: u32::try_from(count).unwrap_or(u32::MAX),
            requested: requested.get(resource).map_or(0, |amount| *amount as u32),
            is_shared: vendor == Vendor::Nvidia
                && (resource.ends_with(".shared")
                    || label(&format!("{resource}.sharing-strategy")).is_some_and(|strategy| strategy != "none")),
        })
    });
    devices.collect()
}

/// What the scheduler reserves for a pod: the larger of what its containers ask for together and what one of its first
/// containers asks for alone, with the overhead of its runtime. A first container that goes on running counts as one of
/// the others.
fn asked_for(pod: &Pod) -> BTreeMap<String, f64> {
    let mut sum = BTreeMap::new();
    let Some(spec) = &pod.spec else { return sum };
    let first = spec.init_containers.as_deref().unwrap_or_default();
    let (running, passing): (Vec<&Container>, Vec<&Container>) =
        first.iter().partition(|container| container.restart_policy.as_deref() == Some("Always"));
    for container in spec.containers.iter().chain(running) {
        for (resource, amount) in requests(container.resources.as_ref()) {
            *sum.entry(resource).or_default() += amount;
        }
    }
    for container in passing {
        for (resource, amount) in requests(container.resources.as_ref()) {
            let most: &mut f64 = sum.entry(resource).or_default();
            *most = most.max(amount);
        }
    }
    for (resource, amount) in spec.overhead.iter().flatten() {
        *sum.entry(resource.clone()).or_default() += quantity::value(&amount.0).unwrap_or_default();
    }
    sum
}

/// What a container asks for; where it only has a limit, that is asked for.
fn requests(resources: Option<&ResourceRequirements>) -> BTreeMap<String, f64> {
    let both = resources.into_iter().flat_map(|resources| [&resources.limits, &resources.requests]);
    let amounts = both.flatten().flatten();
    amounts.filter_map(|(resource, amount)| Some((resource.clone(), quantity::value(&amount.0)?))).collect()
}

#[cfg(test)]
#[path = "nodes_tests.rs"]
mod tests;
