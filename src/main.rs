//! The program. One binary for all roles: the portal, the process that keeps a run's engine and load, the load generator, the
//! simulator, the reference engine.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand};
use dyno::models::template_check;
use dyno::run::keeper::KeeperArgs;
use dyno::server::{HubArgs, ServeArgs, StartError};
use dyno_load::LoadArgs;
use dyno_pod::PodArgs;
use dyno_reference::EngineArgs;
use dyno_simulate::command::SimulateArgs;
use tracing_subscriber::EnvFilter;

/// Dyno measures LLM inference engines under load, on your own cluster.
#[derive(Parser)]
#[command(name = "dyno", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the portal: pages, HTTP API, runs
    ///
    /// The log's detail is set by RUST_LOG (info when absent). DYNO_SECRET_KEY is the key of stored secrets, 32 bytes as base64 or
    /// hex; without it a key file (mode 0600) in the data folder is used. Options go before environment variables, these before
    /// Leptos.toml.
    Serve(ServeArgs),
    /// Put load on an inference server, by a plan or by flags, and report what was measured
    Load(Box<LoadArgs>),
    /// Serve the reference engine: answers in the OpenAI API's form, at exactly known times
    Engine(EngineArgs),
    /// Predict latency, throughput and memory, without an engine
    Simulate(Box<SimulateArgs>),
    /// Bring the database's schema up to date without serving; copies it before
    Migrate(ServeArgs),
    /// Own a run's engine and load; started by the portal
    #[command(hide = true)]
    Keeper(KeeperArgs),
    /// Check a chat template; started by the portal
    #[command(hide = true, name = template_check::COMMAND)]
    CheckTemplate,
    /// Serve a run's load or files in a pod; started by the portal
    #[command(hide = true)]
    Pod(PodRole),
}

/// A pod's role, with what it needs to fetch models. The portal sets the variables in the pods that it starts.
#[derive(Args)]
struct PodRole {
    #[command(flatten)]
    hub: HubArgs,
    #[arg(long, env = "DYNO_SYSTEM_PROXY", value_parser = FalseyValueParser::new())]
    system_proxy: bool,
    #[command(flatten)]
    role: PodArgs,
}

fn main() -> ExitCode {
    // One TLS provider for everything in the process; it fails only if there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match Cli::parse().command {
        Command::Serve(args) => in_runtime(args.log_format.clone().as_deref(), dyno::server::serve(args)),
        Command::Migrate(args) => in_runtime(args.log_format.clone().as_deref(), dyno::server::migrate(args)),
        Command::Load(args) => dyno_load::main(*args),
        Command::Engine(args) => dyno_reference::main(args),
        Command::Simulate(args) => dyno_simulate::command::main(&args),
        Command::Keeper(args) => dyno::run::keeper::main(args),
        Command::CheckTemplate => template_check::main(),
        Command::Pod(pod) => {
            let fetch = dyno::models::pod_fetch(pod.hub.settings(), pod.system_proxy);
            dyno_pod::main(pod.role, Some(fetch))
        }
    }
}

/// The portal's own roles, with log and runtime.
fn in_runtime(log_format: Option<&str>, role: impl Future<Output = Result<(), StartError>>) -> ExitCode {
    start_log(log_format);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("can't start the runtime: {error}")),
    };
    let done = runtime.block_on(role);
    // What still runs on worker threads (a hash, a slow disk) is not waited for.
    runtime.shutdown_background();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error.to_string()),
    }
}

/// The log goes to standard error; what people are to read, to standard output.
fn start_log(format: Option<&str>) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // It logs answers that it does not understand as they are; whoever is at a cluster's address may put a secret in them.
    let filter = match "kube_client::client=error".parse() {
        Ok(quiet) => filter.add_directive(quiet),
        Err(_) => filter,
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if format == Some("json") {
        builder.json().init();
    } else {
        // Colours are for terminals: a log file is to be read and searched as text.
        builder.with_target(false).with_ansi(std::io::stderr().is_terminal()).init();
    }
}

fn failed(message: &str) -> ExitCode {
    // A terminal that is gone changes nothing.
    let _ = writeln!(std::io::stderr(), "dyno: {message}");
    ExitCode::FAILURE
}
