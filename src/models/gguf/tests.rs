//! Valid, damaged and malicious headers.

use std::io::Cursor;

use proptest::prelude::*;

use super::*;

fn read_alone(path: &Path) -> Result<ModelFacts, ModelFileError> {
    read(path, Path::new("/nowhere"))
}

/// Writes headers by the format's specification.
#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn begin(tensors: u64, values: u64) -> Self {
        let mut writer = Self(b"GGUF".to_vec());
        writer.0.extend(3_u32.to_le_bytes());
        writer.0.extend(tensors.to_le_bytes());
        writer.0.extend(values.to_le_bytes());
        writer
    }

    fn text(mut self, text: &str) -> Self {
        self.0.extend((text.len() as u64).to_le_bytes());
        self.0.extend(text.as_bytes());
        self
    }

    fn number(self, key: &str, number: u32) -> Self {
        let mut writer = self.text(key);
        writer.0.extend(4_u32.to_le_bytes());
        writer.0.extend(number.to_le_bytes());
        writer
    }

    fn string(self, key: &str, text: &str) -> Self {
        let mut writer = self.text(key);
        writer.0.extend(8_u32.to_le_bytes());
        writer.text(text)
    }

    fn strings(self, key: &str, texts: &[&str]) -> Self {
        let mut writer = self.text(key);
        writer.0.extend(9_u32.to_le_bytes());
        writer.0.extend(8_u32.to_le_bytes());
        writer.0.extend((texts.len() as u64).to_le_bytes());
        texts.iter().fold(writer, |writer, text| writer.text(text))
    }

    fn tensor(self, name: &str, shape: &[u64], kind: u32) -> Self {
        let mut writer = self.text(name);
        writer.0.extend((shape.len() as u32).to_le_bytes());
        shape.iter().for_each(|size| writer.0.extend(size.to_le_bytes()));
        writer.0.extend(kind.to_le_bytes());
        writer.0.extend(0_u64.to_le_bytes());
        writer
    }
}

fn read_bytes(bytes: &[u8]) -> Result<ModelFacts, ModelFileError> {
    read_header(Cursor::new(bytes), bytes.len() as u64).and_then(|header| facts(&header))
}

fn sample() -> Vec<u8> {
    let mut bytes = Writer::begin(3, 8)
        .string("general.architecture", "llama")
        .number("llama.block_count", 2)
        .number("llama.context_length", 2048)
        .number("llama.embedding_length", 64)
        .number("llama.attention.head_count", 4)
        .number("llama.attention.head_count_kv", 2)
        .strings("tokenizer.ggml.tokens", &["a", "b", "c"])
        .string("tokenizer.chat_template", "{{ messages }}")
        .tensor("token_embd.weight", &[64, 3], 3)
        .tensor("blk.0.attn_q.weight", &[64, 64], 3)
        .tensor("output_norm.weight", &[64], 0)
        .0;
    bytes.resize(bytes.len().next_multiple_of(32), 0);
    bytes.extend([7_u8; 640]);
    bytes
}

#[test]
fn a_header_is_read() {
    let facts = read_bytes(&sample()).unwrap();
    assert_eq!(facts.architecture, "llama");
    assert_eq!(facts.parameters, 64 * 3 + 64 * 64 + 64);
    assert_eq!(facts.weight_bytes, 640);
    assert_eq!((facts.layers, facts.context_length, facts.hidden_size), (Some(2), Some(2048), Some(64)));
    assert_eq!((facts.heads, facts.kv_heads, facts.head_dim), (Some(4), Some(2), Some(16)));
    assert_eq!(facts.vocabulary, Some(3));
    assert_eq!(facts.precision, "Q4_1");
    assert!(facts.chat_template);
}

// ggml.h, `enum ggml_type`
#[test]
fn types_have_their_names() {
    for (kind, name) in [
        (1, "F16"),
        (8, "Q8_0"),
        (12, "Q4_K"),
        (23, "IQ4_XS"),
        (30, "BF16"),
        (34, "TQ1_0"),
        (39, "MXFP4"),
        (40, "NVFP4"),
        (36, "type 36"),
        (4_000, "type 4000"),
    ] {
        let bytes = Writer::begin(1, 1).string("general.architecture", "llama").tensor("t", &[8, 4], kind).0;
        assert_eq!(read_bytes(&bytes).unwrap().precision, name);
    }
}

#[test]
fn what_is_no_gguf_is_said() {
    assert!(matches!(read_bytes(b""), Err(ModelFileError::Damaged(_))));
    assert!(matches!(read_bytes(b"{\"a\": 1}"), Err(ModelFileError::NotGguf)));
    let mut old = sample();
    old[4] = 1;
    assert!(matches!(read_bytes(&old), Err(ModelFileError::GgufVersion(1))));
}

