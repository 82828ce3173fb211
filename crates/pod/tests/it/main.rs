//! `dyno pod` as a process, asked over loopback as the portal asks it through a proxy: with connections that break, loads that
//! are ended in every way, and files that arrive in pieces.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on has failed")]

mod endings;
mod files;
mod guarded;
mod load;
mod relay;
mod spool;
mod started;
mod workers;
