//! A file per page, a file per wizard step.

pub mod accept_link;
pub mod not_found;
pub mod sign_in;
pub mod wizard;
