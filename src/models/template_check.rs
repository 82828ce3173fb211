//! Checks chat templates in a process of their own. They come from strangers, and what it takes of stack, time and memory to parse
//! one can't be bounded within a process.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use dyno_load::tokens::check_template;
use nix::sys::resource::{Resource, setrlimit};

/// The hidden command of the program that checks one.
pub const COMMAND: &str = "check-template";
/// Most of the processor's time, seconds. The largest of public models' templates takes a hundredth of one.
const TIME_S: u64 = 2;
/// Most memory, bytes of address space: the program itself has about 200 MB of it.
const MEMORY: u64 = 512 << 20;
/// Longest template that is read; longer ones are refused, whatever they are.
const LONGEST: u64 = 1 << 20;
/// Longest reason that is taken over.
const LONGEST_REASON: u64 = 4 << 10;

/// Why a chat template can't be used to count tokens; a sentence's end. `program` is Dyno's own. Blocks.
pub(super) fn template_error(source: &str, program: &Path) -> Option<String> {
    match checked(source, program) {
        Ok(reason) => reason,
        Err(error) => {
            tracing::error!(%error, "a chat template could not be checked");
            Some("it could not be checked".to_owned())
        }
    }
}

fn checked(source: &str, program: &Path) -> std::io::Result<Option<String>> {
    let mut child = Command::new(program)
        .arg(COMMAND)
        // The portal's secrets are in its environment.
        .env_clear()
        .envs(["PATH", "LD_LIBRARY_PATH"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    if let Some(mut input) = child.stdin.take() {
        // It may have ended, for which its status gives the reason.
        let _ = input.write_all(source.as_bytes());
    }
    let mut reason = String::new();
    if let Some(output) = child.stdout.take() {
        output.take(LONGEST_REASON).read_to_string(&mut reason)?;
    }
    Ok(match child.wait()?.code() {
        Some(0) => None,
        Some(1) => Some(reason),
        // A signal ended it: at a limit, or where its stack was used up.
        _ => Some("it takes too much time or memory".to_owned()),
    })
}

/// The process: reads a template, and writes why it can't be used; its status is then 1.
pub fn main() -> ExitCode {
    const FAILED: u8 = 2;
    let limits = [(Resource::RLIMIT_CPU, TIME_S), (Resource::RLIMIT_AS, MEMORY), (Resource::RLIMIT_CORE, 0)];
    if limits.into_iter().any(|(resource, most)| setrlimit(resource, most, most).is_err()) {
        return FAILED.into();
    }
    let mut source = String::new();
    if std::io::stdin().lock().take(LONGEST).read_to_string(&mut source).is_err() {
        return FAILED.into();
    }
    match check_template(&source) {
        Ok(()) => ExitCode::SUCCESS,
        // Who asked reads the reason to its end.
        Err(error) => std::io::stdout().write_all(error.to_string().as_bytes()).map_or(FAILED.into(), |()| ExitCode::from(1)),
    }
}
