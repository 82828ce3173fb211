//! The contract of `POST /api/v1/benchmarks/run-workflow`: the specification's examples as they stand, over HTTP.

mod bodies;
mod device_specifications;
mod drafts;
mod examples;
mod layouts;
mod learning;
mod load_form;
mod load_pods;
mod long_queries;
mod names;
mod pages;
mod problems;
mod search_bounds;
mod simulation;
mod tabs;
mod world;

use world::example;
