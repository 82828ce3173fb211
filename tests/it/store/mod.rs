//! The store's contract. Every database that stands behind `Store` has to keep it.

mod drafts;
mod history;
mod inventory;
mod runs;
pub mod samples;
mod schema;
mod sessions;
