//! Imports an uploaded file: parses and normalises its rows.

use std::io::{BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use sha2::{Digest, Sha256};

use super::parsed::ParsedRow;
use super::read_error::{LineError, RowError};
use super::row::Normalised;
use super::{Imported, MAX_BAD_LINES, MAX_HASH_IDS, MAX_LISTED_ERRORS, MAX_ROW_BYTES, MAX_ROWS, file_rows, row};
use dyno_measure::dataset::{DatasetFormat, LeftOut, TraceFacts, TraceRow};

/// Why a file is refused.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Larger than the limit.
    #[error("file too large")]
    TooLarge,
    #[error("no rows")]
    Empty,
    /// No row has a prompt.
    #[error("nothing to send")]
    NothingToSend(Vec<LeftOut>),
    /// More rows than the limit, those with nothing to send included.
    #[error("too many rows")]
    TooManyRows,
    /// A trace with more `hash_ids` than the limit.
    #[error("too many hash_ids")]
    TooManyHashIds,
    /// Invalid lines: the first ones, and how many more there are. From [`MAX_BAD_LINES`] on, there may be others: reading
    /// stopped.
    #[error("{} bad lines", listed.len() as u64 + more)]
    BadLines { listed: Vec<LineError>, more: u64 },
    /// Nobody waits for it any more.
    #[error("stopped")]
    Stopped,
    /// A file could not be read or written.
    #[error("disk: {0}")]
    Io(#[from] std::io::Error),
}

/// Running totals of a trace's arrivals.
#[derive(Default)]
struct ArrivalTally {
    first_and_last: Option<(f64, f64)>,
    input: u64,
    output: u64,
}

impl ArrivalTally {
    fn take(&mut self, row: &TraceRow) {
        let (first, last) = self.first_and_last.unwrap_or((row.timestamp, row.timestamp));
        self.first_and_last = Some((first.min(row.timestamp), last.max(row.timestamp)));
        self.input += u64::from(row.input_length);
        self.output += u64::from(row.output_length);
    }

    fn facts(&self, count: u64) -> TraceFacts {
        let (first, last) = self.first_and_last.unwrap_or_default();
        TraceFacts {
            span_s: (last - first) / 1e3,
            mean_input_tokens: self.input as f64 / count as f64,
            mean_output_tokens: self.output as f64 / count as f64,
        }
    }
}

struct Collector<'a, W> {
    output: W,
    stop: &'a AtomicBool,
    /// All rows so far: good, invalid, and with nothing to send.
    rows: u64,
    digest: Sha256,
    format: Option<DatasetFormat>,
    samples: u64,
    with_reference: u64,
    chars: u64,
    arrivals: ArrivalTally,
    hash_ids: u64,
    left_out: Vec<LeftOut>,
    replaced: u64,
    listed: Vec<LineError>,
    more: u64,
    too_many: Option<ImportError>,
    disk: Option<std::io::Error>,
}

impl<W: Write> Collector<'_, W> {
    /// Adds a row; returns whether to continue.
    fn take(&mut self, (line, parsed): ParsedRow) -> bool {
        self.rows += 1;
        if self.rows > MAX_ROWS {
            self.too_many = Some(ImportError::TooManyRows);
        }
        if self.too_many.is_some() || self.stop.load(Ordering::Relaxed) {
            return false;
        }
        let replaced = parsed.as_ref().is_ok_and(|parsed| parsed.replaced > 0);
        match parsed.map_err(RowError::from).and_then(|parsed| row::normalised(&parsed.value)) {
            Ok((format, _)) if self.format.is_some_and(|first| first != format) => {
                let first = self.format.map_or("", name_of);
                return self.bad(line, format!("the row is {}, but the first one is {first}", name_of(format)));
            }
            Ok((format, row)) => {
                self.format = Some(format);
                self.samples += 1;
                self.replaced += u64::from(replaced);
                match &row {
                    Normalised::Prompt(row) => {
                        self.with_reference += u64::from(row.reference.is_some());
                        self.chars += row.messages.iter().map(|message| message.content.chars().count() as u64).sum::<u64>();
                    }
                    Normalised::Arrival(row) => {
                        self.hash_ids += row.hash_ids.len() as u64;
                        self.arrivals.take(row);
                    }
                }
                if self.hash_ids > MAX_HASH_IDS {
                    self.too_many = Some(ImportError::TooManyHashIds);
                    return false;
                }
                return self.write(&row);
            }
            Err(RowError::Nothing(reason)) => LeftOut::count(&mut self.left_out, reason),
            Err(RowError::Unreadable(message)) => return self.bad(line, message),
        }
        true
    }

    /// Notes an invalid line; returns whether to continue.
    fn bad(&mut self, line: u64, message: String) -> bool {
        if self.listed.len() < MAX_LISTED_ERRORS {
            self.listed.push(LineError { line, message });
        } else {
            self.more += 1;
        }
        self.listed.len() as u64 + self.more < MAX_BAD_LINES
    }

    fn write(&mut self, row: &Normalised) -> bool {
        // serialized straight to the output: a long row is not copied
        let mut output = Digested { output: &mut self.output, digest: &mut self.digest };
        let written = serde_json::to_writer(&mut output, row).map_err(std::io::Error::from);
        self.disk = written.and_then(|()| output.write_all(b"\n")).err();
        self.disk.is_none()
    }
}

