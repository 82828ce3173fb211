//! Pure types and rules, shared by server and browser. Nothing here does I/O, asks the clock or draws randomness:
//! whatever is needed comes in as an argument.

pub mod benchmark;
pub mod bounds;
pub mod dataset;
pub mod engine_metrics;
pub mod event;
pub mod form;
pub mod hex;
pub mod inventory;
pub mod lengths;
pub mod list;
pub mod live;
pub mod metrics;
pub mod occupancy;
pub mod path;
pub mod problem;
pub mod provider;
pub mod repeat;
pub mod report;
pub mod run;
pub mod slo;
pub mod sweep;
pub mod trust;
pub mod try_it;
pub mod user;
pub mod workflow;
