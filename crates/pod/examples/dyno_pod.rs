//! The part of the program that runs in pods, for the tests of this crate.

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
    /// Serve a run's load or files
    Pod(dyno_pod::PodArgs),
}

fn main() -> ExitCode {
    // Fails only where there is a provider already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match Cli::parse().command {
        Command::Load(args) => dyno_load::main(*args),
        Command::Engine(args) => dyno_reference::main(*args),
        Command::Pod(args) => dyno_pod::main(args, None),
    }
}
