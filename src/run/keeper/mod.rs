//! The keeper: a small process that owns a run's engine and load, so that these don't depend on the portal. It starts the
//! engine, knows when it is ready, starts the load, watches both, and ends both at the run's end, a cancel, or the deadline.
//! What it does it writes to a journal, which the portal reads, now or after a restart.
//!
//! portal ── spawns, then only reads files ──▶ keeper ──▶ guard ──▶ engine
//!                                                   └──▶ guard ──▶ load

mod child;
mod guard;
pub mod journal;
mod ready;
pub mod spec;
mod stop;
mod tally;
mod work;

use std::ffi::OsString;
use std::fs::File;
use std::io::BufRead as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use journal::{Journal, News, Outcome};
use spec::{KeeperSpec, files};

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
    /// The command.
    #[arg(last = true, hide = true)]
    command: Vec<OsString>,
}

/// Runs `dyno keeper`.
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

fn keep(dir: &Path) -> Result<(), String> {
    // A session of its own: what ends the portal's terminal or group does not end the run.
    let _ = nix::unistd::setsid();
    let dir = std::path::absolute(dir).map_err(|error| format!("can't tell the folder: {error}"))?;
    let secret = read_secret()?;

    // Held as long as this process lives, which is how the portal knows that it does; and nobody starts a run's load twice.
    let lock = File::create(dir.join(files::LOCK)).map_err(|error| format!("can't create the lock: {error}"))?;
    lock.try_lock().map_err(|error| format!("another keeper has this run: {error}"))?;
    let journal_path = dir.join(files::JOURNAL);
    if journal_path.exists() {
        return Err("this run was begun before".to_owned());
    }
    let text = std::fs::read(dir.join(files::SPEC)).map_err(|error| format!("can't read {}: {error}", files::SPEC))?;
    let mut journal = Journal::open(&journal_path).map_err(|error| format!("can't open the journal: {error}"))?;
    journal.tell(process_news("keeper", std::process::id()));
    let spec: KeeperSpec = match serde_json::from_slice(&text) {
        Ok(spec) => spec,
        Err(error) => {
            let reason = Some(format!("The keeper could not read its instructions: {error}."));
            journal.tell(News::End { outcome: Outcome::Failed, reason });
            return Err(format!("can't read {}: {error}", files::SPEC));
        }
    };
    guard::adopt_descendants();
    // Fails only where one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("can't start the runtime: {error}"))?;
    runtime.block_on(work::carry_out(dir, spec, secret, journal));
    drop(lock);
    Ok(())
}

fn read_secret() -> Result<Option<String>, String> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(|error| format!("can't read standard input: {error}"))?;
    let secret = line.trim_end_matches(['\r', '\n']);
    Ok((!secret.is_empty()).then(|| secret.to_owned()))
}

fn process_news(name: &str, pid: u32) -> News {
    News::Process {
        name: name.to_owned(),
        pid,
        start: crate::run::process::start_ticks(pid),
        boot: crate::run::process::boot_id(),
    }
}
