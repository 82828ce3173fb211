//! Dyno: benchmarks of LLM inference on your own cluster. This file is the map of the house; what is in each room is
//! said at the top of its `mod.rs`.
#![recursion_limit = "256"]

pub mod domain;
