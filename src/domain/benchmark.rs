//! The frozen specification that a finished workflow yields.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::dataset::Dataset;
use super::engine::EngineKind;
use super::inventory::{DeviceType, Model};
use dyno_measure::load::LoadSpec;

/// A label of a benchmark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Tag {
    /// The text, 1 to 50 characters.
    pub name: String,
    /// `#RRGGBB`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<String>,
}

/// A node that was chosen, by its identity; everything else is read live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct NodeChoice {
    /// The node's name in the cluster.
    pub hostname: String,
    /// Which kinds of its devices serve; empty means accelerators before CPU.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub device_types: Vec<DeviceType>,
}

/// How the model is served.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Serving {
    /// Which engine; absent for a cloud model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineKind>,
    /// Devices that hold one copy together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tensor_parallel: Option<u32>,
    /// Stages that a copy is cut into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipeline_parallel: Option<u32>,
    /// Copies on each node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<u32>,
    /// Arguments added to the recipe's own (for an own command: the whole command).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub engine_args: Vec<String>,
    /// Container image, where the cluster runs containers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine_image: Option<String>,
    /// Most memory that an engine's container may use, MiB, where the cluster runs containers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine_memory_limit_mib: Option<u32>,
}

/// A benchmark: what was asked for, frozen, with copies of what it was made of at that time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Benchmark {
    pub id: Uuid,
    pub owner: Uuid,
    /// The workflow that it came from.
    pub workflow_id: Option<Uuid>,
    /// When it was frozen.
    #[cfg_attr(feature = "ssr", schema(value_type = String, format = DateTime))]
    pub created_at: Timestamp,
    /// What was asked for.
    pub spec: BenchmarkSpec,
}

/// CPU of a load pod unless it is said, thousandths of a core: its event loop is one thread.
pub const LOAD_CPU_MILLICORES: u32 = 1_000;

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct BenchmarkSpec {
    /// 1 to 50 characters.
    pub name: String,
    pub tags: Vec<Tag>,
    /// Up to 2,000 characters.
    pub description: String,
    pub load: LoadSpec,
    pub cluster_id: Uuid,
    /// The cluster's name at that time.
    pub cluster_name: String,
    pub nodes: Vec<NodeChoice>,
    /// Where the load comes from; absent: the node itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_node: Option<String>,
    /// Over how many processes the load is split, pods on Kubernetes; absent: one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_pods: Option<u32>,
    /// CPU that each load pod requests and is limited to, thousandths of a core; absent: see [`LOAD_CPU_MILLICORES`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_cpu_millicores: Option<u32>,
    /// The model as it was.
    pub model: Model,
    /// How it is served.
    pub serving: Serving,
    /// What opens a cloud model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_id: Option<Uuid>,
    /// The datasets as they were.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub datasets: Vec<Dataset>,
}
