//! `dyno load` against servers that speak scripted bytes: what it measures, how each fault is named, what is left when it
//! is stopped or killed.

mod around;
mod ends;
mod faults;
mod kept;
mod known_answers;
mod measures;
mod scripted;
mod search;
mod self_check;
mod shapes;
mod streams;
mod workloads;
