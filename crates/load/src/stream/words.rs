//! Words of the other side, made fit for a line.

/// The words of an error object, whatever its shape, in one line of at most 500 characters.
pub fn error_words(raw: &[u8]) -> String {
    let value: serde_json::Value = match serde_json::from_slice(raw) {
        Ok(value) => value,
        Err(_) => return tidy(&String::from_utf8_lossy(raw)),
    };
    let inner = value.get("error").filter(|inner| !inner.is_null()).unwrap_or(&value);
    let mut words = inner;
    // lists of errors, and words that are objects themselves
    for _ in 0..4 {
        let first = words.as_array().and_then(|list| list.first());
        let names = ["message", "error_message", "detail", "msg", "error_msg", "error", "errors", "error_type", "error_code"];
        let inside = names.iter().filter_map(|key| words.get(key)).find(|inside| !inside.is_null());
        let Some(inside) = first.or(inside) else { break };
        words = inside;
    }
    match words.as_str() {
        Some(words) => tidy(words),
        None => tidy(&words.to_string()),
    }
}

/// One line, control characters out, at most 500 characters.
pub fn tidy(words: &str) -> String {
    let line: String = words.chars().map(|c| if c.is_control() { ' ' } else { c }).take(500).collect();
    line.trim().to_owned()
}
