//! Why generation ended, and whether that is a good end.

/// Finish reasons of generation that ended as it should: of OpenAI, vLLM, SGLang, TGI, llama.cpp, Ollama, Anthropic, Gemini,
/// Mistral, Cohere and the gateways before them, in small letters.
const GOOD: [&str; 24] = [
    "stop",
    "length",
    "tool_calls",
    "content_filter",
    "function_call",
    "eos_token",
    "eos",
    "stop_sequence",
    "end_turn",
    "max_tokens",
    "tool_use",
    "tool_call",
    "stop_token",
    "end_of_text",
    "end_of_sequence",
    "model_length",
    "max_length",
    "max_output_tokens",
    "complete",
    "completed",
    "refusal",
    "safety",
    "repetition",
    "limit",
];

/// Finish reasons of generation that went wrong.
const BAD: [&str; 12] = [
    "abort",
    "aborted",
    "error",
    "cancelled",
    "canceled",
    "cancel",
    "failed",
    "timeout",
    "network_error",
    "overloaded",
    "unknown",
    "insufficient_system_resource",
];

/// What a finish reason says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// Nothing: it has not ended.
    None,
    /// It ended as it should, for this reason.
    Good(&'static str),
    /// It did not: the reason says so, or it is not a known one.
    Bad(&'static str),
}

impl Finish {
    /// Reads a reason as the server says it.
    pub fn read(reason: &str) -> Self {
        let reason = reason.trim();
        if reason.is_empty() || ["null", "none"].iter().any(|none| reason.eq_ignore_ascii_case(none)) {
            return Self::None;
        }
        match GOOD.into_iter().find(|good| reason.eq_ignore_ascii_case(good)) {
            Some(good) => Self::Good(good),
            None => Self::Bad(known_finish(reason)),
        }
    }
}

/// Finish reasons are few: they are kept as names known beforehand.
pub fn known_finish(reason: &str) -> &'static str {
    GOOD.into_iter().chain(BAD).find(|known| reason.eq_ignore_ascii_case(known)).unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_good_reasons_end_well() {
        for (reason, finish) in [
            ("stop", Finish::Good("stop")),
            ("STOP", Finish::Good("stop")),
            ("MAX_TOKENS", Finish::Good("max_tokens")),
            ("", Finish::None),
            ("null", Finish::None),
            ("abort", Finish::Bad("abort")),
            ("Cancelled", Finish::Bad("cancelled")),
            ("something", Finish::Bad("other")),
        ] {
            assert_eq!(Finish::read(reason), finish, "{reason}");
        }
    }
}
