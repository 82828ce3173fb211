//! Detects a file's format and reads its rows: JSON (one object per line, one array, objects over several lines), a table with
//! a header, one prompt per line, Parquet; with or without gzip.

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, ErrorKind, Read, Seek};
use std::sync::atomic::{AtomicBool, Ordering};

use flate2::bufread::MultiGzDecoder;
use serde_json::Value;

use super::array::Elements;
use super::parsed::{Parsed, ParsedRow, from_element, parsed};
use super::read_error::ReadError;
use super::{MAX_UNPACKED_BYTES, columns, document, table};

/// Unsupported formats that get an error naming them, since an error in their first line would not help.
const OTHER_FORMATS: [(&[u8], &str); 8] = [
    (b"PK\x03\x04", "a zip archive; unpack it"),
    (b"\x28\xb5\x2f\xfd", "packed by zstd; unpack it"),
    (b"BZh", "packed by bzip2; unpack it"),
    (b"\xfd7zXZ\0", "packed by xz; unpack it"),
    (b"PAR1", "Parquet within gzip; unpack it"),
    (b"ARROW1", "an Arrow file; save it as Parquet or JSONL"),
    (b"\xff\xff\xff\xff", "an Arrow stream; save it as Parquet or JSONL"),
    (b"SQLite format 3", "an SQLite database; export the rows as JSONL"),
];

/// Passes each row of a file to `row`. When `stop` is set, what is not Parquet ends with an error, also within a long stretch
/// without a row.
pub(super) fn each_row_of_file(
    mut file: File,
    name: &str,
    limit: usize,
    stop: &AtomicBool,
    row: &mut dyn FnMut(ParsedRow) -> bool,
) {
    let mut start = [0; 4];
    let is_parquet = file.read_exact(&mut start).is_ok() && start == *b"PAR1";
    if let Err(error) = file.rewind() {
        row((1, Err(error.into())));
    } else if is_parquet {
        columns::each_row(file, limit, row);
    } else {
        each_row(BufReader::with_capacity(1 << 16, Stoppable { source: file, stop }), name, limit, row);
    }
}

/// Passes on each row of a source other than Parquet, decompressed where it is gzip.
pub(super) fn each_row<R: BufRead>(mut source: R, name: &str, limit: usize, row: &mut dyn FnMut(ParsedRow) -> bool) {
    if source.fill_buf().is_ok_and(|start| start.starts_with(&[0x1f, 0x8b])) {
        let unpacked = Unpacked { source: MultiGzDecoder::new(source), left: MAX_UNPACKED_BYTES };
        let name = name.strip_suffix(".gz").unwrap_or(name);
        each_unpacked(BufReader::with_capacity(1 << 16, unpacked), name, limit, row);
    } else {
        each_unpacked(source, name, limit, row);
    }
}

/// A reader that fails once `stop` is set.
struct Stoppable<'a, R> {
    source: R,
    stop: &'a AtomicBool,
}

impl<R: Read> Read for Stoppable<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(ErrorKind::ConnectionAborted.into());
        }
        self.source.read(buffer)
    }
}

/// A reader that fails beyond a limit of decompressed bytes.
struct Unpacked<R> {
    source: R,
    left: u64,
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.left = self.left.checked_sub(read as u64).ok_or(ErrorKind::QuotaExceeded)?;
        Ok(read)
    }
}

/// Passes on each row of a source until `row` returns false. A byte order mark at the beginning is skipped.
fn each_unpacked<R: BufRead>(mut source: R, name: &str, limit: usize, row: &mut dyn FnMut(ParsedRow) -> bool) {
    let start = match source.fill_buf() {
        Ok(start) => start,
        Err(error) => {
            row((1, Err(error.into())));
            return;
        }
    };
    if start.starts_with(&[0xff, 0xfe]) || start.starts_with(&[0xfe, 0xff]) {
        row((1, Err(ReadError::Utf16)));
        return;
    }
    if let Some(&(_, what)) = OTHER_FORMATS.iter().find(|(mark, _)| start.starts_with(mark)) {
        row((1, Err(ReadError::OtherFormat(what))));
        return;
    }
    if start.starts_with(&[0xef, 0xbb, 0xbf]) {
        source.consume(3);
    }
    let extension = extension_of(name);
    let (byte, line) = match first_byte(&mut source) {
        Ok(Some(found)) => found,
        Ok(None) => return,
        Err(error) => {
            row((1, Err(error.into())));
            return;
        }
    };
    if extension == "txt" && source.fill_buf().is_ok_and(|start| !is_json(start) && !table::has_header(start)) {
        return line_rows(source, line, limit, plain, row);
    }
    let is_table = matches!(extension.as_str(), "csv" | "tsv");
    match byte {
        b'[' => {
            source.consume(1);
            array_rows(source, line, limit, row);
        }
        b'{' if !is_table => objects(source, line, limit, row),
        b'"' if !is_table => line_rows(source, line, limit, parsed, row),
        _ if matches!(extension.as_str(), "json" | "jsonl" | "ndjson") => line_rows(source, line, limit, parsed, row),
        _ => table::each_row(source, line, &extension, limit, row),
    }
}

