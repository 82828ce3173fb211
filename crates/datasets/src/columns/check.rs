//! Rows of Parquet files, counted before the library makes them. It shares a value with what it is stored once for, and each row is
//! a copy; a null takes no room in the file, and as much as any value in a row.

use std::io::ErrorKind;

use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{AsBytes, DataType};
use parquet::errors::Result as ParquetResult;
use parquet::file::reader::RowGroupReader;

use super::pages::CheckedGroup;
use super::refused;
use crate::MAX_BAD_LINES;
use crate::fields::is_known_field;
use crate::read_error::ReadError;

/// Most values of the longest lists of a row group, over all columns; [`ReadError::TooManyValues`] says it. The library keeps room
/// for the longest list of each column, and makes a row's values with their names, some 200 bytes each. Nulls count, and each value
/// once for every column and list that it stands in: the library makes these, too.
const MAX_VALUES: usize = 400_000;
/// What a value counts beside its own bytes.
const VALUE: u64 = 16;
/// Values that a column keeps room for between rows.
const KEPT: usize = 1 << 10;

/// The limits of a file's rows.
pub(super) struct RowLimits {
    /// Bytes of a row.
    pub(super) row: usize,
    /// Most rows that are looked at.
    pub(super) rows: u64,
}

/// What was found in a group.
#[derive(Debug, Default)]
pub(super) struct CheckedRows {
    /// Rows that were looked at.
    pub(super) rows: u64,
    /// Those of them that are too long, by their index; not all where there are very many.
    pub(super) too_long: Vec<u64>,
}

/// Counts the rows of a group over all known columns. `left`: bytes that may still be looked at in the file. An error is that of the
/// row after those that were counted.
pub(super) fn check_rows(
    group: &CheckedGroup<'_>,
    limits: &RowLimits,
    left: &mut u64,
    checked: &mut CheckedRows,
) -> Result<(), ReadError> {
    let mut columns = Vec::new();
    for (index, column) in group.metadata.columns().iter().enumerate() {
        let path = column.column_descr().path().parts();
        if path.first().is_some_and(|name| is_known_field(name)) {
            let reader = group.get_column_reader(index).map_err(|error| refused(group, error).1)?;
            let names = path.iter().map(String::len).sum();
            columns.push(CheckedColumn { row: row_reader(reader), depth: path.len(), names, longest: 0 });
        }
    }
    while checked.rows < limits.rows {
        let (mut length, mut has_row) = (0_usize, false);
        for column in &mut columns {
            let row = column.row.next();
            let Some(row) = row.map_err(|error| {
                let (before, error) = refused(group, error);
                checked.rows = checked.rows.max(before);
                error
            })?
            else {
                continue;
            };
            has_row = true;
            column.longest = column.longest.max(row.values);
            length = length.saturating_add(row.bytes).saturating_add(row.values.saturating_mul(column.names));
            let counted = row.values.saturating_mul(column.depth) as u64 * VALUE + row.bytes as u64;
            *left = left.checked_sub(counted).ok_or(ReadError::Io(ErrorKind::QuotaExceeded))?;
        }
        if !has_row {
            break;
        }
        // The longest lists of all columns may stand in different rows: the library keeps room for each.
        if columns.iter().map(|column| column.longest.saturating_mul(column.depth)).sum::<usize>() > MAX_VALUES {
            return Err(ReadError::TooManyValues);
        }
        if length > limits.row && (checked.too_long.len() as u64) < MAX_BAD_LINES {
            checked.too_long.push(checked.rows);
        }
        checked.rows += 1;
    }
    Ok(())
}

struct CheckedColumn {
    row: Box<dyn RowReader>,
    /// Columns and lists that a value stands in, itself counted.
    depth: usize,
    /// Bytes of their names.
    names: usize,
    longest: usize,
}

/// A column's part of a row.
struct RowPart {
    /// Nulls are counted.
    values: usize,
    bytes: usize,
}

trait RowReader {
    /// None at the end.
    fn next(&mut self) -> ParquetResult<Option<RowPart>>;
}

struct TypedReader<T: DataType> {
    reader: ColumnReaderImpl<T>,
    definitions: Vec<i16>,
    repetitions: Vec<i16>,
    values: Vec<T::T>,
}

impl<T: DataType> RowReader for TypedReader<T> {
    fn next(&mut self) -> ParquetResult<Option<RowPart>> {
        let Self { reader, definitions, repetitions, values } = self;
        let (records, _, levels) = reader.read_records(1, Some(definitions), Some(repetitions), values)?;
        let bytes = values.iter().map(|value| value.as_bytes().len()).sum();
        definitions.clear();
        definitions.shrink_to(KEPT);
        repetitions.clear();
        repetitions.shrink_to(KEPT);
        values.clear();
        values.shrink_to(KEPT);
        Ok((records > 0 || levels > 0).then_some(RowPart { values: levels.max(records), bytes }))
    }
}

fn row_reader(reader: ColumnReader) -> Box<dyn RowReader> {
    match reader {
        ColumnReader::BoolColumnReader(reader) => typed(reader),
        ColumnReader::Int32ColumnReader(reader) => typed(reader),
        ColumnReader::Int64ColumnReader(reader) => typed(reader),
        ColumnReader::Int96ColumnReader(reader) => typed(reader),
        ColumnReader::FloatColumnReader(reader) => typed(reader),
        ColumnReader::DoubleColumnReader(reader) => typed(reader),
        ColumnReader::ByteArrayColumnReader(reader) => typed(reader),
        ColumnReader::FixedLenByteArrayColumnReader(reader) => typed(reader),
    }
}

fn typed<T: DataType>(reader: ColumnReaderImpl<T>) -> Box<dyn RowReader> {
    Box::new(TypedReader { reader, definitions: Vec::new(), repetitions: Vec::new(), values: Vec::new() })
}
