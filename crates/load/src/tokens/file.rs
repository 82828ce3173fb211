//! A Hugging Face `tokenizer.json`, with the chat template beside it.

use std::path::{Path, PathBuf};

use tokenizers::Tokenizer;

use super::template::{Template, TemplateError};
use dyno_measure::dataset::ChatMessage;

/// Why a tokenizer file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// The folder has tokenizers in other formats only; their file names.
    #[error(
        "A tokenizer.json is needed, and {} has {} instead. Write one with transformers: \
         AutoTokenizer.from_pretrained(FOLDER, use_fast=True).save_pretrained(FOLDER).",
        folder.display(),
        others.join(", ")
    )]
    OtherForm { folder: PathBuf, others: Vec<String> },
    #[error("The tokenizer {} can't be read: {source}.", path.display())]
    NotRead { path: PathBuf, source: tokenizers::Error },
}

pub struct FileTokens {
    path: PathBuf,
    tokenizer: Tokenizer,
    template: Result<Option<Template>, TemplateError>,
}

impl FileTokens {
    pub(super) fn read(path: &Path) -> Result<Self, TokenizerError> {
        let path = if path.is_dir() { path.join("tokenizer.json") } else { path.to_owned() };
        let folder = path.parent().unwrap_or(Path::new("."));
        let is_other = path.file_name().and_then(|name| name.to_str()).is_some_and(is_other_tokenizer);
        if is_other || !path.exists() {
            let others = other_tokenizers(folder);
            if !others.is_empty() {
                return Err(TokenizerError::OtherForm { folder: folder.to_owned(), others });
            }
        }
        let tokenizer = Tokenizer::from_file(&path).map_err(|source| TokenizerError::NotRead { path: path.clone(), source })?;
        let template = Template::beside(folder);
        Ok(Self { path, tokenizer, template })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn has_template(&self) -> bool {
        matches!(self.template, Ok(Some(_)))
    }

    /// Why the chat template can't be used, if there is one.
    pub(super) fn template_error(&self) -> Option<&TemplateError> {
        self.template.as_ref().err()
    }

    pub(super) fn chat(&self, messages: &[ChatMessage]) -> Option<u32> {
        // the template writes the special tokens itself
        let text = self.template.as_ref().ok()?.as_ref()?.render(messages).ok()?;
        self.text(&text, false)
    }

    pub(super) fn text(&self, text: &str, special: bool) -> Option<u32> {
        u32::try_from(self.tokenizer.encode_fast(text, special).ok()?.len()).ok()
    }
}

/// Tokenizer files of other formats in a folder.
fn other_tokenizers(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<_> = names.filter(|name| is_other_tokenizer(name)).collect();
    names.sort();
    names
}

fn is_other_tokenizer(name: &str) -> bool {
    const NAMES: [&str; 7] =
        ["tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "vocab.json", "merges.txt", "vocab.txt", "tekken.json"];
    NAMES.contains(&name) || name.ends_with(".tiktoken") || name.starts_with("tiktoken.") || name.starts_with("tokenizer.model.")
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

        std::fs::write(folder.path().join("chat_template.jinja"), "{{ 'a'.encode() }}").unwrap();
        let spoilt = FileTokens::read(folder.path()).unwrap();
        assert!(!spoilt.has_template() && spoilt.template_error().unwrap().to_string().contains("encode"));
    }

    #[test]
    fn another_tokenizer_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("tokenizer.model"), "x").unwrap();
        for path in [folder.path().to_owned(), folder.path().join("tokenizer.model"), folder.path().join("tokenizer.json")] {
            let error = FileTokens::read(&path).err().unwrap().to_string();
            assert!(error.contains("tokenizer.json") && error.contains("has tokenizer.model instead"), "{error}");
        }
    }
}
