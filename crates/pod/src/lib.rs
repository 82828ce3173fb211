//! What runs in the pods of a run: `dyno pod load` puts the load on and hands out what it wrote until somebody has it all,
//! `dyno pod worker` carries out a part of that load where it comes from several pods, `dyno pod files` brings models and datasets to a volume. `client` is the other side of both.

pub mod client;
mod command;
mod connection_permits;
mod files;
mod load;
pub mod protocol;
mod self_check;
mod serve;
mod serving;
mod token;
mod worker;

pub use command::{PodArgs, PodCommand, main};
pub use files::fetch::{FetchError, FetchFunction};
pub use token::{Token, TokenError};
