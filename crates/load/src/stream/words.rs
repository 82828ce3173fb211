//! Server messages for display: one short line without control characters or keys.

use dyno_measure::redactor::{LEAST_SECRET, REDACTED};
use dyno_measure::words::is_invisible;

/// Most characters of a server's message that are kept.
const MOST: usize = 300;
/// Prefixes of providers' keys.
const KEY_BEGINS: [&str; 12] =
    ["sk-", "sk_", "hf_", "gsk_", "xai-", "nvapi-", "AIza", "ghp_", "github_pat_", "glpat-", "r8_", "eyJ"];
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
    let line: String = redact_lookalikes(&begun).chars().take(MOST).collect();
    line.trim().to_owned()
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
fn redact_lookalikes(words: &str) -> String {
    const BEARER: &str = "Bearer ";
    let mut kept = String::with_capacity(words.len());
    let mut rest = words;
    let mut before = ' ';
    while let Some(letter) = rest.chars().next() {
        let begins = !before.is_ascii_alphanumeric();
        let of_provider =
            KEY_BEGINS.iter().any(|begin| rest.starts_with(begin) && key_at(rest, begin.len()).len() >= LEAST_SECRET);
        let taken = if begins && of_provider {
            kept += REDACTED;
            key_at(rest, 0).len()
        } else if begins && rest.get(..BEARER.len()).is_some_and(|word| word.eq_ignore_ascii_case(BEARER)) {
            let key = key_at(rest, BEARER.len());
            let is_key = key.len() >= LEAST_SECRET && !NO_KEYS.contains(&key.to_ascii_lowercase().as_str());
            kept += &rest[..BEARER.len()];
            kept += if is_key { REDACTED } else { key };
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
    fn secrets_of_a_head_are_its_credentials() {
        let head = b"POST /v1 HTTP/1.1\r\nhost: h\r\nauthorization: Bearer plain0secret\r\nx-team: my own\r\nx-key: abcd\r\nx-request-id: ";
        assert_eq!(secrets_of(head), ["plain0secret", "abcd"]);
    }
}