/// Whether a text begins like JSON objects or strings, rather than with a bracket that is text.
fn is_json(start: &[u8]) -> bool {
    let after = |open: u8| start.strip_prefix(&[open]).map(|rest| rest.trim_ascii_start().first().copied());
    matches!(after(b'{'), Some(Some(b'"'))) || matches!(after(b'['), Some(Some(b'"' | b'{')))
}

/// JSON objects: one per line, or spanning lines.
fn objects<R: BufRead>(mut source: R, line: u64, limit: usize, row: &mut dyn FnMut(ParsedRow) -> bool) {
    let mut first = Vec::new();
    if let Err(error) = (&mut source).take(limit as u64 + 1).read_until(b'\n', &mut first) {
        row((line, Err(error.into())));
        return;
    }
    let is_whole = first.len() <= limit && !matches!(first.trim_ascii_end().last(), Some(b'{' | b'[' | b','));
    if is_whole && let Ok(Some((_, next))) = first_byte(&mut source) {
        // replays the skipped empty lines, so that line numbers are right
        let passed = BufReader::new(std::io::repeat(b'\n').take(next - 1));
        return line_rows(Cursor::new(first).chain(passed).chain(source), line, limit, parsed, row);
    }
    document::each_row(Cursor::new(first).chain(source), line, limit, row);
}

/// The extension of a file name, in lower case.
fn extension_of(name: &str) -> String {
    name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).unwrap_or_default()
}

/// Skips white space; peeks at the next byte and returns it with its line.
fn first_byte<R: BufRead>(source: &mut R) -> std::io::Result<Option<(u8, u64)>> {
    let mut line = 1;
    loop {
        let Some(byte) = source.fill_buf()?.first().copied() else { return Ok(None) };
        if !byte.is_ascii_whitespace() {
            return Ok(Some((byte, line)));
        }
        line += u64::from(byte == b'\n');
        source.consume(1);
    }
}

/// A line of plain text, which is a prompt.
fn plain(text: &[u8]) -> Result<Parsed, ReadError> {
    let text = std::str::from_utf8(text).map_err(|_| ReadError::NotUtf8)?;
    Ok(Parsed { value: Value::from(text), replaced: 0 })
}

fn array_rows<R: BufRead>(source: R, line: u64, limit: usize, row: &mut dyn FnMut(ParsedRow) -> bool) {
    for element in Elements::new(source, line, limit) {
        if !row(from_element(element, limit)) {
            return;
        }
    }
}

fn line_rows<R: BufRead>(
    mut source: R,
    first: u64,
    limit: usize,
    read_row: fn(&[u8]) -> Result<Parsed, ReadError>,
    row: &mut dyn FnMut(ParsedRow) -> bool,
) {
    let mut text = Vec::new();
    for line in first.. {
        text.clear();
        let read = (&mut source).take(limit as u64 + 1).read_until(b'\n', &mut text);
        let next = match read {
            Ok(0) => return,
            Ok(_) if text.len() > limit => {
                if source.skip_until(b'\n').is_err() {
                    return;
                }
                Err(ReadError::TooLong { limit })
            }
            Ok(_) if text.iter().all(u8::is_ascii_whitespace) => continue,
            Ok(_) => read_row(text.trim_ascii()),
            Err(error) => Err(error.into()),
        };
        let broken = matches!(next, Err(ReadError::Io(_)));
        if !row((line, next)) || broken {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decompressed_size_is_limited() {
        let unpacked = |left: u64| {
            let source = BufReader::new(Unpacked { source: &b"{\"prompt\": \"a\"}\n{\"prompt\": \"b\"}\n"[..], left });
            let mut rows = Vec::new();
            each_unpacked(source, "x.jsonl", 1 << 20, &mut |(_, row)| {
                rows.push(row.map(|row| row.value));
                true
            });
            rows.pop().unwrap()
        };
        assert!(unpacked(34).is_ok());
        assert!(unpacked(20).unwrap_err().to_string().ends_with("unpacked, it is larger than 1024 MB"));
    }
}
