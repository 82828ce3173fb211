//! Runs on the portal's own machine: a keeper process each.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use nix::sys::signal::Signal;
use tokio::io::AsyncWriteExt as _;

use super::keeper::journal::{self, News};
use super::keeper::spec::{KeeperSpec, files};
use super::launch::{LaunchError, Launcher, Life};
use super::{process, tail};
use crate::credentials::Secret;
use crate::engine::environment;
use crate::store::Keeper;

/// How long a keeper may take to begin its journal.
const BEGIN: Duration = Duration::from_mins(1);
/// How long the guards of a lost keeper are given before their groups are killed: longer than their own grace period.
const GUARDS: Duration = Duration::from_secs(35);

/// Starts keepers of Dyno's own program.
#[derive(Debug)]
pub(super) struct Local {
    program: PathBuf,
}

impl Local {
    pub(super) fn new(program: PathBuf) -> Self {
        Self { program }
    }
}

#[async_trait]
impl Launcher for Local {
    async fn launch(&self, folder: &Path, spec: &KeeperSpec, secret: Option<&Secret>) -> Result<Option<Keeper>, LaunchError> {
        let failed = |what: &str, error: io::Error| LaunchError(format!("{what}: {error}."));
        write_private(&folder.join(files::SPEC), &serde_json::to_vec_pretty(spec).unwrap_or_default())
            .map_err(|error| failed("The run's folder could not be written", error))?;
        let mut child = self.spawn(folder).map_err(|error| failed("The keeper could not be started", error))?;
        let pid = child.id();
        if let Some(mut pipe) = child.stdin.take() {
            let line = format!("{}\n", secret.map(Secret::expose).unwrap_or_default());
            pipe.write_all(line.as_bytes()).await.map_err(|error| failed("The keeper could not be told the secret", error))?;
        }
        let begun = tokio::time::Instant::now();
        while !folder.join(files::JOURNAL).exists() {
            let ended = child.try_wait().ok().flatten().is_some();
            if ended || begun.elapsed() > BEGIN {
                let _ = child.kill().await;
                let last = tail::last_lines(&folder.join(files::KEEPER_LOG), 1).pop().unwrap_or_default();
                return Err(LaunchError(format!("The keeper did not begin. {last}")));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // Waited for while the portal lives, so that it does not stay as a zombie.
        tokio::spawn(async move { child.wait().await });
        Ok(pid.and_then(|pid| Some(Keeper { pid: pid.cast_signed(), start: process::start_ticks(pid)? })))
    }

    async fn pull(&self, folder: &Path) -> Life {
        life(folder)
    }

    async fn cancel(&self, folder: &Path, force: bool) {
        if let Err(error) = File::create(folder.join(files::CANCEL)) {
            tracing::warn!(%error, "could not ask a keeper to end by its file");
        }
        let Some(pid) = keeper_pid(folder).filter(|_| life(folder) == Life::Alive) else { return };
        process::signal(pid, if force { Signal::SIGKILL } else { Signal::SIGTERM });
    }

    async fn collect(&self, folder: &Path) -> Result<(), String> {
        let groups = groups(folder);
        let begun = tokio::time::Instant::now();
        // Where the keeper was lost, its guards are ending what it had started.
        while groups.iter().any(|group| is_theirs(*group)) && begun.elapsed() < GUARDS {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        for group in groups.iter().filter(|group| is_theirs(**group)) {
            process::signal_group(group.0, Signal::SIGKILL);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        let left: Vec<u32> = groups.iter().filter(|group| is_theirs(**group)).map(|group| group.0).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("Processes {left:?} could not be ended.")) }
    }
}

impl Local {
    fn spawn(&self, folder: &Path) -> io::Result<tokio::process::Child> {
        let log = File::options().create(true).append(true).open(folder.join(files::KEEPER_LOG))?;
        let mut command = tokio::process::Command::new(&self.program);
        command
            .arg("keeper")
            .arg("--dir")
            .arg(folder)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(false);
        environment::withheld().for_each(|name| _ = command.env_remove(name));
        command.spawn()
    }
}

fn life(folder: &Path) -> Life {
    if !folder.join(files::JOURNAL).exists() {
        return Life::Unborn;
    }
    let Ok(lock) = File::open(folder.join(files::LOCK)) else { return Life::Gone };
    match lock.try_lock() {
        // Given back as it is dropped.
        Ok(()) => Life::Gone,
        Err(TryLockError::WouldBlock) => Life::Alive,
        Err(TryLockError::Error(error)) => {
            tracing::warn!(%error, "could not tell whether a keeper lives");
            Life::Alive
        }
    }
}

fn keeper_pid(folder: &Path) -> Option<u32> {
    journal::read(&folder.join(files::JOURNAL)).ok()?.into_iter().find_map(|entry| match entry.news {
        News::Process { name, pid, .. } if name == "keeper" => Some(pid),
        _ => None,
    })
}

/// The groups that a keeper started during this boot, each with the start of its first process.
fn groups(folder: &Path) -> Vec<(u32, Option<u64>)> {
    let now = process::boot_id();
    let entries = journal::read(&folder.join(files::JOURNAL)).unwrap_or_default();
    entries
        .into_iter()
        .filter_map(|entry| match entry.news {
            News::Process { name, pid, start, boot } if name != "keeper" && boot == now => Some((pid, start)),
            _ => None,
        })
        .collect()
}

/// Whether a group that a keeper started has live members. Its id may by now be another group's, whose first process
/// began at another time.
fn is_theirs((group, start): (u32, Option<u64>)) -> bool {
    let first = process::start_ticks(group);
    (first.is_none() || first == start) && !process::members(group).is_empty()
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    // Whole or not at all: an earlier keeper of this run may be about to read it.
    let fresh = path.with_extension("new");
    let mut file = File::options().create(true).write(true).truncate(true).mode(0o600).open(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&fresh, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keeper_lives_as_long_as_its_lock() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(life(folder.path()), Life::Unborn);
        std::fs::write(folder.path().join(files::JOURNAL), "").unwrap();
        assert_eq!(life(folder.path()), Life::Gone);
        let lock = File::create(folder.path().join(files::LOCK)).unwrap();
        lock.try_lock().unwrap();
        assert_eq!(life(folder.path()), Life::Alive);
        drop(lock);
        assert_eq!(life(folder.path()), Life::Gone);
    }
}
