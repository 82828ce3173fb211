//! The simulator at its seams.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod calibrate;
mod common;
mod engine;
mod layout;
mod model;
mod monotonicity;
mod planned;
#[cfg(feature = "cli")]
mod points;
mod profile;
