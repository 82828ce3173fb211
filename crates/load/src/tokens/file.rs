//! A Hugging Face `tokenizer.json`, with the chat template that lies beside it.

use std::path::{Path, PathBuf};

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, ErrorKind, Value, context};
use tokenizers::Tokenizer;

use dyno_measure::dataset::ChatMessage;

/// A tokenizer file.
pub struct FileTokens {
    path: PathBuf,
    tokenizer: Tokenizer,
    template: Option<Template>,
}

struct Template {
    environment: Environment<'static>,
    bos: String,
    eos: String,
}

impl FileTokens {
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let path = if path.is_dir() { path.join("tokenizer.json") } else { path.to_owned() };
        let tokenizer =
            Tokenizer::from_file(&path).map_err(|error| format!("The tokenizer {} can't be read: {error}.", path.display()))?;
        let template = path.parent().and_then(Template::beside);
        Ok(Self { path, tokenizer, template })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn has_template(&self) -> bool {
        self.template.is_some()
    }

    pub(super) fn chat(&self, messages: &[ChatMessage]) -> Option<u32> {
        // the template writes the special tokens itself
        let text = self.template.as_ref()?.render(messages)?;
        self.text(&text, false)
    }

    pub(super) fn text(&self, text: &str, special: bool) -> Option<u32> {
        u32::try_from(self.tokenizer.encode_fast(text, special).ok()?.len()).ok()
    }
}

impl Template {
    fn beside(folder: &Path) -> Option<Self> {
        let config = std::fs::read(folder.join("tokenizer_config.json")).ok();
        let config: serde_json::Value = config.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        let own_file = std::fs::read_to_string(folder.join("chat_template.jinja")).ok();
        let source = own_file.or_else(|| match config.get("chat_template")? {
            serde_json::Value::String(source) => Some(source.clone()),
            // several, by name
            serde_json::Value::Array(named) => {
                let default = named.iter().find(|one| one.get("name").is_some_and(|name| name == "default")).or(named.first())?;
                default.get("template")?.as_str().map(str::to_owned)
            }
            _ => None,
        })?;
        let token = |name: &str| match config.get(name) {
            Some(serde_json::Value::String(token)) => token.clone(),
            Some(object) => object.get("content").and_then(|content| content.as_str()).unwrap_or_default().to_owned(),
            None => String::new(),
        };
        let mut environment = Environment::new();
        environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().ok()?);
        environment.set_unknown_method_callback(python_methods);
        environment.add_function("raise_exception", |words: String| -> Result<String, minijinja::Error> {
            Err(minijinja::Error::new(ErrorKind::InvalidOperation, words))
        });
        // templates that print the date get one of the same length, whatever the day
        environment.add_function("strftime_now", |_format: String| "01 Jan 2026".to_owned());
        environment.add_template_owned("chat", source).ok()?;
        Some(Self { environment, bos: token("bos_token"), eos: token("eos_token") })
    }

    fn render(&self, messages: &[ChatMessage]) -> Option<String> {
        let messages: Vec<Value> = messages
            .iter()
            .map(|message| context! { role => message.role.as_str(), content => message.content.as_str() })
            .collect();
        let values = context! { messages => messages, add_generation_prompt => true, bos_token => self.bos.as_str(), eos_token => self.eos.as_str(), tools => Value::from(()) };
        self.environment.get_template("chat").ok()?.render(values).ok()
    }
}

/// The few Python string methods that chat templates use.
fn python_methods(
    _: &mut minijinja::State<'_, '_>,
    value: &Value,
    method: &str,
    arguments: &[Value],
) -> Result<Value, minijinja::Error> {
    let unknown = || minijinja::Error::new(ErrorKind::UnknownMethod, format!("no method {method}"));
    let text = value.as_str().ok_or_else(unknown)?;
    let argument = arguments.first().and_then(Value::as_str);
    Ok(match (method, argument) {
        ("strip", None) => Value::from(text.trim()),
        ("lstrip", None) => Value::from(text.trim_start()),
        ("rstrip", None) => Value::from(text.trim_end()),
        ("strip", Some(set)) => Value::from(text.trim_matches(|c| set.contains(c))),
        ("lstrip", Some(set)) => Value::from(text.trim_start_matches(|c| set.contains(c))),
        ("rstrip", Some(set)) => Value::from(text.trim_end_matches(|c| set.contains(c))),
        ("startswith", Some(start)) => Value::from(text.starts_with(start)),
        ("endswith", Some(end)) => Value::from(text.ends_with(end)),
        ("split", Some(by)) => Value::from(text.split(by).map(str::to_owned).collect::<Vec<_>>()),
        ("upper", None) => Value::from(text.to_uppercase()),
        ("lower", None) => Value::from(text.to_lowercase()),
        ("title", None) => Value::from(text.to_owned()),
        _ => return Err(unknown()),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TEMPLATE: &str = "{{ bos_token }}{% for message in messages %}
    {% if message['role'] not in ['system', 'user', 'assistant'] %}{{ raise_exception('no such role') }}{% endif %}
{{ '<s> ' + message.content.strip() + ' </s> ' }}
{%- endfor %}
{% if add_generation_prompt %}{{ '<s>' }}{% endif %}";

    fn message(content: &str) -> ChatMessage {
        ChatMessage { role: "user".to_owned(), content: content.to_owned() }
    }

    #[test]
    fn texts_and_chats_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let special = |id: u32, content: &str| json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true});
        let tokenizer = json!({
            "version": "1.0", "truncation": null, "padding": null, "normalizer": null,
            "added_tokens": [special(0, "<s>"), special(1, "</s>"), special(2, "<b>")],
            "pre_tokenizer": {"type": "Whitespace"},
            "post_processor": {"type": "TemplateProcessing",
                "single": [{"SpecialToken": {"id": "<b>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
                "special_tokens": {"<b>": {"id": "<b>", "ids": [2], "tokens": ["<b>"]}}},
            "decoder": null,
            "model": {"type": "WordLevel", "vocab": {"<s>": 0, "</s>": 1, "<b>": 2, "<unk>": 3, "one": 4, "two": 5}, "unk_token": "<unk>"}
        });
        std::fs::write(folder.path().join("tokenizer.json"), tokenizer.to_string()).unwrap();
        let bare = FileTokens::read(folder.path()).unwrap();
        assert_eq!((bare.text("one two one", false), bare.text("one two one", true)), (Some(3), Some(4)));
        assert!(!bare.has_template() && bare.chat(&[message("one")]).is_none());

        let config = json!({"chat_template": TEMPLATE, "bos_token": {"content": "<b>"}});
        std::fs::write(folder.path().join("tokenizer_config.json"), config.to_string()).unwrap();
        let whole = FileTokens::read(&folder.path().join("tokenizer.json")).unwrap();
        // <b> <s> one two </s> <s>
        assert_eq!(whole.chat(&[message(" one two ")]), Some(6));
        assert_eq!(whole.chat(&[ChatMessage { role: "robot".to_owned(), content: String::new() }]), None);
        assert!(FileTokens::read(&folder.path().join("none.json")).is_err());
    }
}
