//! Digests of files that take longer to read than a request may wait: computed once for each state of a file, in the background.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};

/// A file as it was: path, size, time of change.
type FileState = (PathBuf, u64, Option<SystemTime>);

#[derive(Debug, Default)]
struct DigestJob {
    hashed: AtomicU64,
    result: OnceLock<io::Result<String>>,
}

/// How far a digest is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Digest {
    /// So many bytes are read.
    Computing(u64),
    /// In hexadecimal.
    Done(String),
}

#[derive(Debug, Default)]
pub(super) struct Digests(Mutex<HashMap<FileState, Arc<DigestJob>>>);

impl Digests {
    /// The digest of a file as it is now; asked for the first time, begins to compute it. Must be called in the runtime.
    pub(super) fn of(&self, path: &Path) -> io::Result<Digest> {
        let metadata = path.metadata()?;
        let state = (path.to_owned(), metadata.len(), metadata.modified().ok());
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let work = all.entry(state.clone()).or_insert_with(|| {
            let work = Arc::new(DigestJob::default());
            let (worker, path) = (Arc::clone(&work), path.to_owned());
            tokio::task::spawn_blocking(move || {
                let _ = worker.result.set(sha256_of(&path, &worker.hashed));
            });
            work
        });
        match work.result.get() {
            None => Ok(Digest::Computing(work.hashed.load(Ordering::Relaxed))),
            Some(Ok(digest)) => Ok(Digest::Done(digest.clone())),
            Some(Err(error)) => {
                // The next one who asks has it tried again.
                let error = io::Error::new(error.kind(), error.to_string());
                all.remove(&state);
                Err(error)
            }
        }
    }
}

fn sha256_of(path: &Path, hashed: &AtomicU64) -> io::Result<String> {
    let mut file = File::open(path)?;
    let (mut digest, mut buffer) = (Sha256::new(), vec![0_u8; 1 << 20]);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(hex::encode(digest.finalize()));
        }
        digest.update(&buffer[..read]);
        hashed.fetch_add(read as u64, Ordering::Relaxed);
    }
}
