//! Reads and writes the sidecar of a record file.

use std::io;
use std::path::{Path, PathBuf};

use dyno_measure::sidecar::Sidecar;

/// Writes the sidecar beside a record file, atomically.
///
/// # Errors
/// When the file can't be written.
pub fn write(sidecar: &Sidecar, requests: &Path) -> io::Result<()> {
    let path = path(requests, "sidecar");
    let new = path.with_extension("sidecar-new");
    std::fs::write(&new, serde_json::to_vec(sidecar)?)?;
    std::fs::rename(new, path)
}

/// Reads the sidecar of a record file; `None` where it is missing or incomplete.
pub fn read(requests: &Path) -> Option<Sidecar> {
    // Version 0.1 called it `requests.ndjson.aside`.
    let bytes = std::fs::read(path(requests, "sidecar")).or_else(|_| std::fs::read(path(requests, "aside"))).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn path(requests: &Path, ending: &str) -> PathBuf {
    let mut name = requests.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}
