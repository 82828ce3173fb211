//! Runs: the supervisor takes each through its stages and keeps what it measured. What carries engine and load out lies
//! behind one interface (`launch`); on the portal's own machine that is the keeper, a process that outlives the portal.

mod finish;
mod follow;
pub mod keeper;
mod launch;
mod local;
mod plan;
mod prepare;
pub mod process;
mod provenance;
mod supervisor;
pub mod tail;
pub mod text;
mod transfer;
mod walk;

use std::path::{Path, PathBuf};

use uuid::Uuid;

pub use supervisor::Supervisor;

/// The folder with a run's files: plan, logs, records.
pub fn folder_of(data_dir: &Path, run: Uuid) -> PathBuf {
    data_dir.join("runs").join(run.to_string())
}
