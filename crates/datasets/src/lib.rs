//! Datasets: an upload is read once, with an error for each invalid line, and stored as normalised rows in a file.

mod array;
mod arrival;
mod builtin;
mod columns;
mod document;
mod fields;
mod file_rows;
mod import;
mod kept;
mod parsed;
pub mod python_json;
mod read_error;
mod row;
mod table;
mod trace;

use std::io::BufRead;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use uuid::Uuid;

use dyno_measure::dataset::{DatasetFormat, DatasetRow, LeftOut, TraceFacts};

pub use builtin::{BUILTIN_NAME, builtin};
pub use import::{ImportError, import, import_until};
pub use read_error::LineError;
pub use trace::{Trace, TraceError, first_arrivals, read_arrivals, read_trace};

/// Largest upload, bytes.
pub const MAX_FILE_BYTES: u64 = 256 << 20;
/// Largest decompressed size of a gzip file, bytes.
pub const MAX_UNPACKED_BYTES: u64 = 1 << 30;
/// Longest row, bytes: a million tokens of text.
pub const MAX_ROW_BYTES: usize = 8 << 20;
pub const MAX_ROWS: u64 = 1_000_000;
/// Most `hash_ids` of a trace, all rows together: a load keeps them in memory, 8 bytes each.
pub const MAX_HASH_IDS: u64 = 20_000_000;
/// Most columns of a table.
const MAX_COLUMNS: usize = 1_000;
/// Invalid lines that are listed; further ones are counted.
pub const MAX_LISTED_ERRORS: usize = 50;
/// Invalid lines after which a file is not read on: it is refused in any case.
pub const MAX_BAD_LINES: u64 = 1_000;

/// The result of an import.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    pub format: DatasetFormat,
    pub samples: u64,
    /// Rows with a reference output.
    pub with_reference: u64,
    /// Mean characters of a prompt; absent for a trace.
    pub mean_prompt_chars: Option<f64>,
    /// Facts about a trace's arrivals.
    pub trace: Option<TraceFacts>,
    /// Digest of the normalised rows; hex SHA-256.
    pub sha256: String,
    /// Rows with nothing to send, by reason.
    pub left_out: Vec<LeftOut>,
    /// Rows in which half of a surrogate pair was replaced by U+FFFD.
    pub replaced: u64,
}

impl Imported {
    /// Sentences about rows that were left out or changed.
    pub fn notes(&self, name: &str) -> Vec<String> {
        notes(&self.left_out, self.replaced, self.samples, name)
    }
}

/// Sentences about a dataset's rows that were left out or changed.
pub fn notes(left_out: &[LeftOut], replaced: u64, samples: u64, name: &str) -> Vec<String> {
    let replaced = (replaced > 0)
        .then(|| format!("In {replaced} of {samples} rows of {name}, halves of surrogate pairs were replaced by U+FFFD."));
    LeftOut::sentence(left_out, name, samples).into_iter().chain(replaced).collect()
}

/// Path of a dataset's normalised rows, one JSON object per line.
pub fn path_of(data_dir: &Path, id: Uuid) -> PathBuf {
    data_dir.join("datasets").join(format!("{id}.jsonl"))
}

/// Reads the normalised rows of a dataset of prompts, in order.
pub fn read_rows(path: &Path) -> std::io::Result<impl Iterator<Item = std::io::Result<DatasetRow>>> {
    lines_of(path)
}

fn lines_of<T: DeserializeOwned>(path: &Path) -> std::io::Result<impl Iterator<Item = std::io::Result<T>>> {
    let file = std::io::BufReader::new(std::fs::File::open(path)?);
    Ok(file.lines().map(|line| serde_json::from_str(&line?).map_err(std::io::Error::other)))
}
