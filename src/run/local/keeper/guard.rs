//! The guard: a tiny process around each engine and each load. It holds the reading end of a pipe whose writing end only
//! the keeper has: when the keeper ends, in whatever way, the pipe ends, and the guard ends the group that it guards:
//! SIGTERM, the grace period, SIGKILL. So a keeper that is killed leaves nothing behind.
//!
//! keeper ── pipe ──▶ guard ──▶ command, in a group of its own
//!
//! What the guard itself can't see to is its own violent death: for that the command asks the kernel to be killed with its
//! guard, and the keeper, which reads the guard's own output, kills the group.

use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::{Pid, getppid};
use serde::{Deserialize, Serialize};
use tokio::signal::unix::{SignalKind, signal};

use crate::run::local::process;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessExit {
    /// By itself, with a code.
    Code(i32),
    Signal(i32),
    /// Its exit status could not be read.
    Unknown,
}

impl std::fmt::Display for ProcessExit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit {code}"),
            // As shells and container runtimes count.
            Self::Signal(number) => write!(f, "exit {}", 128 + number),
            Self::Unknown => f.write_str("exit unknown"),
        }
    }
}

/// What a guard writes to its standard output, a JSON object a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum GuardEvent {
    /// The command runs; its process id, which is also its group's.
    Started(u32),
    /// It has ended; others of its group may not have.
    Exited(ProcessExit),
    /// Nothing is left of it, its group, or what came of them.
    Gone,
}

/// Guards a command until it ends or the pipe does.
pub(super) fn guard(command: &[std::ffi::OsString], grace: Duration) -> ExitCode {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return ExitCode::from(70) };
    // The command is started by this thread, the process's first, since the kernel ties its death to that of the thread.
    match runtime.block_on(watch(command, grace)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let program = command.first().map(|name| name.display().to_string()).unwrap_or_default();
            complain(&format!("could not start {program}: {error}"));
            ExitCode::from(71)
        }
    }
}

async fn watch(command: &[std::ffi::OsString], grace: Duration) -> std::io::Result<()> {
    adopt_descendants();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let log = std::io::stderr().as_fd().try_clone_to_owned()?;
    let child = Command::new(own_program()?)
        .args(["keeper", "--exec", "--parent", &std::process::id().to_string(), "--"])
        .args(command)
        .stdin(Stdio::null())
        .stdout(log)
        .process_group(0)
        .spawn()?;
    let group = child.id();
    emit(GuardEvent::Started(group));

    // Seen but not waited for: as long as it is not, its process id, and with it the group's, is nobody else's.
    let mut ended = tokio::task::spawn_blocking(move || seen_end(group));
    let pipe_end = tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink()));
    let mut exit = None;
    tokio::select! {
        _ = pipe_end => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = hang_up.recv() => {}
        seen = &mut ended => exit = Some(seen.unwrap_or(ProcessExit::Unknown)),
    }
    if let Some(exit) = exit {
        emit(GuardEvent::Exited(exit));
    }
    end_group(group, grace).await;
    if exit.is_none() {
        emit(GuardEvent::Exited(ended.await.unwrap_or(ProcessExit::Unknown)));
    }
    sweep();
    emit(GuardEvent::Gone);
    // Standard input may still be read by a thread, which can't be stopped.
    std::process::exit(0);
}

/// SIGTERM to the group, then SIGKILL to what is left of it after the grace period.
async fn end_group(group: u32, grace: Duration) {
    if process::members(group).is_empty() {
        return;
    }
    process::signal_group(group, Signal::SIGTERM);
    let begun = tokio::time::Instant::now();
    while begun.elapsed() < grace {
        if process::members(group).is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    process::signal_group(group, Signal::SIGKILL);
}

/// Blocks until the process has ended, and leaves it to be waited for.
fn seen_end(pid: u32) -> ProcessExit {
    let pid = Pid::from_raw(pid.cast_signed());
    loop {
        match waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) {
            Ok(WaitStatus::Exited(_, code)) => return ProcessExit::Code(code),
            Ok(WaitStatus::Signaled(_, signal, _)) => return ProcessExit::Signal(signal as i32),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return ProcessExit::Unknown,
        }
    }
}

/// Descendants that left their group (a daemon, a session of their own) come to this process when their parents end, and
/// don't get lost.
pub(super) fn adopt_descendants() {
    #[cfg(target_os = "linux")]
    if let Err(error) = nix::sys::prctl::set_child_subreaper(true) {
        complain(&format!("could not adopt descendants: {error}"));
    }
}

/// Kills and waits for every child that is left, those that were adopted included.
pub(super) fn sweep() {
    for _ in 0..200 {
        let left = process::children(std::process::id());
        for pid in &left {
            process::signal(*pid, Signal::SIGKILL);
        }
        // Each ended one is waited for; those who had children hand them on, so look again.
        while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            if status == WaitStatus::StillAlive {
                break;
            }
        }
        if left.is_empty() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Dyno's program, also after another build has taken its place on the disk.
pub(super) fn own_program() -> std::io::Result<std::path::PathBuf> {
    let program = std::env::current_exe()?;
    let running = std::path::PathBuf::from("/proc/self/exe");
    Ok(if !program.exists() && running.exists() { running } else { program })
}

/// Becomes the command, which the kernel kills when its guard dies.
pub(super) fn exec(command: &[std::ffi::OsString], parent: Option<i32>) -> ExitCode {
    #[cfg(target_os = "linux")]
    if let Err(error) = nix::sys::prctl::set_pdeathsig(Signal::SIGKILL) {
        complain(&format!("could not tie the process to its guard: {error}"));
    }
    // The guard may have died before the line above.
    if parent.is_some_and(|parent| getppid().as_raw() != parent) {
        return ExitCode::from(72);
    }
    let Some((program, arguments)) = command.split_first() else { return ExitCode::from(2) };
    let error = Command::new(program).args(arguments).exec();
    complain(&format!("could not start {}: {error}", program.display()));
    ExitCode::from(127)
}

fn emit(event: GuardEvent) {
    use std::io::Write as _;
    if let Ok(mut line) = serde_json::to_vec(&event) {
        line.push(b'\n');
        let mut out = std::io::stdout().lock();
        // A keeper that has gone does not read; the work here goes on all the same.
        let _ = out.write_all(&line).and_then(|()| out.flush());
    }
}

/// Standard error is the command's log.
fn complain(what: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "dyno: {what}");
}
