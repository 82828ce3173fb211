//! Processes and process groups as the system shows them: who is in a group, when a process began, signals to a group.

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

/// What `/proc/PID/stat` says of a process, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    zombie: bool,
    parent: u32,
    group: u32,
    start: u64,
}

fn stat(pid: u32) -> Option<Stat> {
    parse_stat(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn parse_stat(text: &str) -> Option<Stat> {
    // The program's name stands in parentheses and may itself have some in it: what counts comes after the last one.
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    Some(Stat {
        zombie: matches!(*fields.first()?, "Z" | "X"),
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        start: fields.get(19)?.parse().ok()?,
    })
}

fn all() -> Vec<(u32, Stat)> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            Some((pid, stat(pid)?))
        })
        .collect()
}

/// When a process began, in ticks since boot; tells it from a later one with the same id.
pub fn start_ticks(pid: u32) -> Option<u64> {
    stat(pid).filter(|stat| !stat.zombie).map(|stat| stat.start)
}

/// The live processes of a group.
pub fn members(group: u32) -> Vec<u32> {
    if stat(std::process::id()).is_none() {
        // No /proc on this system: only whether there is anybody can be told.
        return if killpg(pid_of(group), None).is_ok() { vec![group] } else { Vec::new() };
    }
    all().into_iter().filter(|(_, stat)| stat.group == group && !stat.zombie).map(|(pid, _)| pid).collect()
}

/// The children of a process, ended ones that nobody waited for included.
pub fn children(parent: u32) -> Vec<u32> {
    all().into_iter().filter(|(_, stat)| stat.parent == parent).map(|(pid, _)| pid).collect()
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
    Some(std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned())
}

fn pid_of(id: u32) -> Pid {
    Pid::from_raw(i32::try_from(id).unwrap_or(i32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses() {
        let text = "12 (a) b (c)) S 7 12 12 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 9876 1 2";
        assert_eq!(parse_stat(text), Some(Stat { zombie: false, parent: 7, group: 12, start: 9876 }));
        assert_eq!(parse_stat("nonsense"), None);
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
