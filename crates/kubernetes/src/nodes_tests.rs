//! Nodes and pods as clusters show them, and what is read of them.

use super::*;
use serde_json::json;

fn node() -> Node {
    serde_json::from_value(json!({
        "metadata": {"name": "ip-10-0-0-1", "labels": {
            "kubernetes.io/hostname": "gpu-a", "node.kubernetes.io/instance-type": "p5.48xlarge",
            "nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3", "nvidia.com/gpu.memory": "81559",
            "nvidia.com/cuda.driver.major": "550", "nvidia.com/cuda.driver.minor": "54", "nvidia.com/cuda.driver.rev": "15",
            "nvidia.com/mig-1g.10gb.product": "NVIDIA-H100-80GB-HBM3-MIG-1g.10gb", "nvidia.com/mig-1g.10gb.memory": "9856",
        }},
        "spec": {"taints": [
            {"key": "nvidia.com/gpu", "effect": "NoSchedule"}, {"key": "amd.com/gpu", "effect": "NoExecute"},
            {"key": "nvidia.com/mig-1g.10gb", "effect": "NoSchedule"}, {"key": "team", "value": "x", "effect": "NoSchedule"},
            {"key": "soft", "effect": "PreferNoSchedule"},
        ]},
        "status": {
            "allocatable": {"cpu": "191450m", "memory": "2Ti", "nvidia.com/gpu": "7", "nvidia.com/mig-1g.10gb": "4", "pods": "110"},
            "conditions": [{"type": "Ready", "status": "True"}, {"type": "MemoryPressure", "status": "False"}],
            "nodeInfo": {"architecture": "amd64", "bootID": "", "containerRuntimeVersion": "", "kernelVersion": "6.8.0",
                "kubeProxyVersion": "", "kubeletVersion": "v1.33.1", "machineID": "", "operatingSystem": "linux",
                "osImage": "Ubuntu 24.04", "systemUUID": ""},
        },
    }))
    .unwrap()
}

