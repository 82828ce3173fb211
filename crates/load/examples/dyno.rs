//! `dyno load` and `dyno engine` without the portal: the tests of this crate start it, and so can anybody who needs no
//! more of the program than that.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "dyno")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Put load on an inference server
    Load(Box<dyno_load::LoadArgs>),
    /// Serve the reference engine
    Engine(Box<dyno_reference::EngineArgs>),
}

fn main() -> ExitCode {
    // Fails only where there is a provider already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match Cli::parse().command {
        Command::Load(args) => dyno_load::main(*args),
        Command::Engine(args) => dyno_reference::main(*args),
    }
}
