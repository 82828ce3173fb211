//! Real-world files, and malicious ones.

use proptest::prelude::*;

use super::*;

fn read(name: &str, bytes: &[u8]) -> Result<(Imported, Vec<String>), ImportError> {
    let mut output = Vec::new();
    let imported = read_into(bytes, name, &mut output)?;
    Ok((imported, String::from_utf8(output).unwrap().lines().map(str::to_owned).collect()))
}

fn bad_lines(name: &str, bytes: &[u8]) -> Vec<(u64, String)> {
    match read(name, bytes) {
        Err(ImportError::BadLines { listed, .. }) => listed.into_iter().map(|error| (error.line, error.message)).collect(),
        other => panic!("{other:?}"),
    }
}

fn prompts(name: &str, bytes: &[u8]) -> Vec<String> {
    let (_, lines) = read(name, bytes).unwrap();
    let rows = lines.iter().map(|line| serde_json::from_str::<dyno_measure::dataset::DatasetRow>(line).unwrap());
    rows.map(|row| row.messages.last().unwrap().content.clone()).collect()
}

#[test]
fn a_line_an_object() {
    let file = b"{\"prompt\": \"a\", \"answer\": \"1\"}\r\n\r\n{\"prompt\": \"bcd\"}";
    let (imported, lines) = read("x.jsonl", file).unwrap();
    assert_eq!((imported.samples, imported.with_reference, imported.format), (2, 1, DatasetFormat::Prompts));
    assert_eq!((imported.mean_prompt_chars, imported.trace), (Some(2.0), None));
    assert_eq!(lines[0], r#"{"messages":[{"role":"user","content":"a"}],"reference":"1"}"#);
    assert_eq!(imported.sha256.len(), 64);
}

#[test]
fn one_array() {
    let file = b" [\n{\"instruction\": \"a\", \"output\": \"x\"},\n{\"instruction\": \"b\", \"input\": \"c\"}\n]\n";
    assert_eq!(read("x.json", file).unwrap().0.format, DatasetFormat::Alpaca);
    assert_eq!(prompts("x.json", file), ["a", "b\n\nc"]);
    let bad = b"[\n{\"instruction\": \"a\"},\n{\"instruction\": }\n,7]";
    let lines: Vec<_> = bad_lines("x.json", bad).into_iter().map(|(line, _)| line).collect();
    assert_eq!(lines, [3, 4]);
}

#[test]
fn a_table() {
    let file = b"Prompt,Output\r\n\"one\nline more\",1\r\n\"say \"\"hi\"\"\",\r\nthree,3\r\n";
    assert_eq!(prompts("x.csv", file), ["one\nline more", "say \"hi\"", "three"]);
    assert_eq!(read("x.csv", file).unwrap().0.with_reference, 2);
    assert_eq!(prompts("x.csv", b"prompt;output\na, b;c\n"), ["a, b"]);
    assert_eq!(prompts("x.tsv", b"prompt\toutput\na, b\tc\n"), ["a, b"]);
    let list = b"conversations\n\"[{\"\"from\"\": \"\"human\"\", \"\"value\"\": \"\"q\"\"}]\"\n";
    assert_eq!(prompts("x.csv", list), ["q"]);
    assert_eq!(
        bad_lines("x.csv", b"prompt,output\na,b\nc\n\"d\n\",e,f\n"),
        [(3, "1 fields, but the header has 2".to_owned()), (4, "3 fields, but the header has 2".to_owned())]
    );
}

#[test]
fn a_mark_of_utf8_is_no_text() {
    assert_eq!(prompts("x.csv", b"\xef\xbb\xbfprompt\nq\n"), ["q"]);
    assert_eq!(prompts("x.jsonl", b"\xef\xbb\xbf{\"prompt\": \"q\"}\n"), ["q"]);
}

#[test]
fn every_bad_line_is_named() {
    let file = b"{\"prompt\": \"a\"}\n{\"prompt\": \n\n{\"prompt\": \"\xff\"}\n{\"colour\": 1}\n{\"instruction\": \"x\"}\n";
    let bad = bad_lines("x.jsonl", file);
    assert_eq!(bad.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 4, 5, 6]);
    assert!(bad[0].1.starts_with("not JSON: "), "{bad:?}");
    assert_eq!(bad[1].1, "not UTF-8");
    assert_eq!(bad[3].1, "the row is an instruction, but the first one is a plain prompt");
}

