//! Integration tests, one binary. Each module mirrors a part of the program; `support` starts a portal for them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on has failed")]

mod contract;
mod inventory;
mod report;
mod run;
mod server;
mod store;
mod support;
