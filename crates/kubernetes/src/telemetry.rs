//! What nodes and their devices do at this moment: the kubelet's summary by way of the API server, a metrics server, and exporters of
//! NVIDIA's data centre manager (dcgm-exporter), whose answers are handed on as they are.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::ListParams;

use crate::api_error::ApiError;
use crate::connection::{Connection, ExporterAnswers};
use crate::list::{MAX_WHOLE, NODES, PODS};
use crate::node_use::{NodeLoad, NodeUse, unix_ns};
use crate::nodes::TrimmedNode;
use crate::permissions::Rule;
use crate::pod_proxy::{PodAddress, PodError};
use crate::quantity;
use crate::words::is_object_name;

/// Where an exporter answers, unless its container names a port `metrics`.
const EXPORTER_PORT: u16 = 9400;
/// The labels that NVIDIA's operator and the exporter's own chart give it.
const EXPORTER_LABELS: [&str; 2] = ["app=nvidia-dcgm-exporter", "app.kubernetes.io/name=dcgm-exporter"];
/// Until all exporters of a cluster have answered, for a page.
const ALL: Duration = Duration::from_secs(4);
/// Exporters that are asked at once.
const AT_ONCE: usize = 16;
/// An exporter has something new every 30 s as a rule: a page that renews itself need not ask it again so soon.
const FRESH: Duration = Duration::from_secs(10);

/// A node as an object, by its hostname.
#[derive(Debug, Clone, PartialEq)]
pub struct SampledNode {
    pub hostname: String,
    pub name: String,
    /// All that it has, not what pods can be given.
    pub cores: f64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exporter {
    /// The node's name as an object.
    pub node: String,
    pub address: PodAddress,
}

/// What telemetry needs beyond the required rules, of which each source works without the others. `exporters` are the namespaces in
/// which exporters run.
pub fn optional(exporters: &[String]) -> Vec<Rule> {
    let rule = |group, resource, verb, namespace: Option<&String>, purpose| Rule {
        group,
        resource,
        verbs: vec![verb],
        namespace: namespace.cloned(),
        purpose,
    };
    let mut rules = vec![
        rule("", "nodes/proxy", "get", None, "to sample CPU and memory of nodes from the kubelet while a load runs"),
        rule("metrics.k8s.io", "nodes", "list", None, "to read CPU and memory of nodes from a metrics server"),
    ];
    rules.extend(exporters.iter().map(|namespace| {
        rule("", "pods/proxy", "get", Some(namespace), "to read use, power and energy of accelerators from the DCGM exporter")
    }));
    rules
}

impl Connection {
    /// The nodes of these hostnames.
    ///
    /// # Errors
    /// When the cluster does not answer, or nodes may not be listed.
    pub async fn sampled_nodes(&self, hostnames: &[String]) -> Result<Vec<SampledNode>, ApiError> {
        let wanted = ListParams::default().labels(&format!("kubernetes.io/hostname in ({})", hostnames.join(",")));
        let found = self.list::<TrimmedNode>(NODES, &wanted, MAX_WHOLE).await?;
        Ok(found.items.iter().filter_map(|facts| sampled_node(&facts.0)).collect())
    }

    /// What a node's kubelet says of it; nothing before its first measurement.
    ///
    /// # Errors
    /// When it does not answer, or may not be asked.
    pub async fn kubelet_summary(&self, node: &str) -> Result<Option<NodeLoad>, ApiError> {
        let path = format!("/api/v1/nodes/{node}/proxy/stats/summary?only_cpu_and_memory=true");
        let request = http::Request::get(path).body(Vec::new()).map_err(|error| ApiError::Refused(error.to_string()))?;
        Ok(self.client().request::<KubeletSummary>(request).await?.load())
    }

