//! The spool: events of a load, a JSON object a line, each written at once and whole.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use crate::client::clock::wall;
use dyno_measure::events::{LoadEvent, LoadNews};

/// A spool that is appended to.
#[derive(Debug)]
pub struct Spool {
    file: File,
}

impl Spool {
    /// Opens the file, which may be there already.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { file: OpenOptions::new().create(true).append(true).open(path)? })
    }

    pub fn write(&self, news: LoadNews) -> io::Result<()> {
        let mut line = serde_json::to_vec(&LoadEvent { at_unix_ns: wall(), news })?;
        line.push(b'\n');
        (&self.file).write_all(&line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dyno_measure::events::LoadStatus;
    use dyno_measure::events::LogLevel;

    #[test]
    fn events_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("load.ndjson");
        let spool = Spool::open(&path).unwrap();
        let all = [
            LoadNews::Log { level: LogLevel::Info, line: "a\nb".to_owned() },
            LoadNews::Progress(Box::default()),
            LoadNews::End { status: LoadStatus::Partial, reason: Some("x".to_owned()) },
        ];
        for news in &all {
            spool.write(news.clone()).unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let back: Vec<LoadNews> = text.lines().map(|line| serde_json::from_str::<LoadEvent>(line).unwrap().news).collect();
        assert_eq!(back, all);
    }
}
