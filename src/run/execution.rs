//! What is to be carried out on a cluster, and its events meanwhile. Both are kept and read again by later
//! versions of Dyno, so that they carry the version of their schema; unknown fields are passed over.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::inventory::DeviceType;
use crate::domain::run::{StageId, StageStatus};
use crate::engine::Launch;
use dyno_measure::events::LogLevel;
use dyno_measure::plan::Plan;
use dyno_measure::report::provenance::{EngineFacts, Provenance};

/// The schema that this program writes. Documents of 0.1.0 name none and have this one.
pub const SCHEMA_VERSION: u32 = 1;

/// What a cluster is asked to carry out: engines, load, deadline. No secret is in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExecutionSpec {
    /// See [`SCHEMA_VERSION`].
    #[serde(default = "first_schema")]
    pub schema_version: u32,
    pub run_id: Uuid,
    /// In the order of the plan's endpoints; none for a cloud model.
    pub engines: Vec<EngineSpec>,
    /// The load. Where engines are started, addresses and model name are filled in once they are known.
    pub plan: Plan,
    /// One request that shows whether the model answers, where nothing is started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<Plan>,
    /// The environment variable through which the load gets the secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_env: Option<String>,
    /// The node that the load comes from; absent: the node under test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_node: Option<String>,
    /// Over how many processes the load is split: the plan's workers, pods where the cluster has any.
    #[serde(default = "one")]
    pub load_pods: u32,
    /// CPU of each load pod, thousandths of a core, where the cluster has pods; absent: [`crate::domain::benchmark::LOAD_CPU_MILLICORES`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_cpu_millicores: Option<u32>,
    /// When everything ends at the latest, also without the portal.
    pub deadline: Timestamp,
    /// Between asking a process to end and killing it, seconds.
    #[serde(default = "ten")]
    pub grace_s: u64,
    /// What produced the figures, as far as it is known before the start.
    #[serde(default, skip_serializing_if = "Provenance::is_empty")]
    pub provenance: Provenance,
}

/// One copy of the model behind an engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineSpec {
    /// The node that it serves on.
    pub node: String,
    /// Name and version for people: `llama.cpp xllamacpp 2026.10`.
    pub title: String,
    /// `{host}` and `{port}` in it are filled in where it is started.
    pub launch: Launch,
    /// The container image that was asked for, on clusters that run containers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Files that its container sees, on such clusters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<EngineVolume>,
    /// Absent in specifications from before this was written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_type: Option<DeviceType>,
    /// How many devices it has; of a processor, one.
    #[serde(default)]
    pub devices: u32,
    /// Host memory that it is expected to use, bytes; absent where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Most host memory that its container may use, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_limit_bytes: Option<u64>,
}

/// Files that an engine's container sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineVolume {
    pub source: EngineVolumeSource,
    /// Where the container sees them.
    pub path: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineVolumeSource {
    /// A folder of each node.
    Node(String),
    /// A volume claim of the cluster's.
    Claim(String),
}

/// What happened while a run was carried out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    Stage {
        stage: StageId,
        status: StageStatus,
        /// What the stage did, or why it failed.
        message: Option<String>,
    },
    /// A line for a stage's log.
    Log { stage: StageId, level: LogLevel, line: String },
    /// An engine is ready.
    Engine(EngineFacts),
    /// Nothing follows, and nothing is left running.
    End {
        outcome: ExecutionOutcome,
        /// Why, for any outcome other than done.
        reason: Option<String>,
    },
}

/// How the carrying out of a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExecutionOutcome {
    /// The plan was carried out.
    Done,
    /// Something went wrong; what was measured is kept.
    Failed,
    /// Ended by a person.
    Cancelled,
}

/// The version of documents that name none.
pub(super) fn first_schema() -> u32 {
    1
}

fn one() -> u32 {
    1
}

fn ten() -> u64 {
    10
}
