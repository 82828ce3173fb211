//! Records on disk, appended as requests end, so that a killed process leaves what it measured: `requests.ndjson`, and
//! beside it `requests.ndjson.gaps` with the gaps of each line in the same order. Gaps are written first: a line always
//! has its gaps.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;

use crate::workers::WorkerOutput;
use dyno_measure::records::{GapsBuf, Records};
use dyno_measure::report::RequestRecord;

/// Path of the gaps of a record file.
pub fn gaps_path(requests: &Path) -> PathBuf {
    let mut name = requests.as_os_str().to_owned();
    name.push(".gaps");
    PathBuf::from(name)
}

/// Records on the way from a worker to where they are put together.
#[derive(Debug, Default)]
pub struct WorkerRecords {
    /// Whether those before it count no more: all are sent again.
    pub replaces: bool,
    pub lines: Vec<u8>,
    pub gaps: Vec<u8>,
}

#[derive(Debug)]
enum RecordSink {
    Files {
        path: PathBuf,
        lines: File,
        gaps: File,
    },
    /// Never waits; if the receiver is gone, the records are dropped.
    Portions(Sender<WorkerOutput>),
}

/// A record file being appended to, or another process's that is.
#[derive(Debug)]
pub struct RecordFile {
    sink: RecordSink,
    held_lines: Vec<u8>,
    held_gaps: Vec<u8>,
}

impl RecordFile {
    /// Creates the file and replaces one that exists.
    pub fn create(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)?;
        }
        let (lines, gaps) = (File::create(path)?, File::create(gaps_path(path))?);
        let sink = RecordSink::Files { path: path.to_owned(), lines, gaps };
        Ok(Self { sink, held_lines: Vec::new(), held_gaps: Vec::new() })
    }

    /// Hands the records on in portions.
    pub(crate) fn in_portions(portions: Sender<WorkerOutput>) -> Self {
        Self { sink: RecordSink::Portions(portions), held_lines: Vec::new(), held_gaps: Vec::new() }
    }

    pub fn append(&mut self, record: &RequestRecord, gaps: &GapsBuf) -> io::Result<()> {
        serde_json::to_writer(&mut self.held_lines, record)?;
        self.held_lines.push(b'\n');
        gaps.write_to(&mut self.held_gaps);
        if self.held_lines.len() > 64 << 10 { self.flush() } else { Ok(()) }
    }

    /// Writes the buffered records.
    pub fn flush(&mut self) -> io::Result<()> {
        match &mut self.sink {
            RecordSink::Files { lines, gaps, .. } => {
                gaps.write_all(&self.held_gaps)?;
                self.held_gaps.clear();
                lines.write_all(&self.held_lines)?;
                self.held_lines.clear();
            }
            RecordSink::Portions(portions) if !self.held_lines.is_empty() => {
                let (lines, gaps) = (std::mem::take(&mut self.held_lines), std::mem::take(&mut self.held_gaps));
                let _ = portions.send(WorkerOutput::Records(WorkerRecords { replaces: false, lines, gaps }));
            }
            RecordSink::Portions(_) => {}
        }
        Ok(())
    }

    /// Writes all records again, with token counts that were determined after the load; atomically.
    pub fn rewrite(mut self, records: &Records) -> io::Result<()> {
        let path = match &self.sink {
            RecordSink::Files { path, .. } => path.clone(),
            RecordSink::Portions(portions) => {
                let _ = portions.send(WorkerOutput::Records(WorkerRecords { replaces: true, ..WorkerRecords::default() }));
                return self.append_all(records);
            }
        };
        let mut new_path = path.as_os_str().to_owned();
        new_path.push(".new");
        let new_path = PathBuf::from(new_path);
        let mut new = Self::create(&new_path)?;
        new.append_all(records)?;
        std::fs::rename(gaps_path(&new_path), gaps_path(&path))?;
        std::fs::rename(&new_path, &path)
    }

    fn append_all(&mut self, records: &Records) -> io::Result<()> {
        for index in 0..records.rows.len() {
            self.append(&records.record(index), &records.gaps.buf_of(index))?;
        }
        self.flush()
    }
}

/// Reads the complete records of a file; `None` where there is no file.
pub fn read_folder_file(path: &Path) -> io::Result<Option<Records>> {
    let lines = match File::open(path) {
        Ok(file) => BufReader::new(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let gap_bytes = match std::fs::read(gaps_path(path)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    let mut gap_bytes = gap_bytes.as_slice();
    let mut records = Records::default();
    for line in lines.split(b'\n') {
        // the last line of a killed process may be incomplete
        let Ok(record) = serde_json::from_slice::<RequestRecord>(&line?) else { break };
        if records.id_prefix.is_empty() {
            let end = record.id.rfind('-').unwrap_or(0);
            record.id[..end].clone_into(&mut records.id_prefix);
        }
        let gaps = GapsBuf::read_from(&mut gap_bytes).unwrap_or_default();
        records.push_record(record, &gaps);
    }
    Ok(Some(records))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dyno_measure::records::Row;
    use dyno_measure::report::Phase;

    #[test]
    fn a_cut_file_gives_what_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("requests.ndjson");
        assert!(read_folder_file(&path).unwrap().is_none());
        let mut file = RecordFile::create(&path).unwrap();
        let mut records = Records { nodes: vec!["n".to_owned()], id_prefix: "a-b".to_owned(), ..Records::default() };
        for number in 0..3 {
            let mut gaps = GapsBuf::default();
            gaps.push(u64::from(number) * 1000);
            let index = records.push(Row::new(0, Phase::Measured, number, 0), &gaps, None);
            file.append(&records.record(index), &gaps).unwrap();
        }
        file.flush().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 5]).unwrap();
        let again = read_folder_file(&path).unwrap().unwrap();
        assert_eq!(again.rows.len(), 2);
        assert_eq!(again.record(1), records.record(1));
        assert_eq!(again.gaps.of(1).collect::<Vec<_>>(), [1000]);
        file.rewrite(&records).unwrap();
        assert_eq!(read_folder_file(&path).unwrap().unwrap().rows.len(), 3);
    }
}
