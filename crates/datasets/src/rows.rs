//! The three kinds of file that rows come in: a JSON object a line, one JSON array, a table with a header.

use std::cell::Cell;
use std::io::{BufRead, Read};
use std::rc::Rc;

use serde_json::{Map, Value};

use super::array::{ArrayError, Elements};

/// A row as it was read, with its line; or what is wrong there.
pub(super) type Row = (u64, Result<Value, String>);

/// Hands on each row of a source to a function, which says whether to go on. A mark of UTF-8 at the beginning is skipped.
pub(super) fn each_row<R: BufRead>(mut source: R, name: &str, limit: usize, row: &mut dyn FnMut(Row) -> bool) {
    let start = match source.fill_buf() {
        Ok(start) => start,
        Err(error) => {
            row((1, Err(failed(error.kind()))));
            return;
        }
    };
    if start.starts_with(&[0xff, 0xfe]) || start.starts_with(&[0xfe, 0xff]) {
        row((1, Err("the file is UTF-16; save it as UTF-8".to_owned())));
        return;
    }
    if start.starts_with(&[0xef, 0xbb, 0xbf]) {
        source.consume(3);
    }
    let extension = extension_of(name);
    let line = match first_byte(&mut source) {
        Ok(Some((b'[', line))) => {
            source.consume(1);
            return array_rows(source, line, limit, row);
        }
        Ok(Some((b'{' | b'"', line))) if !matches!(extension.as_str(), "csv" | "tsv") => {
            return line_rows(source, line, limit, row);
        }
        Ok(Some((_, line))) => line,
        Ok(None) => return,
        Err(error) => {
            row((1, Err(failed(error.kind()))));
            return;
        }
    };
    if matches!(extension.as_str(), "json" | "jsonl" | "ndjson") {
        line_rows(source, line, limit, row);
    } else {
        table_rows(source, line, &extension, limit, row);
    }
}

/// What stands after the last dot of a name, in lower case.
fn extension_of(name: &str) -> String {
    name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).unwrap_or_default()
}

fn failed(kind: std::io::ErrorKind) -> String {
    format!("the file could not be read ({kind})")
}

/// Skips white space; the first byte after it, which stays unread, and its line.
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

fn parsed(text: &[u8]) -> Result<Value, String> {
    let Ok(text) = std::str::from_utf8(text) else { return Err("not UTF-8".to_owned()) };
    serde_json::from_str(text).map_err(|error| {
        let what = error.to_string();
        // The place within the row; the row's own line is said already.
        let what = what.split(" at line ").next().unwrap_or_default();
        format!("not JSON: {what} (column {})", error.column())
    })
}

fn array_rows<R: BufRead>(source: R, line: u64, limit: usize, row: &mut dyn FnMut(Row) -> bool) {
    for element in Elements::new(source, line, limit) {
        let next = match element {
            Ok((line, text)) => (line, parsed(&text)),
            Err((line, ArrayError::TooLong)) => (line, Err(too_long(limit))),
            Err((line, ArrayError::NotClosed)) => (line, Err("the file ends before the list is closed".to_owned())),
            Err((line, ArrayError::TextAfter)) => (line, Err("there is text after the end of the list".to_owned())),
            Err((line, ArrayError::Io(kind))) => (line, Err(failed(kind))),
        };
        if !row(next) {
            return;
        }
    }
}

fn too_long(limit: usize) -> String {
    format!("the row is longer than {} MB", limit >> 20)
}

fn line_rows<R: BufRead>(mut source: R, first: u64, limit: usize, row: &mut dyn FnMut(Row) -> bool) {
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
                Err(too_long(limit))
            }
            Ok(_) if text.iter().all(u8::is_ascii_whitespace) => continue,
            Ok(_) => parsed(text.trim_ascii()),
            Err(error) => Err(failed(error.kind())),
        };
        let broken = read_failed(&next);
        if !row((line, next)) || broken {
            return;
        }
    }
}

