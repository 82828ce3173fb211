//! A Hugging Face folder: `config.json`, safetensors with their headers, a tokenizer.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::config_fields::{find, number};
use super::context::context_length;
use super::template_check::template_error;
use super::{ModelFileError, Roots};
use crate::domain::inventory::{ModelFacts, ModelFormat};
use dyno_datasets::python_json;
use hex::encode as hex;

/// Largest JSON file beside the weights, bytes: tokenizer configurations with many added tokens are some megabytes.
const MAX_JSON_BYTES: u64 = 16 << 20;
/// Largest header of a safetensors file, bytes; those of the largest models are some megabytes.
const MAX_HEADER_BYTES: u64 = 64 << 20;
/// A tokenizer without a limit has a number of 30 digits; anything above this means no limit.
const NO_LIMIT: u64 = 1 << 30;

/// One tensor as a safetensors header describes it.
#[derive(Debug, Deserialize)]
struct Tensor {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

/// Totals over the weight files.
#[derive(Debug, Default)]
struct Weights {
    parameters: u64,
    bytes: u64,
    by_type: BTreeMap<String, u64>,
    /// Names of the tensors that were counted.
    counted: BTreeSet<String>,
}

/// A model folder, and the roots below which links in it may lead.
struct Folder<'a> {
    path: &'a Path,
    roots: &'a Roots,
}

/// The text of a folder's `config.json`, as JSON.
pub(super) fn config(folder: &Path, roots: &Roots) -> Result<String, ModelFileError> {
    let config = json(folder, "config.json", roots)?;
    config.map(|config| config.to_string()).ok_or_else(|| ModelFileError::NotAModelFolder("it has no config.json".to_owned()))
}

/// Reads the facts of a folder.
pub(super) fn read(folder: &Path, roots: &Roots, program: &Path) -> Result<ModelFacts, ModelFileError> {
    let config =
        json(folder, "config.json", roots)?.ok_or_else(|| ModelFileError::NotAModelFolder("it has no config.json".to_owned()))?;
    let tokenizer = json(folder, "tokenizer_config.json", roots)?;
    let mut index = Sha256::new();
    index.update(config.to_string());
    let bits = quantised_bits(&config);
    let mut weights = Weights::default();
    for name in weight_files(folder, roots)? {
        read_weights(&Folder { path: folder, roots }, &name, bits, &mut weights, &mut index)?;
    }
    let template = template(folder, roots, tokenizer.as_ref())?;
    let hidden_size = number(&config, &["hidden_size", "n_embd", "d_model", "dim"]);
    let heads = number(&config, &["num_attention_heads", "n_head", "n_heads", "num_heads"]);
    let limit = tokenizer.as_ref().and_then(|tokenizer| tokenizer.get("model_max_length")).and_then(Value::as_u64);
    Ok(ModelFacts {
        format: ModelFormat::HuggingFace,
        architecture: architecture(&config),
        parameters: weights.parameters,
        weight_bytes: weights.bytes,
        layers: number(&config, &["num_hidden_layers", "n_layer", "n_layers", "num_layers"]),
        context_length: context_length(&config)
            .or_else(|| limit.filter(|limit| *limit < NO_LIMIT).and_then(|limit| u32::try_from(limit).ok())),
        hidden_size,
        heads,
        kv_heads: number(&config, &["num_key_value_heads", "num_kv_heads", "n_head_kv", "multi_query_group_num"]).or(heads),
        head_dim: number(&config, &["head_dim"]).or_else(|| hidden_size?.checked_div(heads?)),
        vocabulary: number(&config, &["vocab_size", "padded_vocab_size"]),
        precision: precision(&config, &weights),
        chat_template: template.is_some(),
        chat_template_error: template.and_then(|source| template_error(&source, program)),
        sha256: Some(hex(index.finalize())),
    })
}

/// The chat template: from a file of its own, a JSON file, or the tokenizer's configuration.
fn template(folder: &Path, roots: &Roots, tokenizer: Option<&Value>) -> Result<Option<String>, ModelFileError> {
    if let Some(text) = text(folder, "chat_template.jinja", roots)? {
        return Ok(Some(String::from_utf8_lossy(&text).into_owned()));
    }
    let around = json(folder, "chat_template.json", roots)?;
    let field = [around.as_ref(), tokenizer].into_iter().flatten().find_map(|part| part.get("chat_template"));
    Ok(field.and_then(dyno_load::tokens::template_text).map(str::to_owned))
}

