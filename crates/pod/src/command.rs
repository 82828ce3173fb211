//! The command line: `dyno pod load`, `dyno pod worker`, `dyno pod files`, as a run's pods are started.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::files::fetch::FetchFunction;
use crate::files::{self, FilesPodArgs};
use crate::load::{self, LoadPodArgs};
use crate::self_check::{self, SelfCheckArgs};
use crate::serving::PodCommandError;
use crate::worker::{self, WorkerPodArgs};

#[derive(Debug, Clone, Args)]
pub struct PodArgs {
    #[command(subcommand)]
    pub command: PodCommand,
}

#[derive(Debug, Clone, Subcommand)]
pub enum PodCommand {
    /// Put a run's load on once its engines are known, and hand out what was measured
    Load(LoadPodArgs),
    /// Carry out the part of a load that the run's load pod hands over
    Worker(WorkerPodArgs),
    /// Bring files to a volume, and check those that are there
    Files(FilesPodArgs),
    /// Check the client against the reference engine, and print the check
    SelfCheck(SelfCheckArgs),
}

/// Runs the command. What fetches from the hub is the caller's; without it, such requests are refused.
pub fn main(args: PodArgs, fetch: Option<FetchFunction>) -> ExitCode {
    match args.command {
        PodCommand::Load(args) => in_runtime(load::main(args)),
        PodCommand::Worker(args) => in_runtime(worker::main(args)),
        PodCommand::Files(args) => in_runtime(files::main(args, fetch)),
        PodCommand::SelfCheck(args) => self_check::main(args),
    }
}

/// On one thread: a load pod has one processor, and that is the load's.
fn in_runtime(role: impl Future<Output = Result<ExitCode, PodCommandError>>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("The runtime can't be started: {error}.")),
    };
    let ended = runtime.block_on(role);
    // What still reads a file is not waited for.
    runtime.shutdown_background();
    ended.unwrap_or_else(|error| failed(&error.to_string()))
}

fn failed(message: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "dyno: {message}");
    ExitCode::from(2)
}
