//! Datasets: prompts with or without reference answers, and traces of arrivals.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use dyno_measure::dataset::{DatasetFormat, LeftOut, TraceFacts};

/// Prompts with or without reference outputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Dataset {
    pub id: Uuid,
    /// The name in lists.
    pub name: String,
    /// How it was recognised.
    pub format: DatasetFormat,
    /// How many prompts, or arrivals of a trace.
    pub samples: u64,
    /// How many rows of the file had nothing to send and were left out, by reason.
    #[serde(default)]
    pub left_out: Vec<LeftOut>,
    /// In how many rows half of a surrogate pair, which is no character, was replaced by U+FFFD.
    #[serde(default)]
    pub replaced: u64,
    /// How many of these have a reference output.
    pub with_reference: u64,
    /// Mean characters of a prompt; absent for a trace, which has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_prompt_chars: Option<f64>,
    /// What a trace's arrivals come to; absent for prompts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceFacts>,
    /// Digest of the normalised rows; hex SHA-256.
    pub sha256: String,
    /// Whether it comes with Dyno.
    pub builtin: bool,
    /// Who added it; absent for what everybody may use.
    pub owner: Option<Uuid>,
    /// Whether it was removed from lists, but is kept for the runs that used it.
    #[serde(default)]
    pub archived: bool,
    /// When it was added.
    #[cfg_attr(feature = "ssr", schema(value_type = String, format = DateTime))]
    pub created_at: Timestamp,
}
