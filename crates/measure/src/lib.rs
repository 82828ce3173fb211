//! What the load generator, the portal, its pages and the simulator have in common: which load is asked for, when its
//! requests are sent, what was recorded of each, and the figures that follow. Pure: no I/O, no clock, no threads; compiles to
//! WASM.

pub mod address;
pub mod address_policy;
pub mod arrivals;
pub mod dataset;
pub mod early_stop;
pub mod engine_metrics;
pub mod events;
pub mod limits;
pub mod live_figures;
pub mod load;
pub mod metrics;
pub mod plan;
pub mod records;
pub mod repeat;
pub mod report;
pub mod run;
pub mod search;
pub mod sidecar;
pub mod statistics;
pub mod sweep;
pub mod validity;
pub mod words;
