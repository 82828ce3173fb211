//! The folder that a load writes to, as it is handed out: bytes of its files from anywhere on.

use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::protocol::{LoadEnd, MOST_PORTION, PortionQuery, SpoolFile, StartRequest};

pub(super) const PLAN: &str = "plan.json";
pub(super) const EVENTS: &str = "load.ndjson";
pub(super) const REQUESTS: &str = "requests.ndjson";
pub(super) const REPORT: &str = "report.json";
pub(super) const LOG: &str = "load.log";
/// Checks of the client that the load takes.
pub(super) const SELF_CHECKS: &str = "self-check";
/// Written before the load is started: where it is, none is started any more.
const STARTED: &str = "started.json";
/// How the load ended.
const ENDED: &str = "ended.json";

#[derive(Debug, Clone)]
pub(super) struct LoadSpool(PathBuf);

/// Some bytes of a spool file.
#[derive(Debug)]
pub(super) struct SpoolPortion {
    pub bytes: Vec<u8>,
    pub from: u64,
    /// Of the file at present.
    pub length: u64,
    /// Which file it is; empty where it is not there yet.
    pub file: String,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum PortionError {
    #[error("the file was replaced")]
    Replaced,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What was started, and when.
#[derive(Debug, Serialize, Deserialize)]
struct Marker {
    at_unix_ms: i64,
    request: StartRequest,
}

impl LoadSpool {
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        Ok(Self(folder.to_owned()))
    }

    pub(super) fn folder(&self) -> &Path {
        &self.0
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn path_of(&self, file: SpoolFile) -> PathBuf {
        let name = match file {
            SpoolFile::Events => EVENTS,
            SpoolFile::Records => REQUESTS,
            SpoolFile::Gaps => return dyno_load::records::gaps_path(&self.path(REQUESTS)),
            SpoolFile::Report => REPORT,
            SpoolFile::Sidecar => "requests.ndjson.sidecar",
            SpoolFile::Log => LOG,
            SpoolFile::Plan => PLAN,
        };
        self.path(name)
    }

    /// What a load of this spool was started with.
    pub(super) fn started(&self) -> io::Result<Option<StartRequest>> {
        match std::fs::read(self.path(STARTED)) {
            // A truncated file also shows that a load was started.
            Ok(bytes) => Ok(Some(serde_json::from_slice::<Marker>(&bytes).map(|marker| marker.request).unwrap_or_default())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Marks that a load is about to be started; fails where one was.
    pub(super) fn mark_started(&self, request: &StartRequest) -> io::Result<()> {
        let marker = Marker { at_unix_ms: jiff::Timestamp::now().as_millisecond(), request: request.clone() };
        let mut file = File::options().create_new(true).write(true).mode(0o600).open(self.path(STARTED))?;
        file.write_all(&serde_json::to_vec(&marker)?)?;
        file.sync_all()?;
        File::open(&self.0)?.sync_all()
    }

    pub(super) fn ended(&self) -> Option<LoadEnd> {
        self.read(ENDED)
    }

    pub(super) fn mark_ended(&self, end: &LoadEnd) -> io::Result<()> {
        self.write(ENDED, end)
    }

    pub(super) fn read<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_slice(&std::fs::read(self.path(name)).ok()?).ok()
    }

    /// Writes a document, whole or not at all.
    pub(super) fn write(&self, name: &str, document: &impl Serialize) -> io::Result<()> {
        let (path, new) = (self.path(name), self.path(&format!("{name}.new")));
        let mut file = File::options().create(true).write(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(&serde_json::to_vec(document)?)?;
        file.sync_all()?;
        std::fs::rename(new, path)
    }

    /// Bytes of a file; none where it is not there yet or ends before.
    pub(super) fn portion(&self, file: SpoolFile, query: &PortionQuery) -> Result<SpoolPortion, PortionError> {
        let mut source = match File::open(self.path_of(file)) {
            Ok(source) => source,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let none = SpoolPortion { bytes: Vec::new(), from: 0, length: 0, file: String::new() };
                return if query.file.as_ref().is_none_or(String::is_empty) { Ok(none) } else { Err(PortionError::Replaced) };
            }
            Err(error) => return Err(error.into()),
        };
        let metadata = source.metadata()?;
        let (identity, length) = (format!("{:x}-{:x}", metadata.dev(), metadata.ino()), metadata.len());
        if query.file.as_ref().is_some_and(|asked| !asked.is_empty() && *asked != identity) {
            return Err(PortionError::Replaced);
        }
        let from = match query.after_lines {
            Some(lines) => end_of_lines(&source, lines)?,
            None => query.from,
        };
        let mut bytes = Vec::new();
        source.seek(SeekFrom::Start(from))?;
        // No further than the length that is told with them.
        let most = query.max.unwrap_or(MOST_PORTION).min(MOST_PORTION).min(length.saturating_sub(from));
        source.take(most).read_to_end(&mut bytes)?;
        Ok(SpoolPortion { bytes, from, length, file: identity })
    }
}

/// Where so many lines end, or as many as are whole.
fn end_of_lines(file: &File, lines: u64) -> io::Result<u64> {
    let (mut reader, mut offset) = (BufReader::with_capacity(1 << 20, file), 0);
    for _ in 0..lines {
        match line_length(&mut reader)? {
            Some(length) => offset += length,
            None => break,
        }
    }
    Ok(offset)
}

/// Length of the next whole line, its end included.
fn line_length(reader: &mut impl io::BufRead) -> io::Result<Option<u64>> {
    let mut length = 0;
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(None);
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let used = end.map_or(buffer.len(), |end| end + 1);
        reader.consume(used);
        length += used as u64;
        if end.is_some() {
            return Ok(Some(length));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spool() -> (tempfile::TempDir, LoadSpool) {
        let folder = tempfile::tempdir().unwrap();
        let spool = LoadSpool::open(&folder.path().join("spool")).unwrap();
        (folder, spool)
    }

    fn portion(spool: &LoadSpool, query: &PortionQuery) -> SpoolPortion {
        spool.portion(SpoolFile::Records, query).unwrap()
    }

    #[test]
    fn bytes_come_from_anywhere_and_not_past_the_end() {
        let (_folder, spool) = spool();
        assert_eq!(portion(&spool, &PortionQuery::default()).length, 0);
        std::fs::write(spool.path(REQUESTS), "one\ntwo\nthr").unwrap();
        let all = portion(&spool, &PortionQuery::default());
        assert_eq!((all.bytes.as_slice(), all.length), (b"one\ntwo\nthr".as_slice(), 11));
        let some = portion(&spool, &PortionQuery { from: 4, max: Some(3), ..PortionQuery::default() });
        assert_eq!((some.bytes.as_slice(), some.from, &some.file), (b"two".as_slice(), 4, &all.file));
        assert!(portion(&spool, &PortionQuery { from: 99, ..PortionQuery::default() }).bytes.is_empty());
        for (lines, from) in [(0, 0), (1, 4), (2, 8), (3, 8)] {
            assert_eq!(portion(&spool, &PortionQuery { after_lines: Some(lines), ..PortionQuery::default() }).from, from);
        }
    }

    #[test]
    fn a_file_that_took_anothers_place_is_not_read_on() {
        let (_folder, spool) = spool();
        std::fs::write(spool.path(REQUESTS), "one\n").unwrap();
        let query =
            PortionQuery { from: 4, file: Some(portion(&spool, &PortionQuery::default()).file), ..PortionQuery::default() };
        portion(&spool, &query);
        std::fs::write(spool.path("new"), "another\n").unwrap();
        std::fs::rename(spool.path("new"), spool.path(REQUESTS)).unwrap();
        assert!(matches!(spool.portion(SpoolFile::Records, &query), Err(PortionError::Replaced)));
    }

    #[test]
    fn a_spool_is_marked_once() {
        let (_folder, spool) = spool();
        assert_eq!(spool.started().unwrap(), None);
        let request = StartRequest { model: Some("m".to_owned()), ..StartRequest::default() };
        spool.mark_started(&request).unwrap();
        assert_eq!(spool.started().unwrap(), Some(request.clone()));
        assert_eq!(spool.mark_started(&request).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        std::fs::write(spool.path(STARTED), "{").unwrap();
        assert_eq!(spool.started().unwrap(), Some(StartRequest::default()), "half a marker is one");
    }
}
