//! Takes secrets out of words that somebody else chose, such as a server's that repeats a request's credential in its refusal.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// In place of a secret.
pub const REDACTED: &str = "[key]";
/// Fewest characters of a secret, and of a begun one at a text's end.
pub const LEAST_SECRET: usize = 4;
/// Fewest characters of a secret in base64 that are looked for.
const LEAST_BASE64: usize = 8;

/// Takes these secrets out of texts, however they are written there: as they are, with the escapes of an address (`%2F`) or of JSON
/// (`\/`), or as a part of something in base64.
#[derive(Debug, Clone, Default)]
pub struct Redactor {
    patterns: Vec<Pattern>,
}

#[derive(Clone)]
struct Pattern {
    text: String,
    /// What stands around it is of the same text in base64, and goes with it.
    is_base64: bool,
}

impl std::fmt::Debug for Pattern {
    /// Without the secret.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(REDACTED)
    }
}

impl Redactor {
    /// Of secrets that are shorter than four characters, or not ASCII, none is looked for.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut patterns = Vec::new();
        for secret in secrets.into_iter().map(str::trim).filter(|secret| secret.len() >= LEAST_SECRET && secret.is_ascii()) {
            patterns.push(Pattern { text: secret.to_owned(), is_base64: false });
            let encoded = base64_within(secret).into_iter().filter(|encoded| encoded.len() >= LEAST_BASE64);
            patterns.extend(encoded.map(|text| Pattern { text, is_base64: true }));
        }
        Self { patterns }
    }

    /// A text without the secrets, and without the beginning of one where the text is cut off.
    pub fn redact(&self, words: &str) -> String {
        if self.patterns.is_empty() {
            return words.to_owned();
        }
        let (text, starts) = decoded(words);
        let mut found: Vec<(usize, usize)> = self.patterns.iter().flat_map(|pattern| pattern.places(&text)).collect();
        found.sort_unstable();
        let mut kept = String::with_capacity(words.len());
        let mut from = 0;
        for (begin, end) in found {
            if end <= from {
                continue;
            }
            // one that overlaps with the one before is part of it
            if begin >= from {
                kept += &words[starts[from]..starts[begin]];
                kept += REDACTED;
            }
            from = end;
        }
        // an escape that is cut off goes with the secret before it
        if from < text.len() || from == 0 {
            kept += &words[starts[from]..];
        }
        kept
    }
}

impl Pattern {
    /// From where to where a decoded text has it, the last perhaps only begun.
    fn places(&self, text: &str) -> Vec<(usize, usize)> {
        let belongs = |letter: char| self.is_base64 && (letter.is_ascii_alphanumeric() || "+/-_=".contains(letter));
        let begin_of = |at: usize| text[..at].trim_end_matches(belongs).len();
        let whole = text.match_indices(&self.text).map(|(at, found)| {
            let rest = &text[at + found.len()..];
            (begin_of(at), text.len() - rest.trim_start_matches(belongs).len())
        });
        let mut places: Vec<(usize, usize)> = whole.collect();
        let cut = (LEAST_SECRET..self.text.len()).rev().find(|length| text.ends_with(&self.text[..*length]));
        places.extend(cut.map(|length| (begin_of(text.len() - length), text.len())));
        places
    }
}

