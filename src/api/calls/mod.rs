//! The one implementation of every operation: `AppState`, who acts, what is asked; answers a domain type or a `Problem`.
//! Nothing here knows of HTTP.

pub mod account;
pub mod benchmarks;
pub mod calibrate;
pub mod clusters;
pub mod credentials;
pub mod datasets;
pub mod device_specifications;
pub mod engines;
pub mod expectation;
pub mod layouts;
mod listing;
pub(super) mod lookup;
pub mod models;
pub mod occupancy;
pub mod prices;
pub mod runs;
mod seed;
mod start;
pub mod tokens;
pub mod try_it;
pub mod users;
pub mod workflows;

use jiff::Timestamp;
use uuid::Uuid;

use crate::domain::user::{Actor, Role};

pub use seed::seed;

/// Who does the portal's own work, which no person asked for.
fn portal_itself() -> Actor {
    Actor { id: Uuid::nil(), name: "dyno".to_owned(), role: Role::Administrator }
}

/// The time as it is kept, in whole milliseconds: what a creation answers is then what is found later.
fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}