/// A writer that also updates a digest.
struct Digested<'a, W> {
    output: &'a mut W,
    digest: &'a mut Sha256,
}

impl<W: Write> Write for Digested<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.output.write(bytes)?;
        self.digest.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.output.flush()
    }
}

fn name_of(format: DatasetFormat) -> &'static str {
    match format {
        DatasetFormat::ShareGpt => "a conversation",
        DatasetFormat::Alpaca => "an instruction",
        DatasetFormat::Prompts => "a plain prompt",
        DatasetFormat::AzureTrace | DatasetFormat::BurstGptTrace | DatasetFormat::MooncakeTrace => "an arrival of a trace",
    }
}

/// Reads a file of at most `most_bytes` (its name helps to detect the format) and writes its normalised rows to a new file,
/// which is removed on any error. Blocks.
pub fn import(upload: &Path, name: &str, output: &Path, most_bytes: u64) -> Result<Imported, ImportError> {
    import_until(upload, name, output, most_bytes, &AtomicBool::new(false))
}

/// As [`import`], until `stop` is set by another thread.
pub fn import_until(
    upload: &Path,
    name: &str,
    output: &Path,
    most_bytes: u64,
    stop: &AtomicBool,
) -> Result<Imported, ImportError> {
    let file = std::fs::File::open(upload)?;
    if file.metadata()?.len() > most_bytes {
        return Err(ImportError::TooLarge);
    }
    if let Some(folder) = output.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let target = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(output)?;
    let mut writer = BufWriter::new(&target);
    let each_row = |row: &mut dyn FnMut(ParsedRow) -> bool| file_rows::each_row_of_file(file, name, MAX_ROW_BYTES, stop, row);
    let imported = collect(each_row, &mut writer, stop).and_then(|imported| {
        target.sync_all()?;
        Ok(imported)
    });
    if imported.is_err() {
        std::fs::remove_file(output)?;
    }
    imported
}

/// As `import`, from any source to any writer.
pub(super) fn read_into(source: impl Read, name: &str, output: &mut impl Write) -> Result<Imported, ImportError> {
    let source = BufReader::with_capacity(1 << 16, source);
    collect(|row| file_rows::each_row(source, name, MAX_ROW_BYTES, row), output, &AtomicBool::new(false))
}

fn collect(
    each_row: impl FnOnce(&mut dyn FnMut(ParsedRow) -> bool),
    output: &mut impl Write,
    stop: &AtomicBool,
) -> Result<Imported, ImportError> {
    let mut collector = Collector {
        output,
        stop,
        rows: 0,
        digest: Sha256::new(),
        format: None,
        samples: 0,
        with_reference: 0,
        chars: 0,
        arrivals: ArrivalTally::default(),
        hash_ids: 0,
        left_out: Vec::new(),
        replaced: 0,
        listed: Vec::new(),
        more: 0,
        too_many: None,
        disk: None,
    };
    each_row(&mut |row| collector.take(row));
    collector.output.flush()?;
    if let Some(error) = collector.disk {
        return Err(error.into());
    }
    if stop.load(Ordering::Relaxed) {
        return Err(ImportError::Stopped);
    }
    if let Some(error) = collector.too_many {
        return Err(error);
    }
    if !collector.listed.is_empty() {
        return Err(ImportError::BadLines { listed: collector.listed, more: collector.more });
    }
    let Some(format) = collector.format else {
        let left_out = collector.left_out;
        return Err(if left_out.is_empty() { ImportError::Empty } else { ImportError::NothingToSend(left_out) });
    };
    Ok(Imported {
        format,
        samples: collector.samples,
        with_reference: collector.with_reference,
        mean_prompt_chars: (!format.is_trace()).then(|| collector.chars as f64 / collector.samples as f64),
        trace: format.is_trace().then(|| collector.arrivals.facts(collector.samples)),
        sha256: hex::encode(collector.digest.finalize()),
        left_out: collector.left_out,
        replaced: collector.replaced,
    })
}

#[cfg(test)]
mod tests;
