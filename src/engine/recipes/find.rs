//! Finds programs and their versions, without starting an engine where possible.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::engine::environment;

/// Longest wait for a program to print its version.
const VERSION_WAIT: Duration = Duration::from_secs(5);

/// The first program of this name on the PATH.
pub(super) fn on_path(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(|path| is_executable(path))
}

pub(super) fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// The version of a Python package installed in the same environment as a program (`lib/` beside its `bin/`).
pub(super) fn package_version(program: &Path, package: &str) -> Option<String> {
    let beside = program.parent()?.parent()?.join("lib");
    package_version_below(&beside, package).or_else(|| {
        let real = program.canonicalize().ok()?;
        package_version_below(&real.parent()?.parent()?.join("lib"), package)
    })
}

fn package_version_below(lib: &Path, package: &str) -> Option<String> {
    let prefix = format!("{package}-");
    for python in lib.read_dir().ok()?.flatten() {
        let Ok(packages) = python.path().join("site-packages").read_dir() else { continue };
        for entry in packages.flatten() {
            let name = entry.file_name();
            let version = name.to_str().and_then(|name| name.strip_prefix(&prefix)?.strip_suffix(".dist-info"));
            if let Some(version) = version {
                return Some(version.to_owned());
            }
        }
    }
    None
}

/// A program's file and modification time.
type ProgramFile = (PathBuf, Option<SystemTime>);

/// Cached versions from `--version`; `None` where a program printed none.
#[derive(Debug, Default)]
pub(super) struct ProgramVersions(Mutex<HashMap<ProgramFile, Option<String>>>);

impl ProgramVersions {
    /// A program's version; the program is started once per modification of its file.
    pub(super) fn of(&self, program: &Path) -> Option<String> {
        let key = (program.to_owned(), program.metadata().and_then(|data| data.modified()).ok());
        if let Some(known) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return known.clone();
        }
        let answer = ask(program);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, answer.clone());
        answer
    }
}

/// The first line of its output that contains a version.
fn ask(program: &Path) -> Option<String> {
    let mut command = Command::new(program);
    environment::withheld().for_each(|name| _ = command.env_remove(name));
    let mut child = command.arg("--version").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().ok()?;
    let begun = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(_)) => break,
            Ok(None) if begun.elapsed() < VERSION_WAIT => std::thread::sleep(Duration::from_millis(10)),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
        }
    }
    let mut text = String::new();
    child.stdout.take()?.take(4_096).read_to_string(&mut text).ok()?;
    child.stderr.take()?.take(4_096).read_to_string(&mut text).ok()?;
    text.lines().find_map(version_of)
}

fn version_of(line: &str) -> Option<String> {
    let rest = line.trim().strip_prefix("version:").map(str::trim).or_else(|| {
        let last = line.split_whitespace().last()?;
        last.trim_start_matches('v').starts_with(|first: char| first.is_ascii_digit()).then_some(last)
    })?;
    Some(rest.chars().filter(|c| !c.is_control()).take(80).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_as_programs_say_them() {
        assert_eq!(version_of("version: 6543 (abc1234)").as_deref(), Some("6543 (abc1234)"));
        assert_eq!(version_of("text-generation-launcher 3.3.6").as_deref(), Some("3.3.6"));
        assert_eq!(version_of("ggml_cuda_init: found 1 device").as_deref(), None);
    }

    #[test]
    fn a_program_is_asked_without_the_portals_secrets() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("engine");
        // cargo sets CARGO_MANIFEST_DIR for tests
        std::fs::write(&program, "#!/bin/sh\necho \"version: ${PATH:+path} ${CARGO_MANIFEST_DIR:-nothing}\"\n").unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
        assert_eq!(ask(&program).as_deref(), Some("path nothing"));
    }

    #[test]
    fn a_program_is_asked_once_until_its_file_changes() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (program, starts) = (folder.path().join("engine"), folder.path().join("starts"));
        std::fs::write(&program, format!("#!/bin/sh\necho >> {}\necho version: 7\n", starts.display())).unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        let count = || std::fs::read_to_string(&starts).unwrap().lines().count();
        let versions = ProgramVersions::default();
        assert_eq!(versions.of(&program).as_deref(), Some("7"));
        assert_eq!(versions.of(&program).as_deref(), Some("7"));
        assert_eq!(count(), 1);
        let later = std::time::SystemTime::now() + Duration::from_secs(5);
        std::fs::File::options().write(true).open(&program).unwrap().set_modified(later).unwrap();
        assert_eq!(versions.of(&program).as_deref(), Some("7"));
        assert_eq!(count(), 2);
    }

    #[test]
    fn a_package_beside_its_program() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("bin")).unwrap();
        std::fs::create_dir_all(folder.path().join("lib/python3.12/site-packages/vllm-0.32.0.dist-info")).unwrap();
        assert_eq!(package_version(&folder.path().join("bin/vllm"), "vllm").as_deref(), Some("0.32.0"));
        assert_eq!(package_version(&folder.path().join("bin/vllm"), "sglang"), None);
    }
}
