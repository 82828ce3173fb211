//! Parquet files, the format of most published datasets: reads the known columns row by row.

mod check;
mod compact;
mod pages;

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::reader::TreeBuilder;
use parquet::schema::types::{SchemaDescriptor, Type};

use serde_json::Value;

use self::check::{CheckedRows, RowLimits, check_rows};
use self::compact::{PageHeaderError, check_schema};
use self::pages::{Budget, CheckedGroup};
use super::fields::is_known_field;
use super::parsed::{Parsed, ParsedRow};
use super::read_error::ReadError;
use super::{MAX_COLUMNS, MAX_ROWS, MAX_UNPACKED_BYTES};

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

/// Passes on each row. A group with rows that are too long is not read: only these are passed on.
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
        return Err(ReadError::TooManyColumns);
    }
    let (file, mut left, mut left_to_check) = (Arc::new(file), limits.all, limits.all.saturating_mul(4));
    for metadata in reader.metadata().row_groups() {
        let group = || CheckedGroup { file: &file, metadata, budget: Arc::new(Budget::new(limits.pages)) };
        let (before, mut checked) = (*number, CheckedRows::default());
        let row_limits = RowLimits { row: limits.row, rows: (MAX_ROWS + 1).saturating_sub(before) };
        let ended = check_rows(&group(), &row_limits, &mut left_to_check, &mut checked);
        for index in &checked.too_long {
            *number = before + index + 1;
            if !row((*number, Err(ReadError::TooLong { limit: limits.row }))) {
                return Ok(());
            }
        }
        if ended.is_err() || !checked.too_long.is_empty() {
            *number = before + checked.rows;
            return ended;
        }
        let group = group();
        // one row at a time: a batch of them would hold the lists of all
        let records = TreeBuilder::new().with_batch_size(1).as_iter(Arc::clone(&columns), &group);
        for record in records.map_err(|error| refused(&group, error).1)?.take(usize::try_from(checked.rows).unwrap_or(usize::MAX))
        {
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
