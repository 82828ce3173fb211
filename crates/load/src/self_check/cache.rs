//! Self-checks are cached for an hour, by machine, program and concurrency. A file that can't be read, is of another machine or
//! build, or is too old counts as missing.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::engine::own_program;
use dyno_measure::validity::SelfCheck;

/// How long a check is valid, ms.
const HOLDS: i64 = 3_600_000;

#[derive(Serialize, Deserialize)]
struct CachedCheck {
    /// Machine, cores and build that it was measured with.
    key: String,
    check: SelfCheck,
}

/// A valid check at this concurrency.
pub(super) fn take(folder: &Path, concurrency: u32, tls: bool, now_ms: i64) -> Option<SelfCheck> {
    let kept: CachedCheck = serde_json::from_slice(&std::fs::read(path(folder, concurrency, tls)).ok()?).ok()?;
    let age = now_ms - kept.check.checked_at_unix_ms;
    let holds = kept.key == key() && kept.check.concurrency == concurrency && kept.check.tls == tls && (0..HOLDS).contains(&age);
    if holds && kept.check.failed.is_none() { Some(SelfCheck { cached: true, ..kept.check }) } else { None }
}

/// Stores a check; readers see the new file or the old one, never half of one.
pub(super) fn keep(folder: &Path, check: &SelfCheck) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let path = path(folder, check.concurrency, check.tls);
    let new = path.with_extension(format!("{}.new", std::process::id()));
    let kept = CachedCheck { key: key(), check: SelfCheck { cached: false, ..check.clone() } };
    std::fs::write(&new, serde_json::to_vec(&kept)?)?;
    std::fs::rename(&new, &path)
}

fn path(folder: &Path, concurrency: u32, tls: bool) -> PathBuf {
    folder.join(format!("self-check-{}{concurrency}.json", if tls { "tls-" } else { "" }))
}

/// Identifies the boot of the machine, the cores that this process may use, and this build of the program.
fn key() -> String {
    let build = own_program().and_then(std::fs::metadata).ok().and_then(|file| {
        let at = file.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
        Some(format!("{} {}", at.as_nanos(), file.len()))
    });
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let boot = procfs::sys::kernel::random::boot_id().unwrap_or_default();
    let machine = rustix::system::uname();
    let name = machine.nodename().to_string_lossy();
    format!("{name} {boot} {cores} {} {}", env!("CARGO_PKG_VERSION"), build.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check() -> SelfCheck {
        SelfCheck {
            concurrency: 64,
            tls: false,
            requests: 700,
            true_ttft_ms: 10.0,
            true_itl_ms: 1.0,
            ttft_error_ms: None,
            itl_error_ms: None,
            checked_at_unix_ms: 10_000_000,
            cached: false,
            failed: None,
        }
    }

    #[test]
    fn a_check_holds_for_an_hour() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("new");
        assert_eq!(take(&folder, 64, false, 10_000_001), None);
        keep(&folder, &check()).unwrap();
        assert_eq!(take(&folder, 64, false, 10_000_001), Some(SelfCheck { cached: true, ..check() }));
        assert_eq!(take(&folder, 64, false, 10_000_000 + HOLDS), None, "too old");
        assert_eq!(take(&folder, 64, false, 9_999_999), None, "from the future");
        assert_eq!(take(&folder, 65, false, 10_000_001), None, "another concurrency");
        assert_eq!(take(&folder, 64, true, 10_000_001), None, "another protocol");
        keep(&folder, &SelfCheck { tls: true, requests: 7, ..check() }).unwrap();
        assert_eq!(take(&folder, 64, true, 10_000_001).map(|check| check.requests), Some(7));
        assert_eq!(take(&folder, 64, false, 10_000_001).map(|check| check.requests), Some(700));
    }

    #[test]
    fn unreadable_or_foreign_cache_files_count_as_missing() {
        let folder = tempfile::tempdir().unwrap();
        let file = path(folder.path(), 64, false);
        for text in ["", "{", "{\"key\":\"\"}", "[]", "\u{0}\u{0}"] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(take(folder.path(), 64, false, 10_000_001), None, "{text:?}");
        }
        let other = CachedCheck { key: "another".to_owned(), check: check() };
        std::fs::write(&file, serde_json::to_vec(&other).unwrap()).unwrap();
        assert_eq!(take(folder.path(), 64, false, 10_000_001), None);
        keep(folder.path(), &SelfCheck { failed: Some("x".to_owned()), ..check() }).unwrap();
        assert_eq!(take(folder.path(), 64, false, 10_000_001), None, "a failed one");
    }
}
