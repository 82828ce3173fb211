//! The keeper: a small process that owns a run's engine and load, so that these don't depend on the portal. It starts the
//! engine, knows when it is ready, starts the load, watches both, and ends both at the run's end, a cancel, or the deadline.
//! What it does it writes to a journal, which the portal reads, now or after a restart.
//!
//! portal ── spawns, then only reads files ──▶ keeper ──▶ guard ──▶ engine
//!                                                   └──▶ guard ──▶ load

mod child;
mod engines;
mod guard;
mod load;
mod logs;
mod ready;
mod stages;
mod started_engine;
mod stop;
mod tally;
mod telemetry;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use super::files;
use super::journal::Journal;
use crate::run::execution::{Event, ExecutionOutcome, ExecutionSpec};

/// Arguments of `dyno keeper`.
#[derive(Debug, clap::Args)]
pub struct KeeperArgs {
    /// The run's folder, with its keeper.json; the secret comes as one line on standard input.
    #[arg(long, value_name = "DIR", required_unless_present_any = ["guard", "exec"])]
    dir: Option<PathBuf>,
    /// Guard a command: end its group when standard input ends.
    #[arg(long, hide = true, conflicts_with_all = ["dir", "exec"])]
    guard: bool,
    /// Become a command that dies with its parent.
    #[arg(long, hide = true, conflicts_with = "dir")]
    exec: bool,
    /// The parent to die with.
    #[arg(long, hide = true, requires = "exec")]
    parent: Option<i32>,
    /// Seconds between SIGTERM and SIGKILL.
    #[arg(long, hide = true, default_value_t = 10)]
    grace_s: u64,
    #[arg(last = true, hide = true)]
    command: Vec<OsString>,
}

/// Why a keeper did not carry its run out; its last word, which goes to its log.
#[derive(Debug, thiserror::Error)]
enum KeeperError {
    #[error("{0}: {1}")]
    Io(&'static str, #[source] io::Error),
    #[error("another keeper has this run: {0}")]
    Locked(#[from] std::fs::TryLockError),
    #[error("this run was begun before")]
    BegunBefore,
    #[error("can't read keeper.json: {0}")]
    Specification(#[from] serde_json::Error),
    #[error("{0}")]
    Journal(String),
}

impl KeeperError {
    fn io(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Io(what, error)
    }
}

pub fn main(args: KeeperArgs) -> ExitCode {
    if args.exec {
        return guard::exec(&args.command, args.parent);
    }
    if args.guard {
        return guard::guard(&args.command, Duration::from_secs(args.grace_s));
    }
    let Some(dir) = args.dir else { return ExitCode::from(2) };
    match keep(&dir) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            use std::io::Write as _;
            let _ = writeln!(std::io::stderr(), "dyno keeper: {error}");
            ExitCode::FAILURE
        }
    }
}

fn keep(dir: &Path) -> Result<(), KeeperError> {
    // A session of its own: what ends the portal's terminal or group does not end the run.
    let _ = nix::unistd::setsid();
    let dir = std::path::absolute(dir).map_err(KeeperError::io("can't tell the folder"))?;
    let secret = read_secret().map_err(KeeperError::io("can't read standard input"))?;

    // Held as long as this process lives, which is how the portal knows that it does; and nobody starts a run's load twice.
    let lock = File::create(dir.join(files::LOCK)).map_err(KeeperError::io("can't create the lock"))?;
    lock.try_lock()?;
    let journal_path = dir.join(files::JOURNAL);
    if journal_path.exists() {
        return Err(KeeperError::BegunBefore);
    }
    let text = std::fs::read(dir.join(files::SPEC)).map_err(KeeperError::io("can't read keeper.json"))?;
    let mut journal = Journal::open(&journal_path).map_err(KeeperError::io("can't open the journal"))?;
    journal.process("keeper", std::process::id());
    let spec: ExecutionSpec = match serde_json::from_slice(&text) {
        Ok(spec) => spec,
        Err(error) => {
            let reason = Some(format!("The keeper could not read its instructions: {error}."));
            journal.emit(Event::End { outcome: ExecutionOutcome::Failed, reason });
            return Err(error.into());
        }
    };
    guard::adopt_descendants();
    // Fails only where one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(KeeperError::io("can't start the runtime"))?;
    let journal = runtime.block_on(stages::carry_out(dir, spec, secret, journal));
    drop(lock);
    // Where the journal can't be written, this is the only way to say so: the portal reads the log's last line.
    journal.failure().map_or(Ok(()), |failure| Err(KeeperError::Journal(failure.to_owned())))
}

fn read_secret() -> io::Result<Option<String>> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let secret = line.trim_end_matches(['\r', '\n']);
    Ok((!secret.is_empty()).then(|| secret.to_owned()))
}
