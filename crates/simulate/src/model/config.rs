//! Descriptors from a Hugging Face `config.json`.

use dyno_measure::words::one_line;
use serde::Deserialize;
use serde_json::Value;

use super::{Attention, Mixture, ModelDescriptor, ModelError, SlidingWindow};
use crate::precision::Precision;

/// `model_type`s whose layers are a rotary decoder as modelled here.
const KNOWN: [&str; 30] = [
    "llama",
    "mistral",
    "mistral3",
    "mixtral",
    "qwen2",
    "qwen2_moe",
    "qwen3",
    "qwen3_moe",
    "gemma",
    "gemma2",
    "gemma3",
    "gemma3_text",
    "phi3",
    "phimoe",
    "gpt_oss",
    "minimax_m2",
    "deepseek_v2",
    "deepseek_v3",
    "kimi_k2",
    "glm",
    "glm4",
    "glm4_moe",
    "granite",
    "granitemoe",
    "olmo2",
    "olmoe",
    "internlm2",
    "exaone",
    "cohere",
    "starcoder2",
];
/// `model_type`s whose feed-forward network has no gate.
const UNGATED: [&str; 1] = ["starcoder2"];

#[derive(Debug, Deserialize)]
struct Fields {
    model_type: Option<String>,
    num_hidden_layers: Option<u32>,
    hidden_size: Option<u32>,
    num_attention_heads: Option<u32>,
    num_key_value_heads: Option<u32>,
    head_dim: Option<u32>,
    vocab_size: Option<u32>,
    intermediate_size: Option<u32>,
    #[serde(alias = "num_local_experts", alias = "n_routed_experts")]
    num_experts: Option<u32>,
    num_experts_per_tok: Option<u32>,
    moe_intermediate_size: Option<u32>,
    n_shared_experts: Option<u32>,
    shared_expert_intermediate_size: Option<u32>,
    first_k_dense_replace: Option<u32>,
    sliding_window: Option<u32>,
    use_sliding_window: Option<bool>,
    sliding_window_pattern: Option<u32>,
    layer_types: Option<Vec<String>>,
    kv_lora_rank: Option<u32>,
    q_lora_rank: Option<u32>,
    qk_rope_head_dim: Option<u32>,
    qk_nope_head_dim: Option<u32>,
    v_head_dim: Option<u32>,
    tie_word_embeddings: Option<bool>,
    max_position_embeddings: Option<u32>,
    #[serde(alias = "dtype")]
    torch_dtype: Option<String>,
    quantization_config: Option<Value>,
}

/// Parses a `config.json`. `name` is the model's name in results.
pub fn from_config_json(name: &str, text: &str) -> Result<ModelDescriptor, ModelError> {
    let unreadable = |error: serde_json::Error| ModelError::Unreadable(error.to_string());
    let value: Value = serde_json::from_str(text).map_err(unreadable)?;
    // Multimodal models keep the language model's description one level down.
    let inner = match value.get("text_config") {
        Some(inner) if inner.get("num_hidden_layers").is_some() => inner.clone(),
        _ => value,
    };
    let config: Fields = serde_json::from_value(inner).map_err(unreadable)?;
    let model_type = config.model_type.clone().ok_or_else(|| ModelError::Missing("model_type".to_owned()))?;
    if !KNOWN.contains(&model_type.as_str()) {
        return Err(ModelError::UnknownArchitecture(one_line(&model_type, 100)));
    }
    let required = |field: &str, value: Option<u32>| value.ok_or_else(|| ModelError::Missing(field.to_owned()));
    let layers = required("num_hidden_layers", config.num_hidden_layers)?;
    let hidden = required("hidden_size", config.hidden_size)?;
    let heads = required("num_attention_heads", config.num_attention_heads)?;
    if heads == 0 {
        return Err(ModelError::Invalid { field: "num_attention_heads".to_owned(), value: "0".to_owned() });
    }
    let attention = match config.kv_lora_rank {
        Some(kv_rank) => Attention::Latent {
            heads,
            query_rank: config.q_lora_rank,
            kv_rank,
            rope_width: required("qk_rope_head_dim", config.qk_rope_head_dim)?,
            nope_width: required("qk_nope_head_dim", config.qk_nope_head_dim)?,
            value_width: required("v_head_dim", config.v_head_dim)?,
        },
        None => Attention::Grouped {
            heads,
            kv_heads: config.num_key_value_heads.unwrap_or(heads),
            head_width: config.head_dim.filter(|&width| width > 0).unwrap_or(hidden / heads),
        },
    };
    let mixture = match config.num_experts.filter(|&experts| experts > 1) {
        None => None,
        Some(experts) => {
            let expert_width = config
                .moe_intermediate_size
                .or(config.intermediate_size)
                .ok_or_else(|| ModelError::Missing("moe_intermediate_size".to_owned()))?;
            Some(Mixture {
                experts,
                experts_per_token: required("num_experts_per_tok", config.num_experts_per_tok)?,
                expert_width,
                shared_width: config
                    .shared_expert_intermediate_size
                    .unwrap_or(config.n_shared_experts.unwrap_or(0).saturating_mul(expert_width)),
                dense_layers: config.first_k_dense_replace.unwrap_or(0).min(layers),
            })
        }
    };
    ModelDescriptor {
        name: name.to_owned(),
        layers,
        hidden,
        vocabulary: required("vocab_size", config.vocab_size)?,
        attention,
        feed_forward: config.intermediate_size.unwrap_or(0),
        feed_forward_matrices: if UNGATED.contains(&model_type.as_str()) { 2 } else { 3 },
        sliding_window: sliding_window(&config, &model_type, layers),
        tied_embeddings: config.tie_word_embeddings.unwrap_or(model_type.starts_with("gemma")),
        context: config.max_position_embeddings,
        precision: precision(&config)?,
        weight_bytes: None,
        mixture,
    }
    .checked()
}

