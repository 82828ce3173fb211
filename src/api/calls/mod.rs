//! The one implementation of every operation: `App`, who acts, what is asked; answers a domain type or a `Problem`.
//! Nothing here knows of HTTP.

pub mod benchmarks;
mod lookup;
mod start;
pub mod workflows;
