//! The command by itself: `cargo run --release --features cli --example simulate -- --help`

use std::process::ExitCode;

use clap::Parser;
use dyno_simulate::command::{SimulateArgs, main as simulate};

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: SimulateArgs,
}

fn main() -> ExitCode {
    simulate(&Cli::parse().args)
}
