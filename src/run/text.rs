//! Text from outside, made fit for logs and sentences.

pub use dyno_measure::words::{grouped as number, span as duration};

/// Longest line that is kept, characters.
const LONGEST: usize = 2_000;

/// A line without control characters and terminal colours, cut at a length.
pub fn clean(line: &str) -> String {
    let mut kept = String::with_capacity(line.len().min(LONGEST));
    let mut chars = line.chars().peekable();
    let mut count = 0;
    while let Some(next) = chars.next() {
        if next == '\u{1b}' {
            if chars.peek() == Some(&'[') {
                chars.next();
                // Up to the sequence's final letter.
                for inner in chars.by_ref() {
                    if ('\u{40}'..='\u{7e}').contains(&inner) {
                        break;
                    }
                }
            }
            continue;
        }
        if next == '\t' {
            kept.push(' ');
        } else if !next.is_control() {
            kept.push(next);
        }
        count += 1;
        if count == LONGEST {
            kept.push('…');
            break;
        }
    }
    kept.trim_end().to_owned()
}

/// `1 request`, `1,280 requests`.
pub fn requests(count: u64) -> String {
    dyno_measure::words::count(count, "request")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_from_outside() {
        assert_eq!(clean("\u{1b}[1;31mError\u{1b}[0m:\tx\r\n"), "Error: x");
        assert_eq!(clean(&"x".repeat(5_000)).chars().count(), LONGEST + 1);
    }
}
