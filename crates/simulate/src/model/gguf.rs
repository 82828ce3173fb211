//! Descriptors from the metadata of a GGUF file.

use std::collections::BTreeMap;

use dyno_measure::words::one_line;

use super::{Attention, Mixture, ModelDescriptor, ModelError, SlidingWindow};
use crate::precision::Precision;

/// A metadata value, reduced to what is needed here.
#[derive(Debug, Clone, PartialEq)]
pub enum MetadataValue {
    Number(u64),
    Text(String),
    /// An array: its number of entries, and its largest whole number.
    Array {
        entries: u64,
        largest: Option<u64>,
    },
}

const KNOWN: [&str; 20] = [
    "llama",
    "qwen2",
    "qwen2moe",
    "qwen3",
    "qwen3moe",
    "gemma",
    "gemma2",
    "gemma3",
    "phi3",
    "gpt-oss",
    "deepseek2",
    "glm4",
    "glm4moe",
    "granite",
    "granitemoe",
    "olmo2",
    "olmoe",
    "minimax-m2",
    "exaone",
    "internlm2",
];

/// From the key-value pairs of a file. `weight_bytes` is the size of its tensors, where it is known.
pub fn from_gguf(metadata: &BTreeMap<String, MetadataValue>, weight_bytes: Option<f64>) -> Result<ModelDescriptor, ModelError> {
    let text = |key: &str| match metadata.get(key) {
        Some(MetadataValue::Text(text)) => Some(text.as_str()),
        _ => None,
    };
    let architecture = text("general.architecture").ok_or_else(|| ModelError::Missing("general.architecture".to_owned()))?;
    if !KNOWN.contains(&architecture) {
        return Err(ModelError::UnknownArchitecture(one_line(architecture, 100)));
    }
    let number = |key: &str| {
        let value = match metadata.get(&format!("{architecture}.{key}"))? {
            MetadataValue::Number(number) => *number,
            // Models whose layers differ list a value per layer.
            MetadataValue::Array { largest, .. } => (*largest)?,
            MetadataValue::Text(_) => return None,
        };
        u32::try_from(value).ok()
    };
    let required = |key: &str| number(key).ok_or_else(|| ModelError::Missing(format!("{architecture}.{key}")));
    let layers = required("block_count")?;
    let hidden = required("embedding_length")?;
    let heads = required("attention.head_count")?;
    if heads == 0 {
        return Err(ModelError::Invalid { field: "attention.head_count".to_owned(), value: "0".to_owned() });
    }
    let attention = match number("attention.kv_lora_rank") {
        Some(kv_rank) => {
            let rope_width = required("rope.dimension_count")?;
            let key_width = number("attention.key_length_mla").or_else(|| number("attention.key_length")).unwrap_or(192);
            Attention::Latent {
                heads,
                query_rank: number("attention.q_lora_rank"),
                kv_rank,
                rope_width,
                nope_width: key_width.saturating_sub(rope_width),
                value_width: number("attention.value_length_mla").or_else(|| number("attention.value_length")).unwrap_or(128),
            }
        }
        None => Attention::Grouped {
            heads,
            kv_heads: number("attention.head_count_kv").unwrap_or(heads),
            head_width: number("attention.key_length").unwrap_or(hidden / heads),
        },
    };
    let feed_forward = number("feed_forward_length").unwrap_or(0);
    let mixture = number("expert_count").filter(|&experts| experts > 1).map(|experts| {
        let expert_width = number("expert_feed_forward_length").unwrap_or(feed_forward);
        Mixture {
            experts,
            experts_per_token: number("expert_used_count").unwrap_or(1),
            expert_width,
            shared_width: number("expert_shared_feed_forward_length")
                .unwrap_or(number("expert_shared_count").unwrap_or(0).saturating_mul(expert_width)),
            dense_layers: number("leading_dense_block_count").unwrap_or(0).min(layers),
        }
    });
    let sliding_window = number("attention.sliding_window").filter(|&tokens| tokens > 0).map(|tokens| SlidingWindow {
        tokens,
        layers: match architecture {
            "gpt-oss" | "gemma2" => layers / 2,
            "gemma3" => layers - layers / 6,
            _ => layers,
        },
    });
    let vocabulary = match metadata.get("tokenizer.ggml.tokens") {
        Some(MetadataValue::Array { entries, .. }) => u32::try_from(*entries).ok(),
        _ => None,
    };
    ModelDescriptor {
        name: text("general.name").unwrap_or(architecture).to_owned(),
        layers,
        hidden,
        vocabulary: number("vocab_size").or(vocabulary).ok_or_else(|| ModelError::Missing("tokenizer.ggml.tokens".to_owned()))?,
        attention,
        feed_forward,
        feed_forward_matrices: 3,
        mixture,
        sliding_window,
        tied_embeddings: false,
        context: number("context_length"),
        precision: precision(metadata)?,
        weight_bytes,
    }
    .checked()
}

/// `general.file_type`, numbered as llama.cpp does; bits are the mean over a llama's tensors.
fn precision(metadata: &BTreeMap<String, MetadataValue>) -> Result<Precision, ModelError> {
    let Some(MetadataValue::Number(file_type)) = metadata.get("general.file_type") else {
        return Err(ModelError::Missing("general.file_type".to_owned()));
    };
    let bits = match file_type {
        0 => return Ok(Precision::Fp32),
        1 | 32 => return Ok(Precision::Bf16),
        38 => return Ok(Precision::Mxfp4),
        2 | 14 => 4.6,
        3 => 5.0,
        7 => 8.5,
        8 => 5.5,
        9 => 6.0,
        10 => 3.2,
        11 => 3.6,
        12 => 3.9,
        13 => 4.3,
        15 => 4.85,
        16 => 5.6,
        17 => 5.7,
        18 => 6.6,
        _ => return Err(ModelError::Invalid { field: "general.file_type".to_owned(), value: file_type.to_string() }),
    };
    Ok(Precision::Quantized { bits })
}
