//! Parquet files, the format of most published datasets: reads the known columns row by row.

mod compact;
mod pages;

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{AsBytes, DataType};
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::record::reader::TreeBuilder;
use parquet::schema::types::{SchemaDescriptor, Type};

use serde_json::Value;

use self::compact::{PageHeaderError, check_schema};
use self::pages::{Budget, CheckedGroup};
use super::fields::is_known_field;
use super::parsed::{Parsed, ParsedRow};
use super::read_error::ReadError;
use super::{MAX_COLUMNS, MAX_UNPACKED_BYTES};

/// Most bytes that the pages of all columns take at one time, unpacked. Writers make pages of about 1 MB, or of a thousand rows.
const MAX_UNPACKED_PAGES: usize = 128 << 20;
/// Largest footer, bytes: the columns, and where each of them lies in each group of rows.
const MAX_FOOTER: usize = 8 << 20;

/// Most bytes that are unpacked.
#[derive(Debug, Clone, Copy)]
struct UnpackLimits {
    row: usize,
    all: u64,
    /// Pages of all columns at one time.
    pages: usize,
}

/// Passes each row of a file to `row`; its line is the row's number from 1. Rows beyond `limit` bytes are errors.
pub(super) fn each_row(file: File, limit: usize, row: &mut dyn FnMut(ParsedRow) -> bool) {
    let limits = UnpackLimits { row: limit, all: MAX_UNPACKED_BYTES, pages: MAX_UNPACKED_PAGES };
    let mut number = 0;
    // the Parquet reader panics on some damaged files
    let ended = catch_unwind(AssertUnwindSafe(|| rows(file, limits, &mut number, row)));
    let wrong = ended.unwrap_or(Err(ReadError::ParquetDamaged)).err();
    if let Some(error) = wrong {
        row((number + 1, Err(error)));
    }
}

