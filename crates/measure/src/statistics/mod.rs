//! Computes figures from records by the definitions of docs/METRICS.md. Pure: times come from the records.

pub mod bounds;
pub mod clusters;
pub mod concurrency;
pub mod consistency;
pub mod histogram;
pub mod percentile;
pub mod series;
pub mod steady;
pub mod summary;
