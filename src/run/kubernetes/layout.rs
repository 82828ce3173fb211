//! From a run's specification to the pods that carry it out: images, devices, processor. Pure.

use dyno_kubernetes::objects::{EnginePod, LoadPod, Mount, Probes, VolumeSource};
use dyno_kubernetes::{ClusterNode, Vendor};
use jiff::Timestamp;

use super::error::KubernetesError;
use super::placement::LoadNodes;
use crate::domain::inventory::DeviceType;
use crate::run::execution::{EngineSpec, EngineVolumeSource, ExecutionSpec};
use crate::run::plan::SECRET_ENV;

/// Where engines listen in their pods.
const HOST: &str = "0.0.0.0";
/// Variables by which engines on a shared machine are shown their devices. A container sees no others.
const DEVICE_CHOICES: [&str; 3] = ["CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "HABANA_VISIBLE_DEVICES"];

/// The image of Dyno's own pods, and the Secrets by which nodes pull it and those of engines.
#[derive(Debug, Clone, Copy)]
pub(super) struct Images<'a> {
    pub own: &'a str,
    pub pull_secrets: &'a [String],
}

/// The load pods, each on its node; the first is the owner's.
pub(super) fn load_pods(images: Images<'_>, nodes: &LoadNodes, takes_files: bool) -> impl Iterator<Item = LoadPod> {
    nodes.hostnames.iter().map(move |node| LoadPod {
        image: images.own.to_owned(),
        pull_secrets: images.pull_secrets.to_vec(),
        node: node.clone(),
        cpu_millis: nodes.cpu_millis,
        credential_env: SECRET_ENV.to_owned(),
        takes_files,
    })
}

pub(super) fn engine_pods(
    spec: &ExecutionSpec,
    nodes: &[ClusterNode],
    load: &LoadNodes,
    pull_secrets: &[String],
) -> Result<Vec<EnginePod>, KubernetesError> {
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
            pull_secrets: pull_secrets.to_vec(),
            argv: launch.argv.iter().map(fill).collect(),
            env: env.map(|(name, value)| (name.clone(), value.clone())).collect(),
            devices: devices(engine, node)?,
            cpu_millis: node.map(|node| cpu_millis(engine, node, copies, load.cpu_millis_on(&node.hostname))),
            memory_bytes: engine.memory_bytes,
            memory_limit_bytes: engine.memory_limit_bytes,
            mounts: engine
                .volumes
                .iter()
                .map(|volume| Mount {
                    source: match &volume.source {
                        EngineVolumeSource::Node(path) => VolumeSource::HostPath(path.clone()),
                        EngineVolumeSource::Claim(name) => VolumeSource::Claim(name.clone()),
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
fn devices(engine: &EngineSpec, node: Option<&ClusterNode>) -> Result<Option<(String, u32)>, KubernetesError> {
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
fn cpu_millis(engine: &EngineSpec, node: &ClusterNode, copies: usize, load_millis: u32) -> u32 {
    let free = ((node.cpu_allocatable - node.cpu_requested) * 1_000.0 - f64::from(load_millis)).max(0.0) / copies.max(1) as f64;
    // Not all of it: what asks for nothing and is there all the same has its part, too.
    let most = free * 0.9;
    let wanted = match engine.device_type {
        None | Some(DeviceType::Cpu) => most,
        Some(_) => (f64::from(engine.devices) * 1_000.0).min(most),
    };
    (wanted as u32).max(10)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::run::kubernetes) fn node(hostname: &str, free: f64) -> ClusterNode {
        ClusterNode {
            hostname: hostname.to_owned(),
            name: hostname.to_owned(),
            cpu_allocatable: free + 1.0,
            cpu_requested: 1.0,
            ..ClusterNode::default()
        }
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
        let load = LoadNodes::one("a", 1_000);
        let mut gpu = node("a", 8.0);
        let device = |resource: &str, left: u32| dyno_kubernetes::Accelerator {
            vendor: Vendor::Nvidia,
            resource: resource.to_owned(),
            product: None,
            memory_bytes: None,
            driver: None,
            allocatable: left,
            requested: 0,
            is_shared: false,
        };
        gpu.accelerators = vec![device("nvidia.com/gpu", 1), device("nvidia.com/mig-1g.10gb", 4)];
        let secrets = ["registry".to_owned()];
        let pods = engine_pods(&spec("cuda", Some("vllm/vllm-openai:v1")), std::slice::from_ref(&gpu), &load, &secrets).unwrap();
        let pod = &pods[0];
        assert_eq!(pod.devices, Some(("nvidia.com/mig-1g.10gb".to_owned(), 2)), "the kind that has as many left");
        assert_eq!(pod.argv, ["vllm", "serve", "--host", "0.0.0.0", "--port", "8000"]);
        assert_eq!(pod.env.keys().collect::<Vec<_>>(), ["X"], "a container sees its own devices alone");
        assert_eq!(
            (pod.cpu_millis, pod.mounts[0].read_only, pod.pull_secrets.as_slice()),
            (Some(2_000), true, secrets.as_slice())
        );
        let own = load_pods(Images { own: "dyno:1", pull_secrets: &secrets }, &load, false).next().unwrap();
        assert_eq!((own.image.as_str(), own.pull_secrets.as_slice()), ("dyno:1", secrets.as_slice()));
        let on_cpu = engine_pods(&spec("cpu", Some("i:1")), &[node("a", 8.0)], &load, &[]).unwrap();
        assert_eq!((on_cpu[0].cpu_millis, &on_cpu[0].devices), (Some(6_300), &None), "a core is left to the load");
        let twice = LoadNodes { hostnames: vec!["a".to_owned(); 2], ..LoadNodes::one("a", 2_000) };
        let beside_two = engine_pods(&spec("cpu", Some("i:1")), &[node("a", 8.0)], &twice, &[]).unwrap();
        assert_eq!(beside_two[0].cpu_millis, Some(3_600), "two cores are left to each load pod");
        assert!(matches!(engine_pods(&spec("cuda", None), &[gpu], &load, &[]), Err(KubernetesError::NoEngineImage(_))));
        let none = engine_pods(&spec("cuda", Some("i:1")), &[node("a", 8.0)], &load, &[]);
        assert!(matches!(none, Err(KubernetesError::NoDevices { .. })));
    }
}