/// Passes on each row.
fn rows(file: File, limits: UnpackLimits, number: &mut u64, row: &mut dyn FnMut(ParsedRow) -> bool) -> Result<(), ReadError> {
    check_footer(&file)?;
    let reader = SerializedFileReader::new(file.try_clone()?).map_err(unreadable)?;
    let schema = reader.metadata().file_metadata().schema();
    let known: Vec<_> = schema.get_fields().iter().filter(|field| is_known_field(field.name())).map(Arc::clone).collect();
    if known.is_empty() {
        let names = schema.get_fields().iter().map(|field| field.name().to_owned());
        return Err(ReadError::NoKnownColumn(names.collect()));
    }
    let columns = Type::group_type_builder(schema.name()).with_fields(known).build().map_err(unreadable)?;
    let columns = Arc::new(SchemaDescriptor::new(Arc::new(columns)));
    if columns.num_columns() > MAX_COLUMNS {
        return Err(ReadError::TooManyColumns(columns.num_columns()));
    }
    let (file, mut left, mut left_of_lists) = (Arc::new(file), limits.all, limits.all.saturating_mul(4));
    for metadata in reader.metadata().row_groups() {
        let group = || CheckedGroup { file: &file, metadata, budget: Arc::new(Budget::new(limits.pages)) };
        check_lists(&group(), metadata, limits.row, &mut left_of_lists).map_err(|(before, error)| {
            *number += before;
            error
        })?;
        let group = group();
        // one row at a time: a batch of them would hold the lists of all
        let records = TreeBuilder::new().with_batch_size(1).as_iter(Arc::clone(&columns), &group);
        for record in records.map_err(|error| refused(&group, error).1)? {
            let value = record.map_err(|error| refused(&group, error).1)?.to_json_value();
            // a value that is stored once may stand in a million rows
            let length = length_of(&value);
            left = left.checked_sub(length as u64).ok_or(ReadError::Io(ErrorKind::QuotaExceeded))?;
            *number += 1;
            let limit = limits.row;
            let parsed = if length > limit { Err(ReadError::TooLong { limit }) } else { Ok(Parsed { value, replaced: 0 }) };
            if !row((*number, parsed)) {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Checks the footer before the library reads it.
fn check_footer(file: &File) -> Result<(), ReadError> {
    let mut end = [0; 8];
    let before_end = file.metadata()?.len().checked_sub(8).ok_or(ReadError::ParquetDamaged)?;
    file.read_exact_at(&mut end, before_end)?;
    let [a, b, c, d, ..] = end;
    let length = u32::from_le_bytes([a, b, c, d]) as usize;
    if length > MAX_FOOTER {
        return Err(ReadError::FooterTooLarge { limit: MAX_FOOTER });
    }
    let start = before_end.checked_sub(length as u64).ok_or(ReadError::ParquetDamaged)?;
    let mut footer = vec![0; length];
    file.read_exact_at(&mut footer, start)?;
    check_schema(&footer).map_err(|error| match error {
        PageHeaderError::Deep => ReadError::SchemaTooDeep,
        PageHeaderError::Wide => ReadError::SchemaTooWide,
        PageHeaderError::Short | PageHeaderError::Damaged => ReadError::ParquetDamaged,
    })
}

/// Looks at the lists of a group of rows, whose values the library shares with what they are stored once for, before it makes
/// rows of them, where each is a copy. An error comes with the rows of the group before it.
fn check_lists(
    group: &CheckedGroup<'_>,
    metadata: &RowGroupMetaData,
    limit: usize,
    left: &mut u64,
) -> Result<(), (u64, ReadError)> {
    for (index, column) in metadata.columns().iter().enumerate() {
        let described = column.column_descr();
        let is_known = described.path().parts().first().is_some_and(|name| is_known_field(name));
        if described.max_rep_level() == 0 || !is_known {
            continue;
        }
        let reader = group.get_column_reader(index).map_err(|error| refused(group, error))?;
        let mut check = ListCheck { group, limit, left };
        match reader {
            ColumnReader::BoolColumnReader(reader) => check.all(reader),
            ColumnReader::Int32ColumnReader(reader) => check.all(reader),
            ColumnReader::Int64ColumnReader(reader) => check.all(reader),
            ColumnReader::Int96ColumnReader(reader) => check.all(reader),
            ColumnReader::FloatColumnReader(reader) => check.all(reader),
            ColumnReader::DoubleColumnReader(reader) => check.all(reader),
            ColumnReader::ByteArrayColumnReader(reader) => check.all(reader),
            ColumnReader::FixedLenByteArrayColumnReader(reader) => check.all(reader),
        }?;
    }
    Ok(())
}

struct ListCheck<'a> {
    group: &'a CheckedGroup<'a>,
    limit: usize,
    /// Bytes that may still be looked at: rows may be empty, and without number.
    left: &'a mut u64,
}

impl ListCheck<'_> {
    fn all<T: DataType>(&mut self, mut reader: ColumnReaderImpl<T>) -> Result<(), (u64, ReadError)> {
        const ROW: u64 = 16;
        let (mut definitions, mut repetitions, mut values) = (Vec::new(), Vec::new(), Vec::new());
        let mut rows = 0;
        loop {
            definitions.clear();
            repetitions.clear();
            values.clear();
            let read = reader.read_records(1, Some(&mut definitions), Some(&mut repetitions), &mut values);
            let (records, _, levels) = read.map_err(|error| refused(self.group, error))?;
            if records == 0 && levels == 0 {
                return Ok(());
            }
            let length: usize = values.iter().map(|value| value.as_bytes().len()).sum();
            if length > self.limit {
                return Err((rows, ReadError::TooLong { limit: self.limit }));
            }
            let quota = (rows, ReadError::Io(ErrorKind::QuotaExceeded));
            *self.left = self.left.checked_sub(ROW + length as u64).ok_or(quota)?;
            rows += records as u64;
        }
    }
}

/// About the length of a value as JSON, bytes.
fn length_of(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(|item| length_of(item) + 1).sum::<usize>() + 2,
        Value::Object(fields) => fields.iter().map(|(name, field)| name.len() + length_of(field) + 4).sum::<usize>() + 2,
        Value::Null | Value::Bool(_) | Value::Number(_) => 5,
    }
}

/// Why a group could not be read: a page of it was refused, or the library says why. With the rows of the group before it.
fn refused(group: &CheckedGroup<'_>, error: ParquetError) -> (u64, ReadError) {
    group.budget.take_refusal().unwrap_or_else(|| (0, unreadable(error)))
}

fn unreadable(error: ParquetError) -> ReadError {
    let what = error.to_string();
    ReadError::Parquet(what.lines().next().unwrap_or_default().chars().take(200).collect())
}

#[cfg(test)]
mod tests;