/// A text without the escapes of addresses and JSON, and where in the text each of its bytes comes from, and its end. An escape that is
/// cut off at the end is none of it.
fn decoded(words: &str) -> (String, Vec<usize>) {
    let (mut text, mut starts) = (String::with_capacity(words.len()), Vec::with_capacity(words.len() + 1));
    let mut rest = words;
    while let Some(first) = rest.chars().next().filter(|_| !is_begun_escape(rest)) {
        let hex = |from: usize, digits: usize| {
            let code = rest.get(from..from + digits).filter(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
            u8::from_str_radix(code, 16).ok().filter(u8::is_ascii).map(char::from)
        };
        let escaped = match (first, rest.as_bytes().get(1)) {
            ('%', _) => hex(1, 2).map(|letter| (letter, 3)),
            ('\\', Some(b'u')) => hex(2, 4).map(|letter| (letter, 6)),
            ('\\', Some(letter @ (b'/' | b'"' | b'\\'))) => Some((char::from(*letter), 2)),
            _ => None,
        };
        let (letter, taken) = escaped.unwrap_or((first, first.len_utf8()));
        starts.extend(std::iter::repeat_n(words.len() - rest.len(), letter.len_utf8()));
        text.push(letter);
        rest = &rest[taken..];
    }
    starts.push(words.len() - rest.len());
    (text, starts)
}

/// Whether a text is the beginning of an escape, and nothing else.
fn is_begun_escape(text: &str) -> bool {
    let is_hex = |code: &str, digits: usize| code.len() < digits && code.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.strip_prefix('%').is_some_and(|code| is_hex(code, 2))
        || text == "\\"
        || text.strip_prefix("\\u").is_some_and(|code| is_hex(code, 4))
}

/// What all texts in base64 have in which a secret stands, in both alphabets: it depends on where among three bytes it begins. The
/// characters that are made of what stands beside it, too, are left out.
fn base64_within(secret: &str) -> Vec<String> {
    let mut encoded: Vec<String> = Vec::new();
    for before in 0..3 {
        let bytes = [&[0; 2][..before.min(2)], secret.as_bytes()].concat();
        // of six bits each; the first that has none of what is before, and the last that has none of what follows
        let (first, end) = ((8 * before).div_ceil(6), 8 * bytes.len() / 6);
        for alphabet in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            encoded.push(alphabet.encode(&bytes)[first..end].to_owned());
        }
    }
    encoded.sort_unstable();
    encoded.dedup();
    encoded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn redacted(words: &str, secrets: &[&str]) -> String {
        Redactor::new(secrets.iter().copied()).redact(words)
    }

    #[test]
    fn a_secret_is_taken_out_wherever_it_stands() {
        assert_eq!(redacted("no plain0secret here, plain0", &["plain0secret", "abcd"]), "no [key] here, [key]");
        assert_eq!(redacted("plain0secretabcd", &["plain0secret", "abcd"]), "[key][key]");
        assert_eq!(redacted("one0secret1two", &["one0secret", "secret1two"]), "[key]");
        assert_eq!(redacted("abc", &["abc"]), "abc");
    }

    #[test]
    fn a_secret_is_taken_out_however_it_is_encoded() {
        let secret = "zzKEYAb3/+~Q\"x-_.9";
        let encoded = [
            "enpLRVlBYjMvK35RIngtXy45",
            "dTp6ektFWUFiMy8rflEieC1fLjk=",
            "bWU6enpLRVlBYjMvK35RIngtXy45IQ==",
            "QmVhcmVyIHp6S0VZQWIzLyt+USJ4LV8uOQ==",
            "QmVhcmVyIHp6S0VZQWIzLyt-USJ4LV8uOQ==",
        ];
        for said in [
            "at /x?key=zzKEYAb3%2F%2B~Q%22x-_.9&y",
            "at /x?key=zzKEYAb3%2f%2b%7eQ%22x-_.9&y",
            r#"at /x?key=zzKEYAb3\/+~Q\"x-_.9&y"#,
            r"at /x?key=zzKEYAb3\u002f\u002B~Q\u0022x-_.9&y",
        ] {
            assert_eq!(redacted(said, &[secret]), "at /x?key=[key]&y", "{said}");
        }
        // in base64: alone, after `u:` and `Bearer `, and between `me:` and `!`
        for said in encoded {
            assert_eq!(redacted(&format!("Basic {said}, ä"), &[secret]), "Basic [key], ä", "{said}");
        }
        for cut in ["%2F%2", "%2F%", r"\/\", r"/\u002B\u0", "/+~"] {
            assert_eq!(redacted(&format!("cut at zzKEYAb3{cut}"), &[secret]), "cut at [key]", "{cut}");
        }
        for harmless in ["100 % of \\u and %zz", "100 %", "a %2", r"a \u00", "größe %C3%A4 \\u00e4 zzKE", "", "%2", "\\"] {
            assert_eq!(redacted(harmless, &["another0secret"]), harmless);
        }
    }

    #[test]
    fn it_shows_no_secret_itself() {
        assert!(!format!("{:?}", Redactor::new(["plain0secret"])).contains("plain0"));
    }

    proptest! {
        #[test]
        fn whatever_stands_around_it(
            before in "(\\PC|[%\\\\u0-9a-f]){0,20}", after in "(\\PC|[%\\\\u0-9a-f]){0,20}", secret in "[ -~]{4,40}", how in 0..4,
        ) {
            let secret = secret.trim();
            prop_assume!(secret.len() >= LEAST_SECRET && !secret.contains(['%', '\\']));
            let written = match how {
                0 => secret.to_owned(),
                1 => secret.bytes().map(|byte| format!("%{byte:02x}")).collect(),
                2 => serde_json::to_string(secret).unwrap(),
                _ => STANDARD_NO_PAD.encode(format!("{before}{secret}{after}")),
            };
            let kept = redacted(&format!("{before} {written} {after}"), &[secret]);
            // short ones are not looked for in base64
            if how < 3 || secret.len() >= 9 {
                prop_assert!(kept.contains(REDACTED), "{kept:?}");
                prop_assert!(!kept.contains(&written), "{kept:?}");
            }
        }
    }
}
