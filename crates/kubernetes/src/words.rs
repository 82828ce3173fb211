//! Texts of a cluster, made fit to stand in sentences of ours.

/// Longest text of the cluster's that is passed on, characters.
const LONGEST: usize = 500;

/// A text of the cluster's, without control characters, not too long.
pub(crate) fn shortened(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().filter(|c| !is_hidden(*c)).take(LONGEST).collect()
}

/// Without its full stop, since it ends a sentence of ours.
pub(crate) fn without_end(text: String) -> String {
    text.trim_end_matches('.').to_owned()
}

/// Whether a character controls something, can't be seen or changes the reading direction.
fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}
