//! Descriptors: known parameter counts, both sources of a description, and what is not known.

use std::collections::BTreeMap;

use dyno_simulate::model::{Attention, MetadataValue, ModelError, catalogue, from_config_json, from_gguf};
use dyno_simulate::{KvPrecision, Precision};

/// Published sizes in billions of parameters.
#[test]
fn parameters_are_counted() {
    for (name, billions, active) in [
        ("meta-llama/Meta-Llama-3-8B-Instruct", 8.03, 7.5),
        ("meta-llama/Llama-3.1-70B", 70.55, 69.5),
        ("meta-llama/Llama-3.1-405B-Instruct", 405.8, 403.7),
        ("meta-llama/Llama-2-7b-hf", 6.74, 6.6),
        ("Qwen/Qwen3-4B", 4.02, 4.02),
        ("mistralai/Mixtral-8x7B-v0.1", 46.7, 12.7),
        ("Qwen/Qwen3-235B-A22B-Instruct-2507", 235.0, 21.5),
        ("openai/gpt-oss-120b", 116.8, 5.1),
        ("deepseek-ai/DeepSeek-R1-0528", 671.0, 37.0),
        ("MiniMaxAI/MiniMax-M2.5", 228.7, 10.0),
    ] {
        let model = catalogue::find(name).unwrap();
        let counted = model.parameters() / 1e9;
        assert!((counted / billions - 1.0).abs() < 0.01, "{name}: {counted}");
        let counted = model.active_parameters() / 1e9;
        assert!((counted / active - 1.0).abs() < 0.06, "{name}: active {counted}");
    }
}

#[test]
fn bytes_follow_precision() {
    let model = catalogue::find("meta-llama/Llama-3.1-8B").unwrap();
    assert!((model.bytes(Precision::Bf16) / 1e9 - 16.06).abs() < 0.01);
    // Embeddings and head stay in 16 bits.
    assert!((model.bytes(Precision::Fp8) / 1e9 - 9.08).abs() < 0.01);
    // 32 layers x 2 x 8 heads x 128 values x 2 bytes.
    assert_eq!(32.0 * model.kv_bytes_per_layer(KvPrecision::Bits16), 131_072.0);
    let latent = catalogue::find("deepseek-ai/DeepSeek-V3").unwrap();
    assert_eq!(latent.kv_bytes_per_layer(KvPrecision::Bits8), 576.0);
    let mixture = catalogue::find("openai/gpt-oss-120b").unwrap();
    assert!((mixture.bytes(Precision::Mxfp4) / 1e9 - 65.3).abs() < 1.0, "{}", mixture.bytes(Precision::Mxfp4) / 1e9);
}

#[test]
fn config_json_is_read() {
    let text = r#"{"model_type": "qwen3_moe", "num_hidden_layers": 94, "hidden_size": 4096, "num_attention_heads": 64,
        "num_key_value_heads": 4, "head_dim": 128, "vocab_size": 151936, "intermediate_size": 12288, "num_experts": 128,
        "num_experts_per_tok": 8, "moe_intermediate_size": 1536, "tie_word_embeddings": false, "torch_dtype": "bfloat16",
        "quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]}}"#;
    let model = from_config_json("local", text).unwrap();
    assert_eq!(model.precision, Precision::Fp8);
    let known = catalogue::find("Qwen/Qwen3-235B-A22B").unwrap();
    assert_eq!(model.parameters(), known.parameters());
}

#[test]
fn sliding_windows_are_read() {
    let text = |more: &str| {
        format!(
            r#"{{"model_type": "gpt_oss", "num_hidden_layers": 4, "hidden_size": 64, "num_attention_heads": 4, "vocab_size": 100,
            "intermediate_size": 64, "num_local_experts": 8, "num_experts_per_tok": 2, "sliding_window": 128 {more}}}"#
        )
    };
    let window =
        |more: &str| from_config_json("m", &text(more)).unwrap().sliding_window.map(|window| (window.tokens, window.layers));
    assert_eq!(window(""), Some((128, 2)));
    let types = r#", "layer_types": ["sliding_attention", "sliding_attention", "sliding_attention", "full_attention"]"#;
    assert_eq!(window(types), Some((128, 3)));
    assert_eq!(window(r#", "use_sliding_window": false"#), None);
}

#[test]
fn latent_attention_is_read() {
    let text = r#"{"model_type": "deepseek_v3", "num_hidden_layers": 61, "hidden_size": 7168, "num_attention_heads": 128,
        "num_key_value_heads": 128, "vocab_size": 129280, "intermediate_size": 18432, "n_routed_experts": 256, "num_experts_per_tok": 8,
        "moe_intermediate_size": 2048, "n_shared_experts": 1, "first_k_dense_replace": 3, "kv_lora_rank": 512, "q_lora_rank": 1536,
        "qk_rope_head_dim": 64, "qk_nope_head_dim": 128, "v_head_dim": 128}"#;
    let model = from_config_json("m", text).unwrap();
    assert!(matches!(model.attention, Attention::Latent { kv_rank: 512, .. }));
    assert_eq!(model.parameters(), catalogue::find("deepseek-r1").unwrap().parameters());
}

