//! Server messages for display: one short line without control characters or keys.

use dyno_measure::words::is_invisible;

/// Most characters of a server's message that are kept.
const MOST: usize = 300;
/// Replacement for a key.
const STRUCK: &str = "[key]";
/// Prefixes of providers' keys.
const KEY_BEGINS: [&str; 12] =
    ["sk-", "sk_", "hf_", "gsk_", "xai-", "nvapi-", "AIza", "ghp_", "github_pat_", "glpat-", "r8_", "eyJ"];
/// Fewest characters after such a prefix.
const LEAST_KEY: usize = 4;
/// Fewest characters of a secret in base64 that are looked for.
const LEAST_BASE64: usize = 8;
/// Words after "Bearer" that are not keys.
const NO_KEYS: [&str; 6] = ["token", "tokens", "auth", "authentication", "authorization", "scheme"];

/// The message of an error object in any known shape, in one line of at most 300 characters.
pub fn error_words(raw: &[u8]) -> String {
    let value: serde_json::Value = match serde_json::from_slice(raw) {
        Ok(value) => value,
        Err(_) => return tidy(&String::from_utf8_lossy(raw)),
    };
    let inner = value.get("error").filter(|inner| !inner.is_null()).unwrap_or(&value);
    let mut words = inner;
    // errors may be lists, and messages objects themselves
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

/// One line of at most 300 characters, without control characters, those that can't be seen or change the reading direction, and
/// what looks like a key.
pub fn tidy(words: &str) -> String {
    // Keys are replaced before the text is cut, while they are whole.
    let visible = words.chars().take(10 * MOST).filter(|c| c.is_control() || !is_invisible(*c));
    let begun: String = visible.map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line: String = strike_lookalikes(&begun).chars().take(MOST).collect();
    line.trim().to_owned()
}

/// Replaces these secrets in a text, also one that is cut off at its end, and also where they are written as an address (`%2F`) or
/// JSON (`\/`) would have them, or as a part of something in base64.
pub fn strike<'a>(words: &str, secrets: impl Iterator<Item = &'a str>) -> String {
    let mut struck = words.to_owned();
    for secret in secrets.map(str::trim).filter(|secret| secret.len() >= LEAST_KEY && secret.is_ascii()) {
        struck = without(&struck, secret, |_| false);
        for encoded in base64_within(secret).iter().filter(|encoded| encoded.len() >= LEAST_BASE64) {
            struck = without(&struck, encoded, is_base64);
        }
    }
    struck
}

/// The secret values in a request's head: authentication, and the values of the load's own headers that are long enough.
pub fn secrets_of(head: &[u8]) -> Vec<&str> {
    const PLAIN: [&str; 6] = ["host", "user-agent", "content-type", "accept", "accept-encoding", "x-request-id"];
    const TELLING: [&str; 5] = ["auth", "key", "token", "secret", "cookie"];
    let lines = std::str::from_utf8(head).unwrap_or_default().lines().skip(1).filter_map(|line| line.split_once(": "));
    let secrets = lines.filter(|(name, value)| {
        let name = name.to_ascii_lowercase();
        !PLAIN.contains(&name.as_str()) && (value.len() >= 16 || TELLING.iter().any(|word| name.contains(word)))
    });
    secrets.map(|(_, value)| value.strip_prefix("Bearer ").unwrap_or(value)).collect()
}

/// Replaces a secret wherever the text, once decoded, has it, with what stands around it and belongs to it.
fn without(words: &str, secret: &str, belongs: fn(char) -> bool) -> String {
    let (text, starts) = decoded(words);
    let mut kept = String::with_capacity(words.len());
    let mut from = 0;
    while let Some(at) = text[from..].find(secret).map(|at| from + at) {
        let begin = from + text[from..at].trim_end_matches(belongs).len();
        kept += &words[starts[from]..starts[begin]];
        kept += STRUCK;
        let rest = &text[at + secret.len()..];
        from = text.len() - rest.trim_start_matches(belongs).len();
    }
    let rest = &text[from..];
    let cut = (LEAST_KEY..secret.len()).rev().find(|length| rest.ends_with(&secret[..*length]));
    if let Some(length) = cut {
        let begin = from + rest[..rest.len() - length].trim_end_matches(belongs).len();
        kept += &words[starts[from]..starts[begin]];
        return kept + STRUCK;
    }
    kept + &words[starts[from]..]
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
    let encodings = [b"+/", b"-_"].into_iter().flat_map(|signs| (0..3).map(move |before| (signs, before)));
    let encoded = encodings.map(|(signs, before)| {
        let bits: Vec<u8> = secret.bytes().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
        let begun = (6 - before * 8 % 6) % 6;
        let letters = bits[begun..].chunks_exact(6).map(|six| match six.iter().fold(0, |number, bit| number << 1 | bit) {
            number @ 0..26 => char::from(b'A' + number),
            number @ 26..52 => char::from(b'a' + number - 26),
            number @ 52..62 => char::from(b'0' + number - 52),
            number => char::from(signs[usize::from(number) - 62]),
        });
        letters.collect::<String>()
    });
    let mut encoded: Vec<String> = encoded.collect();
    encoded.sort_unstable();
    encoded.dedup();
    encoded
}

