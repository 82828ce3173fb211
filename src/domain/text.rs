//! Rules for text that people read.

/// A text as a spreadsheet cell: one that would run as a formula gets a leading apostrophe.
pub fn spreadsheet_cell(text: &str) -> String {
    let apostrophe = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    format!("{apostrophe}{text}")
}

/// A name as it is compared with others: neither case nor how much space there is between its words tells two apart.
pub fn folded(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}
