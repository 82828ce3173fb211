//! From a run's specification to the pods that carry it out: images, devices, and which node the load comes from. Pure.

use dyno_kubernetes::objects::{EnginePod, LoadPod, Mount, Probes, VolumeSource as PodVolume};
use dyno_kubernetes::{NodeFacts, Vendor};
use jiff::Timestamp;

use super::error::KubernetesError;
use crate::domain::inventory::DeviceType;
use crate::run::execution::{EngineSpec, ExecutionSpec, VolumeSource};
use crate::run::plan::SECRET_ENV;

/// Thousandths of a core that the load has.
const LOAD_CPU: u32 = 1_000;
/// Where engines listen in their pods.
const HOST: &str = "0.0.0.0";
/// Variables by which engines on a shared machine are shown their devices. A container sees no others.
const DEVICE_CHOICES: [&str; 3] = ["CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "HABANA_VISIBLE_DEVICES"];

/// The node that the load comes from, and what is to be said of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LoadNode {
    pub hostname: String,
    pub note: Option<String>,
}

/// The chosen node; else the one with most processor to spare that is not under test; else the least busy of those under test.
pub(super) fn load_node(asked: Option<&str>, under_test: &[&str], nodes: &[NodeFacts]) -> Result<LoadNode, KubernetesError> {
    if let Some(asked) = asked {
        let found = nodes.iter().find(|node| node.hostname == asked && node.problem.is_none());
        let node = found.ok_or_else(|| KubernetesError::NoLoadNode(asked.to_owned()))?;
        return Ok(LoadNode { hostname: node.hostname.clone(), note: shared(&node.hostname, under_test) });
    }
    let free = |node: &NodeFacts| node.cpu_allocatable - node.cpu_requested;
    let usable = nodes.iter().filter(|node| node.problem.is_none() && node.taints.is_empty());
    let by_room = |a: &&NodeFacts, b: &&NodeFacts| free(a).total_cmp(&free(b)).then_with(|| b.hostname.cmp(&a.hostname));
    let (shares, apart): (Vec<_>, Vec<_>) = usable.partition(|node| under_test.contains(&node.hostname.as_str()));
    let has_room = |node: &&NodeFacts| free(node) * 1_000.0 >= f64::from(LOAD_CPU);
    let node = apart.into_iter().filter(has_room).max_by(by_room).or_else(|| shares.into_iter().max_by(by_room));
    let hostname = match node {
        Some(node) => node.hostname.clone(),
        // A node under test may have a taint that a person has chosen to pass over.
        None => (*under_test.first().ok_or(KubernetesError::NoNode)?).to_owned(),
    };
    Ok(LoadNode { note: shared(&hostname, under_test), hostname })
}

fn shared(hostname: &str, under_test: &[&str]) -> Option<String> {
    under_test
        .contains(&hostname)
        .then(|| format!("The load comes from node {hostname}, which is under test: load and engine share its processor."))
}

pub(super) fn load_pod(image: &str, node: &LoadNode, takes_files: bool) -> LoadPod {
    LoadPod {
        image: image.to_owned(),
        node: node.hostname.clone(),
        cpu_millis: LOAD_CPU,
        credential_env: SECRET_ENV.to_owned(),
        takes_files,
    }
}

