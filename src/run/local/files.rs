//! Names of the files in a run's folder, beside those that the plan names.

pub(super) use crate::run::plan::{REPORT_FILE as REPORT, REQUESTS_FILE as REQUESTS, VERIFY_REPORT_FILE as VERIFY_REPORT};

/// The execution's specification, as the keeper reads it.
pub const SPEC: &str = "keeper.json";
/// The keeper's journal.
pub const JOURNAL: &str = "keeper.ndjson";
/// Locked by the keeper while it lives.
pub const LOCK: &str = "keeper.lock";
/// What the keeper and its guards print: nothing, as a rule.
pub const KEEPER_LOG: &str = "keeper.log";
/// Its presence asks the keeper to end the run.
pub const CANCEL: &str = "cancel";
/// The load's plan, as it was carried out.
pub const PLAN: &str = "plan.json";
/// The load's events.
pub const SPOOL: &str = "load.ndjson";
/// What the load prints.
pub const LOAD_LOG: &str = "load.log";
/// What 0.1.0 knew of a run's provenance before the start; today it is part of the specification.
pub const PROVENANCE: &str = "provenance.json";
/// The plan of the one request that shows whether a cloud model answers.
pub const VERIFY_PLAN: &str = "verify.json";
/// The events of that load.
pub const VERIFY_SPOOL: &str = "verify.ndjson";

/// What this machine and its devices did while the load went on, a JSON object a line.
pub const TELEMETRY: &str = "telemetry.ndjson";

/// What an engine prints.
pub fn engine_log(index: usize) -> String {
    format!("engine-{index}.log")
}
