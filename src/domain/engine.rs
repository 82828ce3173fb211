//! The engines that Dyno knows how to start.

use serde::{Deserialize, Serialize};

use super::inventory::ModelFormat;

/// The engines that have a recipe, in the order of lists.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, strum::EnumString, strum::IntoStaticStr, strum::VariantArray,
)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum EngineKind {
    /// llama.cpp's `llama-server`.
    #[serde(rename = "llama.cpp")]
    #[strum(serialize = "llama.cpp")]
    LlamaCpp,
    Vllm,
    Sglang,
    Tgi,
    /// A command of the administrator's own.
    Custom,
}

impl EngineKind {
    pub fn title(self) -> &'static str {
        match self {
            Self::LlamaCpp => "llama.cpp",
            Self::Vllm => "vLLM",
            Self::Sglang => "SGLang",
            Self::Tgi => "Text Generation Inference",
            Self::Custom => "Own command",
        }
    }

    /// The model formats that it reads.
    pub fn formats(self) -> &'static [ModelFormat] {
        match self {
            Self::LlamaCpp => &[ModelFormat::Gguf],
            Self::Vllm | Self::Sglang | Self::Tgi => &[ModelFormat::HuggingFace],
            Self::Custom => &[ModelFormat::Gguf, ModelFormat::HuggingFace],
        }
    }
}
