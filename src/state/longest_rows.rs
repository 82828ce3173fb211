//! Most tokens of a dataset's row, counted once for each state of the dataset's file.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

/// Counts that are kept; beyond that all are forgotten, and counted anew when they are asked for.
const MOST: usize = 4_096;

/// How a row's tokens are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RowCounting {
    pub is_trace: bool,
    pub multi_turn: bool,
    pub max_output: Option<u32>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct CountKey {
    path: PathBuf,
    bytes: u64,
    modified: Option<SystemTime>,
    counting: RowCounting,
}

/// Most tokens of a row, by file and way of counting.
#[derive(Debug, Default)]
pub struct LongestRows(Mutex<HashMap<CountKey, u32>>);

impl LongestRows {
    /// The kept count, or else what `count` finds. Blocks. An error is not kept.
    pub fn of<E: From<io::Error>>(
        &self,
        path: &Path,
        counting: RowCounting,
        count: impl FnOnce() -> Result<u32, E>,
    ) -> Result<u32, E> {
        let data = path.metadata()?;
        let key = CountKey { path: path.to_owned(), bytes: data.len(), modified: data.modified().ok(), counting };
        if let Some(known) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(*known);
        }
        let longest = count()?;
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST {
            kept.clear();
        }
        kept.insert(key, longest);
        Ok(longest)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn counted_once_for_each_state_of_the_file_and_way_of_counting() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows");
        std::fs::write(&path, "one").unwrap();
        let (rows, counted) = (LongestRows::default(), Cell::new(0));
        let plain = RowCounting { is_trace: false, multi_turn: false, max_output: None };
        let ask = |counting| {
            rows.of::<io::Error>(&path, counting, || {
                counted.set(counted.get() + 1);
                Ok(7)
            })
        };
        assert_eq!((ask(plain).unwrap(), ask(plain).unwrap(), counted.get()), (7, 7, 1));
        ask(RowCounting { max_output: Some(9), ..plain }).unwrap();
        assert_eq!(counted.get(), 2);
        std::fs::write(&path, "two more").unwrap();
        ask(plain).unwrap();
        assert_eq!(counted.get(), 3);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(ask(plain).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
