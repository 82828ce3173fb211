//! The longest context of a Hugging Face model, derived from `config.json` as vLLM does.

use serde_json::Value;

use super::config_fields::{find, number};

/// Names of the length.
const NAMES: [&str; 8] = [
    "max_position_embeddings",
    "n_positions",
    "max_seq_len",
    "seq_length",
    "max_sequence_length",
    "max_seq_length",
    "seq_len",
    "max_target_positions",
];

/// The length, with RoPE scaling applied.
pub(super) fn context_length(config: &Value) -> Option<u32> {
    // Cohere's models have their real length in `model_max_length`, beside a smaller default
    let own = number(config, &["model_max_length"]).or_else(|| number(config, &NAMES))?;
    let Some(scaling) = scaling_of(config) else { return Some(own) };
    let kind = scaling.get("rope_type").or_else(|| scaling.get("type")).and_then(Value::as_str).unwrap_or("default");
    let is_gemma = find(config, &["model_type"]).and_then(Value::as_str).is_some_and(|name| name.starts_with("gemma3"));
    // these configurations have the scaled length
    if is_gemma || matches!(kind, "su" | "longrope" | "llama3" | "default" | "mrope") {
        return Some(own);
    }
    let factor =
        scaling.get("factor").and_then(Value::as_f64).filter(|factor| factor.is_finite() && *factor >= 1.0).unwrap_or(1.0);
    let original = scaling.get("original_max_position_embeddings").and_then(Value::as_u64).filter(|_| kind == "yarn");
    let scaled = original.unwrap_or_else(|| own.into()) as f64 * factor;
    Some(if scaled < f64::from(u32::MAX) { scaled as u32 } else { own })
}

/// The RoPE scaling; of models with one per layer type, that of layers with full attention.
fn scaling_of(config: &Value) -> Option<&Value> {
    let scaling = find(config, &["rope_scaling", "rope_parameters"])?;
    scaling.get("full_attention").or(Some(scaling)).filter(|scaling| scaling.is_object())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    // expected values are vLLM's
    #[test]
    fn scaled_lengths() {
        for (config, length) in [
            (json!({"max_position_embeddings": 8192, "model_max_length": 131_072}), 131_072),
            (
                json!({"max_position_embeddings": 32_768, "rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32_768}}),
                131_072,
            ),
            (
                json!({"max_position_embeddings": 163_840, "rope_scaling": {"type": "yarn", "factor": 40, "original_max_position_embeddings": 4096}}),
                163_840,
            ),
            (
                json!({"text_config": {"max_position_embeddings": 32_768, "rope_parameters": {"rope_type": "yarn", "factor": 4.0}}}),
                131_072,
            ),
            (json!({"max_position_embeddings": 4096, "rope_scaling": {"type": "linear", "factor": 4.0}}), 16_384),
            (json!({"max_position_embeddings": 4096, "rope_scaling": {"type": "dynamic", "factor": 2.0}}), 8192),
            (json!({"max_position_embeddings": 131_072, "rope_scaling": {"rope_type": "llama3", "factor": 8.0}}), 131_072),
            (
                json!({"max_position_embeddings": 131_072, "rope_scaling": {"type": "longrope"}, "original_max_position_embeddings": 4096}),
                131_072,
            ),
            (json!({"max_position_embeddings": 32_768, "rope_scaling": {"type": "mrope", "mrope_section": [16]}}), 32_768),
            (json!({"max_position_embeddings": 4096, "rope_scaling": null}), 4096),
            (
                json!({"model_type": "gemma3", "text_config": {"max_position_embeddings": 131_072, "rope_scaling": {"rope_type": "linear", "factor": 8.0}}}),
                131_072,
            ),
            (json!({"max_seq_len": 65_536}), 65_536),
        ] {
            assert_eq!(context_length(&config), Some(length), "{config}");
        }
        assert_eq!(context_length(&json!({})), None);
    }

    proptest! {
        #[test]
        fn no_number_makes_it_panic(length in any::<u32>(), factor in any::<f64>(), original in any::<u64>()) {
            let scaling = json!({"type": "yarn", "factor": factor, "original_max_position_embeddings": original});
            let _ = context_length(&json!({"max_position_embeddings": length, "rope_scaling": scaling}));
        }
    }
}
