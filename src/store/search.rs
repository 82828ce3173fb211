//! Text search of lists.

use crate::domain::benchmark::BenchmarkSpec;

/// The text that is searched: name, tags, description, model and engine, by its name and its title.
pub(super) fn search_text(spec: &BenchmarkSpec) -> String {
    let tags = spec.tags.iter().map(|tag| tag.name.as_str());
    let engine = spec.serving.engine.into_iter().flat_map(|engine| [engine.into_str(), engine.title()]);
    let rest = [spec.description.as_str(), spec.model.name.as_str()].into_iter().chain(engine);
    let parts: Vec<&str> = [spec.name.as_str()].into_iter().chain(tags).chain(rest).collect();
    parts.join("\n").to_lowercase()
}

/// The LIKE pattern that matches the text anywhere, escaped.
pub(super) fn contains(text: &str) -> String {
    let escaped = text.trim().to_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}
