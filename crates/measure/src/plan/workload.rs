//! The source of a plan's prompts.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::load::LengthDistribution;

/// Where prompts come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Workload {
    /// Synthetic prompts of exact lengths, every one different.
    Synthetic {
        /// Input tokens as the engine counts, chat template included; the longest where lengths are spread.
        input_tokens: u32,
        /// Output limit; the longest where limits are spread.
        output_tokens: u32,
        /// How input lengths are spread; absent: all are the longest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input_lengths: Option<LengthDistribution>,
        /// How output limits are spread; absent: all are the longest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output_lengths: Option<LengthDistribution>,
        /// Share of the input that all prompts begin with, 0 to 1.
        #[serde(default)]
        shared_prefix: f64,
    },
    /// Rows of datasets, one dataset after the other, each row once before any is repeated.
    Dataset {
        /// In the order in which they are sent.
        files: Vec<DatasetFile>,
        /// Output limit; absent: the reference's length, else 256.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_output_tokens: Option<u32>,
        /// Conversations are played turn by turn, with the model's own answers; the concurrency counts conversations.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        multi_turn: bool,
    },
    /// Synthetic prompts with the arrivals and lengths of a trace; goes with [`super::Load::Trace`].
    Trace {
        /// Azure's table or Mooncake's lines.
        file: DatasetFile,
        /// Most output tokens of a request, whatever the trace says.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_output_tokens: Option<u32>,
        /// The model's context: requests that are longer, input and output together, are left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        context_tokens: Option<u32>,
    },
}

impl Workload {
    /// Synthetic prompts of equal lengths, nothing shared.
    pub fn synthetic(input_tokens: u32, output_tokens: u32) -> Self {
        Self::Synthetic { input_tokens, output_tokens, input_lengths: None, output_lengths: None, shared_prefix: 0.0 }
    }
}

/// A dataset's normalised rows, one [`crate::dataset::DatasetRow`] per line; or a trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetFile {
    pub path: PathBuf,
    pub id: Uuid,
    /// Its name, for notes.
    #[serde(default)]
    pub name: String,
    /// Digest of the file, hex; checked where given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Notes for the report: how many rows were left out and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}
