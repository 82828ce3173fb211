//! The spool: events of a load, one JSON object per line, each written with one call.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use crate::client::clock::wall;
use dyno_measure::events::{LoadEvent, LoadEventKind, SCHEMA_VERSION};

#[derive(Debug)]
pub struct Spool {
    file: File,
}

impl Spool {
    /// Opens the file for appending, and creates it where needed.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { file: OpenOptions::new().create(true).append(true).open(path)? })
    }

    pub fn write(&self, kind: LoadEventKind) -> io::Result<()> {
        let mut line = serde_json::to_vec(&LoadEvent { v: SCHEMA_VERSION, at_unix_ns: wall(), kind })?;
        line.push(b'\n');
        (&self.file).write_all(&line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dyno_measure::events::{LoadStatus, LogLevel};

    #[test]
    fn events_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("load.ndjson");
        let spool = Spool::open(&path).unwrap();
        let all = [
            LoadEventKind::Log { level: LogLevel::Info, line: "a\nb".to_owned() },
            LoadEventKind::Progress(Box::default()),
            LoadEventKind::End { status: LoadStatus::Partial, reason: Some("x".to_owned()) },
        ];
        for kind in &all {
            spool.write(kind.clone()).unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let back: Vec<LoadEventKind> = text.lines().map(|line| serde_json::from_str::<LoadEvent>(line).unwrap().kind).collect();
        assert_eq!(back, all);
    }
}
