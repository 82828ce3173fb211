//! Memory requirements of a model. Pure.

use crate::domain::inventory::ModelFacts;
use dyno_measure::words::bytes;

/// Bytes reserved for buffers and the engine itself on each accelerator.
const RESERVE_ACCELERATOR: u64 = 1_000_000_000;
/// Bytes reserved for buffers and the engine itself on the host, for an engine that computes there.
const RESERVE_HOST: u64 = 300_000_000;
/// Bytes of host memory that an engine uses whose model is on accelerators: its process, its libraries and pinned buffers.
const HOST_OF_ACCELERATED: u64 = 4_000_000_000;
/// Bytes of one cached key or value at 16-bit floating point.
const CACHE_ELEMENT: u64 = 2;

/// Memory requirement of one copy of a model, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    pub weights: u64,
    /// KV cache of the context; absent where the model's shape is not known.
    pub cache: Option<u64>,
    /// Buffers and the engine itself.
    pub reserve: u64,
}

impl Need {
    /// The sum of the known parts.
    pub fn total(&self) -> u64 {
        self.weights.saturating_add(self.cache.unwrap_or(0)).saturating_add(self.reserve)
    }
}

/// KV cache bytes per token at 16-bit floating point; `None` where the model's shape is not known.
pub fn cache_bytes_per_token(facts: &ModelFacts) -> Option<u64> {
    let layers = u64::from(facts.layers?);
    let heads = u64::from(facts.kv_heads.or(facts.heads)?);
    let width = match (facts.head_dim, facts.hidden_size, facts.heads) {
        (Some(width), _, _) => u64::from(width),
        (None, Some(hidden), Some(all)) if all > 0 => u64::from(hidden / all),
        _ => return None,
    };
    Some(2 * CACHE_ELEMENT * layers * heads * width)
}

/// Requirement of one copy for this many context tokens in all, on this many accelerators (0: on the host).
pub fn need(facts: &ModelFacts, context_tokens: u64, accelerators: u32) -> Need {
    let reserve = if accelerators == 0 { RESERVE_HOST } else { RESERVE_ACCELERATOR * u64::from(accelerators) };
    let cache = cache_bytes_per_token(facts).map(|bytes| bytes.saturating_mul(context_tokens));
    Need { weights: facts.weight_bytes, cache, reserve }
}

/// What one copy is expected to use of its host's memory for this many context tokens in all, bytes. Beside accelerators that is the
/// engine itself: weights and context are on the devices, and what is read of the weights' files the system can drop again.
pub fn on_host(facts: &ModelFacts, context_tokens: u64, is_accelerated: bool) -> u64 {
    if is_accelerated { HOST_OF_ACCELERATED } else { need(facts, context_tokens, 0).total() }
}

/// A model does not fit; a sentence for people with the numbers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Shortfall(String);

/// Compares required with available memory.
///
/// # Errors
/// When the copies do not fit.
pub fn check(each: Need, copies: u32, available: u64, what: &str) -> Result<(), Shortfall> {
    let total = each.total().saturating_mul(u64::from(copies));
    if total <= available {
        return Ok(());
    }
    let parts = match each.cache {
        Some(cache) => format!("weights {}, context {}, reserve {}", bytes(each.weights), bytes(cache), bytes(each.reserve)),
        None => format!("weights {}, reserve {}, context unknown", bytes(each.weights), bytes(each.reserve)),
    };
    let subject = if copies == 1 { "The model needs".to_owned() } else { format!("{copies} copies of the model need") };
    let each_word = if copies == 1 { "" } else { " each" };
    Err(Shortfall(format!("{subject} {} ({parts}{each_word}); {what} {}.", bytes(total), bytes(available))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::inventory::ModelFormat;

    pub(crate) fn llama_70b() -> ModelFacts {
        ModelFacts {
            format: ModelFormat::HuggingFace,
            architecture: "llama".to_owned(),
            parameters: 70_553_706_496,
            weight_bytes: 141_107_412_992,
            layers: Some(80),
            context_length: Some(131_072),
            hidden_size: Some(8_192),
            heads: Some(64),
            kv_heads: Some(8),
            head_dim: None,
            vocabulary: Some(128_256),
            precision: "BF16".to_owned(),
            chat_template: true,
            chat_template_error: None,
            sha256: None,
        }
    }

    #[test]
    fn the_cache_of_a_known_model() {
        // 2 (key and value) × 2 bytes × 80 layers × 8 heads × 128 = 320 KiB a token
        assert_eq!(cache_bytes_per_token(&llama_70b()), Some(327_680));
        let unknown = ModelFacts { layers: None, ..llama_70b() };
        assert_eq!(cache_bytes_per_token(&unknown), None);
    }

    #[test]
    fn what_is_kept_free_on_the_host() {
        assert_eq!(on_host(&llama_70b(), 8_192, false), 141_107_412_992 + 327_680 * 8_192 + 300_000_000);
        assert_eq!(on_host(&llama_70b(), 8_192, true), 4_000_000_000, "the model is on the devices");
    }

    #[test]
    fn a_refusal_has_the_numbers() {
        let each = need(&llama_70b(), 8_192, 4);
        assert_eq!(each.total(), 141_107_412_992 + 327_680 * 8_192 + 4_000_000_000);
        assert!(check(each, 1, 200_000_000_000, "the chosen devices have").is_ok());
        assert_eq!(
            check(each, 1, 96_000_000_000, "the chosen devices have").unwrap_err().to_string(),
            "The model needs 148 GB (weights 141 GB, context 2.68 GB, reserve 4.00 GB); the chosen devices have 96.0 GB."
        );
        assert!(
            check(each, 2, 200_000_000_000, "node a has")
                .unwrap_err()
                .to_string()
                .starts_with("2 copies of the model need 296 GB")
        );
    }
}
