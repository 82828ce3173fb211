//! JSON as Python's `json` writes it: with `NaN` and `Infinity` as numbers, and unpaired surrogates where a string was cut
//! within an emoji. Neither is valid JSON, and both are common.

use serde::de::DeserializeOwned;

/// Parses JSON, reading `NaN`, `Infinity` and `-Infinity` as null and unpaired surrogates as U+FFFD.
///
/// # Errors
/// When the text is not JSON even so.
pub fn from_slice<T: DeserializeOwned>(text: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(text).or_else(|strict| {
        let (mended, _) = mend(text);
        if mended == text { Err(strict) } else { serde_json::from_slice(&mended) }
    })
}

/// The text as valid JSON, and the number of surrogates replaced.
pub(super) fn mend(text: &[u8]) -> (Vec<u8>, u64) {
    let mut mended = Vec::with_capacity(text.len());
    let (mut at, mut in_string, mut replaced) = (0, false, 0);
    while let Some(&byte) = text.get(at) {
        let rest = &text[at..];
        let mut step = 1;
        match byte {
            b'"' => in_string = !in_string,
            b'\\' if in_string => match surrogate(rest) {
                Some(0xD800..=0xDBFF) if matches!(rest.get(6..).and_then(surrogate), Some(0xDC00..=0xDFFF)) => step = 12,
                Some(_) => {
                    mended.extend(b"\\ufffd");
                    replaced += 1;
                    at += 6;
                    continue;
                }
                None => step = 2,
            },
            b'N' | b'I' | b'-' if !in_string => {
                let number = [b"NaN".as_slice(), b"Infinity", b"-Infinity"].into_iter().find(|number| rest.starts_with(number));
                if let Some(number) = number {
                    mended.extend(b"null");
                    at += number.len();
                    continue;
                }
            }
            _ => {}
        }
        mended.extend(&rest[..step.min(rest.len())]);
        at += step;
    }
    (mended, replaced)
}

/// The surrogate of a `\u` escape at the beginning of a text.
fn surrogate(text: &[u8]) -> Option<u32> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    let code = u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    (0xD800..=0xDFFF).contains(&code).then_some(code)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_python_writes_is_read() {
        let value: Value = from_slice(br#"{"a": [NaN, Infinity, -Infinity, -1], "b": "NaN \" -Infinity"}"#).unwrap();
        assert_eq!(value, json!({"a": [null, null, null, -1], "b": "NaN \" -Infinity"}));
        let value: Value = from_slice(br#"["\ud83d\ude00", "\ud83d", "\ude00x", "\ud83d\n", "\\ud83d"]"#).unwrap();
        assert_eq!(value, json!(["😀", "\u{fffd}", "\u{fffd}x", "\u{fffd}\n", "\\ud83d"]));
        assert_eq!(mend(br#""\ud83d\ud83d\ude00""#).1, 1);
        assert!(from_slice::<Value>(b"{NaN: 1}").is_err() && from_slice::<Value>(b"[nan]").is_err());
    }

    proptest! {
        #[test]
        fn json_is_left_as_it_is(texts in proptest::collection::vec(any::<String>(), 0..4), number in any::<i64>()) {
            let text = json!({"texts": texts, "number": number}).to_string();
            prop_assert_eq!(mend(text.as_bytes()), (text.clone().into_bytes(), 0));
        }

        #[test]
        fn no_bytes_make_it_panic(text in "[\"\\\\udDN8f0a{}:,-]{0,40}(NaN|Infinity|\\\\ud83)?") {
            let _ = from_slice::<Value>(text.as_bytes());
        }
    }
}
