//! `dyno load` and `dyno engine` without the portal, for this crate's tests and for whoever needs only these two commands.

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
    // Fails only when a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match Cli::parse().command {
        Command::Load(args) => dyno_load::main(*args),
        Command::Engine(args) => dyno_reference::main(*args),
    }
}