#[test]
fn bad_lines_are_listed_up_to_a_number_and_counted_beyond() {
    let file = "{\"x\": 1}\n".repeat(80);
    match read("x.jsonl", file.as_bytes()) {
        Err(ImportError::BadLines { listed, more }) => assert_eq!((listed.len(), more), (50, 30)),
        other => panic!("{other:?}"),
    }
}

/// A source without an end: what reads it has to stop by itself.
struct Endless(Vec<u8>, usize);

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        for byte in &mut *buffer {
            *byte = self.0[self.1];
            self.1 = (self.1 + 1) % self.0.len();
        }
        Ok(buffer.len())
    }
}

fn read_endless(text: &str) -> ImportError {
    read_into(Endless(text.into(), 0), "x.jsonl", &mut std::io::sink()).unwrap_err()
}

#[test]
fn reading_stops_where_the_file_is_refused_in_any_case() {
    match read_endless("x\n") {
        ImportError::BadLines { listed, more } => assert_eq!(listed.len() as u64 + more, MAX_BAD_LINES),
        other => panic!("{other:?}"),
    }
    assert!(matches!(read_endless("{\"prompt\":\"\"}\n"), ImportError::TooManyRows), "rows with nothing to send count as well");
    let arrival = format!("{{\"timestamp\":1,\"input_length\":9,\"output_length\":5,\"hash_ids\":[{}1]}}\n", "1,".repeat(90_000));
    assert!(matches!(read_endless(&arrival), ImportError::TooManyHashIds));
}

#[test]
fn reading_stops_when_nobody_waits_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let (upload, output) = (folder.path().join("up"), folder.path().join("x.jsonl"));
    for text in ["{\"prompt\": \"a\"}\n", "\n\n\n"] {
        std::fs::write(&upload, text).unwrap();
        let stopped = import_until(&upload, "x.jsonl", &output, 1 << 20, &AtomicBool::new(true));
        assert!(matches!(stopped, Err(ImportError::Stopped)), "{stopped:?}");
        assert!(!output.exists());
    }
}

#[test]
fn empty_files_and_other_encodings() {
    assert!(matches!(read("x.jsonl", b""), Err(ImportError::Empty)));
    assert!(matches!(read("x.csv", b"prompt\n"), Err(ImportError::Empty)));
    assert!(matches!(read("x.json", b"[]"), Err(ImportError::Empty)));
    assert_eq!(bad_lines("x.csv", b"\xff\xfep\0"), [(1, "the file is UTF-16; save it as UTF-8".to_owned())]);
}

#[test]
fn a_row_that_is_too_long_is_no_reason_to_read_it_whole() {
    let mut jsonl = b"{\"prompt\": \"a\"}\n{\"prompt\": \"".to_vec();
    jsonl.extend(vec![b'x'; MAX_ROW_BYTES]);
    jsonl.extend(b"\"}\n{\"prompt\": 7}\n");
    assert_eq!(
        bad_lines("x.jsonl", &jsonl),
        [(2, "the row is longer than 8 MB".to_owned()), (3, "prompt must be a text".to_owned())]
    );
    let mut table = b"prompt\n\"".to_vec();
    table.extend(vec![b'x'; 3 * MAX_ROW_BYTES]);
    assert!(bad_lines("x.csv", &table)[0].1.ends_with("is a quote left open?"));
}

#[test]
fn a_refused_file_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (upload, output) = (folder.path().join("up"), folder.path().join("sets/x.jsonl"));
    std::fs::write(&upload, "{\"x\": 1}").unwrap();
    assert!(import(&upload, "x.jsonl", &output, 1 << 20).is_err());
    assert!(!output.exists());
    std::fs::write(&upload, "{\"prompt\": \"a\"}").unwrap();
    assert_eq!(import(&upload, "x.jsonl", &output, 1 << 20).unwrap().samples, 1);
    let rows: Vec<_> = crate::read_rows(&output).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(rows[0].messages[0].content, "a");
}

#[test]
fn rows_with_nothing_to_send_are_counted() {
    let file = br#"[{"conversations": []}, {"conversations": [{"from": "human", "value": "q"}]}, {"conversations": []},
        {"conversations": [{"from": "gpt", "value": "a"}]}]"#;
    let (imported, rows) = read("x.json", file).unwrap();
    assert_eq!((imported.samples, rows.len()), (1, 1));
    let counts: Vec<_> = imported.left_out.iter().map(|count| (count.reason.as_str(), count.rows)).collect();
    assert_eq!(counts, [("the conversation is empty", 2), ("the conversation has no turn of a person", 1)]);
    let (imported, _) = read("x.csv", b"prompt,answer\n,1\nq,2\n").unwrap();
    assert_eq!((imported.samples, imported.left_out[0].rows), (1, 1));
    assert!(matches!(read("x.jsonl", b"{\"prompt\": \"\"}"), Err(ImportError::NothingToSend(left_out)) if left_out[0].rows == 1));
}