#[test]
fn what_is_unknown_is_said() {
    let text = r#"{"model_type": "mamba2", "num_hidden_layers": 64, "hidden_size": 2560, "vocab_size": 50288}"#;
    assert_eq!(from_config_json("m", text), Err(ModelError::UnknownArchitecture("mamba2".to_owned())));
    let said = from_config_json("m", text).unwrap_err().to_string();
    assert!(said.contains("unknown architecture \"mamba2\""), "{said}");
    assert_eq!(catalogue::find("someone/else-9b"), Err(ModelError::UnknownModel("someone/else-9b".to_owned())));
    let metadata = BTreeMap::from([("general.architecture".to_owned(), MetadataValue::Text("rwkv7".to_owned()))]);
    assert_eq!(from_gguf(&metadata, None), Err(ModelError::UnknownArchitecture("rwkv7".to_owned())));
}

#[test]
fn nonsense_is_refused() {
    let text =
        r#"{"model_type": "llama", "num_hidden_layers": 2, "hidden_size": 64, "num_attention_heads": 0, "vocab_size": 10}"#;
    assert!(matches!(from_config_json("m", text), Err(ModelError::Invalid { .. })));
    assert!(matches!(from_config_json("m", "[]"), Err(ModelError::Unreadable(_) | ModelError::Missing(_))));
    let text =
        r#"{"model_type": "llama", "num_hidden_layers": 2, "hidden_size": 64, "num_attention_heads": 4, "vocab_size": 10}"#;
    assert!(matches!(from_config_json("m", text), Err(ModelError::Missing(_))), "no feed-forward width");
}

/// The header of a SmolLM2-135M file in Q4_1.
#[test]
fn gguf_metadata_is_read() {
    let number = |value| MetadataValue::Number(value);
    let metadata: BTreeMap<String, MetadataValue> = [
        ("general.architecture", MetadataValue::Text("llama".to_owned())),
        ("general.name", MetadataValue::Text("SmolLM2 135M".to_owned())),
        ("general.file_type", number(3)),
        ("llama.block_count", number(30)),
        ("llama.embedding_length", number(576)),
        ("llama.attention.head_count", number(9)),
        ("llama.attention.head_count_kv", number(3)),
        ("llama.feed_forward_length", number(1536)),
        ("llama.vocab_size", number(49_152)),
        ("llama.context_length", number(8192)),
        ("tokenizer.ggml.tokens", MetadataValue::Array { entries: 49_152, largest: None }),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect();
    let model = from_gguf(&metadata, Some(98_362_432.0)).unwrap();
    assert_eq!(model.attention, Attention::Grouped { heads: 9, kv_heads: 3, head_width: 64 });
    assert_eq!(model.bytes(model.precision), 98_362_432.0);
    assert_eq!(model.context, Some(8192));
    assert_eq!(model.precision, Precision::Quantized { bits: 5.0 });
}

#[test]
fn distilled_models_are_what_they_are_made_of() {
    let model = catalogue::find("deepseek-ai/DeepSeek-R1-Distill-Llama-70B").unwrap();
    assert!(model.mixture.is_none());
    assert_eq!(model.layers, 80);
    let model = catalogue::find("deepseek-ai/DeepSeek-R1-0528-Qwen3-8B").unwrap();
    assert!(model.mixture.is_none());
    assert!((model.parameters() / 8.19e9 - 1.0).abs() < 0.01, "{}", model.parameters());
}
