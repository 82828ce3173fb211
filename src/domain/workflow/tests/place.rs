//! Steps 3 and 4.

use super::*;
use crate::domain::benchmark::NodeChoice;
use crate::domain::inventory::{ClusterKind, ClusterRow, DeviceType};
use crate::domain::problem::FieldError;
use crate::domain::workflow::tests::world::*;
use crate::domain::workflow::{ClusterFacts, only_cluster, only_node};

fn at_gpus() -> Wizard {
    let mut wizard = Wizard::at(2);
    wizard.good(3, json!({ "cluster_id": GPUS }));
    wizard
}

fn chosen(hostname: &str, kinds: &[DeviceType]) -> NodeChoice {
    NodeChoice { hostname: hostname.to_owned(), device_types: kinds.to_vec() }
}

#[test]
fn a_cluster_exists_and_is_reachable() {
    let mut wizard = Wizard::at(2);
    wizard.refuses(3, json!({}), (3, "cluster_id", "Choose a cluster."));
    wizard.refuses(3, json!({ "cluster_id": null }), (3, "cluster_id", "Choose a cluster."));
    wizard.refuses(3, json!({ "cluster_id": NOWHERE }), (3, "cluster_id", "There is no such cluster."));
    let warning = FieldError::at(3, "cluster_id", "Cluster silent can't be used. The cluster does not answer.");
    let advance = wizard.good(3, json!({ "cluster_id": SILENT }));
    assert_eq!((advance.warnings, advance.draft.steps.cluster_id), (vec![warning], Some(SILENT)));
    let errors = wizard.bad(3, json!({ "cluster_id": "local" }));
    assert_eq!((errors.len(), errors[0].field.as_str(), errors[0].step), (1, "cluster_id", Some(3)));
    let advance = wizard.good(3, json!({ "cluster_id": LOCAL }));
    assert_eq!(advance.draft.cluster_kind, Some(ClusterKind::Local));
    assert!(advance.warnings.is_empty());
}

#[test]
fn nodes_of_a_cluster_that_does_not_answer_are_those_that_were_last_seen() {
    let mut wizard = Wizard::at(2);
    wizard.good(3, json!({ "cluster_id": SILENT }));
    let nodes = json!({ "nodes": [{ "hostname": "gpu-09" }] });
    wizard.refuses(4, nodes.clone(), (4, "nodes", "There is no node gpu-09 in cluster silent."));
    let silent = wizard.world.clusters.iter_mut().find(|found| found.cluster.id == SILENT).unwrap();
    silent.last_seen = vec![node("gpu-09", "Ready", &[DeviceType::Cuda])];
    let advance = wizard.good(4, nodes);
    assert_eq!(advance.draft.steps.nodes, [chosen("gpu-09", &[])]);
    assert_eq!(advance.warnings.len(), 1, "{:?}", advance.warnings);
}

#[test]
fn nodes_are_found_live_and_ready() {
    let mut wizard = at_gpus();
    wizard.refuses(4, json!({}), (4, "nodes", "Choose at least one node."));
    wizard.refuses(4, json!({ "nodes": [] }), (4, "nodes", "Choose at least one node."));
    wizard.refuses(4, json!({ "nodes": null }), (4, "nodes", "Choose at least one node."));
    let unready = FieldError::at(4, "nodes", "gpu-03 is NotReady. Choose another node.");
    let advance = wizard.clone().good(4, json!({ "nodes": [{ "hostname": "gpu-01" }, { "hostname": "gpu-03" }] }));
    assert_eq!(advance.warnings, std::slice::from_ref(&unready));
    // a node's state in the body is ignored
    let advance = wizard.clone().good(4, json!({ "nodes": [{ "hostname": "gpu-03", "status": "Ready" }] }));
    assert_eq!(advance.warnings, [unready]);
    wizard.refuses(4, json!({ "nodes": [{ "hostname": "fl4u42" }] }), (4, "nodes", "There is no node fl4u42 in cluster gpus."));
    wizard.refuses(
        4,
        json!({ "nodes": [{ "hostname": "gpu-01" }, { "hostname": "gpu-01" }] }),
        (4, "nodes", "gpu-01 is chosen twice."),
    );
    assert_eq!(wizard.bad(4, json!({ "nodes": [{ "hostname": "x" }, { "hostname": "y" }] })).len(), 2);
    for wrong in [json!("gpu-01"), json!(["gpu-01"]), json!([{}]), json!([{ "hostname": 7 }]), json!([{ "hostname": " " }])] {
        let errors = wizard.bad(4, json!({ "nodes": wrong }));
        assert_eq!(errors[0].field, "nodes");
    }
    let advance = wizard.good(4, json!({ "nodes": [{ "hostname": "gpu-02" }, { "hostname": "gpu-01" }] }));
    assert_eq!(advance.draft.steps.nodes, [chosen("gpu-02", &[]), chosen("gpu-01", &[])]);
}