/// The engines' pods.
pub(super) fn engine_pods(spec: &ExecutionSpec, nodes: &[NodeFacts], load: &LoadNode) -> Result<Vec<EnginePod>, KubernetesError> {
    let active_s = spec.deadline.as_second() - Timestamp::now().as_second();
    let pod = |(index, engine): (usize, &EngineSpec)| {
        let node = nodes.iter().find(|node| node.hostname == engine.node);
        let copies = spec.engines.iter().filter(|other| other.node == engine.node).count();
        let launch = &engine.launch;
        let is_own_command = launch.health.is_none();
        let image = engine.image.clone().ok_or_else(|| {
            if is_own_command { KubernetesError::NoCommandImage } else { KubernetesError::NoEngineImage(engine.title.clone()) }
        })?;
        let is_accelerated = engine.device_type.is_some_and(|kind| kind != DeviceType::Cpu);
        let fill = |argument: &String| argument.replace("{host}", HOST).replace("{port}", &super::ENGINE_PORT.to_string());
        let env = launch.env.iter().filter(|(name, _)| !(is_accelerated && DEVICE_CHOICES.contains(&name.as_str())));
        let lists = "/v1/models".to_owned();
        Ok(EnginePod {
            index,
            node: engine.node.clone(),
            image,
            argv: launch.argv.iter().map(fill).collect(),
            env: env.map(|(name, value)| (name.clone(), value.clone())).collect(),
            devices: devices(engine, node)?,
            cpu_millis: node.map(|node| cpu_millis(engine, node, copies, node.hostname == load.hostname)),
            memory_bytes: engine.memory_bytes,
            memory_limit_bytes: engine.memory_limit_bytes,
            mounts: engine
                .volumes
                .iter()
                .map(|volume| Mount {
                    source: match &volume.source {
                        VolumeSource::Node(path) => PodVolume::HostPath(path.clone()),
                        VolumeSource::Claim(name) => PodVolume::Claim(name.clone()),
                    },
                    path: volume.path.clone(),
                    read_only: true,
                })
                .collect(),
            probes: Probes {
                startup: launch.health.clone().unwrap_or_else(|| lists.clone()),
                readiness: lists,
                liveness: launch.liveness.clone(),
                startup_limit_s: launch.startup_limit_s,
            },
            active_s,
        })
    };
    spec.engines.iter().enumerate().map(pod).collect()
}

/// The device plugin's resource that an engine asks for: of several kinds of the same maker, the first with as many left.
fn devices(engine: &EngineSpec, node: Option<&NodeFacts>) -> Result<Option<(String, u32)>, KubernetesError> {
    let vendor = match engine.device_type {
        None | Some(DeviceType::Cpu) => return Ok(None),
        Some(DeviceType::Cuda) => Vendor::Nvidia,
        Some(DeviceType::Rocm) => Vendor::Amd,
        Some(DeviceType::Hpu) => Vendor::Habana,
    };
    let has = node.into_iter().flat_map(|node| &node.accelerators).filter(|device| device.vendor == vendor);
    let has: Vec<_> = has.collect();
    let left = has.iter().find(|device| device.allocatable.saturating_sub(device.requested) >= engine.devices);
    let device = left.or_else(|| has.first()).ok_or_else(|| KubernetesError::NoDevices { node: engine.node.clone() })?;
    Ok(Some((device.resource.clone(), engine.devices.max(1))))
}