#[test]
fn lengths_that_can_not_be_true_are_refused_without_allocating() {
    let mut huge_key = Writer::begin(0, 1).0;
    huge_key.extend(u64::MAX.to_le_bytes());
    assert!(matches!(read_bytes(&huge_key), Err(ModelFileError::Damaged(_))));
    assert!(matches!(read_bytes(&Writer::begin(u64::MAX, 0).0), Err(ModelFileError::Damaged(_))));
    assert!(matches!(read_bytes(&Writer::begin(0, u64::MAX).0), Err(ModelFileError::Damaged(_))));
    let overflow = Writer::begin(1, 1).string("general.architecture", "x").tensor("t", &[u64::MAX, 3], 0).0;
    assert!(matches!(read_bytes(&overflow), Err(ModelFileError::Damaged(_))));
    let mut long_text = Writer::begin(0, 1).text("general.name").0;
    long_text.extend(8_u32.to_le_bytes());
    long_text.extend((1_u64 << 60).to_le_bytes());
    assert!(matches!(read_bytes(&long_text), Err(ModelFileError::Damaged(_))));
    // deeply nested arrays
    let mut nested = Writer::begin(0, 1).text("k").0;
    nested.extend(9_u32.to_le_bytes());
    for _ in 0..1000 {
        nested.extend(9_u32.to_le_bytes());
        nested.extend(1_u64.to_le_bytes());
    }
    assert!(matches!(read_bytes(&nested), Err(ModelFileError::Damaged(_))));
}

#[test]
fn a_cut_file_is_damaged_wherever_it_is_cut() {
    let whole = sample();
    let header = whole.len() - 640 - 32;
    for length in 4..header {
        assert!(matches!(read_bytes(&whole[..length]), Err(ModelFileError::Damaged(_))), "cut at {length}");
    }
}

#[test]
fn parts_have_names() {
    let first = Path::new("/m/x-00001-of-00003.gguf");
    assert_eq!(part_of(first, 2, 3).unwrap(), Path::new("/m/x-00002-of-00003.gguf"));
    assert_eq!(part_of(Path::new("/m/x.gguf"), 2, 3), None);
    assert_eq!(part_of(Path::new("/m/x-00002-of-00003.gguf"), 1, 3).unwrap(), first);
}

fn part(number: u32, tensor: &str) -> Vec<u8> {
    let writer = if number == 0 {
        Writer::begin(1, 2).string("general.architecture", "llama").number("split.count", 3)
    } else {
        Writer::begin(1, 1).number("split.count", 3)
    };
    writer.tensor(tensor, &[8, 4], 0).0
}

#[test]
fn any_part_leads_to_all_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = |number: u32| folder.path().join(format!("x-{number:05}-of-00003.gguf"));
    for number in 0..3 {
        std::fs::write(path(number + 1), part(number, &format!("t{number}"))).unwrap();
    }
    for number in 1..=3 {
        assert_eq!(read_alone(&path(number)).unwrap().parameters, 96, "part {number}");
    }
    assert_eq!((first_part(&path(3)), first_part(&path(1))), (Some(path(1)), None));
    std::fs::write(path(2), "").unwrap();
    let sentence = read_alone(&path(1)).unwrap_err().sentence();
    assert_eq!(sentence, "x-00002-of-00003.gguf: The file is damaged or incomplete: it is empty.");
    std::fs::remove_file(path(1)).unwrap();
    assert!(read_alone(&path(3)).unwrap_err().sentence().contains("x-00001-of-00003.gguf is missing"));
}

#[test]
fn files_that_no_engine_serves_are_named() {
    let tensor = |writer: Writer| writer.tensor("t", &[8, 4], 0).0;
    for (bytes, what) in [
        (tensor(Writer::begin(1, 2).string("general.architecture", "clip").string("general.type", "mmproj")), "projector"),
        (tensor(Writer::begin(1, 1).string("general.architecture", "clip")), "projector"),
        (tensor(Writer::begin(1, 2).string("general.architecture", "llama").string("general.type", "adapter")), "LoRA adapter"),
        (tensor(Writer::begin(1, 2).string("general.architecture", "llama").string("adapter.type", "lora")), "LoRA adapter"),
        (tensor(Writer::begin(1, 1).string("general.type", "imatrix")), "importance matrix"),
        (Writer::begin(0, 1).string("general.architecture", "llama").0, "vocabulary without weights"),
    ] {
        let sentence = read_bytes(&bytes).unwrap_err().sentence();
        assert!(sentence.contains(what), "{sentence}");
    }
    let big_endian = [&b"GGUF"[..], &3_u32.to_be_bytes(), &[0; 16]].concat();
    assert!(matches!(read_bytes(&big_endian), Err(ModelFileError::BigEndian)));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let mut file = b"GGUF\x03\0\0\0".to_vec();
        file.extend(bytes);
        let _ = read_bytes(&file);
    }

    #[test]
    fn no_change_of_a_good_header_makes_it_panic(changes in proptest::collection::vec((0_usize..600, any::<u8>()), 1..8)) {
        let mut file = sample();
        for (at, byte) in changes {
            let at = at % file.len();
            file[at] = byte;
        }
        let _ = read_bytes(&file);
    }
}

#[test]
fn texts_of_a_file_are_fit_to_be_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.gguf");
    let hostile = format!("\u{202e}ll\u{200b}ama\r\n\u{1b}[2J{}", "x".repeat(500_000));
    for (architecture, shown) in [
        (hostile.as_str(), format!("llama [2J{}", "x".repeat(91))),
        ("llama", "llama".to_owned()),
        ("\u{200b}\u{7}", "unknown".to_owned()),
    ] {
        let mut bytes =
            Writer::begin(1, 1).string("general.architecture", architecture).tensor("token_embd.weight", &[64, 3], 3).0;
        bytes.resize(bytes.len().next_multiple_of(32) + 640, 0);
        std::fs::write(&path, &bytes).unwrap();
        let facts = crate::models::read_facts(&path, &crate::models::Roots::default(), Path::new("/nowhere")).unwrap();
        assert_eq!(facts.architecture, shown);
    }
}
