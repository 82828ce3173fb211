//! Parquet files, good and malicious ones.

use parquet::basic::{Compression, Encoding, GzipLevel};
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder, WriterVersion};
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

const SCHEMA: &str = "message rows { required binary id (UTF8); required binary prompt (UTF8); required binary answer (UTF8); }";

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
    let read = |(row, all): (usize, u64)| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("x"), &bytes).unwrap();
        let (mut number, mut good) = (0, 0);
        let file = File::open(folder.path().join("x")).unwrap();
        let limits = UnpackLimits { row, all, pages: 1 << 20 };
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

/// As `rows` reads a file: how it ended, after how many rows.
fn read_within(bytes: &[u8], pages: usize) -> (Result<(), ReadError>, u64) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("x"), bytes).unwrap();
    let limits = UnpackLimits { row: 8 << 20, all: 1 << 30, pages };
    let mut number = 0;
    let ended = rows(File::open(folder.path().join("x")).unwrap(), limits, &mut number, &mut |_| true);
    (ended, number)
}

/// A file of one page with texts of one column.
fn page_of(texts: &[ByteArray], properties: WriterPropertiesBuilder) -> Vec<u8> {
    let schema = Arc::new(parse_message_type("message rows { required binary prompt (UTF8); }").unwrap());
    let properties = properties.set_dictionary_enabled(false).set_data_page_size_limit(usize::MAX).build();
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<ByteArrayType>().write_batch(texts, None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.into_inner().unwrap()
}

/// Has the header of the first page claim another size; it takes 4 bytes there, as the true one does.
fn claim(file: &mut [u8], unpacked: u32) {
    let start = 4;
    assert_eq!((&file[start..start + 3], file[start + 6] < 0x80), (&[0x15, 0, 0x15][..], true));
    let number = unpacked << 1;
    for (index, byte) in file[start + 3..start + 7].iter_mut().enumerate() {
        *byte = (number >> (7 * index)) as u8 & 0x7f | if index < 3 { 0x80 } else { 0 };
    }
}

#[test]
fn what_a_page_claims_is_checked_before_it_is_unpacked() {
    let text = ByteArray::from("x".repeat(3 << 19).into_bytes());
    for packed in [Compression::SNAPPY, Compression::GZIP(GzipLevel::default()), Compression::UNCOMPRESSED] {
        let file = page_of(std::slice::from_ref(&text), WriterProperties::builder().set_compression(packed));
        assert_eq!(read_within(&file, 4 << 20), (Ok(()), 1));
        let too_large = (Err(ReadError::PagesTooLarge { limit: 1 << 20 }), 0);
        assert_eq!(read_within(&file, 1 << 20), too_large);
        let mut more = file.clone();
        claim(&mut more, 100 << 20);
        assert_eq!(read_within(&more, 4 << 20), (Err(ReadError::PagesTooLarge { limit: 4 << 20 }), 0), "{packed:?}");
    }
    // gzip unpacks to its end
    let mut less = page_of(&[text], WriterProperties::builder().set_compression(Compression::GZIP(GzipLevel::default())));
    claim(&mut less, 1 << 20);
    assert_eq!(read_within(&less, 4 << 20), (Err(ReadError::ParquetDamaged), 0));
}

#[test]
fn pages_of_all_columns_count_together() {
    let text = "x".repeat(700_000);
    let file = file_of(SCHEMA, &[&["1"], &[&text], &[&text]]);
    assert_eq!(read_within(&file, 4 << 20), (Ok(()), 1));
    assert_eq!(read_within(&file, 1 << 20), (Err(ReadError::PagesTooLarge { limit: 1 << 20 }), 0));
}

#[test]
fn encodings_of_texts() {
    let texts = ["one", "one more", "two"].map(ByteArray::from);
    let properties = |encoding| WriterProperties::builder().set_encoding(encoding);
    for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
        for encoding in [Encoding::PLAIN, Encoding::DELTA_LENGTH_BYTE_ARRAY] {
            let file = page_of(&texts, properties(encoding).set_writer_version(version));
            assert_eq!(read_within(&file, 1 << 20), (Ok(()), 3), "{version:?} {encoding}");
        }
        let prefixes = page_of(&texts, properties(Encoding::DELTA_BYTE_ARRAY).set_writer_version(version));
        let said = ReadError::SharedPrefixes { column: "prompt".to_owned() };
        assert_eq!(read_within(&prefixes, 1 << 20), (Err(said), 0));
    }
}

