//! The names of fields and columns that are read, and which of them make a row.

use serde_json::Value;

pub(super) const CONVERSATION_KEYS: [&str; 3] = ["conversations", "messages", "conversation"];
pub(super) const PROMPT_KEYS: [&str; 5] = ["prompt", "question", "text", "input", "query"];
pub(super) const REFERENCE_KEYS: [&str; 7] =
    ["output", "response", "answer", "completion", "reference", "target", "expected_output"];

/// Fields that wrap a row: requests of batch files (OpenAI's, Anthropic's), and rows as dataset viewers export them.
pub(super) const ENVELOPES: [&str; 3] = ["body", "params", "row"];

/// The fields of traces, in lower case as in a table's header.
const TRACE_KEYS: [&str; 8] = [
    "timestamp",
    "input_length",
    "output_length",
    "hash_ids",
    "contexttokens",
    "generatedtokens",
    REQUEST_TOKENS,
    RESPONSE_TOKENS,
];
pub(super) const REQUEST_TOKENS: &str = "request tokens";
pub(super) const RESPONSE_TOKENS: &str = "response tokens";

/// Whether any reader uses a field of this name.
pub(super) fn is_known_field(name: &str) -> bool {
    is_row_field(name) || REFERENCE_KEYS.contains(&name) || name == "system"
}

fn is_row_field(name: &str) -> bool {
    CONVERSATION_KEYS.contains(&name)
        || PROMPT_KEYS.contains(&name)
        || ENVELOPES.contains(&name)
        || ["instruction", "turns"].contains(&name)
        || TRACE_KEYS.contains(&name)
}

/// Whether a value has a field that makes it a row, valid or not.
pub(super) fn is_row(value: &Value) -> bool {
    value.as_object().is_some_and(|object| object.keys().any(|name| is_row_field(name)))
}

/// The error for a table without a known column.
pub(super) fn no_known_column(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(10).map(|name| name.chars().take(40).collect()).collect();
    let more = if names.len() > shown.len() { ", …" } else { "" };
    let known = PROMPT_KEYS.join(", ");
    format!(
        "none of the columns {}{more} is known: prompts need {known}, instruction or {}, and traces need \
         TIMESTAMP, ContextTokens, GeneratedTokens (or Timestamp, Request tokens, Response tokens)",
        shown.join(", "),
        CONVERSATION_KEYS[..2].join(" or ")
    )
}
