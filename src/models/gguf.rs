//! GGUF, llama.cpp's single file: a header of metadata and tensor descriptions, then the tensors.

use std::collections::BTreeMap;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use super::gguf_values::{GgufSource, Value};
use super::template_check::template_error;
use super::{ModelFileError, roots};
use crate::domain::inventory::{ModelFacts, ModelFormat};

/// Upper limits: the largest models have some thousand tensors and some hundred values.
const MAX_TENSORS: u64 = 200_000;
const MAX_VALUES: u64 = 100_000;
const MAX_DIMENSIONS: u32 = 8;
const DEFAULT_ALIGNMENT: u64 = 32;
/// Most parts of a split file.
const MAX_PARTS: u64 = 1000;

#[derive(Debug, Default)]
struct Header {
    values: BTreeMap<String, Value>,
    /// Number of weights by tensor type.
    weights: BTreeMap<u32, u64>,
    /// Rows of the token embedding.
    embedding_rows: Option<u64>,
    /// Bytes after the header.
    data_bytes: u64,
}

/// Reads the facts of a GGUF file. A split file may be given by any of its parts.
pub(super) fn read(path: &Path, program: &Path) -> Result<ModelFacts, ModelFileError> {
    let header = read_parts(path)?;
    let mut facts = facts(&header)?;
    let template = header.text("tokenizer.chat_template");
    facts.chat_template_error = template.and_then(|source| template_error(source, program));
    Ok(facts)
}

/// The metadata of a GGUF file, and the bytes of the tensors in all its parts.
pub(super) fn metadata(path: &Path) -> Result<(BTreeMap<String, Value>, u64), ModelFileError> {
    read_parts(path).map(|header| (header.values, header.data_bytes))
}

fn read_parts(path: &Path) -> Result<Header, ModelFileError> {
    let header = read_file(path)?;
    let parts = header.number("split.count").unwrap_or(1);
    if parts < 2 {
        return Ok(header);
    }
    let unnamed = || ModelFileError::Damaged("it is one part of several, but its name does not say which".to_owned());
    let part = |number: u64| {
        let part = part_of(path, number, parts).ok_or_else(unnamed)?;
        let file = part.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !part.exists() {
            return Err(ModelFileError::Missing(part.display().to_string()));
        }
        read_file(&part).map_err(|error| ModelFileError::Part { file, error: Box::new(error) })
    };
    let mut all = part(1)?;
    for number in 2..=parts.min(MAX_PARTS) {
        all.add(&part(number)?);
    }
    Ok(all)
}

/// The path of the first part of a split file, given any part.
pub(crate) fn first_part(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let (_, parts) = name.strip_suffix(".gguf")?.rsplit_once("-of-")?;
    part_of(path, 1, parts.parse().ok()?).filter(|first| first != path && first.exists())
}

/// The path of another part of a split file: `name-00001-of-00003.gguf`.
fn part_of(path: &Path, part: u64, parts: u64) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let (stem, number) = name.strip_suffix(&format!("-of-{parts:05}.gguf"))?.rsplit_once('-')?;
    let is_number = number.len() == 5 && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| path.with_file_name(format!("{stem}-{part:05}-of-{parts:05}.gguf")))
}

