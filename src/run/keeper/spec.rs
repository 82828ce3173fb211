//! What a keeper is told: `keeper.json` in the run's folder. No secret is in it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::inventory::DeviceType;
use crate::engine::Launch;
use dyno_measure::plan::Plan;

/// Names of the files in a run's folder.
pub mod files {
    /// What the keeper is told.
    pub const SPEC: &str = "keeper.json";
    /// What the keeper tells.
    pub const JOURNAL: &str = "keeper.ndjson";
    /// Locked by the keeper while it lives.
    pub const LOCK: &str = "keeper.lock";
    /// What the keeper and its guards print: nothing, as a rule.
    pub const KEEPER_LOG: &str = "keeper.log";
    /// Its presence asks the keeper to end the run.
    pub const CANCEL: &str = "cancel";
    /// The load's plan, as it was carried out.
    pub const PLAN: &str = "plan.json";
    /// What the load tells.
    pub const SPOOL: &str = "load.ndjson";
    /// What the load prints.
    pub const LOAD_LOG: &str = "load.log";
    /// Request records.
    pub const REQUESTS: &str = "requests.ndjson";
    /// The report as the load wrote it.
    pub const REPORT: &str = "report.json";
    /// The plan of the one request that shows whether a cloud model answers.
    pub const VERIFY_PLAN: &str = "verify.json";
    /// What that load tells.
    pub const VERIFY_SPOOL: &str = "verify.ndjson";
    /// What it measured.
    pub const VERIFY_REPORT: &str = "verify-report.json";

    /// What an engine prints.
    pub fn engine_log(index: usize) -> String {
        format!("engine-{index}.log")
    }
}

/// What a keeper is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeeperSpec {
    /// The run.
    pub run_id: Uuid,
    /// The engines to start, in the order of the plan's endpoints; none for a cloud model.
    pub engines: Vec<EngineSpec>,
    /// The load. Where engines are started, addresses and model name are filled in once they are known.
    pub plan: Plan,
    /// One request that shows whether the model answers, where nothing is started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<Plan>,
    /// The environment variable through which the load gets the secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_env: Option<String>,
    /// When everything ends at the latest.
    pub deadline: Timestamp,
    /// Time between asking a process to end and killing it, seconds.
    #[serde(default = "ten")]
    pub grace_s: u64,
}

/// One engine process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineSpec {
    /// The node it stands for.
    pub node: String,
    /// Name and version for people: `llama.cpp xllamacpp 2026.10`.
    pub title: String,
    /// How it is started and known.
    pub launch: Launch,
    /// The kind of its devices; absent in orders of before this was written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_type: Option<DeviceType>,
    /// How many devices it has; of a processor, one.
    #[serde(default)]
    pub devices: u32,
}

fn ten() -> u64 {
    10
}
