//! Reading a file that another process appends to, line by line, from an offset on.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

/// Most that is read at once.
const PORTION: u64 = 1 << 20;

/// A place in a growing file.
#[derive(Debug, Clone)]
pub struct Tail {
    path: PathBuf,
    offset: u64,
}

impl Tail {
    /// Starts at an offset, bytes.
    pub fn new(path: impl Into<PathBuf>, offset: u64) -> Self {
        Self { path: path.into(), offset }
    }

    /// How far it was read, bytes: always the end of a line.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The whole lines that were added since, at most about a megabyte of them; half a line is left for later.
    pub fn lines(&mut self) -> io::Result<Vec<Vec<u8>>> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut size = PORTION;
        loop {
            file.seek(SeekFrom::Start(self.offset))?;
            let mut portion = Vec::new();
            let read = file.by_ref().take(size).read_to_end(&mut portion)? as u64;
            if let Some(last) = portion.iter().rposition(|byte| *byte == b'\n') {
                self.offset += last as u64 + 1;
                return Ok(portion[..last].split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect());
            }
            if read < size {
                return Ok(Vec::new());
            }
            // One line longer than a portion: read on until its end.
            size *= 2;
        }
    }
}

/// The last lines of a file, cleaned, empty ones left out.
pub fn last_lines(path: &Path, count: usize) -> Vec<String> {
    let Ok(mut file) = File::open(path) else { return Vec::new() };
    let size = file.metadata().map_or(0, |data| data.len());
    let mut text = Vec::new();
    if file.seek(SeekFrom::Start(size.saturating_sub(32_768))).is_err() || file.read_to_end(&mut text).is_err() {
        return Vec::new();
    }
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<String> = text.lines().map(crate::run::text::clean).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn whole_lines_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t");
        let mut tail = Tail::new(&path, 0);
        assert!(tail.lines().unwrap().is_empty());
        let mut file = File::create(&path).unwrap();
        file.write_all(b"one\ntwo\nthr").unwrap();
        assert_eq!(tail.lines().unwrap(), [b"one".to_vec(), b"two".to_vec()]);
        assert!(tail.lines().unwrap().is_empty());
        file.write_all(b"ee\n").unwrap();
        assert_eq!(tail.lines().unwrap(), [b"three".to_vec()]);
        assert_eq!(tail.offset(), 14);
        assert_eq!(last_lines(&path, 2), ["two", "three"]);
    }

    #[test]
    fn a_line_longer_than_a_portion() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t");
        std::fs::write(&path, format!("{}\nb\n", "a".repeat(3 << 20))).unwrap();
        let mut tail = Tail::new(&path, 0);
        assert_eq!(tail.lines().unwrap().len(), 2);
    }
}