#[test]
fn rows_as_python_writes_them() {
    let file = b"{\"prompt\": \"one\", \"score\": NaN}\n{\"prompt\": \"half \\ud83d\", \"loss\": -Infinity}\n";
    assert_eq!(prompts("x.jsonl", file), ["one", "half \u{fffd}"]);
    let imported = read("x.jsonl", file).unwrap().0;
    assert_eq!(imported.replaced, 1);
    assert_eq!(imported.notes("x"), ["In 1 of 2 rows of x, halves of surrogate pairs were replaced by U+FFFD."]);
}

#[test]
fn objects_over_several_lines() {
    let pretty = b"{\n  \"prompt\": \"a\",\n  \"tags\": [\"x\", \"y\"]\n}\n{\n  \"prompt\": \"b\"\n}\n";
    assert_eq!(prompts("x.json", pretty), ["a", "b"]);
    assert_eq!(prompts("x.jsonl", b"{\"prompt\": \"a\"},\n{\"prompt\": \"b\"},\n"), ["a", "b"]);
    for wrapped in [
        "{\n \"version\": \"1\",\n \"data\": [\n  {\"prompt\": \"a\"},\n  {\"prompt\": \"b\"}\n ]\n}",
        "{\"queries\": [\"a\", \"b\"], \"n\": 2}",
        "{\"tags\": [\"t\"], \"my list\": [{\"prompt\": \"a\"}, {\"prompt\": \"b\"}]}\n",
        "{\"features\": [{\"name\": \"prompt\"}], \"rows\": [{\"row_idx\": 0, \"row\": {\"prompt\": \"a\"}}, {\"row\": {\"prompt\": \"b\"}}]}",
        "{\"train\": [{\"prompt\": \"a\"}], \"test\": [{\"prompt\": \"b\"}]}",
    ] {
        assert_eq!(prompts("x.json", wrapped.as_bytes()), ["a", "b"], "{wrapped}");
    }
    let bad = bad_lines("x.json", b"{\n \"data\": [\n  {\"prompt\": \"a\"},\n  {\"prompt\": }\n ]\n}");
    assert_eq!(bad.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [4]);
    assert_eq!(bad_lines("x.json", b"{\n \"prompt\": \"a\",\n").len(), 1);
    let one = bad_lines("x.json", b"{\n \"colour\": \"red\",\n \"size\": 1\n}\n");
    assert!(one.len() == 1 && one[0].1.starts_with("none of the fields"), "{one:?}");
}

#[test]
fn empty_lines_count() {
    let bad = bad_lines("x.jsonl", b"\n{\"prompt\": \"a\"}\n\n\n{\"prompt\": }\n");
    assert_eq!(bad[0].0, 5);
}

