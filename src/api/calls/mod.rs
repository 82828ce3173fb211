//! The one implementation of every operation: `App`, who acts, what is asked; answers a domain type or a `Problem`.
//! Nothing here knows of HTTP.

pub mod account;
pub mod benchmarks;
mod lookup;
mod start;
pub mod tokens;
pub mod users;
pub mod workflows;