    /// What a metrics server says of the nodes, by their names; absent where there is none, or it may not be asked.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub async fn metrics_server(&self) -> Result<Option<Vec<(String, NodeLoad)>>, ApiError> {
        match self.node_use().await {
            Ok(all) => Ok(Some(all.iter().filter_map(NodeUse::load).collect())),
            Err(ApiError::Forbidden(_) | ApiError::Refused(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The exporters' pods that run.
    ///
    /// # Errors
    /// When the cluster does not answer, or pods may not be listed.
    pub async fn exporters(&self) -> Result<Vec<Exporter>, ApiError> {
        let mut found: Vec<Exporter> = Vec::new();
        for labels in EXPORTER_LABELS {
            let running = ListParams::default().labels(labels).fields("status.phase=Running");
            let pods = self.list::<ExporterPod>(PODS, &running, MAX_WHOLE).await?;
            for exporter in pods.items.into_iter().filter_map(|pod| pod.0) {
                if !found.iter().any(|known| known.node == exporter.node) {
                    found.push(exporter);
                }
            }
        }
        Ok(found)
    }

    /// What an exporter tells, in Prometheus' text format.
    ///
    /// # Errors
    /// When it does not answer, or may not be asked.
    pub async fn exported(&self, exporter: &Exporter) -> Result<String, PodError> {
        let request = http::Request::get("/metrics").body(Vec::new()).map_err(|_| PodError::Malformed)?;
        let answer = self.ask_pod(&exporter.address, request).await?;
        if answer.status() != 200 {
            return Err(PodError::Unreachable(format!("it answers with status {}", answer.status().as_u16())));
        }
        Ok(String::from_utf8_lossy(answer.body()).into_owned())
    }

    /// What all exporters tell, for a page: of those that answer soon, and not asked again within seconds. Nothing where there are none.
    pub async fn exporter_answers(&self) -> ExporterAnswers {
        let mut kept = self.kept_answers().lock().await;
        if let Some((_, answers)) = kept.as_ref().filter(|(asked, _)| asked.elapsed() < FRESH) {
            return Arc::clone(answers);
        }
        let mut answers = Vec::new();
        let asked = async {
            let exporters = self.exporters().await.unwrap_or_default();
            let ask = |exporter: Exporter| async move { (exporter.node.clone(), self.exported(&exporter).await) };
            let mut asked = futures::stream::iter(exporters.into_iter().map(ask)).buffer_unordered(AT_ONCE);
            while let Some((node, answer)) = asked.next().await {
                answers.extend(answer.ok().map(|text| (node, text)));
            }
        };
        // Those that answered in time are shown.
        let _ = tokio::time::timeout(ALL, asked).await;
        let answers = Arc::new(answers);
        *kept = Some((Instant::now(), Arc::clone(&answers)));
        answers
    }
}

fn sampled_node(node: &Node) -> Option<SampledNode> {
    let name = node.metadata.name.clone()?;
    let hostname = node.metadata.labels.as_ref().and_then(|labels| labels.get("kubernetes.io/hostname"));
    let cores = quantity::value(&node.status.as_ref()?.capacity.as_ref()?.get("cpu")?.0)?;
    Some(SampledNode { hostname: hostname.unwrap_or(&name).clone(), name, cores })
}

#[derive(serde::Deserialize)]
#[serde(from = "Pod")]
struct ExporterPod(Option<Exporter>);

impl From<Pod> for ExporterPod {
    fn from(pod: Pod) -> Self {
        Self(exporter(&pod))
    }
}

fn exporter(pod: &Pod) -> Option<Exporter> {
    let spec = pod.spec.as_ref()?;
    let ports = spec.containers.iter().flat_map(|container| container.ports.iter().flatten());
    let named = ports.filter(|port| port.name.as_deref() == Some("metrics")).map(|port| port.container_port).next();
    let name = |name: &Option<String>| name.clone().filter(|name| is_object_name(name));
    Some(Exporter {
        node: name(&spec.node_name)?,
        address: PodAddress {
            namespace: name(&pod.metadata.namespace)?,
            pod: name(&pod.metadata.name)?,
            port: named.and_then(|port| u16::try_from(port).ok()).unwrap_or(EXPORTER_PORT),
        },
    })
}

/// The part of a kubelet's summary that is read.
#[derive(Debug, serde::Deserialize)]
struct KubeletSummary {
    node: NodeSummary,
}

#[derive(Debug, serde::Deserialize)]
struct NodeSummary {
    cpu: Option<CpuSummary>,
    memory: Option<MemorySummary>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct CpuSummary {
    time: Time,
    usage_nano_cores: Option<f64>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct MemorySummary {
    time: Time,
    working_set_bytes: Option<f64>,
}

impl KubeletSummary {
    fn load(&self) -> Option<NodeLoad> {
        let cpu = self.node.cpu.as_ref();
        let memory = self.node.memory.as_ref();
        let time = cpu.map(|cpu| &cpu.time).or(memory.map(|memory| &memory.time))?;
        let load = NodeLoad {
            at_unix_ns: unix_ns(time),
            cores: cpu.and_then(|cpu| cpu.usage_nano_cores).map(|cores| cores / 1e9),
            memory_bytes: memory.and_then(|memory| memory.working_set_bytes),
        };
        (load.cores.is_some() || load.memory_bytes.is_some()).then_some(load)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_kubelets_summary_is_read_with_its_own_time() {
        let summary: KubeletSummary = serde_json::from_value(json!({
            "node": {
                "nodeName": "node-1", "startTime": "2026-01-01T00:00:00Z",
                "cpu": { "time": "2026-01-02T03:04:05Z", "usageNanoCores": 1_500_000_000, "usageCoreNanoSeconds": 9_000_000_000_u64 },
                "memory": { "time": "2026-01-02T03:04:05Z", "availableBytes": 5, "workingSetBytes": 1_073_741_824, "rssBytes": 3 },
            },
            "pods": [],
        }))
        .unwrap();
        let load = summary.load().unwrap();
        assert_eq!((load.cores, load.memory_bytes), (Some(1.5), Some(1_073_741_824.0)));
        assert_eq!(load.at_unix_ns, 1_767_323_045_000_000_000);
        // the first answer after a kubelet's start
        let empty: KubeletSummary =
            serde_json::from_value(json!({ "node": { "nodeName": "n", "cpu": { "time": "2026-01-02T03:04:05Z" } } })).unwrap();
        assert_eq!(empty.load(), None);
    }

    #[test]
    fn an_exporter_is_asked_at_the_port_that_it_names() {
        let pod = |ports: serde_json::Value| -> Pod {
            serde_json::from_value(json!({
                "metadata": { "name": "dcgm-x", "namespace": "gpu-operator" },
                "spec": { "nodeName": "node-1", "containers": [{ "name": "c", "ports": ports }] },
            }))
            .unwrap()
        };
        assert_eq!(exporter(&pod(json!([]))).unwrap().address.port, 9400);
        let named = exporter(&pod(json!([{ "containerPort": 1 }, { "name": "metrics", "containerPort": 9500 }]))).unwrap();
        assert_eq!((named.node.as_str(), named.address.port), ("node-1", 9500));
        assert_eq!(exporter(&Pod::default()), None, "one that is not on a node yet");
    }

    #[test]
    fn each_namespace_with_an_exporter_has_a_rule() {
        let rules = optional(&["gpu-operator".to_owned()]);
        assert_eq!(rules.len(), 3);
        assert!(rules[2].to_string().starts_with("get pods/proxy in gpu-operator, to read use"), "{}", rules[2]);
    }
}