fn pod(phase: &str) -> Pod {
    serde_json::from_value(json!({
        "spec": {
            "nodeName": "ip-10-0-0-1",
            "containers": [
                {"name": "a", "resources": {"limits": {"nvidia.com/gpu": "2", "cpu": "4"}, "requests": {"cpu": "1500m"}}},
                {"name": "b", "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}}},
            ],
            "initContainers": [
                {"name": "copy", "resources": {"requests": {"cpu": "3", "memory": "10Mi"}}},
                {"name": "sidecar", "restartPolicy": "Always", "resources": {"requests": {"memory": "1Gi"}}},
            ],
            "overhead": {"cpu": "250m"},
        },
        "status": {"phase": phase},
    }))
    .unwrap()
}

#[test]
fn a_node_is_read_with_its_devices_and_what_is_taken() {
    let used: NodeUse =
        serde_json::from_value(json!({"metadata": {"name": "ip-10-0-0-1"}, "usage": {"cpu": "2500000000n", "memory": "4Gi"}}))
            .unwrap();
    let found = facts(&[node()], &[pod("Running").into(), pod("Succeeded").into()], &[used]);
    let found = &found[0];
    assert_eq!((found.hostname.as_str(), found.name.as_str(), &found.problem), ("gpu-a", "ip-10-0-0-1", &None));
    assert_eq!(found.taints, ["nvidia.com/mig-1g.10gb:NoSchedule", "team=x:NoSchedule"], "those that no pod of a run tolerates");
    assert!((found.cpu_allocatable - 191.45).abs() < 1e-9);
    assert!((found.cpu_requested - 3.25).abs() < 1e-9, "the init container asks for most");
    assert_eq!(found.memory_requested, 2 << 30, "with the sidecar");
    assert_eq!((found.cpu_used, found.memory_used), (Some(2.5), Some(4 << 30)));
    assert!(found.requested_by_run.is_empty());
    let [gpu, mig] = found.accelerators.as_slice() else { panic!("{:?}", found.accelerators) };
    assert_eq!((gpu.allocatable, gpu.requested, gpu.memory_bytes), (7, 2, Some(81_559 << 20)));
    assert_eq!((gpu.product.as_deref(), gpu.driver.as_deref()), (Some("NVIDIA H100 80GB HBM3"), Some("550.54.15")));
    assert_eq!((mig.resource.as_str(), mig.memory_bytes, mig.requested), ("nvidia.com/mig-1g.10gb", Some(9856 << 20), 0));
}

#[test]
fn what_pods_of_a_run_hold_is_told_apart() {
    let mut own = pod("Running");
    own.metadata.labels =
        Some([(MANAGED_BY.0, MANAGED_BY.1), (RUN_LABEL, "r")].map(|(key, value)| (key.to_owned(), value.to_owned())).into());
    let mut claims_to_be = pod("Running");
    claims_to_be.metadata.labels = Some([(RUN_LABEL.to_owned(), "r".to_owned())].into());
    let found = facts(&[node()], &[own.into(), claims_to_be.into()], &[]);
    let runs = |id: &str| BTreeSet::from([id.to_owned()]);
    assert_eq!(found[0].accelerators[0].requested, 4);
    assert!((found[0].requested_by(&runs("r"), "nvidia.com/gpu") - 2.0).abs() < 1e-9);
    assert_eq!(found[0].requested_by(&runs("r"), "memory") as u64, 2 << 30);
    assert!(found[0].requested_by(&runs("other"), "nvidia.com/gpu").abs() < 1e-9);
}

#[test]
fn pods_share_a_device_where_its_label_says_so() {
    let with = |strategy: &str| {
        let mut node = node();
        let labels = node.metadata.labels.get_or_insert_default();
        labels.insert("nvidia.com/gpu.sharing-strategy".to_owned(), strategy.to_owned());
        facts(&[node], &[], &[])[0].accelerators.iter().map(|own| own.is_shared).collect::<Vec<_>>()
    };
    assert_eq!(with("none"), [false, false]);
    assert_eq!(with("time-slicing"), [true, false]);
}

#[test]
fn without_the_makers_labels_a_discovered_device_id_names_the_device() {
    let mut node = node();
    let labels = node.metadata.labels.get_or_insert_default();
    labels.insert("feature.node.kubernetes.io/pci-0302_10de_2330.present".to_owned(), "true".to_owned());
    labels.insert("feature.node.kubernetes.io/cpu-model.vendor_id".to_owned(), "Intel".to_owned());
    let named = facts(std::slice::from_ref(&node), &[], &[]);
    assert_eq!(named[0].processor.as_deref(), Some("Intel"));
    let labels = node.metadata.labels.get_or_insert_default();
    labels.retain(|name, _| !name.starts_with("nvidia.com/"));
    let found = facts(&[node], &[], &[]);
    let products: Vec<_> = found[0].accelerators.iter().map(|own| own.product.as_deref()).collect();
    assert_eq!(products, [Some("NVIDIA H100 80GB HBM3"), None], "a slice stays unknown");
    assert_eq!(found[0].accelerators[0].memory_bytes, None);
}

#[test]
fn why_a_node_takes_nothing_is_said() {
    let changed = |pointer: &str, value: serde_json::Value| {
        let mut whole = serde_json::to_value(node()).unwrap();
        *whole.pointer_mut(pointer).unwrap() = value;
        problem(&serde_json::from_value(whole).unwrap())
    };
    assert_eq!(changed("/status/conditions/0/status", json!("False")).as_deref(), Some("NotReady"));
    assert_eq!(
        changed("/status/conditions/0/status", json!("Unknown")).as_deref(),
        Some("NotReady: the kubelet does not report")
    );
    assert_eq!(changed("/status/conditions/1/status", json!("True")).as_deref(), Some("MemoryPressure"));
    assert_eq!(changed("/spec", json!({"unschedulable": true})).as_deref(), Some("Cordoned"));
    let all = json!([
        {"type": "Ready", "status": "Unknown"}, {"type": "MemoryPressure", "status": "True"},
        {"type": "DiskPressure", "status": "True"},
    ]);
    let mut whole = serde_json::to_value(node()).unwrap();
    *whole.pointer_mut("/status/conditions").unwrap() = all;
    *whole.pointer_mut("/spec").unwrap() = json!({"unschedulable": true});
    assert_eq!(
        problem(&serde_json::from_value(whole).unwrap()).as_deref(),
        Some("NotReady: the kubelet does not report, Cordoned, MemoryPressure, DiskPressure"),
        "each of them, not the first alone"
    );
    assert_eq!(problem(&node()), None);
}

#[test]
fn amd_and_gaudi_are_read() {
    let node: Node = serde_json::from_value(json!({
        "metadata": {"name": "n", "labels": {"amd.com/gpu.vram": "192G", "amd.com/gpu.product-name": "AMD_Instinct_MI300X_OAM"}},
        "status": {"allocatable": {"amd.com/gpu": "8", "habana.ai/gaudi": "8", "example.com/fpga": "1"}},
    }))
    .unwrap();
    let found = facts(&[node], &[], &[]);
    assert_eq!(found[0].problem.as_deref(), Some("NotReady: the kubelet does not report"));
    let [amd, gaudi] = found[0].accelerators.as_slice() else { panic!("{:?}", found[0].accelerators) };
    assert_eq!((amd.vendor, amd.memory_bytes, amd.allocatable), (Vendor::Amd, Some(192 << 30), 8));
    assert_eq!(amd.product.as_deref(), Some("AMD Instinct MI300X OAM"));
    assert_eq!((gaudi.vendor, &gaudi.product), (Vendor::Habana, &None));
}

#[test]
fn what_kubernetes_would_not_say_is_not_shown() {
    let hostile = "a\r\u{202e}b\u{1b}[2J";
    let mut told = serde_json::to_value(node()).unwrap();
    told["metadata"]["labels"]["kubernetes.io/hostname"] = json!(hostile);
    told["metadata"]["labels"]["node.kubernetes.io/instance-type"] = json!("x".repeat(5_000));
    told["metadata"]["labels"]["nvidia.com/gpu.product"] = json!(hostile);
    told["spec"]["taints"][3] = json!({"key": hostile, "value": hostile, "effect": "NoSchedule"});
    told["status"]["nodeInfo"]["osImage"] = json!(format!("{hostile}{}", "x".repeat(5_000)));
    told["status"]["allocatable"][format!("nvidia.com/mig-{hostile}")] = json!("1");
    told["status"]["conditions"][0] = json!({"type": "Ready", "status": "False", "message": hostile});
    let read = |told: &serde_json::Value| serde_json::from_value::<TrimmedNode>(told.clone()).unwrap().0;
    let found = facts(&[read(&told)], &[], &[]);
    let shown = format!("{found:?}");
    assert!(!shown.contains(r"\u{") && !shown.contains(r"\r") && shown.len() < 3_000, "{shown}");
    assert_eq!((found[0].hostname.as_str(), &found[0].instance_type), ("ip-10-0-0-1", &None));
    assert_eq!(found[0].problem.as_deref(), Some("NotReady: a b[2J"));
    assert_eq!(found[0].accelerators.len(), 2, "{shown}");
    for name in [hostile.to_owned(), "x".repeat(5_000), String::new()] {
        told["metadata"]["name"] = json!(name);
        assert!(facts(&[read(&told)], &[], &[]).is_empty(), "{name:?}");
    }
}
