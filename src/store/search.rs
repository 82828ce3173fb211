//! Text search of lists.

use crate::domain::benchmark::BenchmarkSpec;
use crate::domain::engine::EngineKind;

/// The text that is searched: name, tags, description, model and engine.
pub(super) fn search_text(spec: &BenchmarkSpec) -> String {
    let tags = spec.tags.iter().map(|tag| tag.name.as_str());
    let engine = spec.serving.engine.as_ref().map(EngineKind::into_str);
    let rest = [spec.description.as_str(), spec.model.name.as_str()].into_iter().chain(engine);
    let parts: Vec<&str> = [spec.name.as_str()].into_iter().chain(tags).chain(rest).collect();
    parts.join("\n").to_lowercase()
}

/// The LIKE pattern that matches the text anywhere, escaped.
pub(super) fn contains(text: &str) -> String {
    let escaped = text.trim().to_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}
