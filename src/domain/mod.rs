//! Pure types and rules, shared by server and browser. No I/O, clock or randomness: all input comes as arguments.

pub mod benchmark;
pub mod dataset;
pub mod engine;
pub mod event;
pub mod form;
pub mod inventory;
pub mod kubernetes;
pub mod layouts;
pub mod list;
pub mod live;
pub mod live_status;
pub mod node_filter;
pub mod occupancy;
pub mod path;
pub mod predictions;
pub mod price;
pub mod problem;
pub mod provider;
pub mod run;
pub mod text;
pub mod try_it;
pub mod user;
pub mod workflow;
