//! The portal's process: the router with its layers, headers, the log, start and stop.

mod bodies;
mod charts;
mod connections;
mod files;
#[cfg(test)]
mod full_disk;
mod headers;
mod host;
mod live;
mod load_figures;
mod log;
mod metrics;
mod part_heads;
mod refused_functions;
mod router;
mod run_figures;
mod start;
mod style;

pub use crate::state::{HubArgs, ServeArgs};
pub use router::{PageRoutes, router};
pub use start::{Portal, StartError, migrate, serve};
