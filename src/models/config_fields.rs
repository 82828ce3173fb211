//! Fields of a Hugging Face model's `config.json`.

use serde_json::Value;

/// The first of these names that a configuration has, at its top level or in the part that describes the text model.
pub(super) fn find<'a>(config: &'a Value, names: &[&str]) -> Option<&'a Value> {
    let parts = [Some(config), config.get("text_config"), config.get("llm_config"), config.get("language_config")];
    parts.into_iter().flatten().find_map(|part| names.iter().find_map(|name| part.get(*name).filter(|value| !value.is_null())))
}

pub(super) fn number(config: &Value, names: &[&str]) -> Option<u32> {
    find(config, names).and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok())
}
