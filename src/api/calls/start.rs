//! A run to be queued, from a frozen benchmark.

use jiff::Timestamp;
use uuid::Uuid;

use crate::cluster::devices_in_words;
use crate::domain::benchmark::{Benchmark, BenchmarkSpec, NodeChoice};
use crate::domain::inventory::{DeviceType, Node};
use crate::domain::run::{Run, Stage, StageId};
use crate::domain::user::Actor;
use crate::domain::workflow::sentence::load_words;
use crate::domain::workflow::{ClusterFacts, Facts};
use crate::store::NewRun;
use dyno_measure::run::{RunKind, RunStatus};

/// A queued run with its stages, and what the history shows beside it.
pub fn new_run(benchmark: &Benchmark, kind: RunKind, owner: Uuid, actor: &Actor, facts: &Facts, now: Timestamp) -> NewRun {
    let spec = &benchmark.spec;
    let stages = StageId::of_run(kind, spec.model.is_cloud()).iter().map(|&stage| Stage::pending(stage)).collect();
    NewRun {
        run: Run {
            id: Uuid::now_v7(),
            benchmark_id: benchmark.id,
            owner,
            kind,
            status: RunStatus::Queued,
            reason: None,
            queue_position: None,
            created_at: now,
            started_at: None,
            ended_at: None,
            stages,
        },
        creator: actor.name.clone(),
        // A simulation takes no node from anybody.
        nodes: if kind == RunKind::Simulated { Vec::new() } else { nodes(spec) },
        devices: devices(spec, facts),
        load: load_words(&spec.load, &spec.datasets),
    }
}

/// The nodes that the run needs for itself: where it serves, and where its load comes from.
fn nodes(spec: &BenchmarkSpec) -> Vec<String> {
    let mut names: Vec<&str> = spec.nodes.iter().map(|node| node.hostname.as_str()).chain(spec.load_node.as_deref()).collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(|hostname| format!("{}/{hostname}", spec.cluster_id)).collect()
}

/// The devices that serve, in words; none for a cloud model.
fn devices(spec: &BenchmarkSpec, facts: &Facts) -> String {
    let live = facts.cluster.as_ref().map(ClusterFacts::inventory).unwrap_or_default();
    if spec.model.is_cloud() {
        return String::new();
    }
    let serving: Vec<Node> = spec.nodes.iter().filter_map(|choice| serving_part(choice, live)).collect();
    devices_in_words(&serving)
}

/// A node with those of its devices that serve: the chosen ones, else accelerators before CPU.
fn serving_part(choice: &NodeChoice, live: &[Node]) -> Option<Node> {
    let mut node = live.iter().find(|node| node.hostname == choice.hostname)?.clone();
    let has_accelerator = node.devices.iter().any(|device| device.kind != DeviceType::Cpu);
    node.devices.retain(|device| match choice.device_types.as_slice() {
        [] => !has_accelerator || device.kind != DeviceType::Cpu,
        chosen => chosen.contains(&device.kind),
    });
    Some(node)
}
