//! Rules for text that people read.

/// Whether a character is invisible or changes the reading direction, so that two names look alike or one reads as another
/// (Unicode TR 36, "Bidirectional Text Spoofing"; CVE-2021-42574). Joiners are allowed: scripts and emoji need them.
pub fn is_invisible(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A text as a spreadsheet cell: one that would run as a formula gets a leading apostrophe.
pub fn spreadsheet_cell(text: &str) -> String {
    let apostrophe = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    format!("{apostrophe}{text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_show_what_they_are() {
        for odd in ["a\u{202e}b", "a\u{200b}", "\u{feff}a", "a\u{2066}b", "a\nb", "a\u{7}"] {
            assert!(odd.chars().any(is_invisible), "{odd:?}");
        }
        for good in ["Grüße", "नमस्ते\u{200d}", "تجربة", "👩\u{200d}💻", "a-b (c)", "名前"] {
            assert!(!good.chars().any(is_invisible), "{good:?}");
        }
    }
}
