//! The load generator: executes a plan, records each request and makes the report. `dyno load` runs it as a process of its own.

mod access_arguments;
pub mod client;
pub mod command;
mod consent;
mod dataset_argument;
mod duration_estimate;
pub mod engine_metrics;
mod event_sink;
pub mod execute;
pub mod fetch;
mod limits;
mod load_point_runner;
mod measurement;
mod option_arguments;
mod phase_driver;
mod prepare;
mod printable;
pub mod progress;
pub mod records;
pub mod repeat;
pub mod report;
pub mod resolve;
pub mod self_check;
pub mod sidecar;
pub mod spool;
pub mod stream;
pub mod table;
mod terminal;
pub mod tokens;
pub mod workers;
pub mod workload;

pub use command::{LoadArgs, main};