/// A JSON file of the folder; `None` where it does not exist.
fn json(folder: &Path, name: &str, roots: &Roots) -> Result<Option<Value>, ModelFileError> {
    let Some(text) = text(folder, name, roots)? else { return Ok(None) };
    python_json::from_slice(&text).map(Some).map_err(|_| ModelFileError::Damaged(format!("{name} is not JSON")))
}

/// A file of the folder, up to the size limit; `None` where it does not exist.
fn text(folder: &Path, name: &str, roots: &Roots) -> Result<Option<Vec<u8>>, ModelFileError> {
    let path = folder.join(name);
    let file = match roots.open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(_) if path.is_symlink() => return Err(super::PathError::SymbolicLink(path).into()),
        Err(error) => return Err(ModelFileError::Io(path, error)),
    };
    let mut text = Vec::new();
    file.take(MAX_JSON_BYTES + 1).read_to_end(&mut text).map_err(|error| ModelFileError::Io(path, error))?;
    if text.len() as u64 > MAX_JSON_BYTES {
        return Err(ModelFileError::Damaged(format!("{name} is too large")));
    }
    Ok(Some(text))
}

fn architecture(config: &Value) -> String {
    let kind = config.get("model_type").and_then(Value::as_str);
    let class = config.get("architectures").and_then(|classes| classes.get(0)).and_then(Value::as_str);
    kind.or(class).unwrap_or("unknown").to_owned()
}

/// Bits per weight, where the configuration says that weights are packed.
fn quantised_bits(config: &Value) -> Option<u64> {
    let quantisation = find(config, &["quantization_config"])?;
    let bits = quantisation.get("bits").or_else(|| quantisation.get("w_bit")).and_then(Value::as_u64);
    let four = quantisation.get("load_in_4bit").and_then(Value::as_bool).unwrap_or(false).then_some(4);
    let groups = quantisation.pointer("/config_groups/group_0/weights/num_bits").and_then(Value::as_u64);
    bits.or(four).or(groups).filter(|bits| (1..=16).contains(bits))
}

/// The precision of most weights by its usual name: `BF16`, `FP8`, `GPTQ 4-bit`.
fn precision(config: &Value, weights: &Weights) -> String {
    if let (Some(bits), Some(quantisation)) = (quantised_bits(config), find(config, &["quantization_config"])) {
        let method = quantisation.get("quant_method").and_then(Value::as_str).unwrap_or("quantised");
        return format!("{} {bits}-bit", method.to_uppercase());
    }
    let most = weights.by_type.iter().max_by_key(|(_, count)| **count).map(|(name, _)| name.clone());
    let stated = find(config, &["torch_dtype", "dtype"]).and_then(Value::as_str).map(|name| match name {
        "bfloat16" => "BF16".to_owned(),
        "float16" => "F16".to_owned(),
        "float32" => "F32".to_owned(),
        other => other.to_uppercase(),
    });
    let name = most.or(stated).unwrap_or_else(|| "unknown".to_owned());
    if name.starts_with("F8") { "FP8".to_owned() } else { name }
}

/// The safetensors files: those in the index, or all in the folder.
fn weight_files(folder: &Path, roots: &Roots) -> Result<Vec<String>, ModelFileError> {
    if let Some(index) = json(folder, "model.safetensors.index.json", roots)? {
        let map = index.get("weight_map").and_then(Value::as_object);
        let map = map.ok_or_else(|| ModelFileError::Damaged("model.safetensors.index.json has no weight_map".to_owned()))?;
        let names: BTreeSet<_> = map.values().filter_map(Value::as_str).map(str::to_owned).collect();
        if let Some(elsewhere) = names.iter().find(|name| name.contains('/') || name.contains("..")) {
            return Err(ModelFileError::Damaged(format!("the index names {elsewhere:?}, which is not in the folder")));
        }
        return Ok(names.into_iter().collect());
    }
    let entries = std::fs::read_dir(folder).map_err(|error| ModelFileError::Io(folder.to_owned(), error))?;
    let mut names: Vec<_> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".safetensors"))
        .collect();
    names.sort();
    // the folder may also have the same weights in their authors' own format
    if names.iter().any(|name| name.starts_with("model")) {
        names.retain(|name| name.starts_with("model"));
    }
    if names.iter().any(|name| name == "model.safetensors") {
        names.retain(|name| name == "model.safetensors");
    }
    if names.is_empty() {
        return Err(ModelFileError::NotAModelFolder("it has no .safetensors files".to_owned()));
    }
    Ok(names)
}

