//! The load's process, in a group of its own.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde::Serialize;
use std::os::unix::process::ExitStatusExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

use crate::protocol::Exit;

pub(super) struct LoadProcess {
    child: Child,
    group: Option<Pid>,
}

impl LoadProcess {
    /// Starts a program in a folder, without one variable of this process's environment, and tells it a document on its standard
    /// input.
    pub(super) async fn spawn(
        program: &Path,
        arguments: &[&OsStr],
        folder: &Path,
        log: &Path,
        withheld: &str,
        input: Option<&impl Serialize>,
    ) -> io::Result<Self> {
        let log = File::options().create(true).append(true).open(log)?;
        let mut command = Command::new(program);
        command.args(arguments).current_dir(folder).env_remove(withheld).process_group(0);
        command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() }).stdout(log.try_clone()?).stderr(log);
        let mut child = command.spawn()?;
        let stdin = child.stdin.take();
        let group = child.id().and_then(|pid| i32::try_from(pid).ok()).map(Pid::from_raw);
        let process = Self { child, group };
        if let (Some(mut stdin), Some(input)) = (stdin, input) {
            let mut line = serde_json::to_vec(input)?;
            line.push(b'\n');
            // One that has ended already has said why.
            let _ = stdin.write_all(&line).await;
        }
        Ok(process)
    }

    /// Waits until it has ended, and kills whatever it left of its group.
    pub(super) async fn ended(&mut self) -> Option<Exit> {
        let status = self.child.wait().await.ok();
        self.signal(Signal::SIGKILL);
        // The group's id may from now on be another's.
        self.group = None;
        status.and_then(exit_of)
    }

    pub(super) fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            // One that has ended meanwhile needs no signal.
            let _ = killpg(group, signal);
        }
    }
}

fn exit_of(status: ExitStatus) -> Option<Exit> {
    status.code().map(Exit::Code).or_else(|| status.signal().map(Exit::Signal))
}
