//! Escapes text in `<title>` and `<textarea>`, into which Leptos writes it unescaped.

/// The text for the server's HTML. In both elements browsers interpret character references, but no markup other than their end
/// tag.
pub fn raw_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// The text for `<textarea>`, whose first line break browsers drop.
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