fn read_weights(
    folder: &Folder<'_>,
    name: &str,
    bits: Option<u64>,
    weights: &mut Weights,
    index: &mut Sha256,
) -> Result<(), ModelFileError> {
    let path = folder.path.join(name);
    let damaged = |what: &str| ModelFileError::Damaged(format!("{name} {what}"));
    let mut file = folder.roots.open(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => ModelFileError::Missing(name.to_owned()),
        _ if path.is_symlink() => super::PathError::SymbolicLink(path.clone()).into(),
        _ => ModelFileError::Io(path.clone(), error),
    })?;
    let length = file.metadata().map_err(|error| ModelFileError::Io(path.clone(), error))?.len();
    let mut size = [0_u8; 8];
    file.read_exact(&mut size).map_err(|_| damaged("is empty"))?;
    let header_bytes = u64::from_le_bytes(size);
    let data_bytes = length.checked_sub(8).and_then(|left| left.checked_sub(header_bytes));
    let Some(data_bytes) = data_bytes.filter(|_| header_bytes <= MAX_HEADER_BYTES) else {
        return Err(damaged("has a header longer than the file"));
    };
    let mut header = Vec::new();
    file.take(header_bytes).read_to_end(&mut header).map_err(|error| ModelFileError::Io(path.clone(), error))?;
    index.update(name.as_bytes());
    index.update(length.to_le_bytes());
    index.update(&header);
    let mut tensors: BTreeMap<String, Value> =
        serde_json::from_slice(&header).map_err(|_| damaged("has a header that is not JSON"))?;
    tensors.remove("__metadata__");
    for (tensor_name, tensor) in tensors {
        let tensor: Tensor = serde_json::from_value(tensor).map_err(|_| damaged("describes a tensor in an unknown way"))?;
        if !weights.counted.insert(tensor_name.clone()) {
            continue;
        }
        let (start, end) = tensor.data_offsets;
        if start > end || end > data_bytes {
            return Err(damaged("is shorter than its header says"));
        }
        let count = tensor.shape.iter().try_fold(1_u64, |product, size| product.checked_mul(*size));
        let count = count.ok_or_else(|| damaged("has a tensor that is too large"))?;
        let parameters = unpacked(&tensor_name, &tensor.dtype, count, bits);
        weights.parameters = weights.parameters.saturating_add(parameters);
        weights.bytes = weights.bytes.saturating_add(end - start);
        let of_type = weights.by_type.entry(tensor.dtype).or_default();
        *of_type = of_type.saturating_add(parameters);
    }
    Ok(())
}

