//! Model descriptors: the architecture, and the parameters, bytes and operations that follow from it.

pub mod catalogue;
#[cfg(feature = "config")]
mod config;
mod gguf;

#[cfg(feature = "config")]
pub use config::from_config_json;
pub use gguf::{MetadataValue, from_gguf};
use serde::{Deserialize, Serialize};

use crate::precision::{KvPrecision, Precision};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    #[error("unknown architecture {0:?}: the simulator does not know how it computes")]
    UnknownArchitecture(String),
    #[error("unknown model {0:?}: it is not in the catalogue; describe it by its config.json")]
    UnknownModel(String),
    #[error("{0} is missing from the model's description")]
    Missing(String),
    #[error("{field} is {value}, which can't be")]
    Invalid { field: String, value: String },
    #[error("the model's description can't be read: {0}")]
    Unreadable(String),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelDescriptor {
    pub name: String,
    pub layers: u32,
    pub hidden: u32,
    pub vocabulary: u32,
    pub attention: Attention,
    /// Width of the dense feed-forward network; 0 where all layers are mixtures.
    pub feed_forward: u32,
    /// Matrices of the feed-forward network: 3 with a gate, 2 without.
    pub feed_forward_matrices: u32,
    pub mixture: Option<Mixture>,
    pub sliding_window: Option<SlidingWindow>,
    pub tied_embeddings: bool,
    /// Longest context, where it is stated.
    pub context: Option<u32>,
    /// Precision in which the weights are published.
    pub precision: Precision,
    /// Bytes of all weights where they are known exactly (a GGUF file); otherwise counted.
    pub weight_bytes: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Attention {
    /// Multi-head, grouped-query and multi-query.
    Grouped { heads: u32, kv_heads: u32, head_width: u32 },
    /// Multi-head latent attention (MLA): one compressed vector per token, not divided by tensor parallelism.
    Latent { heads: u32, query_rank: Option<u32>, kv_rank: u32, rope_width: u32, nope_width: u32, value_width: u32 },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mixture {
    pub experts: u32,
    pub experts_per_token: u32,
    /// Width of one expert.
    pub expert_width: u32,
    /// Width of the shared expert that every token passes; 0 without one.
    pub shared_width: u32,
    /// Layers at the beginning that have the dense network instead.
    pub dense_layers: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SlidingWindow {
    /// Tokens that a layer looks back.
    pub tokens: u32,
    /// Layers with the window; the others have full attention.
    pub layers: u32,
}

impl Attention {
    pub fn heads(&self) -> u32 {
        match *self {
            Self::Grouped { heads, .. } | Self::Latent { heads, .. } => heads,
        }
    }

    /// Heads over which the KV cache can be divided.
    pub fn kv_heads(&self) -> u32 {
        match *self {
            Self::Grouped { kv_heads, .. } => kv_heads,
            Self::Latent { .. } => 1,
        }
    }

    fn parameters(&self, hidden: f64) -> f64 {
        match *self {
            Self::Grouped { heads, kv_heads, head_width } => {
                let (heads, kv_heads, width) = (f64::from(heads), f64::from(kv_heads), f64::from(head_width));
                hidden * (heads + 2.0 * kv_heads) * width + heads * width * hidden
            }
            Self::Latent { heads, query_rank, kv_rank, rope_width, nope_width, value_width } => {
                let (heads, kv_rank) = (f64::from(heads), f64::from(kv_rank));
                let (rope, nope, value) = (f64::from(rope_width), f64::from(nope_width), f64::from(value_width));
                let query = match query_rank {
                    Some(rank) => f64::from(rank) * (hidden + heads * (nope + rope)),
                    None => hidden * heads * (nope + rope),
                };
                query + hidden * (kv_rank + rope) + kv_rank * heads * (nope + value) + heads * value * hidden
            }
        }
    }

    /// Values kept per token and layer.
    fn kv_values(&self) -> f64 {
        match *self {
            Self::Grouped { kv_heads, head_width, .. } => 2.0 * f64::from(kv_heads) * f64::from(head_width),
            Self::Latent { kv_rank, rope_width, .. } => f64::from(kv_rank + rope_width),
        }
    }

    /// Operations per pair of query and key, both products.
    pub(crate) fn operations_per_pair(&self) -> f64 {
        match *self {
            Self::Grouped { heads, head_width, .. } => 4.0 * f64::from(heads) * f64::from(head_width),
            Self::Latent { heads, rope_width, nope_width, value_width, .. } => {
                2.0 * f64::from(heads) * f64::from(rope_width + nope_width + value_width)
            }
        }
    }
}

impl ModelDescriptor {
    pub(crate) fn mixture_layers(&self) -> u32 {
        self.mixture.as_ref().map_or(0, |mixture| self.layers.saturating_sub(mixture.dense_layers))
    }

    /// Layers with full attention.
    pub(crate) fn full_layers(&self) -> u32 {
        self.layers - self.sliding_window.as_ref().map_or(0, |window| window.layers)
    }

    /// Parameters of all linear layers that every token passes: attention, dense networks, shared experts, routers.
    pub fn dense_parameters(&self) -> f64 {
        let hidden = f64::from(self.hidden);
        let matrices = f64::from(self.feed_forward_matrices) * hidden;
        let mixed = f64::from(self.mixture_layers());
        let dense = f64::from(self.layers) - mixed;
        let per_mixed_layer = self
            .mixture
            .as_ref()
            .map_or(0.0, |mixture| matrices * f64::from(mixture.shared_width) + hidden * f64::from(mixture.experts));
        f64::from(self.layers) * self.attention.parameters(hidden)
            + dense * matrices * f64::from(self.feed_forward)
            + mixed * per_mixed_layer
    }

    /// Parameters of one expert of every layer.
    pub fn expert_parameters(&self) -> f64 {
        self.mixture.as_ref().map_or(0.0, |mixture| {
            f64::from(self.mixture_layers())
                * f64::from(self.feed_forward_matrices)
                * f64::from(self.hidden)
                * f64::from(mixture.expert_width)
        })
    }

    /// Parameters of the output head, which the embedding has as well.
    pub fn head_parameters(&self) -> f64 {
        f64::from(self.vocabulary) * f64::from(self.hidden)
    }

    pub fn parameters(&self) -> f64 {
        let experts = self.mixture.as_ref().map_or(0.0, |mixture| f64::from(mixture.experts));
        self.dense_parameters() + experts * self.expert_parameters() + self.embedding_parameters()
    }

    /// Parameters that one token passes, without the embedding's.
    pub fn active_parameters(&self) -> f64 {
        let experts = self.mixture.as_ref().map_or(0.0, |mixture| f64::from(mixture.experts_per_token));
        self.dense_parameters() + experts * self.expert_parameters() + self.head_parameters()
    }

    fn embedding_parameters(&self) -> f64 {
        self.head_parameters() * if self.tied_embeddings { 1.0 } else { 2.0 }
    }

    /// Bytes of all weights in this precision.
    pub fn bytes(&self, precision: Precision) -> f64 {
        if let Some(bytes) = self.weight_bytes
            && precision == self.precision
        {
            return bytes;
        }
        let experts = self.mixture.as_ref().map_or(0.0, |mixture| f64::from(mixture.experts));
        self.dense_parameters() * precision.bytes_per_parameter()
            + experts * self.expert_parameters() * precision.bytes_per_expert_parameter()
            + self.embedding_parameters() * precision.bytes_per_embedding_parameter()
    }

    /// Bytes of KV cache per token and layer, over all devices.
    pub fn kv_bytes_per_layer(&self, precision: KvPrecision) -> f64 {
        self.attention.kv_values() * precision.bytes()
    }

    /// Ways in which one token's KV cache is divided at this tensor-parallel degree; beyond the KV heads it is copied.
    pub(crate) fn kv_shards(&self, tensor_parallel: u32) -> f64 {
        f64::from(tensor_parallel.min(self.attention.kv_heads()).max(1))
    }

    /// Whether every rank gets a whole number of heads.
    pub fn divides(&self, tensor_parallel: u32) -> bool {
        tensor_parallel > 0 && self.attention.heads().is_multiple_of(tensor_parallel)
    }

    pub(crate) fn checked(self) -> Result<Self, ModelError> {
        let invalid = |field: &str, value: u32| ModelError::Invalid { field: field.to_owned(), value: value.to_string() };
        for (field, value, most) in [
            ("layers", self.layers, 10_000),
            ("hidden size", self.hidden, 1 << 20),
            ("vocabulary", self.vocabulary, 1 << 24),
            ("attention heads", self.attention.heads(), 1 << 16),
            ("key-value heads", self.attention.kv_heads(), 1 << 16),
        ] {
            if value == 0 || value > most {
                return Err(invalid(field, value));
            }
        }
        if let Some(mixture) = &self.mixture
            && (mixture.experts_per_token == 0 || mixture.experts_per_token > mixture.experts)
        {
            return Err(invalid("experts per token", mixture.experts_per_token));
        }
        if self.mixture_layers() < self.layers && self.feed_forward == 0 {
            return Err(ModelError::Missing("the width of the feed-forward network".to_owned()));
        }
        Ok(self)
    }
}
