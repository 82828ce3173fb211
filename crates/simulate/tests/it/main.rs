//! The simulator at its seams.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]
#![allow(clippy::print_stdout, reason = "a test says why it was skipped")]

#[cfg(feature = "cli")]
mod accuracy;
mod calibrate;
mod common;
mod engine;
mod layout;
mod limits;
mod model;
mod monotonicity;
mod own_runs;
mod planned;
#[cfg(feature = "cli")]
mod points;
mod profile;
mod step;
