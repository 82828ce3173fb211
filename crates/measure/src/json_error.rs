//! What is wrong with JSON, said without what was in it: a value in the wrong place may be a secret.

use serde_json::error::Category;

/// What serde calls the value that it found, and what people call it.
const FOUND: [(&str, &str); 9] = [
    ("string", "a string"),
    ("integer", "a whole number"),
    ("floating point", "a number"),
    ("number", "a number"),
    ("boolean", "true or false"),
    ("null", "null"),
    ("unit value", "null"),
    ("sequence", "a list"),
    ("map", "an object"),
];

/// Messages that have nothing of a value: names of fields, numbers of items, names of the program's types.
const HARMLESS: [&str; 5] =
    ["missing field `", "unknown field `", "duplicate field `", "invalid length ", "data did not match any variant of "];

/// What Rust says of a text that is no number or switch, and what is meant. Queries have no values but texts.
const OF_TEXTS: [(&str, &str); 5] = [
    ("invalid digit found in string", "expected a whole number"),
    ("cannot parse integer from empty string", "expected a whole number"),
    ("number too large to fit in target type", "expected a smaller number"),
    ("invalid float literal", "expected a number"),
    ("provided string was not `true` or `false`", "expected true or false"),
];

/// An error of reading JSON in words, without any value.
pub fn words(error: &serde_json::Error) -> String {
    match error.classify() {
        Category::Data => without_value(&error.to_string()),
        // these say where the text stops being JSON, and nothing of it
        Category::Syntax | Category::Eof | Category::Io => error.to_string(),
    }
}

/// A message of serde's about a value that does not fit, without the value.
pub fn without_value(message: &str) -> String {
    if HARMLESS.iter().any(|start| message.starts_with(start)) {
        return message.to_owned();
    }
    if let Some((_, meant)) = OF_TEXTS.iter().find(|(said, _)| *said == message) {
        return (*meant).to_owned();
    }
    if message.starts_with("UUID parsing failed") {
        return format!("expected a UUID{}", place(message));
    }
    let is_standard = ["invalid type: ", "invalid value: ", "unknown variant `"].iter().any(|start| message.starts_with(start));
    // The value can have these words, too; what is expected, which comes last, is the program's and has them not.
    let Some((_, expected)) = message.rsplit_once(", expected ").filter(|_| is_standard) else {
        return format!("its value is not one that is taken{}", place(message));
    };
    let found = message.strip_prefix("invalid type: ").and_then(|rest| FOUND.iter().find(|(word, _)| rest.starts_with(word)));
    match found {
        Some((_, found)) => format!("found {found}, expected {expected}"),
        None => format!("expected {expected}"),
    }
}

/// ` at line 3 column 7`, where a message ends so.
fn place(message: &str) -> &str {
    let place = message.rfind(" at line ").map_or("", |at| &message[at..]);
    let is_place = place.split(' ').all(|word| matches!(word, "" | "at" | "line" | "column") || word.parse::<u64>().is_ok());
    if is_place { place } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only the errors are looked at")]
    struct Asked {
        name: String,
        count: u8,
        id: uuid::Uuid,
        kind: Kind,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        One,
        Two,
    }

    #[test]
    fn nothing_of_a_value_is_said() {
        for (text, said) in [
            (r#"{"name": 8675309}"#, "found a whole number, expected a string at line 1 column 16"),
            (r#"{"name": ["hunter2"]}"#, "found a list, expected a string at line 1 column 9"),
            (r#"{"name": {"hunter2": 1}}"#, "found an object, expected a string at line 1 column 9"),
            (r#"{"name": null}"#, "found null, expected a string at line 1 column 13"),
            (r#"{"name": true}"#, "found true or false, expected a string at line 1 column 13"),
            (r#"{"count": "hunter2, expected 7"}"#, "found a string, expected u8 at line 1 column 31"),
            (r#"{"count": 8675309}"#, "expected u8 at line 1 column 17"),
            (r#"{"count": 0.8675309}"#, "found a number, expected u8 at line 1 column 19"),
            (r#"{"kind": "hunter2`, expected 7"}"#, "expected `one` or `two` at line 1 column 31"),
            (r#"{"id": "hunter2 at line 3"}"#, "expected a UUID at line 1 column 26"),
            (r#"{"colour": 1}"#, "unknown field `colour`, expected one of `name`, `count`, `id`, `kind` at line 1 column 9"),
            ("{}", "missing field `name` at line 1 column 2"),
            (r#"{"name": "hunter2"#, "EOF while parsing a string at line 1 column 17"),
            (r#"{"name": hunter2}"#, "expected value at line 1 column 10"),
        ] {
            assert_eq!(words(&serde_json::from_str::<Asked>(text).unwrap_err()), said, "{text}");
        }
        assert_eq!(without_value("hunter2 at line 1 column 2"), "its value is not one that is taken at line 1 column 2");
        assert_eq!(without_value(&"two".parse::<u8>().unwrap_err().to_string()), "expected a whole number");
        assert_eq!(without_value(&"two".parse::<bool>().unwrap_err().to_string()), "expected true or false");
        assert_eq!(without_value("no such thing at line hunter2"), "its value is not one that is taken");
    }
}
