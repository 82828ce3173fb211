//! Shared by the load generator, the portal, its pages and the simulator: the requested load, its schedule, the record of each
//! request, and the figures computed from the records. Pure: no I/O, no clock, no threads; compiles to WASM.

pub mod address;
pub mod address_policy;
pub mod arrivals;
pub mod clock_offset;
pub mod dataset;
pub mod early_stop;
pub mod engine_metrics;
pub mod events;
pub mod exposition;
pub mod json_error;
pub mod limits;
pub mod live_figures;
pub mod load;
pub mod metrics;
pub mod plan;
pub mod records;
pub mod redactor;
pub mod repeat;
pub mod report;
pub mod run;
pub mod search;
pub mod sidecar;
pub mod statistics;
pub mod sweep;
pub mod telemetry;
pub mod validity;
pub mod words;
