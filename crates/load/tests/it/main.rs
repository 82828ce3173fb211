//! `dyno load` against servers that speak scripted bytes: what it measures, how each fault is named, what is left when it
//! is stopped or killed.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on has failed")]

mod access;
mod answers;
mod around;
mod ends;
mod faults;
mod kept;
mod measures;
mod program;
mod scripted;
mod search;
mod secrets;
mod self_check;
mod shapes;
mod streams;
mod tls;
mod workers;
mod workloads;
