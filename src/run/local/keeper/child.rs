//! A guarded process as the keeper sees it.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{ChildStdin, Command};
use tokio::sync::watch;

use super::guard::{GuardEvent, ProcessExit, own_program};
use crate::run::local::process;

/// How long a guard may take to start its command.
const START_WAIT: Duration = Duration::from_mins(1);

/// A process to be started under a guard.
pub(super) struct SpawnSpec<'a> {
    pub argv: &'a [String],
    /// Variables beside the inherited environment.
    pub env: &'a BTreeMap<String, String>,
    /// Where its output goes.
    pub log: &'a Path,
    pub dir: &'a Path,
    /// Time between asking it to end and killing it.
    pub grace: Duration,
}

/// Where a guarded process stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ChildState {
    Running,
    /// It has ended; others of its group may not have.
    Exited(ProcessExit),
    Gone(ProcessExit),
}

impl ChildState {
    fn exit(self) -> Option<ProcessExit> {
        match self {
            Self::Running => None,
            Self::Exited(exit) | Self::Gone(exit) => Some(exit),
        }
    }
}

/// A process under guard. Dropping it asks for its end.
pub(super) struct Guarded {
    /// Its process id, which is also its group's.
    pub pid: u32,
    pipe: Option<ChildStdin>,
    state: watch::Receiver<ChildState>,
}

impl Guarded {
    pub(super) async fn spawn(spec: SpawnSpec<'_>) -> io::Result<Self> {
        let log = OpenOptions::new().create(true).append(true).open(spec.log)?;
        let mut guard = Command::new(own_program()?)
            .args(["keeper", "--guard", "--grace-s", &spec.grace.as_secs().to_string(), "--"])
            .args(spec.argv)
            .envs(spec.env)
            .current_dir(spec.dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            // Out of reach of signals to the keeper's group.
            .process_group(0)
            .spawn()?;
        let pipe = guard.stdin.take();
        let out = guard.stdout.take().ok_or_else(|| io::Error::other("the guard has no output"))?;
        let mut lines = BufReader::new(out).lines();
        let started =
            tokio::time::timeout(START_WAIT, lines.next_line()).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        let Some(Ok(GuardEvent::Started(pid))) = started.as_deref().map(serde_json::from_str) else {
            return Err(io::Error::other("the guard did not start the program"));
        };
        let (sender, state) = watch::channel(ChildState::Running);
        tokio::spawn(async move {
            let mut exit = None;
            let mut gone = false;
            while let Ok(Some(line)) = lines.next_line().await {
                match serde_json::from_str(&line) {
                    Ok(GuardEvent::Exited(seen)) => {
                        exit = Some(seen);
                        let _ = sender.send(ChildState::Exited(seen));
                    }
                    Ok(GuardEvent::Gone) => gone = true,
                    Ok(GuardEvent::Started(_)) | Err(_) => {}
                }
            }
            if !gone {
                // The guard died and could not see to its group.
                process::signal_group(pid, Signal::SIGKILL);
            }
            let _ = guard.wait().await;
            let _ = sender.send(ChildState::Gone(exit.unwrap_or(ProcessExit::Unknown)));
        });
        Ok(Self { pid, pipe, state })
    }

    /// Asks the guard to end the group: SIGTERM, the grace period, SIGKILL.
    pub(super) fn stop(&mut self) {
        self.pipe = None;
    }

    /// How it ended, if it has.
    pub(super) fn exit(&self) -> Option<ProcessExit> {
        self.state.borrow().exit()
    }

    /// Waits for its end; others of its group may be left.
    pub(super) async fn exited(&self) -> ProcessExit {
        let mut state = self.state.clone();
        let seen = state.wait_for(|state| state.exit().is_some()).await.map(|state| state.exit());
        seen.ok().flatten().unwrap_or(ProcessExit::Unknown)
    }

    /// Waits until nothing is left of it and its group.
    pub(super) async fn gone(&self) {
        let mut state = self.state.clone();
        let _ = state.wait_for(|state| matches!(state, ChildState::Gone(_))).await;
    }
}
