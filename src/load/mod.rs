//! The load generator: plan in, requests out, records and a report back. `dyno load` runs it as a process of its own.

pub mod address;
pub mod event;
pub mod plan;
pub mod record;
pub mod report;
pub mod stats;
pub mod stream;