#[test]
fn device_types_that_are_left_select_what_serves() {
    use DeviceType::{Cpu, Cuda};
    for (devices, kinds) in [
        (json!(null), vec![]),
        (json!([]), vec![]),
        (json!([{ "type": "cpu" }, { "type": "cuda" }]), vec![]),
        (json!([{ "type": "cuda", "available_count": 99, "name": "made up" }]), vec![Cuda]),
        (json!([{ "type": "CPU" }]), vec![Cpu]),
        (json!([{ "type": "cuda" }, { "type": "tpu" }]), vec![Cuda]),
        (json!([{ "name": "no type" }]), vec![]),
    ] {
        let advance =
            at_gpus().good(4, json!({ "nodes": [{ "hostname": "gpu-01", "devices": devices, "anything": { "x": 1 } }] }));
        assert_eq!(advance.draft.steps.nodes, [chosen("gpu-01", &kinds)], "{devices}");
    }
    let missing = "gpu-01 has no device of type hpu.";
    at_gpus().refuses(4, json!({ "nodes": [{ "hostname": "gpu-01", "devices": [{ "type": "hpu" }] }] }), (4, "nodes", missing));
    let errors = at_gpus().bad(4, json!({ "nodes": [{ "hostname": "gpu-01", "devices": "cuda" }] }));
    assert_eq!(errors[0].message, "The devices of gpu-01 must be a list.");
}

#[test]
fn the_examples_node_is_taken_though_its_facts_are_others() {
    let text = include_str!("../../../../tests/fixtures/workflow/4-nodes.json");
    let mut body: serde_json::Value = serde_json::from_str(text).unwrap();
    let mut wizard = Wizard::at(3);
    body["workflow_id"] = json!(wizard.draft().id);
    let advance = wizard.raw(&body).unwrap();
    assert_eq!(advance.draft.steps.nodes, [chosen("fl4u42", &[])]);
}

#[test]
fn answered_fields_can_be_sent_back() {
    let mut wizard = at_gpus();
    let first = wizard.good(4, json!({ "nodes": [{ "hostname": "gpu-01", "devices": [{ "type": "cuda" }] }] }));
    let answered = first.draft.steps.fields()["nodes"].clone();
    let again = wizard.good(4, json!({ "nodes": answered }));
    assert!(!again.is_changed);
}

#[test]
fn the_load_may_come_from_another_node() {
    let mut wizard = at_gpus();
    let nodes = json!([{ "hostname": "gpu-01" }]);
    let advance = wizard.good(4, json!({ "nodes": nodes, "load_node": "gpu-02" }));
    assert_eq!(advance.draft.steps.load_node.as_deref(), Some("gpu-02"));
    let advance = wizard.clone().good(4, json!({ "load_node": "gpu-03" }));
    assert_eq!(advance.warnings, [FieldError::at(4, "load_node", "gpu-03 is NotReady. Choose another node.")]);
    let advance = wizard.good(4, json!({ "load_node": null }));
    assert_eq!(advance.draft.steps.load_node, None);
}

#[test]
fn steps_are_skipped_only_with_a_single_possible_answer() {
    use DeviceType::{Cpu, Cuda};
    let row = |facts: &ClusterFacts| ClusterRow {
        cluster: facts.cluster.clone(),
        reachable: facts.nodes.is_ok(),
        problem: None,
        nodes: 1,
        ready_nodes: 1,
        devices: String::new(),
    };
    let clusters: Vec<ClusterRow> = World::new().clusters.iter().map(row).collect();
    assert_eq!(only_cluster(&clusters[..1]), Some(LOCAL));
    assert_eq!(only_cluster(&clusters), None);
    assert_eq!(only_cluster(&clusters[2..]), None, "it does not answer");
    let with_catalogue = [clusters[0].clone(), clusters[3].clone()];
    assert_eq!(only_cluster(&with_catalogue), Some(LOCAL), "nothing can be measured on the other");
    assert_eq!(only_cluster(&clusters[3..]), None);
    assert_eq!(only_node(&[node("a", "Ready", &[Cpu])]), Some("a"));
    assert_eq!(only_node(&[node("a", "Ready", &[Cuda, Cuda])]), Some("a"));
    assert_eq!(only_node(&[node("a", "Ready", &[Cpu, Cuda])]), None, "what serves can be chosen");
    assert_eq!(only_node(&[node("a", "NotReady", &[Cpu])]), None);
    assert_eq!(only_node(&[node("a", "Ready", &[Cpu]), node("b", "Ready", &[Cpu])]), None);
}
