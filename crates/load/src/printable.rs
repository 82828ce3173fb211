//! Others' words as a terminal may be shown them.

use dyno_measure::words::{changes_its_neighbour, is_invisible};

/// A text as a terminal may be shown it: what can't be seen, moves the cursor or changes the reading direction is written as its
/// escape. A plan's author and a server put their own words into paths, notes and reasons.
pub fn printable(text: &str) -> String {
    text.split('\n').map(printable_line).collect::<Vec<_>>().join("\n")
}

/// The same for what stands in one line: a line break is an escape, too.
pub fn printable_line(text: &str) -> String {
    let is_plain = |letter: char| !is_invisible(letter) && !changes_its_neighbour(letter);
    text.chars().flat_map(|c| if is_plain(c) { vec![c] } else { c.escape_default().collect() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_printed_controls_the_terminal() {
        let hostile = "a\u{1b}[2K\u{1b}[1A\u{202e}EVIL\u{7}\r\u{9b}1A\nb";
        let shown = r"a\u{1b}[2K\u{1b}[1A\u{202e}EVIL\u{7}\r\u{9b}1A";
        assert_eq!(printable(hostile), format!("{shown}\nb"));
        assert_eq!(printable_line(hostile), format!(r"{shown}\nb"));
        // What is so already stays as it is.
        assert_eq!(printable(shown), shown);
        assert_eq!(printable("p50 12 ms · größe\n"), "p50 12 ms · größe\n");
    }
}
