//! Datasets given as files on the command line: read as the portal reads uploads, and converted to the rows that a load reads.

use std::path::{Path, PathBuf};

use crate::self_check;
use crate::terminal::say;
use dyno_datasets::{ImportError, MAX_BAD_LINES, MAX_HASH_IDS, import};
use dyno_measure::dataset::LeftOut;
use dyno_measure::plan::DatasetFile;

/// Largest file; `ShareGPT`'s own has 640 MB.
const MAX_FILE_BYTES: u64 = 4 << 30;

/// Why a dataset is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum DatasetArgumentError {
    /// Its rows can't be written to the cache.
    #[error("The rows of {} can't be kept in {}: {source}.", file.display(), folder.display())]
    NotKept { file: PathBuf, folder: PathBuf, source: std::io::Error },
    /// It can't be read, or has lines that are not rows.
    #[error("The dataset {} {}", file.display(), reason(error))]
    NotRead { file: PathBuf, error: ImportError },
    /// It is a trace, which --trace takes.
    #[error("{} is a trace: give it with --trace.", .0.display())]
    Trace(PathBuf),
}

/// Reads a file (`ShareGPT` conversations, Alpaca, plain prompts; JSONL, JSON, CSV, Parquet or lines of text) and writes its
/// rows to the cache folder, named by their digest. Prints to standard error which rows were left out or changed.
///
/// # Errors
/// When the file can't be read, or a line of it is no row.
pub(super) fn dataset(path: &Path) -> Result<DatasetFile, DatasetArgumentError> {
    let file = path.to_owned();
    let folder = self_check::default_folder().unwrap_or_else(std::env::temp_dir).join("datasets");
    let unkept = |source: std::io::Error| DatasetArgumentError::NotKept { file: file.clone(), folder: folder.clone(), source };
    std::fs::create_dir_all(&folder).map_err(unkept)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let fresh = folder.join(format!("{}.new", uuid::Uuid::new_v4()));
    let imported = import(path, &name, &fresh, MAX_FILE_BYTES)
        .map_err(|error| DatasetArgumentError::NotRead { file: file.clone(), error })?;
    let kept = folder.join(format!("{}.jsonl", imported.sha256));
    std::fs::rename(&fresh, &kept).map_err(unkept)?;
    if imported.format.is_trace() {
        return Err(DatasetArgumentError::Trace(file));
    }
    let notes = imported.notes(&name);
    notes.iter().for_each(|note| say(note));
    Ok(DatasetFile { path: absolute(kept), id: uuid::Uuid::nil(), name, sha256: Some(imported.sha256), notes })
}

fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

fn reason(error: &ImportError) -> String {
    match error {
        ImportError::TooLarge => "is larger than 4 GB.".to_owned(),
        ImportError::Stopped => "was not read to its end.".to_owned(),
        ImportError::TooManyHashIds => format!("has more than {MAX_HASH_IDS} hash_ids."),
        ImportError::TooManyRows => "has more than a million rows.".to_owned(),
        ImportError::Empty => "has no rows.".to_owned(),
        ImportError::NothingToSend(left_out) => {
            let why = LeftOut::sentence(left_out, "it", 0).unwrap_or_default();
            format!("has nothing to send: {why}")
        }
        ImportError::Io(error) => format!("can't be read: {error}."),
        ImportError::BadLines { listed, more } => {
            let lines: Vec<String> = listed.iter().take(5).map(|bad| format!("line {}: {}", bad.line, bad.message)).collect();
            let or_more = if more + listed.len() as u64 >= MAX_BAD_LINES { " or more" } else { "" };
            let more = more + listed.len().saturating_sub(lines.len()) as u64;
            let and = if more > 0 { format!("; and {more}{or_more} more lines") } else { String::new() };
            format!("is not understood: {}{and}.", lines.join("; "))
        }
    }
}
