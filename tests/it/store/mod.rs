//! The store's contract. Every database that stands behind `Store` has to keep it.

mod device_specifications;
mod drafts;
mod history;
mod inventory;
mod kept;
mod names;
mod prices;
mod profiles;
mod runs;
pub mod samples;
mod schema;
mod sessions;
