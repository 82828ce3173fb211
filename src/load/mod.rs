//! The load generator: plan in, requests out, records and a report back. `dyno load` runs it as a process of its own.

pub mod address;
pub mod aside;
pub mod client;
pub mod command;
pub mod conduct;
pub mod engine_metrics;
pub mod event;
pub mod fetch;
mod given;
mod limits;
pub mod plan;
mod points;
mod prepare;
pub mod progress;
pub mod record;
pub mod repeat;
pub mod report;
pub mod search;
mod searches;
pub mod self_check;
pub mod spool;
pub mod stats;
pub mod stream;
pub mod table;
pub mod tokens;
pub mod workload;

pub use command::{LoadArgs, main};
