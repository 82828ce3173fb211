//! Recognizes a refusal of one of the request fields in which servers differ.

use dyno_measure::plan::TokenLimitField;

/// The field that the server refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterRefusal {
    /// `stream_options.include_usage`.
    UsageOption,
    /// The name of the output limit.
    OutputLimit,
}

/// Phrases that refuse a field itself rather than its value.
const REFUSES: [&str; 14] = [
    "unsupported",
    "not supported",
    "n't support",
    "not support",
    "unknown",
    "unrecognized",
    "unexpected",
    "not permitted",
    "not allowed",
    "extra_forbidden",
    "extra inputs",
    "deprecated",
    "invalid parameter",
    "instead",
];

impl ParameterRefusal {
    /// Reads the body of an error answer; `None` when it is about something else.
    pub fn read(body: &[u8], sent_limit: TokenLimitField) -> Option<Self> {
        let words = String::from_utf8_lossy(body).to_ascii_lowercase();
        if words.contains("stream_options") || words.contains("include_usage") {
            return Some(Self::UsageOption);
        }
        let refuses = REFUSES.iter().any(|refuses| words.contains(refuses));
        (refuses && words.contains(sent_limit.into_str())).then_some(Self::OutputLimit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_field() {
        const OLD: TokenLimitField = TokenLimitField::MaxTokens;
        const NEW: TokenLimitField = TokenLimitField::MaxCompletionTokens;
        for (body, sent, refusal) in [
            (
                "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
                OLD,
                Some(ParameterRefusal::OutputLimit),
            ),
            (
                r#"{"detail":[{"type":"extra_forbidden","loc":["body","max_completion_tokens"]}]}"#,
                NEW,
                Some(ParameterRefusal::OutputLimit),
            ),
            ("Unrecognized request argument supplied: max_completion_tokens", NEW, Some(ParameterRefusal::OutputLimit)),
            ("'max_tokens' or 'max_completion_tokens' is too large: 9999", OLD, None),
            ("max_tokens must be at least 1", OLD, None),
            ("Unknown field: temperature", OLD, None),
            ("stream_options is not supported", OLD, Some(ParameterRefusal::UsageOption)),
        ] {
            assert_eq!(ParameterRefusal::read(body.as_bytes(), sent), refusal, "{body}");
        }
    }
}
