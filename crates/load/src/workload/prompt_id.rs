//! Which prompt a request sends.

/// Which prompt. Warm-up and measurement never share one, where there are enough. Of conversations, which conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PromptId {
    /// Whether it is of a warm-up.
    pub warmup: bool,
    /// Which of these, from 0, through all load points.
    pub number: u64,
}
