//! Runs: the supervisor has each taken through its stages and keeps what it measured. What carries engine and load out is
//! chosen by the run's cluster and lies behind one interface (`executor`).

mod claims;
pub mod demand;
mod event_mapper;
mod execution;
mod executor;
mod local;
mod outcome;
mod plan;
mod prepare;
mod provenance;
mod run_executor;
mod supervisor;
pub mod text;

pub use local::keeper;
pub use supervisor::Supervisor;
