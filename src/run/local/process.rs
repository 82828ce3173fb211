//! Processes and process groups as the system shows them: who is in a group, when a process began, signals to a group.

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use procfs::process::{Process, Stat, all_processes};

fn stat(pid: u32) -> Option<Stat> {
    Process::new(raw(pid)).and_then(|process| process.stat()).ok()
}

fn all() -> impl Iterator<Item = Stat> {
    // those that end meanwhile are left out
    all_processes().into_iter().flatten().flatten().filter_map(|process| process.stat().ok())
}

fn has_ended(stat: &Stat) -> bool {
    matches!(stat.state, 'Z' | 'X')
}

/// When a process began, in ticks since boot; tells it from a later one with the same id.
pub fn start_ticks(pid: u32) -> Option<u64> {
    stat(pid).filter(|stat| !has_ended(stat)).map(|stat| stat.starttime)
}

/// The live processes of a group.
pub fn members(group: u32) -> Vec<u32> {
    if stat(std::process::id()).is_none() {
        // No /proc on this system: only whether there is anybody can be told.
        return if killpg(pid_of(group), None).is_ok() { vec![group] } else { Vec::new() };
    }
    all().filter(|stat| stat.pgrp == raw(group) && !has_ended(stat)).map(|stat| stat.pid.cast_unsigned()).collect()
}

/// The children of a process, ended ones that nobody waited for included.
pub fn children(parent: u32) -> Vec<u32> {
    all().filter(|stat| stat.ppid == raw(parent)).map(|stat| stat.pid.cast_unsigned()).collect()
}

/// Sends a signal to a group; one without processes is no error.
pub fn signal_group(group: u32, signal: Signal) {
    if let Err(error) = killpg(pid_of(group), signal)
        && error != Errno::ESRCH
    {
        tracing::warn!(group, %signal, %error, "could not signal a process group");
    }
}

/// Sends a signal to a process; one that has ended is no error.
pub fn signal(pid: u32, signal: Signal) {
    if let Err(error) = kill(pid_of(pid), signal)
        && error != Errno::ESRCH
    {
        tracing::warn!(pid, %signal, %error, "could not signal a process");
    }
}

/// Identity of the machine's present boot, since process ids begin anew with each.
pub fn boot_id() -> Option<String> {
    procfs::sys::kernel::random::boot_id().ok()
}

fn pid_of(id: u32) -> Pid {
    Pid::from_raw(raw(id))
}

fn raw(id: u32) -> i32 {
    i32::try_from(id).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses() {
        use std::os::unix::process::CommandExt as _;
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("a) Z 1 (b c");
        std::os::unix::fs::symlink("/bin/sleep", &program).unwrap();
        let mut child = std::process::Command::new(program).arg("30").process_group(0).spawn().unwrap();
        assert_eq!(members(child.id()), [child.id()]);
        assert!(children(std::process::id()).contains(&child.id()));
        child.kill().unwrap();
        // ended, and not waited for
        while start_ticks(child.id()).is_some() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        assert!(members(child.id()).is_empty());
        assert!(children(std::process::id()).contains(&child.id()));
        child.wait().unwrap();
    }

    #[test]
    fn a_group_is_seen_while_it_lives() {
        use std::os::unix::process::CommandExt as _;
        let mut child = std::process::Command::new("sleep").arg("30").process_group(0).spawn().unwrap();
        assert_eq!(members(child.id()), [child.id()]);
        assert!(start_ticks(child.id()).is_some());
        assert!(children(std::process::id()).contains(&child.id()));
        signal_group(child.id(), Signal::SIGKILL);
        child.wait().unwrap();
        assert!(members(child.id()).is_empty());
    }
}
