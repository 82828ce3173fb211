//! Demands of loads, and whether models fit.

use serde_json::{Value, json};

use super::*;
use crate::domain::engine::EngineKind;
use crate::domain::inventory::{DeviceType, ModelFormat, NodeRequests, NodeUsage};
use crate::engine::devices::tests::device;
use crate::engine::recipe;

fn load(more: Value) -> LoadSpec {
    let mut load =
        json!({ "concurrent_requests": 8, "eval_with": "configuration", "max_input_tokens": 100, "max_output_tokens": 28 });
    load.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(load).unwrap()
}

fn demand(more: Value) -> Demand {
    Demand::of(&load(more), false, None)
}

#[test]
fn the_largest_load_counts() {
    assert_eq!(demand(json!({})), Demand { request_tokens: 128, is_exact: true, in_flight: 8 });
    assert_eq!(demand(json!({ "load_points": [{ "concurrency": 4 }, { "concurrency": 65 }] })).in_flight, 65);
    let slo = json!({ "percentile": 99, "ttft_ms": 500, "search": { "min": 1, "max": 64 } });
    assert_eq!(demand(json!({ "slo": slo })).in_flight, 64);
    let rate = json!({ "kind": "rate", "rate": 2, "process": "constant" });
    assert_eq!(demand(json!({ "slo": slo, "arrival": rate })).in_flight, 8, "at a rate the cap counts");
}

#[test]
fn a_datasets_longest_row_counts() {
    let rows = Demand::of(&load(json!({ "eval_with": "dataset" })), false, Some(900));
    assert_eq!((rows.request_tokens, rows.is_exact), (900, false));
    assert_eq!(demand(json!({ "endpoint": "embeddings" })).request_tokens, 100, "an embedding has no output");
}

/// 2 × 2 bytes × 10 layers × 8 heads × 128 = 40,960 bytes a token.
fn facts(format: ModelFormat) -> ModelFacts {
    serde_json::from_value(json!({
        "format": format, "architecture": "llama", "parameters": 1_000, "weight_bytes": 1_000_000_000, "layers": 10,
        "context_length": 4_096, "hidden_size": 1_024, "heads": 8, "kv_heads": 8, "head_dim": 128, "vocabulary": 1_000,
        "precision": "BF16", "chat_template": true, "sha256": null,
    }))
    .unwrap()
}

fn node(free: u64) -> Node {
    let usage = NodeUsage { cpu_percent: 0.0, load_1m: None, memory_total_bytes: 2 * free, memory_available_bytes: free };
    let devices = vec![device(DeviceType::Cpu, "cpu", 2 * free)];
    Node { hostname: "n".to_owned(), status: "Ready".to_owned(), devices, usage: Some(usage), requests: None, system: None }
}

fn fit(kind: EngineKind, format: ModelFormat, node: &Node, demand: Demand) -> Result<Layout, FitError> {
    layout(FitInput {
        recipe: recipe(kind),
        facts: Some(&facts(format)),
        nodes: std::slice::from_ref(node),
        choices: &[NodeChoice { hostname: "n".to_owned(), device_types: vec![] }],
        serving: &Serving::default(),
        demand,
    })
}

#[test]
fn only_an_engine_that_reserves_all_slots_needs_memory_for_all_requests_at_once() {
    // 64 requests of 1,000 tokens: 64 × 1,064 × 40,960 bytes are 2.8 GB, one of them is 44 MB.
    let demand = Demand { request_tokens: 1_000, is_exact: true, in_flight: 64 };
    let small = node(2_000_000_000);
    let paged = fit(EngineKind::Vllm, ModelFormat::HuggingFace, &small, demand).unwrap();
    assert_eq!(paged.shortfall(), None);
    assert_eq!(paged.memory[0].sentence(), "The model needs about 1.34 GB; n has 2.00 GB free.");
    let reserved = fit(EngineKind::LlamaCpp, ModelFormat::Gguf, &small, demand).unwrap();
    let refused = reserved.shortfall().unwrap().to_string();
    assert_eq!(refused, "The model needs 4.09 GB (weights 1.00 GB, context 2.79 GB, reserve 300 MB); n has 2.00 GB.");
}