fn read_file(path: &Path) -> Result<Header, ModelFileError> {
    let failed = |error| ModelFileError::Io(path.to_owned(), error);
    let file = roots::open_no_follow(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    read_header(file, length)
}

fn read_header<R: Read + Seek>(source: R, length: u64) -> Result<Header, ModelFileError> {
    if length == 0 {
        return Err(ModelFileError::Damaged("it is empty".to_owned()));
    }
    let mut source = GgufSource::new(source, length);
    if source.bytes4().map_err(|_| ModelFileError::NotGguf)? != *b"GGUF" {
        return Err(ModelFileError::NotGguf);
    }
    let version = source.u32()?;
    if matches!(version.swap_bytes(), 2 | 3) {
        return Err(ModelFileError::BigEndian);
    }
    if !matches!(version, 2 | 3) {
        return Err(ModelFileError::GgufVersion(version));
    }
    let (tensors, values) = (source.u64()?, source.u64()?);
    if tensors > MAX_TENSORS || values > MAX_VALUES {
        return Err(ModelFileError::Damaged("it claims more tensors or values than any model has".to_owned()));
    }
    let mut header = Header::default();
    for _ in 0..values {
        let key = source.key()?;
        let value = source.value()?;
        header.values.insert(key, value);
    }
    for _ in 0..tensors {
        read_tensor(&mut source, &mut header)?;
    }
    let alignment = header.number("general.alignment").filter(|alignment| *alignment > 0).unwrap_or(DEFAULT_ALIGNMENT);
    let padding = source.position().checked_next_multiple_of(alignment).map_or(0, |start| start - source.position());
    header.data_bytes = source.left().saturating_sub(padding);
    Ok(header)
}

fn read_tensor<R: Read + Seek>(source: &mut GgufSource<R>, header: &mut Header) -> Result<(), ModelFileError> {
    let name = source.key()?;
    let dimensions = source.u32()?;
    if dimensions > MAX_DIMENSIONS {
        return Err(ModelFileError::Damaged("a tensor has too many dimensions".to_owned()));
    }
    let mut count = 1_u64;
    let mut last = 1;
    for _ in 0..dimensions {
        last = source.u64()?;
        count = count.checked_mul(last).ok_or_else(|| ModelFileError::Damaged("a tensor is too large".to_owned()))?;
    }
    let kind = source.u32()?;
    let _offset = source.u64()?;
    if name == "token_embd.weight" {
        header.embedding_rows = Some(last);
    }
    let weights = header.weights.entry(kind).or_default();
    *weights = weights.checked_add(count).ok_or_else(|| ModelFileError::Damaged("a tensor is too large".to_owned()))?;
    Ok(())
}

impl Header {
    fn number(&self, key: &str) -> Option<u64> {
        match self.values.get(key)? {
            Value::Number(number) => Some(*number),
            // some architectures have a value per layer; memory is planned for the largest
            Value::Array { largest, .. } => *largest,
            _ => None,
        }
    }

    fn text(&self, key: &str) -> Option<&str> {
        match self.values.get(key)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Adds another part's weights.
    fn add(&mut self, part: &Self) {
        for (kind, count) in &part.weights {
            let weights = self.weights.entry(*kind).or_default();
            *weights = weights.saturating_add(*count);
        }
        self.data_bytes = self.data_bytes.saturating_add(part.data_bytes);
        self.embedding_rows = self.embedding_rows.or(part.embedding_rows);
    }

    /// The kind of file, if it is not a model that an engine can serve by itself.
    fn other_kind(&self) -> Option<&'static str> {
        let has = |start: &str| self.values.keys().any(|key| key.starts_with(start));
        let architecture = self.text("general.architecture");
        match self.text("general.type") {
            Some("mmproj") => return Some("a projector for images or sound (mmproj)"),
            Some("adapter") => return Some("a LoRA adapter"),
            Some("imatrix") => return Some("an importance matrix (imatrix)"),
            Some("vocab") => return Some("a vocabulary without weights"),
            _ => {}
        }
        if architecture == Some("clip") {
            Some("a projector for images or sound (mmproj)")
        } else if has("adapter.") {
            Some("a LoRA adapter")
        } else if has("imatrix.") || architecture == Some("imatrix") {
            Some("an importance matrix (imatrix)")
        } else if architecture.is_some() && self.parameters() == 0 {
            Some("a vocabulary without weights")
        } else {
            None
        }
    }

    fn small(&self, key: &str) -> Option<u32> {
        self.number(key).and_then(|number| u32::try_from(number).ok())
    }

    fn parameters(&self) -> u64 {
        self.weights.values().fold(0, |sum, weights| sum.saturating_add(*weights))
    }

    fn vocabulary(&self, architecture: &str) -> Option<u32> {
        let tokens = match self.values.get("tokenizer.ggml.tokens") {
            Some(Value::Array { entries, .. }) => Some(*entries),
            _ => None,
        };
        let number = self.number(&format!("{architecture}.vocab_size")).or(tokens).or(self.embedding_rows)?;
        u32::try_from(number).ok()
    }
}

fn facts(header: &Header) -> Result<ModelFacts, ModelFileError> {
    if let Some(kind) = header.other_kind() {
        return Err(ModelFileError::NotAModel(kind));
    }
    let Some(Value::Text(architecture)) = header.values.get("general.architecture") else {
        return Err(ModelFileError::Damaged("it does not name an architecture".to_owned()));
    };
    let own = |key: &str| header.small(&format!("{architecture}.{key}"));
    let hidden_size = own("embedding_length");
    let heads = own("attention.head_count");
    let head_dim = own("attention.key_length").or_else(|| hidden_size?.checked_div(heads?));
    let most = header.weights.iter().max_by_key(|(_, weights)| **weights).map(|(kind, _)| *kind);
    Ok(ModelFacts {
        format: ModelFormat::Gguf,
        architecture: architecture.clone(),
        parameters: header.parameters(),
        weight_bytes: header.data_bytes,
        layers: own("block_count"),
        context_length: own("context_length"),
        hidden_size,
        heads,
        kv_heads: own("attention.head_count_kv").or(heads),
        head_dim,
        vocabulary: header.vocabulary(architecture),
        precision: most.map_or_else(|| "unknown".to_owned(), type_name),
        chat_template: matches!(header.values.get("tokenizer.chat_template"), Some(Value::Text(_) | Value::Other)),
        chat_template_error: None,
        sha256: None,
    })
}

/// The name of a tensor type.
fn type_name(kind: u32) -> String {
    let name = match kind {
        0 => "F32",
        1 => "F16",
        2 => "Q4_0",
        3 => "Q4_1",
        6 => "Q5_0",
        7 => "Q5_1",
        8 => "Q8_0",
        9 => "Q8_1",
        10 => "Q2_K",
        11 => "Q3_K",
        12 => "Q4_K",
        13 => "Q5_K",
        14 => "Q6_K",
        15 => "Q8_K",
        16 => "IQ2_XXS",
        17 => "IQ2_XS",
        18 => "IQ3_XXS",
        19 => "IQ1_S",
        20 => "IQ4_NL",
        21 => "IQ3_S",
        22 => "IQ2_S",
        23 => "IQ4_XS",
        24 => "I8",
        25 => "I16",
        26 => "I32",
        27 => "I64",
        28 => "F64",
        29 => "IQ1_M",
        30 => "BF16",
        34 => "TQ1_0",
        35 => "TQ2_0",
        39 => "MXFP4",
        40 => "NVFP4",
        41 => "Q1_0",
        42 => "Q2_0",
        other => return format!("type {other}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests;
