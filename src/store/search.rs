//! What the search box of lists looks through.

use crate::domain::benchmark::BenchmarkSpec;

/// What the search looks through: name, tags and description.
pub(super) fn search_text(spec: &BenchmarkSpec) -> String {
    let tags = spec.tags.iter().map(|tag| tag.name.as_str());
    let parts: Vec<&str> = [spec.name.as_str()].into_iter().chain(tags).chain([spec.description.as_str()]).collect();
    parts.join("\n").to_lowercase()
}

/// A LIKE pattern that finds the text anywhere.
pub(super) fn contains(text: &str) -> String {
    let escaped = text.trim().to_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}
