//! Memory use of an import: a few times its longest row at most, whatever the values in it.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use dyno_datasets::{ImportError, MAX_FILE_BYTES, MAX_ROW_BYTES, first_arrivals, import};
use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Peak memory of an import in addition to what was allocated before, and its result.
fn import_of(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> (usize, Result<u64, ImportError>) {
    let (upload, output) = (folder.join(name), folder.join("rows"));
    std::fs::write(&upload, bytes).unwrap();
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let imported = import(&upload, name, &output, MAX_FILE_BYTES);
    let held = MEMORY.peak_usage() - before;
    let _ = std::fs::remove_file(output);
    (held, imported.map(|imported| imported.samples))
}

/// A Parquet file of one page with one column: texts of rows, or of the list that its only row has.
fn parquet(texts: &[ByteArray], is_list: bool, has_dictionary: bool) -> Vec<u8> {
    let schema = if is_list {
        "message rows { required group messages (LIST) { repeated group list { required binary element (UTF8); } } }"
    } else {
        "message rows { required binary prompt (UTF8); }"
    };
    let properties = WriterProperties::builder()
        .set_compression(Compression::GZIP(parquet::basic::GzipLevel::default()))
        .set_dictionary_enabled(has_dictionary)
        .set_dictionary_page_size_limit(usize::MAX)
        .set_data_page_size_limit(usize::MAX)
        .set_data_page_row_count_limit(usize::MAX)
        .build();
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let (definitions, mut repetitions) = (vec![1; texts.len()], vec![1; texts.len()]);
    repetitions[0] = 0;
    let (definitions, repetitions) = if is_list { (Some(&definitions[..]), Some(&repetitions[..])) } else { (None, None) };
    column.typed::<ByteArrayType>().write_batch(texts, definitions, repetitions).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.into_inner().unwrap()
}

/// A row whose list has structs of fields that are null.
fn nulls(structs: usize, fields: usize) -> Vec<u8> {
    let mut schema =
        String::from("message rows { required group messages (LIST) { repeated group list { required group element {");
    for field in 0..fields {
        write!(schema, "optional binary k{field} (UTF8); ").unwrap();
    }
    let schema = Arc::new(parse_message_type(&(schema + "} } } }")).unwrap());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let (definitions, mut repetitions) = (vec![1; structs], vec![1; structs]);
    repetitions[0] = 0;
    while let Some(mut column) = group.next_column().unwrap() {
        column.typed::<ByteArrayType>().write_batch(&[], Some(&definitions), Some(&repetitions)).unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.into_inner().unwrap()
}

/// What Parquet packs well is refused before it is unpacked, in words.
fn what_parquet_unpacks_to_is_bounded(folder: &Path) {
    const MOST: usize = 64 << 20;
    let text = |length: usize| ByteArray::from("x".repeat(length).into_bytes());
    let cases = [
        ("a page", parquet(&vec![text(1 << 20); 140], false, false), "its pages unpack to more than 128 MB at one time"),
        ("a dictionary", parquet(&[text(140 << 20)], false, true), "its pages unpack to more than 128 MB at one time"),
        ("a long list", parquet(&vec![text(1); 1_000_000], true, true), "a list of the row has more than 100,000 values"),
        ("nulls of a list", nulls(99_999, 100), "more than 400,000 values over all columns"),
        ("a long text", parquet(&[text(40 << 20)], false, false), "the row is longer than 8 MB"),
        ("a list of one text", parquet(&vec![text(1 << 20); 140], true, true), "the row is longer than 8 MB"),
    ];
    let mut over = Vec::new();
    for (what, file, why) in cases {
        let (held, imported) = import_of(folder, "a.parquet", &file);
        let said = match imported {
            Err(ImportError::BadLines { listed, .. }) => listed[0].message.clone(),
            other => format!("{other:?}"),
        };
        if held > MOST || !said.contains(why) {
            over.push(format!("{what}: {held} bytes held, {said}"));
        }
    }
    assert_eq!(over, Vec::<String>::new());
}

/// A field takes memory beside its bytes, of which it may have none.
fn a_row_of_commas_is_bounded(folder: &Path) {
    const MOST: usize = MAX_ROW_BYTES;
    let (held, imported) = import_of(folder, "a.csv", ["prompt\n", &",".repeat(MAX_ROW_BYTES - 1), "\n"].concat());
    let Err(ImportError::BadLines { listed, .. }) = imported else { panic!("{imported:?}") };
    assert_eq!(listed[0].message, "the row has more than 1000 fields");
    assert!(held <= MOST, "{held} bytes held");
}

/// Of an object longer than a row, no more is kept than a row may have, whatever it is made of.
fn a_long_object_is_bounded(folder: &Path) {
    const MOST: usize = 4 * MAX_ROW_BYTES;
    let long_name = format!("\"{}\":0,\n", "x".repeat(60_000));
    let mut over = Vec::new();
    for (what, field) in [("long names", long_name.as_str()), ("short names", "\"\":0,"), ("lists of rows", "\"data\":[],")] {
        let text = format!("{{\n{}\"x\":0}}", field.repeat((64 << 20) / field.len()));
        let (held, imported) = import_of(folder, "a.json", &text);
        let is_refused =
            matches!(&imported, Err(ImportError::BadLines { listed, .. }) if listed[0].message.contains("longer than"));
        if held > MOST || !is_refused {
            over.push(format!("{what}: {held} bytes held, {imported:?}"));
        }
    }
    assert_eq!(over, Vec::<String>::new());
}

/// A dataset's page shows a trace's first arrivals, however long it is.
fn the_first_arrivals_are_read_one_at_a_time(folder: &Path) {
    let path = folder.join("arrivals");
    let row = format!("{{\"timestamp\":1,\"input_length\":9,\"output_length\":5,\"hash_ids\":[{}1]}}\n", "1,".repeat(90_000));
    std::fs::write(&path, row.repeat(200)).unwrap();
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let first = first_arrivals(&path, 3).unwrap();
    let held = MEMORY.peak_usage() - before;
    assert!(first.len() == 3 && held < 60 * row.len(), "{held} bytes held for {} of them", first.len());
}

/// A single test, since a parallel one would be counted too.
#[test]
fn a_row_costs_a_few_times_its_length() {
    const ROW: usize = MAX_ROW_BYTES - 1024;
    /// Most bytes held per byte of a file of one row.
    const MOST: usize = 5;
    let folder = tempfile::tempdir().unwrap();
    a_long_object_is_bounded(folder.path());
    a_row_of_commas_is_bounded(folder.path());
    the_first_arrivals_are_read_one_at_a_time(folder.path());
    let list = |item: &str| format!("[{}{item}]", format!("{item},").repeat(ROW / (item.len() + 1) - 64));
    let prompt = |text: &str| format!("{{\"prompt\": \"{}\"}}\n", text.repeat(ROW / text.len()));
    let mut fields = String::from("{\"prompt\": \"q\"");
    for number in 0.. {
        if fields.len() > ROW - 64 {
            break;
        }
        write!(fields, ",\"{number}\":0").unwrap();
    }
    fields.push('}');
    let header = |column: &str| format!("prompt,{}\n", column.repeat((7 << 20) / column.len()));
    let cases = [
        ("one long text", "a.jsonl", prompt("x"), true),
        ("escapes", "a.jsonl", prompt("\\t"), false),
        ("halves of surrogate pairs", "a.jsonl", prompt("\\ud83d"), true),
        ("a list of numbers", "a.jsonl", format!("{{\"prompt\": {}}}\n", list("1")), false),
        ("values in a field that nobody reads", "a.jsonl", format!("{{\"prompt\": \"q\", \"x\": {}}}\n", list("1")), true),
        ("a list of objects", "a.jsonl", format!("{{\"messages\": {}}}\n", list("{}")), false),
        ("many fields", "a.jsonl", fields.clone(), true),
        ("many fields over several lines", "a.json", fields.replacen('{', "{\n", 1), true),
        ("an object with a list of texts", "a.json", format!("{{\n\"x\": {}}}", list("\"a\"")), false),
        ("a list of rows", "a.json", format!("[{fields}]"), true),
        ("many columns", "a.csv", header("a,"), false),
        ("one long column", "a.csv", header("a"), false),
        ("a long field", "a.csv", format!("prompt\n{}\n", "x".repeat(ROW)), true),
        ("a quote that is not closed", "a.csv", format!("prompt\n\"{}\n", "x,".repeat(ROW)), false),
    ];
    let mut over = Vec::new();
    for (what, name, text, is_good) in cases {
        let (held, imported) = import_of(folder.path(), name, &text);
        println!("{what}: {:.1} MB held for {:.1} MB", held as f64 / 1e6, text.len() as f64 / 1e6);
        if held > MOST * text.len() {
            over.push(format!("{what}: {held} bytes for {}", text.len()));
        }
        assert!(imported.is_ok() || !is_good, "{what}: {imported:?}");
    }
    assert_eq!(over, Vec::<String>::new());
    what_parquet_unpacks_to_is_bounded(folder.path());
}
