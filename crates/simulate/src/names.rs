//! Matching of names as drivers, vendors and people write them.

/// Whether a name contains a pattern; one that ends with a digit is not found in a longer number ("l4" is not in "l40").
pub(crate) fn contains_pattern(name: &str, pattern: &str) -> bool {
    let numbered = pattern.ends_with(|last: char| last.is_ascii_digit());
    name.match_indices(pattern)
        .any(|(at, _)| !(numbered && name[at + pattern.len()..].starts_with(|next: char| next.is_ascii_digit())))
}

/// Lower case without separators, except those between two numbers.
pub(crate) fn compact(name: &str) -> String {
    let mut compact = String::with_capacity(name.len());
    let mut separated = false;
    for character in name.to_lowercase().chars() {
        if matches!(character, '-' | '_' | ' ' | '(' | ')') {
            separated = true;
            continue;
        }
        let numbers = character.is_ascii_digit() && compact.ends_with(|last: char| last.is_ascii_digit());
        if separated && numbers {
            compact.push(' ');
        }
        separated = false;
        compact.push(character);
    }
    compact
}