fn is_base64(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "+/-_=".contains(letter)
}

fn is_key_char(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "-_*.~+/=".contains(letter)
}

/// The key that begins at byte `from`, up to the first character that no key has, without a final full stop.
fn key_at(text: &str, from: usize) -> &str {
    let rest = text.get(from..).unwrap_or_default();
    let length = rest.find(|letter| !is_key_char(letter)).unwrap_or(rest.len());
    rest[..length].trim_end_matches('.')
}

/// Replaces what looks like a key: a known prefix with what follows, or what follows "Bearer".
fn strike_lookalikes(words: &str) -> String {
    const BEARER: &str = "Bearer ";
    let mut kept = String::with_capacity(words.len());
    let mut rest = words;
    let mut before = ' ';
    while let Some(letter) = rest.chars().next() {
        let begins = !before.is_ascii_alphanumeric();
        let of_provider = KEY_BEGINS.iter().any(|begin| rest.starts_with(begin) && key_at(rest, begin.len()).len() >= LEAST_KEY);
        let taken = if begins && of_provider {
            kept += STRUCK;
            key_at(rest, 0).len()
        } else if begins && rest.get(..BEARER.len()).is_some_and(|word| word.eq_ignore_ascii_case(BEARER)) {
            let key = key_at(rest, BEARER.len());
            let is_key = key.len() >= LEAST_KEY && !NO_KEYS.contains(&key.to_ascii_lowercase().as_str());
            kept += &rest[..BEARER.len()];
            kept += if is_key { STRUCK } else { key };
            BEARER.len() + key.len()
        } else {
            kept.push(letter);
            letter.len_utf8()
        };
        before = rest[..taken].chars().next_back().unwrap_or(' ');
        rest = &rest[taken..];
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lookalikes_of_keys_are_replaced() {
        for (said, kept) in [
            ("Incorrect API key provided: sk-abcd****wxyz. See the site.", "Incorrect API key provided: [key]. See the site."),
            ("key=hf_AbCdEf, next", "key=[key], next"),
            ("got 'Authorization: Bearer abc.def-123'", "got 'Authorization: Bearer [key]'"),
            ("bearer authentication is needed", "bearer authentication is needed"),
            ("Bearer token is missing.", "Bearer token is missing."),
            ("the task-queue and risk-free disk_sk- sk-a", "the task-queue and risk-free disk_sk- sk-a"),
            ("Größe sk-größe", "Größe sk-größe"),
        ] {
            assert_eq!(tidy(said), kept);
        }
    }

    #[test]
    fn what_cannot_be_seen_is_left_out() {
        assert_eq!(tidy("no \u{202e}suoicilam\u{202c} mo\u{200b}del\u{1b}[31m\n"), "no suoicilam model [31m");
        assert_eq!(tidy("Bearer s\u{200b}ecret0"), "Bearer [key]");
    }

    #[test]
    fn words_are_short_and_no_part_of_a_key_is_left_by_their_cut() {
        let long = format!("{}{}", "x".repeat(290), " sk-0123456789abcdefghijklmnop");
        assert_eq!(tidy(&long), format!("{} [key]", "x".repeat(290)));
        assert_eq!(tidy(&"ä".repeat(1000)).chars().count(), MOST);
    }

    #[test]
    fn the_credential_itself_is_struck_out_wherever_it_stands() {
        let head = b"POST /v1 HTTP/1.1\r\nhost: h\r\nauthorization: Bearer plain0secret\r\nx-team: my own\r\nx-key: abcd\r\nx-request-id: ";
        let secrets = secrets_of(head);
        assert_eq!(secrets, ["plain0secret", "abcd"]);
        assert_eq!(strike("no plain0secret here, plain0", secrets.iter().copied()), "no [key] here, [key]");
    }

    #[test]
    fn a_credential_is_struck_out_however_it_is_encoded() {
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
            assert_eq!(strike(said, [secret].into_iter()), "at /x?key=[key]&y", "{said}");
        }
        // in base64: alone, after `u:` and `Bearer `, and between `me:` and `!`
        for said in encoded {
            assert_eq!(strike(&format!("Basic {said}, ä"), [secret].into_iter()), "Basic [key], ä", "{said}");
        }
        for cut in ["%2F%2", "%2F%", r"\/\", r"/\u002B\u0", "/+~"] {
            assert_eq!(strike(&format!("cut at zzKEYAb3{cut}"), [secret].into_iter()), "cut at [key]", "{cut}");
        }
        for harmless in ["100 % of \\u and %zz", "100 %", "a %2", r"a \u00", "größe %C3%A4 \\u00e4 zzKE", ""] {
            let kept = strike(harmless, ["another0secret"].into_iter());
            assert_eq!(kept, harmless);
        }
    }
}
