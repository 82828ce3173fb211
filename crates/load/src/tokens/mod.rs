//! Counts tokens as the engine does: by its tokenize call, with a tokenizer file, or by estimate.

mod engine;
mod file;
mod template;

use super::fetch::Fetch;
use dyno_measure::dataset::ChatMessage;

pub use file::TokenizerError;
pub use template::{TemplateError, check_template, template_text};

/// A tokenize call that is not answered this many times one after the other is given up: the engine is gone, and each would wait.
pub const MOST_UNANSWERED: u32 = 3;

pub enum Tokens {
    /// llama.cpp: `/apply-template`, then `/tokenize`.
    LlamaCpp(Box<Fetch>, String),
    /// vLLM: `/tokenize`, which takes chats.
    Vllm(Box<Fetch>, String, String),
    /// A `tokenizer.json`, perhaps with a chat template.
    File(Box<file::FileTokens>),
    /// No tokenizer: lengths are estimates.
    Estimate,
}

impl Tokens {
    /// Finds out which tokenize call a server has. `root` is the path before `/tokenize`.
    pub fn of_engine(fetch: Fetch, root: &str, model: &str) -> Self {
        engine::probe(fetch, root, model)
    }

    /// Reads a tokenizer file, or the one in a folder.
    ///
    /// # Errors
    /// When there is no file, or it can't be used.
    pub fn of_file(path: &std::path::Path) -> Result<Self, TokenizerError> {
        file::FileTokens::read(path).map(|tokens| Self::File(Box::new(tokens)))
    }

    /// Whether counts are exact.
    pub fn exact(&self) -> bool {
        !matches!(self, Self::Estimate)
    }

    /// Whether chats can be counted, template included.
    pub fn knows_template(&self) -> bool {
        match self {
            Self::LlamaCpp(..) | Self::Vllm(..) => true,
            Self::File(file) => file.has_template(),
            Self::Estimate => false,
        }
    }

    /// Why the chat template beside a tokenizer file can't be used; a sentence.
    pub fn template_note(&self) -> Option<String> {
        let Self::File(file) = self else { return None };
        let why = file.template_error()?;
        Some(format!(
            "The chat template of the tokenizer file {} could not be used, so that its tokens are not counted in prompts: {why}.",
            file.path().display()
        ))
    }

    /// The name of the method, for reports.
    pub fn describe(&self) -> String {
        match self {
            Self::LlamaCpp(..) => "the engine's tokenize call (llama.cpp)".to_owned(),
            Self::Vllm(..) => "the engine's tokenize call (vLLM)".to_owned(),
            Self::File(file) => format!("tokenizer file {}", file.path().display()),
            Self::Estimate => "estimates".to_owned(),
        }
    }

    /// Tokens of a chat, with the template and its generation prompt.
    pub fn chat(&mut self, messages: &[ChatMessage]) -> Option<u32> {
        match self {
            Self::LlamaCpp(fetch, root) => engine::llama_cpp_chat(fetch, root, messages),
            Self::Vllm(fetch, root, model) => engine::vllm_chat(fetch, root, model, messages),
            Self::File(file) => file.chat(messages),
            Self::Estimate => None,
        }
    }

    /// Tokens of a text; `as_prompt` adds the special tokens that the engine puts before a prompt.
    pub fn text(&mut self, text: &str, as_prompt: bool) -> Option<u32> {
        match self {
            Self::LlamaCpp(fetch, root) => engine::llama_cpp_text(fetch, root, text, as_prompt),
            Self::Vllm(fetch, root, model) => engine::vllm_text(fetch, root, model, text, as_prompt),
            Self::File(file) => file.text(text, as_prompt),
            Self::Estimate => None,
        }
    }
}

/// About how many tokens a text has: four characters each.
pub fn estimate(text: &str) -> u32 {
    u32::try_from(text.chars().count().div_ceil(4)).unwrap_or(u32::MAX).max(1)
}
