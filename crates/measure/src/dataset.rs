//! Rows of datasets: prompts with or without reference answers, and the arrivals of traces.

use serde::{Deserialize, Serialize};

/// The dataset formats that are recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum DatasetFormat {
    /// `conversations` of `from` and `value`, or `messages` of `role` and `content`.
    ShareGpt,
    /// `instruction`, `input`, `output`.
    Alpaca,
    /// `prompt` (or `question`, `text`), perhaps with a reference.
    Prompts,
    /// Arrivals with lengths: a table of `TIMESTAMP`, `ContextTokens`, `GeneratedTokens`.
    AzureTrace,
    /// Arrivals with lengths: a table of `Timestamp`, `Model`, `Request tokens`, `Response tokens`.
    BurstGptTrace,
    /// Arrivals with lengths and the blocks of each prompt: `timestamp`, `input_length`, `output_length`, `hash_ids`.
    MooncakeTrace,
}

impl DatasetFormat {
    /// Whether its rows are arrivals with lengths rather than prompts.
    pub fn is_trace(self) -> bool {
        matches!(self, Self::AzureTrace | Self::BurstGptTrace | Self::MooncakeTrace)
    }
}

/// Rows of a file that had nothing to send, for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeftOut {
    /// Why, as the beginning of a sentence without its full stop.
    pub reason: String,
    pub rows: u64,
}

impl LeftOut {
    /// Counts a left-out row under its reason.
    pub fn count(counts: &mut Vec<Self>, reason: &str) {
        match counts.iter_mut().find(|count| count.reason == reason) {
            Some(count) => count.rows += 1,
            None => counts.push(Self { reason: reason.to_owned(), rows: 1 }),
        }
    }

    /// A sentence about the rows that were left out of a file; `None` where there are none.
    pub fn sentence(counts: &[Self], name: &str, kept: u64) -> Option<String> {
        let rows: u64 = counts.iter().map(|count| count.rows).sum();
        let reasons: Vec<_> = counts.iter().map(|count| format!("{} ({})", count.reason, count.rows)).collect();
        let (of, reasons) = (kept + rows, reasons.join(", "));
        let were = if rows == 1 { "was" } else { "were" };
        (rows > 0).then(|| format!("{rows} of {of} rows of {name} {were} left out, with nothing to send: {reasons}."))
    }
}

/// One row of a dataset, normalised: what is sent, and what an answer could be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetRow {
    /// The conversation up to the turn to be answered, as chat messages.
    pub messages: Vec<ChatMessage>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// What the user says after the answer, turn by turn, where the file has no recorded answers in between.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more_turns: Vec<String>,
}

/// What a trace's arrivals come to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TraceFacts {
    /// From the first arrival to the last, seconds.
    pub span_s: f64,
    pub mean_input_tokens: f64,
    pub mean_output_tokens: f64,
}

/// One arrival of a trace, normalised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TraceRow {
    /// When, ms since any fixed time.
    pub timestamp: f64,
    /// Input, tokens.
    pub input_length: u32,
    /// Output, tokens.
    pub output_length: u32,
    /// Which blocks of 512 tokens the prompt is made of: the same id, the same block.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hash_ids: Vec<u64>,
}

/// One message of a chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatMessage {
    /// `system`, `user` or `assistant`.
    pub role: String,
    pub content: String,
}