#[test]
fn plain_lines() {
    let text = b"What?\r\n\nHow, and why, does it work?\n[INST] say \"x\"\n{curly}\n";
    assert_eq!(prompts("x.txt", text), ["What?", "How, and why, does it work?", "[INST] say \"x\"", "{curly}"]);
    assert_eq!(prompts("x.txt", b"{\"prompt\": \"q\"}\n"), ["q"]);
    assert_eq!(prompts("x.txt", b"[\n{\"prompt\": \"q\"}]\n"), ["q"]);
    assert_eq!(prompts("x.txt", b"prompt,answer\nq,a\n"), ["q"]);
    assert_eq!(bad_lines("x.txt", b"good\n\xff\n"), [(2, "not UTF-8".to_owned())]);
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

#[test]
fn packed_files() {
    let gz = packed(b"{\"prompt\": \"one\"}\n{\"prompt\": \"two\"}\n");
    assert_eq!(prompts("x.jsonl.gz", &gz), ["one", "two"]);
    assert_eq!(prompts("x.csv.gz", &packed(b"prompt\n\"a, b\"\n")), ["a, b"]);
    assert!(bad_lines("x.jsonl.gz", &gz[..gz.len() - 12])[0].1.contains("could not be read"));
    assert_eq!(bad_lines("x.zip", b"PK\x03\x04xx"), [(1, "the file is a zip archive; unpack it".to_owned())]);
}

#[test]
fn a_row_of_too_many_fields_is_passed_over() {
    let table = ["prompt,answer\none,1\n", &",".repeat(1_000), "\n", &"\"x\"\",\ny\",".repeat(5_000), "z\ntwo\n"].concat();
    let too_many = "the row has more than 1000 fields".to_owned();
    let said = bad_lines("x.csv", table.as_bytes());
    assert_eq!(said, [(3, too_many.clone()), (4, too_many), (5_005, "1 fields, but the header has 2".to_owned())]);
    assert_eq!(bad_lines("x.csv", b"prompt\n1,2\n"), [(2, "2 fields, but the header has 1".to_owned())]);
}

#[test]
fn a_header_of_too_many_columns() {
    assert_eq!(
        bad_lines("x.csv", ["prompt", &",a".repeat(1_000), "\n1\n"].concat().as_bytes()),
        [(1, "there are more than 1000 columns".to_owned())]
    );
    let header = [&b"prompt,"[..], &b"a".repeat(3 << 20)].concat();
    assert!(bad_lines("x.csv", &header)[0].1.starts_with("the row is longer than 1 MB"));
    assert!(bad_lines("x.csv", b"colour,size\nred,1\nblue,2\n")[0].1.starts_with("none of the columns colour, size is known"));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), name in "(x|x.csv|x.json|x.jsonl|x.tsv|x.txt)") {
        let _ = read(&name, &bytes);
    }

    #[test]
    fn no_text_of_format_characters_makes_it_panic(text in "[\\[\\]{}\",:;\n\r\\\\ a-c1\t]{0,200}", name in "(x|x.csv|x.json)") {
        let _ = read(&name, text.as_bytes());
    }

    #[test]
    fn no_json_makes_it_panic(text in "(\\{\n?)(\"(data|x|prompt)\": ?(\\[|\\{|\"a\"|1|\\]|\\}),?\n?){0,6}[\\]}]{0,3}") {
        let _ = read("x.json", text.as_bytes());
        let _ = read("x.json.gz", &packed(text.as_bytes()));
    }

    #[test]
    fn what_is_written_is_read_back(texts in proptest::collection::vec("[^\0]{0,20}x", 1..8)) {
        let lines: Vec<_> = texts.iter().map(|text| serde_json::json!({ "prompt": text }).to_string()).collect();
        prop_assert_eq!(prompts("x.jsonl", lines.join("\n").as_bytes()), texts.clone());
        prop_assert_eq!(prompts("x.json", format!("[{}]", lines.join(",\n")).as_bytes()), texts.clone());
        let rows: Vec<_> = texts.iter().map(|text| serde_json::json!({ "prompt": text })).collect();
        let wrapped = serde_json::json!({ "version": 1, "data": rows });
        for text in [wrapped.to_string(), serde_json::to_string_pretty(&wrapped).unwrap()] {
            prop_assert_eq!(prompts("x.json", text.as_bytes()), texts.clone());
            prop_assert_eq!(prompts("x.json.gz", &packed(text.as_bytes())), texts.clone());
        }
        let pretty: Vec<_> = rows.iter().map(|row| serde_json::to_string_pretty(row).unwrap()).collect();
        prop_assert_eq!(prompts("x.json", pretty.join("\n").as_bytes()), texts.clone());
        let mut table = csv::Writer::from_writer(Vec::new());
        table.write_record(["prompt"]).unwrap();
        texts.iter().for_each(|text| table.write_record([text]).unwrap());
        prop_assert_eq!(prompts("x.csv", &table.into_inner().unwrap()), texts);
    }
}

#[test]
fn traces() {
    let azure = b"TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.5,374,44\n2023-11-16 18:15:50.5,396,110\n";
    let (imported, lines) = read("trace.csv", azure).unwrap();
    assert_eq!((imported.format, imported.samples, imported.mean_prompt_chars), (DatasetFormat::AzureTrace, 2, None));
    let facts = dyno_measure::dataset::TraceFacts { span_s: 4.0, mean_input_tokens: 385.0, mean_output_tokens: 77.0 };
    assert_eq!(imported.trace, Some(facts));
    assert_eq!(lines[0], r#"{"timestamp":1700158546500.0,"input_length":374,"output_length":44}"#);
    let mooncake = b"{\"timestamp\": 0, \"input_length\": 6758, \"output_length\": 500, \"hash_ids\": [0, 1]}\n";
    let (imported, lines) = read("trace.jsonl", mooncake).unwrap();
    assert_eq!((imported.format, lines.len()), (DatasetFormat::MooncakeTrace, 1));
    let mixed = [mooncake.as_slice(), b"{\"prompt\": \"x\"}\n"].concat();
    let message = "the row is a plain prompt, but the first one is an arrival of a trace";
    assert_eq!(bad_lines("trace.jsonl", &mixed), [(2, message.to_owned())]);
}
