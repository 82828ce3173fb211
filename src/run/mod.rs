//! Runs: the supervisor takes each through its stages and keeps what it measured; the keeper, a process of its own, owns
//! the engine and the load.

pub mod keeper;
pub mod process;
pub mod tail;
pub mod text;
