//! Tables with a header: comma, tab or semicolon between the fields.

use std::cell::Cell;
use std::io::{BufRead, Read};
use std::rc::Rc;

use serde_json::{Map, Value};

use super::MAX_COLUMNS;
use super::fields::is_known_field;
use super::parsed::{Parsed, ParsedRow};
use super::read_error::ReadError;

const MAX_HEADER_BYTES: usize = 1 << 20;

/// A reader that limits the bytes per row: an unclosed quote would otherwise read the whole file as one row.
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

/// Passes on each row of a table.
pub(super) fn each_row<R: BufRead>(
    mut source: R,
    first: u64,
    extension: &str,
    limit: usize,
    row: &mut dyn FnMut(ParsedRow) -> bool,
) {
    let delimiter = match source.fill_buf() {
        Ok(start) => delimiter_of(start, extension),
        Err(error) => {
            row((first, Err(error.into())));
            return;
        }
    };
    let left = Rc::new(Cell::new(limit));
    let guard = Guard { source, left: Rc::clone(&left) };
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).has_headers(false).from_reader(guard);
    let mut header: Option<Vec<String>> = None;
    let mut record = csv::ByteRecord::new();
    loop {
        // The CSV reader reads ahead, so after each row a whole limit of bytes may pass again.
        let most = if header.is_some() { limit } else { limit.min(MAX_HEADER_BYTES) };
        left.set(most);
        let next = reader.read_byte_record(&mut record);
        let line = record.position().map_or(first, |position| position.line() + first - 1);
        match next {
            Ok(false) => return,
            Ok(true) => {}
            Err(error) => {
                let wrong = match error.kind() {
                    csv::ErrorKind::Io(io) if io.kind() == std::io::ErrorKind::FileTooLarge => {
                        ReadError::TooLongInTable { limit: most }
                    }
                    csv::ErrorKind::Io(io) => ReadError::Io(io.kind()),
                    _ => ReadError::TableRow,
                };
                row((line.max(reader.position().line() + first - 1), Err(wrong)));
                return;
            }
        }
        let go_on = match &header {
            Some(names) => row((line, named(&record, names).map(|value| Parsed { value, replaced: 0 }))),
            None => match header_of(&record) {
                Ok(names) => {
                    header = Some(names);
                    true
                }
                Err(error) => {
                    row((line, Err(error)));
                    false
                }
            },
        };
        if !go_on {
            return;
        }
    }
}

/// The header's delimiter: a comma, or without one a tab or semicolon.
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

/// Whether a text begins with a table's header: every field of the first line is a name, and at least one is known.
pub(super) fn has_header(start: &[u8]) -> bool {
    let line = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let delimiter = delimiter_of(line, "");
    let Ok(line) = std::str::from_utf8(line) else { return false };
    let names: Vec<_> = line.split(delimiter as char).map(|name| name.trim().trim_matches('"').to_ascii_lowercase()).collect();
    let is_name = |name: &String| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "_- ".contains(c));
    names.len() <= MAX_COLUMNS && names.iter().all(is_name) && names.iter().any(|name| is_known_field(name))
}

/// The names of the columns, in lower case.
fn header_of(record: &csv::ByteRecord) -> Result<Vec<String>, ReadError> {
    if record.len() > MAX_COLUMNS {
        return Err(ReadError::TooManyColumns(record.len()));
    }
    let names = record.iter().map(|name| std::str::from_utf8(name).map(|name| name.trim().to_ascii_lowercase()));
    let names: Vec<String> = names.collect::<Result<_, _>>().map_err(|_| ReadError::NotUtf8)?;
    if names.iter().any(|name| is_known_field(name)) {
        return Ok(names);
    }
    Err(ReadError::NoKnownColumn(names))
}

/// A record as an object with the known columns.
fn named(record: &csv::ByteRecord, names: &[String]) -> Result<Value, ReadError> {
    if record.len() != names.len() {
        return Err(ReadError::FieldCount { fields: record.len(), columns: names.len() });
    }
    let mut object = Map::new();
    for (name, field) in names.iter().zip(record) {
        let field = std::str::from_utf8(field).map_err(|_| ReadError::NotUtf8)?;
        if is_known_field(name) {
            object.insert(name.clone(), cell(field)?);
        }
    }
    Ok(Value::Object(object))
}

/// A cell as a string; null where empty, and parsed where it holds a JSON list, as exported conversations do.
fn cell(field: &str) -> Result<Value, ReadError> {
    if field.is_empty() {
        return Ok(Value::Null);
    }
    if !field.trim_start().starts_with('[') {
        return Ok(Value::from(field));
    }
    let list = match super::kept::parse(field.as_bytes()) {
        Ok(list) => Some(list),
        Err(error) if error.is_data() => return Err(ReadError::Value(error.to_string())),
        Err(_) => None,
    };
    let list = list.filter(|list| list.as_array().is_some_and(|items| items.iter().all(Value::is_object)));
    Ok(list.unwrap_or_else(|| Value::from(field)))
}