fn sliding_window(config: &Fields, model_type: &str, layers: u32) -> Option<SlidingWindow> {
    let tokens = config.sliding_window.filter(|&tokens| tokens > 0)?;
    if config.use_sliding_window == Some(false) {
        return None;
    }
    let windowed = match (&config.layer_types, config.sliding_window_pattern) {
        (Some(types), _) => types.iter().filter(|kind| *kind == "sliding_attention").count() as u32,
        // every n-th layer has full attention
        (None, Some(pattern)) if pattern > 0 => layers - layers / pattern,
        _ => match model_type {
            "gpt_oss" | "gemma2" => layers / 2,
            "gemma3" | "gemma3_text" => layers - layers / 6,
            _ => layers,
        },
    };
    (windowed > 0).then_some(SlidingWindow { tokens, layers: windowed.min(layers) })
}

fn precision(config: &Fields) -> Result<Precision, ModelError> {
    let Some(quantization) = &config.quantization_config else {
        let dtype = config.torch_dtype.as_deref().unwrap_or("bfloat16");
        return dtype.parse().map_err(|_| ModelError::Invalid { field: "torch_dtype".to_owned(), value: dtype.to_owned() });
    };
    let text = |key: &str| quantization.get(key).and_then(Value::as_str).unwrap_or("").to_ascii_lowercase();
    let method = text("quant_method");
    match method.as_str() {
        "fp8" | "fbgemm_fp8" => Ok(Precision::Fp8),
        "mxfp4" => Ok(Precision::Mxfp4),
        "modelopt" if text("quant_algo").contains("nvfp4") => Ok(Precision::Nvfp4),
        "modelopt" if text("quant_algo").contains("fp8") => Ok(Precision::Fp8),
        "awq" | "gptq" => match quantization.get("bits").and_then(Value::as_u64).unwrap_or(4) {
            8 => Ok(Precision::Int8),
            bits => Ok(Precision::Quantized { bits: bits as f64 + 0.4 }),
        },
        "compressed-tensors" => compressed_tensors(quantization),
        _ => Err(ModelError::Invalid { field: "quantization_config".to_owned(), value: method }),
    }
}

fn compressed_tensors(quantization: &Value) -> Result<Precision, ModelError> {
    let weights = quantization
        .get("config_groups")
        .and_then(Value::as_object)
        .and_then(|groups| groups.values().next())
        .and_then(|group| group.get("weights"));
    let bits = weights.and_then(|weights| weights.get("num_bits")).and_then(Value::as_u64);
    let kind = weights.and_then(|weights| weights.get("type")).and_then(Value::as_str).unwrap_or("int");
    match (bits, kind) {
        (Some(8), "float") => Ok(Precision::Fp8),
        (Some(8), _) => Ok(Precision::Int8),
        (Some(4), "float") => Ok(Precision::Nvfp4),
        (Some(4), _) => Ok(Precision::INT4),
        _ => Err(ModelError::Invalid { field: "quantization_config".to_owned(), value: "compressed-tensors".to_owned() }),
    }
}
