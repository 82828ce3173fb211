//! Servers differ in a few fields of the request: which one a refusal is about.

use dyno_measure::plan::TokenLimitField;

/// What a server does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterRefusal {
    /// The option that asks for usage.
    UsageOption,
    /// The name of the output limit.
    OutputLimit,
}

/// Words of a server that does not take a field, rather than its value.
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
    /// Reads the body of a refusal.
    pub fn read(body: &[u8], sent_limit: TokenLimitField) -> Option<Self> {
        let words = String::from_utf8_lossy(body).to_ascii_lowercase();
        if words.contains("stream_options") || words.contains("include_usage") {
            return Some(Self::UsageOption);
        }
        let refuses = REFUSES.iter().any(|refuses| words.contains(refuses));
        (refuses && words.contains(sent_limit.as_str())).then_some(Self::OutputLimit)
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