#[test]
fn conversations_are_lists() {
    let schema = "message rows { required group messages (LIST) { repeated group list { required group element {
        required binary role (UTF8); required binary content (UTF8); } } } required binary answer (UTF8); }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let lists = (vec![1; 5], vec![0, 0, 1, 1, 0]);
    for (texts, levels) in [
        (&["user", "user", "assistant", "user", "user"][..], Some(&lists)),
        (&["a", "b", "c", "d", "e"], Some(&lists)),
        (&["1", "2", "3"], None),
    ] {
        let texts: Vec<ByteArray> = texts.iter().map(|text| ByteArray::from(*text)).collect();
        let (definitions, repetitions) = levels.map(|(defined, repeated)| (&defined[..], &repeated[..])).unzip();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&texts, definitions, repetitions).unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    let (imported, rows) = read(&writer.into_inner().unwrap());
    assert_eq!(imported.unwrap().samples, 3);
    let contents = rows.lines().map(|row| {
        let row: serde_json::Value = serde_json::from_str(row).unwrap();
        let turns = row["messages"].as_array().unwrap().iter().map(|turn| turn["content"].as_str().unwrap().to_owned());
        turns.collect::<Vec<_>>()
    });
    assert_eq!(contents.collect::<Vec<_>>(), [vec!["a"], vec!["b", "c", "d"], vec!["e"]]);
}

/// A row with one list of so many structs, each with so many fields that are null.
fn nulls(structs: usize, fields: usize) -> Vec<u8> {
    let fields_of: String = (0..fields).map(|index| format!("optional binary k{index} (UTF8); ")).collect();
    let schema = format!(
        "message rows {{ required group messages (LIST) {{ repeated group list {{ required group element {{ {fields_of} }} }} }} }}"
    );
    let schema = Arc::new(parse_message_type(&schema).unwrap());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let repetitions: Vec<i16> = (0..structs).map(|index| i16::from(index > 0)).collect();
    while let Some(mut column) = group.next_column().unwrap() {
        column.typed::<ByteArrayType>().write_batch(&[], Some(&vec![1; structs]), Some(&repetitions)).unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.into_inner().unwrap()
}

#[test]
fn nulls_count_as_values_over_all_columns() {
    let file = nulls(99_999, 100);
    assert!(file.len() < 60_000, "{}", file.len());
    assert_eq!(read_within(&file, 1 << 20), (Err(ReadError::TooManyValues), 0));
    // 100 fields of 4 levels
    assert_eq!(read_within(&nulls(1_000, 100), 1 << 20), (Ok(()), 1));
    assert_eq!(read_within(&nulls(1_001, 100), 1 << 20), (Err(ReadError::TooManyValues), 0));
}

#[test]
fn a_value_that_is_too_long_is_not_copied() {
    let text = ByteArray::from("x".repeat(20 << 20).into_bytes());
    let file = page_of(&[text], WriterProperties::builder().set_compression(Compression::SNAPPY));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("x"), file).unwrap();
    let file = Arc::new(File::open(folder.path().join("x")).unwrap());
    let reader = SerializedFileReader::new(file.try_clone().unwrap()).unwrap();
    let group = CheckedGroup { file: &file, metadata: reader.metadata().row_group(0), budget: Arc::new(Budget::new(64 << 20)) };
    let (mut left, mut checked) = (1 << 30, CheckedRows::default());
    check_rows(&group, &RowLimits { row: 8 << 20, rows: 10 }, &mut left, &mut checked).unwrap();
    assert_eq!((checked.rows, checked.too_long), (1, vec![0]));
}

/// A file without rows whose schema has these groups, with their numbers of children, written one after the other.
fn schema_of(elements: &[(&str, u32)]) -> Vec<u8> {
    let number = |mut value: u32, bytes: &mut Vec<u8>| {
        while value > 0x7f {
            bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
    };
    let mut footer = vec![0x15, 2, 0x19, 0xfc];
    number(elements.len() as u32, &mut footer);
    for (name, children) in elements {
        footer.extend([0x35, 0, 0x18]);
        number(name.len() as u32, &mut footer);
        footer.extend(name.as_bytes());
        footer.push(0x15);
        number(children << 1, &mut footer);
        footer.push(0);
    }
    footer.extend([0x16, 0, 0x19, 0x0c, 0]);
    let length = (footer.len() as u32).to_le_bytes();
    [&b"PAR1"[..], &footer, &length, b"PAR1"].concat()
}

#[test]
fn schemas_that_the_library_could_not_bear() {
    let read = |elements: &[(&str, u32)]| read_within(&schema_of(elements), 1 << 20).0.unwrap_err();
    let nested = |depth| read(&vec![("prompt", 1); depth]);
    assert_eq!(nested(100_000), ReadError::SchemaTooWide);
    assert_eq!(nested(5_000), ReadError::SchemaTooDeep);
    assert_eq!(read(&[("rows", 1), ("prompt", i32::MAX as u32)]), ReadError::ParquetDamaged);
    assert_eq!(read(&[("rows", 1), (&"p".repeat(300), 0)]), ReadError::SchemaTooWide);
    assert!(matches!(read(&[("rows", 1), ("colour", 0)]), ReadError::NoKnownColumn(_) | ReadError::Parquet(_)));
    let mut long = b"PAR1".to_vec();
    long.resize(10 << 20, 0);
    long.extend((9_u32 << 20).to_le_bytes());
    long.extend(b"PAR1");
    assert_eq!(read_within(&long, 1 << 20).0, Err(ReadError::FooterTooLarge { limit: MAX_FOOTER }));
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