#[test]
fn unservable_layouts_are_errors_regardless_of_memory() {
    let demand = Demand { request_tokens: 5_000, is_exact: true, in_flight: 1 };
    let node = node(100_000_000_000);
    let refused = fit(EngineKind::Vllm, ModelFormat::HuggingFace, &node, demand).unwrap_err();
    assert_eq!(refused.to_string(), "Input and output together are 5,000 tokens; the model's context has 4,096.");
    let estimated = Demand { is_exact: false, ..demand };
    assert_eq!(fit(EngineKind::Vllm, ModelFormat::HuggingFace, &node, estimated).unwrap().shape.context, 4_096);
    assert_eq!(fit(EngineKind::Vllm, ModelFormat::Gguf, &node, demand).unwrap_err(), FitError::Format("vLLM"));
}

#[test]
fn devices_are_compared_copy_by_copy() {
    let mut gpus = node(100_000_000_000);
    gpus.devices = vec![device(DeviceType::Cuda, "gpu", 24_000_000_000), device(DeviceType::Cuda, "gpu", 1_500_000_000)];
    let two = Serving { replicas: Some(2), ..Serving::default() };
    let found = layout(FitInput {
        recipe: recipe(EngineKind::Vllm),
        facts: Some(&facts(ModelFormat::HuggingFace)),
        nodes: &[gpus],
        choices: &[NodeChoice { hostname: "n".to_owned(), device_types: vec![] }],
        serving: &two,
        demand: Demand { request_tokens: 100, is_exact: true, in_flight: 65 },
    })
    .unwrap();
    assert_eq!((found.copies.len(), found.shape.in_flight), (2, 33));
    assert_eq!((found.memory[0].available, found.memory[0].copies), (1_500_000_000, 1), "the smaller device decides");
    assert!(found.shortfall().is_some());
}

#[test]
fn memory_that_other_pods_have_requested_is_not_free_whatever_is_in_use() {
    let demand = Demand { request_tokens: 100, is_exact: true, in_flight: 1 };
    let mut requested = node(100_000_000_000);
    let requests = NodeRequests {
        cpu_allocatable: 8.0,
        cpu_requested: 1.0,
        memory_allocatable_bytes: 8_000_000_000,
        memory_requested_bytes: 7_000_000_000,
        memory_requested_by_runs_bytes: 0,
    };
    requested.requests = Some(requests.clone());
    let of = |node: &Node| fit(EngineKind::Vllm, ModelFormat::HuggingFace, node, demand).unwrap();
    assert_eq!(of(&requested).memory[0].available, 1_000_000_000);
    assert!(of(&requested).shortfall().is_some());
    requested.usage = None;
    assert!(of(&requested).shortfall().is_some(), "also where nothing tells of use");
    requested.requests = Some(NodeRequests { memory_requested_by_runs_bytes: 6_000_000_000, ..requests });
    assert_eq!(of(&requested).memory[0].available, 7_000_000_000, "a run of the portal's own ends before the next begins");
    assert_eq!(of(&requested).shortfall(), None);
}

#[test]
fn a_device_that_one_pod_is_given_alone_is_empty_whatever_its_neighbours_hold() {
    let demand = Demand { request_tokens: 100, is_exact: true, in_flight: 1 };
    let mut gpus = node(100_000_000_000);
    let mut gpu = device(DeviceType::Cuda, "gpu", 24_000_000_000);
    gpu.device_info.num_devices = Some(2);
    gpu.device_info.memory_used_bytes = Some(23_500_000_000);
    let mut of = |gpu: &crate::domain::inventory::Device| {
        gpus.devices = vec![gpu.clone()];
        fit(EngineKind::Vllm, ModelFormat::HuggingFace, &gpus, demand).unwrap().memory[0].available
    };
    assert_eq!(of(&gpu), 500_000_000, "a process on this machine shares the GPU");
    gpu.device_info.num_requested = Some(1);
    assert_eq!(of(&gpu), 24_000_000_000);
    gpu.device_info.is_shared = true;
    assert_eq!(of(&gpu), 500_000_000, "pods share it");
}
