//! Tables with a header: comma, tab or semicolon between the fields.

use std::io::BufRead;

use csv_core::ReadRecordResult;
use serde_json::{Map, Value};

use super::MAX_COLUMNS;
use super::fields::is_known_field;
use super::parsed::{Parsed, ParsedRow};
use super::read_error::ReadError;

const MAX_HEADER_BYTES: usize = 1 << 20;

/// A row with room for as many fields as a table may have, and for one more.
struct Record {
    text: Vec<u8>,
    /// Where each field ends in the text.
    ends: [usize; MAX_COLUMNS + 1],
    fields: usize,
}

impl Record {
    fn new() -> Self {
        Self { text: Vec::new(), ends: [0; MAX_COLUMNS + 1], fields: 0 }
    }

    fn fields(&self) -> impl Iterator<Item = &[u8]> {
        let ends = &self.ends[..self.fields];
        let starts = std::iter::once(0).chain(ends.iter().copied());
        starts.zip(ends).map(|(start, &end)| &self.text[start..end])
    }
}

enum Next {
    Record,
    TooManyFields,
    End,
}

/// Reads a row of at most `limit` bytes: an unclosed quote would otherwise read the whole file as one. What a field takes beside its
/// bytes is limited by their number; a row with more fields is passed over.
fn next<R: BufRead>(reader: &mut csv_core::Reader, source: &mut R, record: &mut Record, limit: usize) -> Result<Next, ReadError> {
    let (mut length, mut fields, mut too_many) = (0, 0, false);
    loop {
        let input = source.fill_buf()?;
        let (result, read, written, ended) = reader.read_record(input, &mut record.text[length..], &mut record.ends[fields..]);
        source.consume(read);
        (length, fields) = (length + written, fields + ended);
        // Its fields are not kept.
        if too_many {
            (length, fields) = (0, 0);
        }
        match result {
            ReadRecordResult::InputEmpty => {}
            ReadRecordResult::OutputFull if record.text.len() >= limit => return Err(ReadError::TooLongInTable { limit }),
            ReadRecordResult::OutputFull => record.text.resize((2 * record.text.len()).max(1 << 10).min(limit), 0),
            ReadRecordResult::OutputEndsFull => (too_many, length, fields) = (true, 0, 0),
            ReadRecordResult::Record if too_many || fields > MAX_COLUMNS => return Ok(Next::TooManyFields),
            ReadRecordResult::Record => {
                record.fields = fields;
                return Ok(Next::Record);
            }
            ReadRecordResult::End => return Ok(Next::End),
        }
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
    let mut reader = csv_core::ReaderBuilder::new().delimiter(delimiter).build();
    let mut header: Option<Vec<String>> = None;
    let mut record = Record::new();
    loop {
        let most = if header.is_some() { limit } else { limit.min(MAX_HEADER_BYTES) };
        let line = reader.line() + first - 1;
        let next = next(&mut reader, &mut source, &mut record, most);
        let go_on = match (next, &header) {
            (Ok(Next::End), _) => return,
            (Err(error), _) => {
                row((reader.line() + first - 1, Err(error)));
                return;
            }
            (Ok(Next::TooManyFields), Some(_)) => row((line, Err(ReadError::TooManyFields))),
            (Ok(Next::Record), Some(names)) => row((line, named(&record, names).map(|value| Parsed { value, replaced: 0 }))),
            (Ok(Next::TooManyFields), None) => {
                row((line, Err(ReadError::TooManyColumns)));
                return;
            }
            (Ok(Next::Record), None) => match header_of(&record) {
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
fn header_of(record: &Record) -> Result<Vec<String>, ReadError> {
    let names = record.fields().map(|name| std::str::from_utf8(name).map(|name| name.trim().to_ascii_lowercase()));
    let names: Vec<String> = names.collect::<Result<_, _>>().map_err(|_| ReadError::NotUtf8)?;
    if names.iter().any(|name| is_known_field(name)) {
        return Ok(names);
    }
    Err(ReadError::NoKnownColumn(names))
}

/// A record as an object with the known columns.
fn named(record: &Record, names: &[String]) -> Result<Value, ReadError> {
    if record.fields != names.len() {
        return Err(ReadError::FieldCount { fields: record.fields, columns: names.len() });
    }
    let mut object = Map::new();
    for (name, field) in names.iter().zip(record.fields()) {
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
