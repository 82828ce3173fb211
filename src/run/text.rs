//! Text from outside, made fit for logs and sentences.

pub use crate::domain::workflow::fields::grouped as number;

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

/// `one request`, `1,280 requests`.
pub fn requests(count: u64) -> String {
    if count == 1 { "1 request".to_owned() } else { format!("{} requests", number(count)) }
}

/// A duration in words: `840 ms`, `12.3 s`, `4 min 10 s`.
pub fn duration(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{:.1} s", ms as f64 / 1_000.0),
        _ => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_from_outside() {
        assert_eq!(clean("\u{1b}[1;31mError\u{1b}[0m:\tx\r\n"), "Error: x");
        assert_eq!(clean(&"x".repeat(5_000)).chars().count(), LONGEST + 1);
    }

    #[test]
    fn numbers_in_words() {
        assert_eq!(number(1_280), "1,280");
        assert_eq!(number(412), "412");
        assert_eq!(number(1_000_000), "1,000,000");
        assert_eq!(requests(1), "1 request");
        assert_eq!((duration(840), duration(12_340), duration(250_000)), ("840 ms".into(), "12.3 s".into(), "4 min 10 s".into()));
    }
}