/// What is kept free for an engine: beside an accelerator a core each, else its part of what the node has left. Room stays for the
/// load where it comes from there.
fn cpu_millis(engine: &EngineSpec, node: &NodeFacts, copies: usize, with_load: bool) -> u32 {
    let load = if with_load { f64::from(LOAD_CPU) } else { 0.0 };
    let free = ((node.cpu_allocatable - node.cpu_requested) * 1_000.0 - load).max(0.0) / copies.max(1) as f64;
    // Not all of it: what asks for nothing and is there all the same has its part, too.
    let most = free * 0.9;
    let wanted = match engine.device_type {
        None | Some(DeviceType::Cpu) => most,
        Some(_) => (f64::from(engine.devices) * 1_000.0).min(most),
    };
    (wanted as u32).max(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(hostname: &str, free: f64) -> NodeFacts {
        NodeFacts {
            hostname: hostname.to_owned(),
            name: hostname.to_owned(),
            problem: None,
            taints: Vec::new(),
            system: String::new(),
            architecture: "amd64".to_owned(),
            instance_type: None,
            cpu_allocatable: free + 1.0,
            cpu_requested: 1.0,
            memory_allocatable: 0,
            memory_requested: 0,
            accelerators: Vec::new(),
            cpu_used: None,
            memory_used: None,
        }
    }

    #[test]
    fn the_load_comes_from_a_node_that_is_not_under_test() {
        let nodes = [node("a", 8.0), node("b", 2.0), node("c", 4.0)];
        let chosen = |asked, under_test: &[&str], nodes: &[NodeFacts]| load_node(asked, under_test, nodes).unwrap();
        assert_eq!(chosen(None, &["a"], &nodes), LoadNode { hostname: "c".to_owned(), note: None });
        assert_eq!(chosen(Some("b"), &["a"], &nodes).hostname, "b");
        let shared = chosen(None, &["a", "b", "c"], &nodes);
        assert_eq!(shared.hostname, "a", "the least busy one");
        assert!(shared.note.unwrap().contains("under test"));
        assert!(chosen(Some("a"), &["a"], &nodes).note.is_some());
        let full = [node("a", 8.0), node("b", 0.5)];
        assert_eq!(chosen(None, &["a"], &full).hostname, "a", "b has no core to spare");
        let mut away = node("c", 9.0);
        away.problem = Some("NotReady".to_owned());
        assert_eq!(chosen(None, &["a"], &[node("a", 8.0), away.clone()]).hostname, "a");
        assert!(load_node(Some("c"), &["a"], &[away]).is_err());
    }

    fn spec(device: &str, image: Option<&str>) -> ExecutionSpec {
        serde_json::from_value(serde_json::json!({
            "run_id": uuid::Uuid::nil(), "deadline": "2100-01-01T00:00:00Z",
            "plan": {
                "endpoints": [], "model": "", "workload": { "kind": "synthetic", "input_tokens": 8, "output_tokens": 4 },
                "load_points": [{ "load": { "kind": "closed", "concurrency": 3 } }],
            },
            "engines": [{
                "node": "a", "title": "vLLM", "image": image, "device_type": device, "devices": 2,
                "volumes": [{ "source": { "node": "/srv/models" }, "path": "/model" }],
                "launch": {
                    "argv": ["vllm", "serve", "--host", "{host}", "--port", "{port}"],
                    "env": { "CUDA_VISIBLE_DEVICES": "0,1", "X": "1" },
                    "model": null, "health": "/health", "liveness": "/health", "version": null, "metrics": null,
                    "tokenize": true, "ignore_eos": true, "startup_limit_s": 60,
                },
            }],
        }))
        .unwrap()
    }

    #[test]
    fn an_engine_gets_its_devices_from_the_node() {
        let load = LoadNode { hostname: "a".to_owned(), note: None };
        let mut gpu = node("a", 8.0);
        let device = |resource: &str, left: u32| dyno_kubernetes::Accelerator {
            vendor: Vendor::Nvidia,
            resource: resource.to_owned(),
            product: None,
            memory_bytes: None,
            driver: None,
            allocatable: left,
            requested: 0,
        };
        gpu.accelerators = vec![device("nvidia.com/gpu", 1), device("nvidia.com/mig-1g.10gb", 4)];
        let pods = engine_pods(&spec("cuda", Some("vllm/vllm-openai:v1")), std::slice::from_ref(&gpu), &load).unwrap();
        let pod = &pods[0];
        assert_eq!(pod.devices, Some(("nvidia.com/mig-1g.10gb".to_owned(), 2)), "the kind that has as many left");
        assert_eq!(pod.argv, ["vllm", "serve", "--host", "0.0.0.0", "--port", "8000"]);
        assert_eq!(pod.env.keys().collect::<Vec<_>>(), ["X"], "a container sees its own devices alone");
        assert_eq!((pod.cpu_millis, pod.mounts[0].read_only), (Some(2_000), true));
        let on_cpu = engine_pods(&spec("cpu", Some("i:1")), &[node("a", 8.0)], &load).unwrap();
        assert_eq!((on_cpu[0].cpu_millis, &on_cpu[0].devices), (Some(6_300), &None), "a core is left to the load");
        assert!(matches!(engine_pods(&spec("cuda", None), &[gpu], &load), Err(KubernetesError::NoEngineImage(_))));
        let none = engine_pods(&spec("cuda", Some("i:1")), &[node("a", 8.0)], &load);
        assert!(matches!(none, Err(KubernetesError::NoDevices { .. })));
    }
}
