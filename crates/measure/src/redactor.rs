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
    /// Secrets that are shorter than four bytes are not looked for.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut patterns = Vec::new();
        for secret in secrets.into_iter().map(str::trim).filter(|secret| secret.len() >= LEAST_SECRET) {
            patterns.push(Pattern { text: secret.to_owned(), is_base64: false });
            // a secret that has escapes itself is without them in a decoded text
            let Decoded { text, .. } = Decoded::new(secret);
            if text != secret && text.len() >= LEAST_SECRET {
                patterns.push(Pattern { text, is_base64: false });
            }
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
        let decoded = Decoded::new(words);
        let starts = &decoded.starts;
        let mut found: Vec<(usize, usize)> = self.patterns.iter().flat_map(|pattern| pattern.places(&decoded)).collect();
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
        kept + &words[starts[from]..]
    }
}

impl Pattern {
    /// From where to where a decoded text has it, the last perhaps only begun.
    fn places(&self, decoded: &Decoded) -> Vec<(usize, usize)> {
        let text = decoded.text.as_str();
        let belongs = |letter: char| self.is_base64 && (letter.is_ascii_alphanumeric() || "+/-_=".contains(letter));
        let mut places = Vec::new();
        let mut from = 0;
        // on from the end of what belongs to the last one: a hostile text has it a hundred thousand times in a row
        while let Some(at) = text[from..].find(&self.text).map(|at| from + at) {
            let begin = from + text[from..at].trim_end_matches(belongs).len();
            from = text.len() - text[at + self.text.len()..].trim_start_matches(belongs).len();
            places.push((begin, from));
        }
        // cut off between characters, or within the escape of one
        for rest in [decoded.whole, text.len()].into_iter().filter_map(|end| text.get(from..end)) {
            let mut lengths = (LEAST_SECRET..self.text.len()).rev().filter(|length| self.text.is_char_boundary(*length));
            if let Some(length) = lengths.find(|length| rest.ends_with(&self.text[..*length])) {
                places.push((from + rest[..rest.len() - length].trim_end_matches(belongs).len(), text.len()));
            }
        }
        places
    }
}

/// A text without the escapes of addresses and JSON.
struct Decoded {
    text: String,
    /// Where each byte of the text comes from, and the end.
    starts: Vec<usize>,
    /// How much of the text comes before an escape that is cut off at its end.
    whole: usize,
}

impl Decoded {
    fn new(words: &str) -> Self {
        let (mut text, mut starts) = (String::with_capacity(words.len()), Vec::with_capacity(words.len() + 1));
        let mut rest = words;
        let mut whole = None;
        while let Some(first) = rest.chars().next() {
            if whole.is_none() && is_begun_escape(rest) {
                whole = Some(text.len());
            }
            let escaped = match (first, rest.as_bytes().get(1)) {
                ('%', _) => percent_escape(rest),
                ('\\', Some(b'u')) => json_escape(rest),
                ('\\', Some(letter @ (b'/' | b'"' | b'\\'))) => Some((char::from(*letter), 2)),
                _ => None,
            };
            let (letter, taken) = escaped.unwrap_or((first, first.len_utf8()));
            starts.extend(std::iter::repeat_n(words.len() - rest.len(), letter.len_utf8()));
            text.push(letter);
            rest = &rest[taken..];
        }
        starts.push(words.len());
        let whole = whole.unwrap_or(text.len());
        Self { text, starts, whole }
    }
}