/// Number of weights in a tensor: packed numbers hold several, and helper tensors none.
fn unpacked(name: &str, dtype: &str, count: u64, bits: Option<u64>) -> u64 {
    const HELPERS: [&str; 8] =
        ["scales", "qzeros", "g_idx", "weight_scale", "weight_scale_inv", "weight_zero_point", "weight_shape", "input_scale"];
    let last = name.rsplit('.').next().unwrap_or(name);
    if HELPERS.contains(&last) || name.contains(".absmax") || name.contains(".quant_") {
        return 0;
    }
    let width = match dtype {
        "I32" | "U32" => 32,
        "U8" | "I8" => 8,
        _ => return count,
    };
    match bits {
        Some(bits) if bits < width => count.saturating_mul(width / bits),
        _ => count,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(folder: &Path) -> Result<ModelFacts, ModelFileError> {
        super::read(folder, &Roots::new(&[folder.to_owned()], Path::new("/nowhere"), false), Path::new("/nowhere"))
    }

    fn write_tensors(folder: &Path, name: &str, header: &Value, data: usize) {
        let header = header.to_string();
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend(vec![0; data]);
        std::fs::write(folder.join(name), bytes).unwrap();
    }

    fn folder(config: &Value) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
        folder
    }

    #[test]
    fn a_folder_is_read() {
        let folder = folder(&json!({
            "model_type": "qwen3", "num_hidden_layers": 2, "hidden_size": 8, "num_attention_heads": 4, "num_key_value_heads": 2,
            "head_dim": 16, "vocab_size": 10, "max_position_embeddings": 4096, "torch_dtype": "bfloat16"
        }));
        let header = json!({
            "__metadata__": {"format": "pt"},
            "a.weight": {"dtype": "BF16", "shape": [10, 8], "data_offsets": [0, 160]},
            "b.weight": {"dtype": "F32", "shape": [8], "data_offsets": [160, 192]}
        });
        write_tensors(folder.path(), "model.safetensors", &header, 192);
        std::fs::write(folder.path().join("tokenizer_config.json"), r#"{"chat_template": "x"}"#).unwrap();
        let facts = read(folder.path()).unwrap();
        assert_eq!((facts.parameters, facts.weight_bytes), (88, 192));
        assert_eq!(facts.precision, "BF16");
        assert_eq!((facts.heads, facts.kv_heads, facts.head_dim), (Some(4), Some(2), Some(16)));
        assert_eq!(facts.context_length, Some(4096));
        assert!(facts.chat_template);
        assert_eq!(facts.sha256.unwrap().len(), 64);
    }

    #[test]
    fn texts_of_a_folder_are_fit_to_be_shown() {
        let hostile = format!("\u{202e}my\u{200b}\r\nkind{}", "x".repeat(200_000));
        let folder = folder(&json!({"architectures": [hostile], "quantization_config": {"quant_method": hostile, "bits": 4}}));
        let header = json!({"a": {"dtype": "F32", "shape": [8], "data_offsets": [0, 32]}});
        write_tensors(folder.path(), "model.safetensors", &header, 32);
        let roots = Roots::new(&[folder.path().to_owned()], Path::new("/nowhere"), false);
        let facts = crate::models::read_facts(folder.path(), &roots, Path::new("/nowhere")).unwrap();
        assert_eq!(facts.architecture, format!("my kind{}", "x".repeat(93)));
        assert_eq!(facts.precision, format!("MY KIND{}", "X".repeat(93)));
        let index = json!({"weight_map": {"a": hostile}});
        std::fs::write(folder.path().join("model.safetensors.index.json"), index.to_string()).unwrap();
        let said = crate::models::read_facts(folder.path(), &roots, Path::new("/nowhere")).unwrap_err().sentence();
        assert!(said.chars().count() < 700 && !said.contains(['\u{202e}', '\r']), "{said}");
    }

    #[test]
    fn weights_are_counted_once() {
        let folder = folder(&json!({"model_type": "mistral"}));
        let header = json!({"a": {"dtype": "F32", "shape": [8], "data_offsets": [0, 32]}});
        let other = json!({"b": {"dtype": "F32", "shape": [8], "data_offsets": [0, 32]}});
        for (name, header) in [("model-00001-of-00002", &header), ("model-00002-of-00002", &other), ("consolidated", &other)] {
            write_tensors(folder.path(), &format!("{name}.safetensors"), header, 32);
        }
        assert_eq!(read(folder.path()).unwrap().parameters, 16);
        write_tensors(folder.path(), "model.safetensors", &header, 32);
        assert_eq!(read(folder.path()).unwrap().parameters, 8);
    }

    #[test]
    fn the_tokenizers_limit_is_the_context_where_the_model_names_none() {
        let folder = folder(&json!({"model_type": "bloom"}));
        write_tensors(folder.path(), "model.safetensors", &json!({}), 0);
        // what transformers writes where there is no limit
        for (limit, context) in [("2048", Some(2048)), ("1000000000000000019884624838656", None), ("Infinity", None)] {
            std::fs::write(folder.path().join("tokenizer_config.json"), format!("{{\"model_max_length\": {limit}}}")).unwrap();
            assert_eq!(read(folder.path()).unwrap().context_length, context, "{limit}");
        }
    }

    #[test]
    fn links_are_followed_below_the_root() {
        let root = tempfile::tempdir().unwrap();
        let (snapshot, blobs) = (root.path().join("snapshots/a"), root.path().join("blobs"));
        [&snapshot, &blobs].into_iter().for_each(|folder| std::fs::create_dir_all(folder).unwrap());
        std::fs::write(blobs.join("c"), "{\"model_type\": \"llama\", \"time_step_limit\": [0.0, Infinity]}").unwrap();
        write_tensors(&blobs, "w", &json!({"a": {"dtype": "F32", "shape": [8], "data_offsets": [0, 32]}}), 32);
        std::os::unix::fs::symlink("../../blobs/c", snapshot.join("config.json")).unwrap();
        std::os::unix::fs::symlink("../../blobs/w", snapshot.join("model.safetensors")).unwrap();
        let below = |root: &Path| {
            super::read(&snapshot, &Roots::new(&[root.to_owned()], Path::new("/nowhere"), false), Path::new("/nowhere"))
        };
        assert_eq!(below(root.path()).unwrap().parameters, 8);
        assert!(matches!(below(&snapshot), Err(ModelFileError::Path(_))));
    }

    #[test]
    fn a_model_that_also_sees_has_its_text_part_within() {
        let folder = folder(&json!({
            "model_type": "gemma3", "text_config": {"num_hidden_layers": 34, "hidden_size": 2560, "max_position_embeddings": 131_072}
        }));
        write_tensors(folder.path(), "model.safetensors", &json!({}), 0);
        let facts = read(folder.path()).unwrap();
        assert_eq!((facts.layers, facts.hidden_size, facts.context_length), (Some(34), Some(2560), Some(131_072)));
    }

    #[test]
    fn packed_weights_are_counted_unpacked() {
        let folder = folder(&json!({"model_type": "llama", "quantization_config": {"quant_method": "gptq", "bits": 4}}));
        let header = json!({
            "x.qweight": {"dtype": "I32", "shape": [8, 16], "data_offsets": [0, 512]},
            "x.scales": {"dtype": "F16", "shape": [16], "data_offsets": [512, 544]}
        });
        write_tensors(folder.path(), "model.safetensors", &header, 544);
        let facts = read(folder.path()).unwrap();
        assert_eq!((facts.parameters, facts.precision.as_str()), (1024, "GPTQ 4-bit"));
    }

    #[test]
    fn missing_or_damaged_files_are_named() {
        let empty = tempfile::tempdir().unwrap();
        assert_eq!(read(empty.path()).unwrap_err().sentence(), "This is not a Hugging Face model folder: it has no config.json.");
        let folder = folder(&json!({"model_type": "llama"}));
        assert!(matches!(read(folder.path()), Err(ModelFileError::NotAModelFolder(_))));
        let index = json!({"weight_map": {"a": "model-00001-of-00001.safetensors"}});
        std::fs::write(folder.path().join("model.safetensors.index.json"), index.to_string()).unwrap();
        assert!(matches!(read(folder.path()), Err(ModelFileError::Missing(_))));
        std::fs::write(folder.path().join("model-00001-of-00001.safetensors"), u64::MAX.to_le_bytes()).unwrap();
        assert!(matches!(read(folder.path()), Err(ModelFileError::Damaged(_))));
        let index = json!({"weight_map": {"a": "../../etc/passwd"}});
        std::fs::write(folder.path().join("model.safetensors.index.json"), index.to_string()).unwrap();
        assert!(matches!(read(folder.path()), Err(ModelFileError::Damaged(_))));
    }

    #[test]
    fn a_cut_file_is_damaged() {
        let folder = folder(&json!({"model_type": "llama"}));
        let header = json!({"a": {"dtype": "F32", "shape": [8], "data_offsets": [0, 32]}});
        write_tensors(folder.path(), "model.safetensors", &header, 31);
        assert!(matches!(read(folder.path()), Err(ModelFileError::Damaged(_))));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_header_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256), length in any::<u64>()) {
            let folder = folder(&json!({}));
            let mut file = length.to_le_bytes().to_vec();
            file.extend(&bytes);
            std::fs::write(folder.path().join("model.safetensors"), &file).unwrap();
            let _ = read(folder.path());
            let mut file = (bytes.len() as u64).to_le_bytes().to_vec();
            file.extend(&bytes);
            std::fs::write(folder.path().join("model.safetensors"), &file).unwrap();
            let _ = read(folder.path());
        }
    }
}
