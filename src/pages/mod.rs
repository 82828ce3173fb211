//! A file per page, a file per wizard step.

pub mod accept_link;
pub mod clusters;
pub mod credentials;
pub mod datasets;
pub mod drafts;
pub mod history;
pub mod lists;
pub mod live;
pub mod loaded;
pub mod models;
pub mod not_found;
pub mod predictions;
pub mod report;
pub mod run_actions;
pub mod settings;
pub mod sign_in;
pub mod try_it;
pub mod wizard;
