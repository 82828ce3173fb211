//! Parquet files, the format of most published datasets: reads the known columns row by row.

use std::fs::File;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::Type;

use serde_json::Value;

use super::MAX_UNPACKED_BYTES;
use super::fields::is_known_field;
use super::parsed::{Parsed, Row};
use super::read_error::ReadError;

/// Passes each row of a file to `row`; its line is the row's number from 1. Rows beyond `limit` bytes are errors.
pub(super) fn each_row(file: File, limit: usize, row: &mut dyn FnMut(Row) -> bool) {
    let mut number = 0;
    // the Parquet reader panics on some damaged files
    let ended = catch_unwind(AssertUnwindSafe(|| rows(file, (limit, MAX_UNPACKED_BYTES), &mut number, row)));
    let wrong = ended.unwrap_or(Err(ReadError::ParquetDamaged)).err();
    if let Some(error) = wrong {
        row((number + 1, Err(error)));
    }
}

/// Passes on each row; `limits` are the bytes of a row, and of all rows.
fn rows(
    file: File,
    (limit, mut left): (usize, u64),
    number: &mut u64,
    row: &mut dyn FnMut(Row) -> bool,
) -> Result<(), ReadError> {
    let reader = SerializedFileReader::new(file).map_err(unreadable)?;
    let schema = reader.metadata().file_metadata().schema();
    let known: Vec<_> = schema.get_fields().iter().filter(|field| is_known_field(field.name())).map(Arc::clone).collect();
    if known.is_empty() {
        let names = schema.get_fields().iter().map(|field| field.name().to_owned());
        return Err(ReadError::NoKnownColumn(names.collect()));
    }
    let columns = Type::group_type_builder(schema.name()).with_fields(known).build().map_err(unreadable)?;
    for record in reader.get_row_iter(Some(columns)).map_err(unreadable)? {
        let value = record.map_err(unreadable)?.to_json_value();
        // a value that is stored once may stand in a million rows
        let length = length_of(&value);
        left = left.checked_sub(length as u64).ok_or(ReadError::Io(ErrorKind::QuotaExceeded))?;
        *number += 1;
        let parsed = if length > limit { Err(ReadError::TooLong { limit }) } else { Ok(Parsed { value, replaced: 0 }) };
        if !row((*number, parsed)) {
            return Ok(());
        }
    }
    Ok(())
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

fn unreadable(error: ParquetError) -> ReadError {
    let what = error.to_string();
    ReadError::Parquet(what.lines().next().unwrap_or_default().chars().take(200).collect())
}

#[cfg(test)]
mod tests {
    use parquet::basic::Compression;
    use parquet::data_type::{ByteArray, ByteArrayType};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;
    use proptest::prelude::*;

    use super::*;
    use crate::{ImportError, Imported, MAX_FILE_BYTES, import};

    fn file_of(schema: &str, columns: &[&[&str]]) -> Vec<u8> {
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let properties = Arc::new(WriterProperties::builder().set_compression(Compression::SNAPPY).build());
        let mut writer = SerializedFileWriter::new(Vec::new(), schema, properties).unwrap();
        let mut group = writer.next_row_group().unwrap();
        for texts in columns {
            let mut column = group.next_column().unwrap().unwrap();
            let texts: Vec<ByteArray> = texts.iter().map(|text| ByteArray::from(*text)).collect();
            column.typed::<ByteArrayType>().write_batch(&texts, None, None).unwrap();
            column.close().unwrap();
        }
        group.close().unwrap();
        writer.into_inner().unwrap()
    }

    fn read(bytes: &[u8]) -> (Result<Imported, ImportError>, String) {
        let folder = tempfile::tempdir().unwrap();
        let (upload, output) = (folder.path().join("x"), folder.path().join("rows"));
        std::fs::write(&upload, bytes).unwrap();
        let imported = import(&upload, "x.parquet", &output, MAX_FILE_BYTES);
        (imported, std::fs::read_to_string(&output).unwrap_or_default())
    }

    const SCHEMA: &str =
        "message rows { required binary id (UTF8); required binary prompt (UTF8); required binary answer (UTF8); }";

    #[test]
    fn rows_of_columns() {
        let (imported, rows) = read(&file_of(SCHEMA, &[&["1", "2", "3"], &["one", " ", "two"], &["x", "y", ""]]));
        let imported = imported.unwrap();
        assert_eq!((imported.samples, imported.with_reference, imported.left_out.len()), (2, 1, 1));
        assert_eq!(rows.lines().next(), Some(r#"{"messages":[{"role":"user","content":"one"}],"reference":"x"}"#));
    }

    #[test]
    fn what_can_not_be_read_is_said() {
        let said = |bytes: &[u8]| match read(bytes).0 {
            Err(ImportError::BadLines { listed, .. }) => listed[0].message.clone(),
            other => panic!("{other:?}"),
        };
        assert!(said(b"PAR1 and nothing more").contains("Parquet"));
        let other = file_of("message rows { required binary colour (UTF8); }", &[&["red"]]);
        assert!(said(&other).starts_with("none of the columns colour is known"), "{}", said(&other));
    }

    #[test]
    fn what_is_stored_once_counts_in_each_row() {
        let text = "x".repeat(1_000);
        let bytes = file_of("message rows { required binary prompt (UTF8); }", &[&vec![text.as_str(); 100]]);
        assert!(bytes.len() < 3_000, "{}", bytes.len());
        let read = |limits: (usize, u64)| {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("x"), &bytes).unwrap();
            let (mut number, mut good) = (0, 0);
            let file = File::open(folder.path().join("x")).unwrap();
            let ended = rows(file, limits, &mut number, &mut |(_, row)| {
                good += u32::from(row.is_ok());
                true
            });
            (ended, number, good)
        };
        assert_eq!(read((2_000, 200_000)), (Ok(()), 100, 100));
        assert_eq!(read((900, 200_000)), (Ok(()), 100, 0));
        let (ended, number, _) = read((2_000, 50_000));
        assert_eq!(ended, Err(ReadError::Io(ErrorKind::QuotaExceeded)));
        assert!((40..50).contains(&number), "{number}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_change_of_a_good_file_makes_it_panic(changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..6)) {
            let mut bytes = file_of(SCHEMA, &[&["1"], &["one"], &["x"]]);
            for (at, byte) in changes {
                let at = at % bytes.len();
                bytes[at] = byte;
            }
            let _ = read(&bytes);
        }
    }
}
