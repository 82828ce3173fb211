//! The engine's tokenizer: one token per word between white space, so that exact lengths can be requested and checked.
//!
//! A chat is rendered as `<|begin|>`, then for each message `<|role|> words… <|end|>`, then `<|assistant|>`: a template of 2
//! tokens and 2 more for each message. The answer of `/apply-template` therefore has exactly as many tokens as the engine
//! counts for the chat.

use super::random::{Purpose, draw};

/// Tokens of the chat template that do not depend on the messages.
pub const TEMPLATE_TOKENS: u32 = 2;
/// Tokens of the chat template for each message.
pub const TEMPLATE_TOKENS_PER_MESSAGE: u32 = 2;

/// Words that answers are made of. Some need two to four bytes a character and one needs escaping in JSON.
const WORDS: [&str; 32] = [
    "the",
    "of",
    "stream",
    "and",
    "a",
    "token",
    "to",
    "naïve",
    "in",
    "is",
    "clock",
    "time",
    "Zürich",
    "that",
    "for",
    "exact",
    "日本",
    "with",
    "as",
    "engine",
    "on",
    "known",
    "be",
    "say\\\"so\\\"",
    "at",
    "🦀🌍",
    "by",
    "this",
    "schedule",
    "from",
    "or",
    "seed",
];

/// Number of tokens of a text.
pub fn count(text: &str) -> u32 {
    text.split_whitespace().count() as u32
}

/// One id for each token of a text; equal words have equal ids.
pub fn ids(text: &str) -> Vec<u32> {
    text.split_whitespace().map(|word| (hash(word.as_bytes(), 0) % 32_000) as u32).collect()
}

/// The text that a chat is turned into before it is counted.
pub fn render_chat<'a>(messages: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = String::from("<|begin|>");
    for (role, content) in messages {
        text.push_str(" <|");
        text.extend(role.chars().filter(|c| !c.is_whitespace()));
        text.push_str("|> ");
        text.push_str(content);
        text.push_str(" <|end|>");
    }
    text.push_str(" <|assistant|>");
    text
}

/// The `index`-th word of the `serial`-th answer, escaped for a JSON string.
pub fn word(seed: u64, serial: u64, index: u32) -> &'static str {
    WORDS[(draw(seed, serial, Purpose::Word, u64::from(index)) % WORDS.len() as u64) as usize]
}

/// Hashes of each leading run of whole 16-word blocks, as a prefix cache would key its blocks.
pub fn prefix_blocks(text: &str) -> Vec<u64> {
    let mut blocks = Vec::new();
    let mut state = 0;
    for (index, word) in text.split_whitespace().enumerate() {
        state = hash(word.as_bytes(), state);
        if index % 16 == 15 {
            blocks.push(state);
        }
    }
    blocks
}

/// FNV-1a, continued from `state`.
fn hash(bytes: &[u8], state: u64) -> u64 {
    let start = if state == 0 { 0xcbf2_9ce4_8422_2325 } else { state };
    let hashed = bytes.iter().fold(start, |h, byte| (h ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    (hashed ^ 0x20).wrapping_mul(0x0100_0000_01b3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_token_a_word_and_a_fixed_template() {
        assert_eq!(count("  one two\nthree "), 3);
        assert_eq!(ids("a b a").len(), 3);
        assert_eq!(ids("a b a")[0], ids("a b a")[2]);
        let chat = [("system", "be brief"), ("user", "one two three")];
        let rendered = render_chat(chat.into_iter());
        assert_eq!(count(&rendered), 5 + TEMPLATE_TOKENS + 2 * TEMPLATE_TOKENS_PER_MESSAGE);
    }

    #[test]
    fn every_word_is_one_token_and_valid_inside_json() {
        for word in WORDS {
            let text: String = serde_json::from_str(&format!("\"{word}\"")).unwrap();
            assert_eq!(count(&text), 1, "{word}");
        }
    }

    #[test]
    fn equal_prefixes_share_their_blocks() {
        let words = |n: usize, last: &str| (0..n).map(|i| format!("w{i} ")).collect::<String>() + last;
        let (one, two) = (prefix_blocks(&words(40, "x")), prefix_blocks(&words(40, "y")));
        assert_eq!(one.len(), 2);
        assert_eq!(one, two);
        assert_ne!(prefix_blocks(&words(0, &"x ".repeat(16))), prefix_blocks(&words(16, "")));
    }
}
