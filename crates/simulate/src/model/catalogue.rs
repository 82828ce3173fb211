//! Common models, by the names under which they are published.

use super::{Attention, Mixture, ModelDescriptor, ModelError, SlidingWindow};
use crate::names::contains_pattern;
use crate::precision::Precision;

/// One row: (pattern, layers, hidden, heads, KV heads, head width, vocabulary, feed-forward width).
struct Dense(&'static str, u32, u32, u32, u32, u32, u32, u32);

/// From each model's published `config.json`. A pattern is found in the part of the name after the organisation.
const DENSE: &[Dense] = &[
    Dense("llama-3.1-8b", 32, 4096, 32, 8, 128, 128_256, 14_336),
    Dense("llama-3-8b", 32, 4096, 32, 8, 128, 128_256, 14_336),
    Dense("llama-3.2-1b", 16, 2048, 32, 8, 64, 128_256, 8192),
    Dense("llama-3.2-3b", 28, 3072, 24, 8, 128, 128_256, 8192),
    Dense("llama-3.1-70b", 80, 8192, 64, 8, 128, 128_256, 28_672),
    Dense("llama-3.3-70b", 80, 8192, 64, 8, 128, 128_256, 28_672),
    Dense("llama-3-70b", 80, 8192, 64, 8, 128, 128_256, 28_672),
    Dense("llama-3.1-405b", 126, 16_384, 128, 8, 128, 128_256, 53_248),
    Dense("llama-2-7b", 32, 4096, 32, 32, 128, 32_000, 11_008),
    Dense("llama-2-13b", 40, 5120, 40, 40, 128, 32_000, 13_824),
    Dense("llama-2-70b", 80, 8192, 64, 8, 128, 32_000, 28_672),
    Dense("mistral-7b", 32, 4096, 32, 8, 128, 32_000, 14_336),
    Dense("qwen2.5-7b", 28, 3584, 28, 4, 128, 152_064, 18_944),
    Dense("qwen2.5-32b", 64, 5120, 40, 8, 128, 152_064, 27_648),
    Dense("qwen2.5-72b", 80, 8192, 64, 8, 128, 152_064, 29_568),
    Dense("qwen2-7b", 28, 3584, 28, 4, 128, 152_064, 18_944),
    Dense("qwen3-0.6b", 28, 1024, 16, 8, 128, 151_936, 3072),
    Dense("qwen3-1.7b", 28, 2048, 16, 8, 128, 151_936, 6144),
    Dense("qwen3-4b", 36, 2560, 32, 8, 128, 151_936, 9728),
    Dense("qwen3-8b", 36, 4096, 32, 8, 128, 151_936, 12_288),
    Dense("qwen3-14b", 40, 5120, 40, 8, 128, 151_936, 17_408),
    Dense("qwen3-32b", 64, 5120, 64, 8, 128, 151_936, 25_600),
    Dense("smollm2-135m", 30, 576, 9, 3, 64, 49_152, 1536),
];
/// Models whose output head is the embedding.
const TIED: [&str; 6] = ["llama-3.2-1b", "llama-3.2-3b", "qwen3-0.6b", "qwen3-1.7b", "qwen3-4b", "smollm2-135m"];

/// One row: (pattern, layers, hidden, heads, KV heads, head width, vocabulary, experts, experts per token, expert width).
struct Mixed(&'static str, u32, u32, u32, u32, u32, u32, u32, u32, u32);

const MIXED: &[Mixed] = &[
    Mixed("mixtral-8x7b", 32, 4096, 32, 8, 128, 32_000, 8, 2, 14_336),
    Mixed("mixtral-8x22b", 56, 6144, 48, 8, 128, 32_768, 8, 2, 16_384),
    Mixed("qwen3-30b-a3b", 48, 2048, 32, 4, 128, 151_936, 128, 8, 768),
    Mixed("qwen3-235b-a22b", 94, 4096, 64, 4, 128, 151_936, 128, 8, 1536),
    Mixed("gpt-oss-120b", 36, 2880, 64, 8, 64, 201_088, 128, 4, 2880),
    Mixed("gpt-oss-20b", 24, 2880, 64, 8, 64, 201_088, 32, 4, 2880),
    Mixed("minimax-m2", 62, 3072, 48, 8, 128, 200_064, 256, 8, 1536),
    Mixed("glm-4.5-air", 46, 4096, 96, 8, 128, 151_552, 128, 8, 1408),
    Mixed("glm-4.6", 92, 5120, 96, 8, 128, 151_552, 160, 8, 1536),
    Mixed("glm-4.5", 92, 5120, 96, 8, 128, 151_552, 160, 8, 1536),
];

/// Finds a model by its published name: organisation, tuning and precision suffixes don't matter.
pub fn find(name: &str) -> Result<ModelDescriptor, ModelError> {
    let short = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
    let distilled = short.contains("distill");
    let short = if distilled { short.replace("llama-8b", "llama-3.1-8b").replace("llama-70b", "llama-3.3-70b") } else { short };
    let matches = |pattern: &str| contains_pattern(&short, pattern);
    // The longest pattern is the closest: "llama-3.1-70b" is not "llama-3-70b".
    if let Some(row) = DENSE.iter().filter(|row| matches(row.0)).max_by_key(|row| row.0.len()) {
        // before the mixtures: names of distillations ("DeepSeek-R1-0528-Qwen3-8B") also contain the teacher's name
        return dense(name, row).checked();
    }
    let unknown = || ModelError::UnknownModel(name.to_owned());
    if distilled {
        return Err(unknown());
    }
    if matches("deepseek-r1") || matches("deepseek-v3") {
        return deepseek_v3(name).checked();
    }
    MIXED.iter().find(|row| matches(row.0)).ok_or_else(unknown).and_then(|row| mixed(name, row).checked())
}

fn published_precision(name: &str, otherwise: Precision) -> Precision {
    let name = name.to_ascii_lowercase();
    if name.contains("nvfp4") || name.contains("-fp4") {
        Precision::Nvfp4
    } else if name.contains("fp8") {
        Precision::Fp8
    } else if name.contains("awq") || name.contains("gptq") || name.contains("int4") {
        Precision::INT4
    } else {
        otherwise
    }
}

fn dense(name: &str, row: &Dense) -> ModelDescriptor {
    let &Dense(pattern, layers, hidden, heads, kv_heads, head_width, vocabulary, feed_forward) = row;
    ModelDescriptor {
        name: name.to_owned(),
        layers,
        hidden,
        vocabulary,
        attention: Attention::Grouped { heads, kv_heads, head_width },
        feed_forward,
        feed_forward_matrices: 3,
        mixture: None,
        sliding_window: (pattern == "mistral-7b" && name.contains("v0.1")).then_some(SlidingWindow { tokens: 4096, layers }),
        tied_embeddings: TIED.contains(&pattern),
        context: None,
        precision: published_precision(name, Precision::Bf16),
        weight_bytes: None,
    }
}

fn mixed(name: &str, row: &Mixed) -> ModelDescriptor {
    let &Mixed(pattern, layers, hidden, heads, kv_heads, head_width, vocabulary, experts, experts_per_token, expert_width) = row;
    let (dense_layers, feed_forward) = match pattern {
        "glm-4.5-air" => (1, 10_944),
        "glm-4.5" | "glm-4.6" => (3, 12_288),
        _ => (0, 0),
    };
    let open_ai = pattern.starts_with("gpt-oss");
    let published = match pattern {
        _ if open_ai => Precision::Mxfp4,
        "minimax-m2" => Precision::Fp8,
        _ => Precision::Bf16,
    };
    ModelDescriptor {
        name: name.to_owned(),
        layers,
        hidden,
        vocabulary,
        attention: Attention::Grouped { heads, kv_heads, head_width },
        feed_forward,
        feed_forward_matrices: 3,
        mixture: Some(Mixture {
            experts,
            experts_per_token,
            expert_width,
            shared_width: if pattern.starts_with("glm") { expert_width } else { 0 },
            dense_layers,
        }),
        sliding_window: open_ai.then_some(SlidingWindow { tokens: 128, layers: layers / 2 }),
        tied_embeddings: false,
        context: None,
        precision: published_precision(name, published),
        weight_bytes: None,
    }
}

/// V3, R1 and their updates share one architecture; V3.2's sparse attention is not modelled, so its long contexts come out slower.
fn deepseek_v3(name: &str) -> ModelDescriptor {
    ModelDescriptor {
        name: name.to_owned(),
        layers: 61,
        hidden: 7168,
        vocabulary: 129_280,
        attention: Attention::Latent {
            heads: 128,
            query_rank: Some(1536),
            kv_rank: 512,
            rope_width: 64,
            nope_width: 128,
            value_width: 128,
        },
        feed_forward: 18_432,
        feed_forward_matrices: 3,
        mixture: Some(Mixture { experts: 256, experts_per_token: 8, expert_width: 2048, shared_width: 2048, dense_layers: 3 }),
        sliding_window: None,
        tied_embeddings: false,
        context: Some(163_840),
        precision: published_precision(name, Precision::Fp8),
        weight_bytes: None,
    }
}
