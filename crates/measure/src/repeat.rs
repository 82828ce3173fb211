//! How to repeat a run's load on a command line.

use serde::{Deserialize, Serialize};

/// The command that repeats a load, and what it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeat {
    /// The whole line, quoted for a shell, without secrets.
    pub command: String,
    /// Whether flags express the whole plan; otherwise the command reads the plan, which has to be downloaded first.
    pub by_hand: bool,
    /// The environment variable that must hold the provider's key.
    pub key_variable: Option<String>,
    /// Command lines of the engines that were started for the run and ended with it.
    pub engines: Vec<String>,
    /// Whether prompts are rows of datasets, which the plan names by their paths on the portal's machine.
    pub reads_datasets: bool,
}

/// Quotes a word for a shell, if needed.
pub fn shell_word(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:=,@%+".contains(letter);
    if !word.is_empty() && word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// Quotes and joins words to a command line.
pub fn shell_line<W: AsRef<str>>(words: &[W]) -> String {
    words.iter().map(|word| shell_word(word.as_ref())).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_would_read_more_into_them() {
        assert_eq!(shell_line(&["dyno", "load", "--model", "org/name:7b"]), "dyno load --model org/name:7b");
        assert_eq!(shell_word(""), "''");
        assert_eq!(shell_word("a b; rm $HOME"), "'a b; rm $HOME'");
        assert_eq!(shell_word("it's"), r"'it'\''s'");
    }
}
