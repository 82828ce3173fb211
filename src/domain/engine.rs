//! The engines that Dyno knows how to start, and whether one can be.

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

/// The title of the engine that rows of runs name; what no engine is called stays as it is.
pub fn title_of(name: &str) -> &str {
    name.parse::<EngineKind>().map_or(name, |kind| kind.title())
}

/// Whether an engine can be started here, and how to get it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct EngineAvailability {
    pub kind: EngineKind,
    pub title: String,
    /// Whether it was found on the portal's machine.
    pub available: bool,
    /// Its version, where it could be told.
    pub version: Option<String>,
    /// The program that would be started.
    pub program: Option<String>,
    /// How to get it, in words.
    pub how_to_get: String,
}