fn read_failed(row: &Result<Value, String>) -> bool {
    row.as_ref().is_err_and(|why| why.starts_with("the file could not be read"))
}

/// Lets no more than a row's length pass until it is told that a row has ended: an open quote would read in the whole file.
struct Guard<R> {
    source: R,
    left: Rc<Cell<usize>>,
}

impl<R: Read> Read for Guard<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let left = self.left.get();
        if left == 0 {
            return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, "row too long"));
        }
        let most = buffer.len().min(left);
        let read = self.source.read(&mut buffer[..most])?;
        self.left.set(left - read);
        Ok(read)
    }
}

fn table_rows<R: BufRead>(mut source: R, first: u64, extension: &str, limit: usize, row: &mut dyn FnMut(Row) -> bool) {
    let delimiter = match source.fill_buf() {
        Ok(start) => delimiter_of(start, extension),
        Err(error) => {
            row((first, Err(failed(error.kind()))));
            return;
        }
    };
    let left = Rc::new(Cell::new(limit));
    let guard = Guard { source, left: Rc::clone(&left) };
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).has_headers(false).from_reader(guard);
    let mut header: Option<Vec<String>> = None;
    let mut record = csv::ByteRecord::new();
    loop {
        // The reader reads ahead, so that a row's end says only that a whole limit may pass again.
        left.set(limit);
        let next = reader.read_byte_record(&mut record);
        let line = record.position().map_or(first, |position| position.line() + first - 1);
        let next = match next {
            Ok(false) => return,
            Ok(true) => named(&record, &mut header).transpose(),
            Err(error) => {
                let why = match error.kind() {
                    csv::ErrorKind::Io(io) if io.kind() == std::io::ErrorKind::FileTooLarge => {
                        format!("{}; is a quote left open?", too_long(limit))
                    }
                    csv::ErrorKind::Io(io) => failed(io.kind()),
                    _ => "the row can't be read".to_owned(),
                };
                row((line.max(reader.position().line() + first - 1), Err(why)));
                return;
            }
        };
        if let Some(next) = next
            && !row((line, next))
        {
            return;
        }
    }
}

/// The delimiter that the header has: a comma, or where there is none a tab or a semicolon.
fn delimiter_of(start: &[u8], extension: &str) -> u8 {
    let header = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let has = |byte: u8| header.contains(&byte);
    if extension == "tsv" || (has(b'\t') && !has(b',')) {
        b'\t'
    } else if has(b';') && !has(b',') {
        b';'
    } else {
        b','
    }
}

/// A record as an object with the header's names; nothing for the header itself. Empty fields are left out.
fn named(record: &csv::ByteRecord, header: &mut Option<Vec<String>>) -> Result<Option<Value>, String> {
    let fields = record.iter().map(|field| std::str::from_utf8(field).map_err(|_| "not UTF-8".to_owned()));
    let fields = fields.collect::<Result<Vec<_>, _>>();
    let Some(names) = header else {
        let names = fields?.iter().map(|name| name.trim().to_ascii_lowercase()).collect();
        *header = Some(names);
        return Ok(None);
    };
    let fields = fields?;
    if fields.len() != names.len() {
        return Err(format!("{} fields, but the header has {}", fields.len(), names.len()));
    }
    let pairs = names.iter().zip(fields).filter(|(_, field)| !field.is_empty());
    let object: Map<_, _> = pairs.map(|(name, field)| (name.clone(), cell(field))).collect();
    Ok(Some(Value::Object(object)))
}

/// A cell is a text, unless it holds a list, as exported conversations do.
fn cell(field: &str) -> Value {
    let list = field.trim_start().starts_with('[').then(|| serde_json::from_str::<Value>(field).ok()).flatten();
    list.filter(|list| list.as_array().is_some_and(|items| items.iter().all(Value::is_object)))
        .unwrap_or_else(|| Value::from(field))
}
