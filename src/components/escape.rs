//! Text in the two elements into which Leptos writes it as it is: `<title>` and `<textarea>`.

/// The text as it stands in the server's HTML. A browser reads character references in both elements, and no markup but their
/// own end.
pub fn raw_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// The same within `<textarea>`, whose first line break a browser drops.
pub fn text_area_text(text: &str) -> String {
    let first = if text.starts_with('\n') { "\n" } else { "" };
    format!("{first}{}", raw_text(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_becomes_text() {
        assert_eq!(raw_text("</title>&lt;"), "&lt;/title>&amp;lt;");
        assert_eq!(text_area_text("\n a"), "\n\n a");
    }
}
