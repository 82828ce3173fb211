//! Pure types and rules, shared by server and browser. Nothing here does I/O, asks the clock or draws randomness:
//! whatever is needed comes in as an argument.

pub mod benchmark;
pub mod dataset;
pub mod engine;
pub mod event;
pub mod form;
pub mod inventory;
pub mod layouts;
pub mod list;
pub mod live;
pub mod live_status;
pub mod occupancy;
pub mod path;
pub mod predictions;
pub mod problem;
pub mod provider;
pub mod run;
pub mod text;
pub mod try_it;
pub mod user;
pub mod workflow;