/// The number of so many hexadecimal digits.
fn hex(text: &str, from: usize, digits: usize) -> Option<u32> {
    let code = text.get(from..from + digits).filter(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    u32::from_str_radix(code, 16).ok()
}

/// The character whose bytes in UTF-8 are escaped at the beginning of a text, and how long that is.
fn percent_escape(text: &str) -> Option<(char, usize)> {
    let escapes = |count: usize| (0..count).map(|at| hex(text.strip_prefix('%')?, 3 * at, 2).map(|byte| byte as u8)).collect();
    (1..=4).find_map(|count| {
        let is_escaped = (0..count).all(|at| text.as_bytes().get(3 * at) == Some(&b'%'));
        let bytes: Option<Vec<u8>> = if is_escaped { escapes(count) } else { None };
        let letter = std::str::from_utf8(&bytes?).ok()?.chars().next()?;
        Some((letter, 3 * count))
    })
}

/// The character that is escaped as `\u` and its number at the beginning of a text, and how long that is.
fn json_escape(text: &str) -> Option<(char, usize)> {
    let first = hex(text, 2, 4)?;
    let pair = || {
        let second = hex(text.get(6..)?.strip_prefix("\\u")?, 0, 4)?;
        char::decode_utf16([u16::try_from(first).ok()?, u16::try_from(second).ok()?]).next()?.ok()
    };
    char::from_u32(first).map(|letter| (letter, 6)).or_else(|| pair().map(|letter| (letter, 12)))
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
        for harmless in
            ["100 % of \\u and %zz", "100 %", "a %2", r"a \u00", "größe %C3%A4 \\u00e4 zzKE", "", "%2", "\\", "%C3", "%C3%"]
        {
            assert_eq!(redacted(harmless, &["another0secret"]), harmless);
        }
    }

    #[test]
    fn a_secret_may_have_letters_of_any_script_and_escapes_of_its_own() {
        for said in [
            "größe😀geheim",
            "gr%C3%B6%C3%9Fe%F0%9F%98%80geheim",
            r"gr\u00f6\u00DFe\ud83d\ude00geheim",
            "Z3LDtsOfZfCfmIBnZWhlaW0=",
        ] {
            assert_eq!(redacted(&format!("ä {said}, ö"), &["größe😀geheim"]), "ä [key], ö", "{said}");
        }
        assert_eq!(redacted("cut at größe😀", &["größe😀geheim"]), "cut at [key]");
        for secret in ["ab%41cd99", r"ab\/cd99", "100%", r"ab\u0041cd", "ab%4", "abcdef%4", "session=s%3Aabc%2Bdef"] {
            assert_eq!(redacted(&format!("no {secret} here"), &[secret]), "no [key] here");
            assert_eq!(redacted(&format!("no {secret}"), &[secret]), "no [key]");
        }
    }

    #[test]
    fn a_secret_that_is_repeated_without_end_is_taken_out_once() {
        let hostile = STANDARD_NO_PAD.encode("plain0secret").repeat(60_000);
        assert_eq!(redacted(&hostile, &["plain0secret"]), REDACTED);
    }

    #[test]
    fn it_shows_no_secret_itself() {
        assert!(!format!("{:?}", Redactor::new(["plain0secret"])).contains("plain0"));
    }

    proptest! {
        #[test]
        fn whatever_stands_around_it(
            before in "(\\PC|[%\\\\u0-9a-f]){0,20}", after in "(\\PC|[%\\\\u0-9a-f]){0,20}", secret in "[ -~ä-ü€]{6,40}", how in 0..4,
        ) {
            let secret = secret.trim();
            prop_assume!(secret.chars().count() >= 6);
            let (written, kept_of_it) = match how {
                0 => (secret.to_owned(), REDACTED.to_owned()),
                1 => (secret.bytes().map(|byte| format!("%{byte:02x}")).collect(), REDACTED.to_owned()),
                2 => (serde_json::to_string(secret).unwrap(), format!("\"{REDACTED}\"")),
                _ => (STANDARD_NO_PAD.encode(format!("{before}{secret}{after}")), REDACTED.to_owned()),
            };
            let kept = redacted(&format!("{before} {written} {after}"), &[secret]);
            // short ones are not looked for in base64
            if how < 3 || secret.len() >= 9 {
                prop_assert!(!kept.contains(&written), "{kept:?}");
                let begun: String = secret.chars().take(3).collect();
                let around = format!("{before} {after}");
                if [&around, &Decoded::new(&around).text].iter().all(|text| !text.contains(&begun)) {
                    prop_assert_eq!(kept, format!("{before} {kept_of_it} {after}"));
                }
            }
        }

        #[test]
        fn any_words_and_secrets(words in "(\\PC|[%\\\\u0-9a-f]){0,60}", secrets in proptest::collection::vec("(\\PC|[%\\\\u0-9a-f]){0,12}", 0..3)) {
            let redactor = Redactor::new(secrets.iter().map(String::as_str));
            let _ = redactor.redact(&words);
        }
    }
}
