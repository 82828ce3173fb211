//! Text in the two elements into which Leptos writes it as it is: `<title>` and `<textarea>`.

/// The text as it stands in the server's HTML; in the browser, where no HTML is read, the text itself. A browser reads
/// character references in both elements, and no markup but their own end.
pub fn raw_text(text: String) -> String {
    if cfg!(feature = "ssr") { text.replace('&', "&amp;").replace('<', "&lt;") } else { text }
}

/// The same within `<textarea>`, whose first line break a browser drops.
pub fn text_area_text(text: &str) -> String {
    let first = if cfg!(feature = "ssr") && text.starts_with('\n') { "\n" } else { "" };
    format!("{first}{}", raw_text(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_becomes_text() {
        assert_eq!(raw_text("</title>&lt;".to_owned()), "&lt;/title>&amp;lt;");
        assert_eq!(text_area_text("\n a"), "\n\n a");
    }
}
