//! Runs: the supervisor has each taken through its stages and keeps what it measured. What carries engine and load out is
//! chosen by the run's cluster and lies behind one interface (`executor`).

mod claims;
pub mod cost;
pub mod demand;
mod event_mapper;
mod execution;
mod executor;
mod executors;
mod kept_records;
mod kubernetes;
pub mod learning;
mod limits;
mod local;
mod outcome;
mod plan;
mod prepare;
mod provenance;
mod run_executor;
mod simulation;
mod supervisor;
mod tally;
pub mod text;

pub use local::keeper;
pub use supervisor::Supervisor;

use uuid::Uuid;

use self::executor::ExecutorError;
use self::executors::Executors;
use crate::domain::engine::EngineAvailability;
use crate::domain::inventory::Cluster;
use crate::state::AppState;

/// Which engines a cluster can start, and how to get the others.
pub(crate) async fn engines(app: &AppState, cluster: &Cluster) -> Result<Vec<EngineAvailability>, ExecutorError> {
    Executors::new(app).of(cluster)?.engines().await
}

/// Removes what is kept beside the store of a run that is over.
pub(crate) async fn remove(app: &AppState, cluster: &Cluster, run: Uuid) -> Result<(), ExecutorError> {
    Executors::new(app).of(cluster)?.remove(run).await
}
