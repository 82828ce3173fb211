//! The ways in. `calls` has the one implementation of every operation; `rest` (axum handlers) and `functions` (Leptos
//! server functions) are thin over it, so that browser, scripts and CI are treated alike.

pub mod calls;
pub mod functions;
mod problem;
pub mod rest;
