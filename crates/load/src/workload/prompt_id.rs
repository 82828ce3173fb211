//! Identifies the prompt of a request.

/// A prompt; for multi-turn loads, a conversation. Warm-up and measurement share none, where there are enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PromptId {
    /// Whether it is of a warm-up.
    pub warmup: bool,
    /// Number from 0, counted on over all load points.
    pub number: u64,
}
