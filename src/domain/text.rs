//! Rules for text that people read.

#[cfg(feature = "ssr")]
use dyno_measure::words::{changes_its_neighbour, is_invisible};
#[cfg(feature = "ssr")]
use unicode_normalization::UnicodeNormalization as _;

/// A text as a spreadsheet cell: one that would run as a formula gets a leading apostrophe.
pub fn spreadsheet_cell(text: &str) -> String {
    // the wide forms of East Asian keyboards begin a formula, too
    let begins = ['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];
    let apostrophe = if text.starts_with(begins) { "'" } else { "" };
    format!("{apostrophe}{text}")
}

/// A name as it is kept: without space around it, in Unicode's composed form (NFC), whichever way it was typed.
#[cfg(feature = "ssr")]
pub fn kept_name(name: &str) -> String {
    name.trim().nfc().collect()
}

/// A name as it is compared with others: neither case, nor how much space there is between its words, nor how its letters are
/// encoded tells two apart (Unicode's NFKC and case folding, without what shows nothing). Letters of other scripts that look alike
/// stay different.
#[cfg(feature = "ssr")]
pub fn folded(name: &str) -> String {
    let visible =
        name.nfkc().filter(|letter| !changes_its_neighbour(*letter) && (letter.is_whitespace() || !is_invisible(*letter)));
    // Through capital letters, so that ß is SS and a final ς is σ.
    let cased: String = visible.collect::<String>().to_lowercase().to_uppercase().chars().flat_map(char::to_lowercase).collect();
    let composed: String = cased.nfkc().collect();
    composed.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_alike_are_one() {
        for (one, other) in [
            ("José", "Jose\u{301}"),
            ("fin", "\u{fb01}n"),
            ("anna", "\u{ff41}\u{ff2e}na"),
            ("anna", "an\u{fe0f}na"),
            ("anna", "an\u{200d}na"),
            ("anna", "\u{17b4}anna\u{ffff}\u{e000}"),
            ("straße", "STRASSE"),
            ("Größe", "GRÖẞE"),
            ("σς", "ΣΣ"),
            ("\u{212a}elly", "kelly"),
            ("a b", " A\u{3000}\u{a0} b "),
        ] {
            assert_eq!(folded(one), folded(other), "{one:?} {other:?}");
        }
        for (one, other) in [("anna", "аnna"), ("a b", "ab"), ("José", "Jose"), ("a1", "a2")] {
            assert_ne!(folded(one), folded(other), "{one:?} {other:?}");
        }
    }

    #[test]
    fn a_name_is_kept_composed() {
        assert_eq!(kept_name(" Jose\u{301}\n"), "José");
        assert_eq!(kept_name("\u{fb01}n"), "\u{fb01}n", "as it was written otherwise");
    }

    #[test]
    fn no_cell_is_a_formula() {
        for text in ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", "＝1+1", "＋1", "－1", "＠x"] {
            assert_eq!(spreadsheet_cell(text), format!("'{text}"), "{text:?}");
        }
        for text in ["", "a=1", "1-1", "名前"] {
            assert_eq!(spreadsheet_cell(text), text);
        }
    }
}
