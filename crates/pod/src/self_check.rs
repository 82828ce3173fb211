//! The client's check of itself, in a process of its own, so that the pod's server shares no thread with it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::rc::Rc;
use std::time::Duration;

use clap::Args;
use dyno_load::client::stop::StopSignal;
use dyno_measure::plan::{Plan, PlannedCheck};
use dyno_measure::validity::SelfCheck;
use tokio::process::Command;

/// Longer than a check takes.
const LIMIT: Duration = Duration::from_mins(1);

#[derive(Debug, Clone, Args)]
pub struct SelfCheckArgs {
    #[arg(long)]
    plan: PathBuf,
    /// Where the check is kept, for the load to take.
    #[arg(long)]
    cache: PathBuf,
}

/// Prints the check as JSON.
pub(crate) fn main(args: SelfCheckArgs) -> ExitCode {
    let check = || -> std::io::Result<()> {
        let plan: Plan = serde_json::from_slice(&std::fs::read(&args.plan)?)?;
        let stop = StopSignal::on_signals()?;
        let planned = PlannedCheck { cache: Some(args.cache) };
        let check = dyno_load::self_check::check(&plan, &planned, &(Rc::new(|_| ()) as _), &stop);
        std::io::stdout().write_all(&serde_json::to_vec(&check)?)
    };
    match check() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "dyno: the client could not be checked: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Checks the client in a process of its own; none where that did not come to an answer, so that the load tries once more.
pub(crate) async fn run(program: &Path, withheld: &str, plan: &Path, cache: &Path) -> Option<SelfCheck> {
    let mut command = Command::new(program);
    command.args(["pod", "self-check", "--plan"]).arg(plan).arg("--cache").arg(cache).env_remove(withheld);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let output = tokio::time::timeout(LIMIT, command.output()).await.ok()?.ok()?;
    serde_json::from_slice(&output.stdout).ok()
}
