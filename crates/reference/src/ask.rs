//! What a call asks for, read from its JSON body.

use std::borrow::Cow;

use serde::Deserialize;

use super::{
    faults::{Fault, FaultError},
    tokens::{self, TEMPLATE_TOKENS, TEMPLATE_TOKENS_PER_MESSAGE},
};

/// Why a call is refused; for the caller.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    #[error("the body cannot be read: {0}")]
    Body(#[from] serde_json::Error),
    #[error("messages is missing or empty")]
    NoMessages,
    #[error("prompt is missing")]
    NoPrompt,
    #[error("only one prompt a request is supported")]
    SeveralPrompts,
    #[error("input is missing")]
    NoInput,
    #[error("only n = 1 is supported")]
    SeveralAnswers,
    #[error("max_tokens must be at least 1")]
    NoTokens,
    #[error(transparent)]
    Fault(#[from] FaultError),
}

/// Which call it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    Chat,
    Completions,
    Embeddings,
}

/// A call, reduced to what the engine acts on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    pub api: Api,
    pub model: Option<String>,
    pub stream: bool,
    pub include_usage: bool,
    pub prompt_tokens: u32,
    /// Keys of the prompt's blocks, empty unless asked for.
    pub prefix: Vec<u64>,
    pub max_tokens: Option<u32>,
    pub min_tokens: u32,
    pub ignore_eos: bool,
    /// Name of the first tool, where there are tools.
    pub tool: Option<String>,
    /// Number of texts to embed, and whether the vectors are wanted in base64.
    pub inputs: usize,
    pub base64: bool,
    pub fault: Option<Fault>,
}

#[derive(Deserialize)]
struct AskBody<'a> {
    #[serde(borrow)]
    model: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    messages: Option<Vec<Message<'a>>>,
    #[serde(borrow)]
    prompt: Option<Text<'a>>,
    #[serde(borrow)]
    input: Option<Text<'a>>,
    #[serde(default)]
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    max_tokens: Option<u32>,
    max_completion_tokens: Option<u32>,
    min_tokens: Option<u32>,
    ignore_eos: Option<bool>,
    n: Option<u32>,
    tools: Option<Vec<Tool>>,
    #[serde(borrow)]
    encoding_format: Option<Cow<'a, str>>,
    #[serde(borrow)]
    dyno_fault: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

#[derive(Deserialize)]
struct Tool {
    function: Option<ToolFunction>,
}

#[derive(Deserialize)]
struct ToolFunction {
    name: String,
}

/// A message of a chat.
#[derive(Deserialize)]
pub struct Message<'a> {
    #[serde(borrow)]
    pub role: Cow<'a, str>,
    #[serde(borrow)]
    content: Option<MessageContent<'a>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum MessageContent<'a> {
    Text(#[serde(borrow)] Cow<'a, str>),
    Parts(#[serde(borrow)] Vec<ContentPart<'a>>),
}

#[derive(Deserialize)]
struct ContentPart<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
}

/// A prompt or an input: text, several texts, token ids, or several lists of ids.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Text<'a> {
    One(#[serde(borrow)] Cow<'a, str>),
    Many(#[serde(borrow)] Vec<Cow<'a, str>>),
    Ids(Vec<u32>),
    ManyIds(Vec<Vec<u32>>),
}

impl Text<'_> {
    fn parts(&self) -> usize {
        match self {
            Self::One(_) | Self::Ids(_) => 1,
            Self::Many(texts) => texts.len(),
            Self::ManyIds(lists) => lists.len(),
        }
    }

    fn tokens(&self) -> u32 {
        match self {
            Self::One(text) => tokens::count(text),
            Self::Many(texts) => texts.iter().map(|text| tokens::count(text)).sum(),
            Self::Ids(ids) => ids.len() as u32,
            Self::ManyIds(lists) => lists.iter().map(|ids| ids.len() as u32).sum(),
        }
    }

    fn rendered(&self) -> String {
        let words = |ids: &Vec<u32>| ids.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
        match self {
            Self::One(text) => text.clone().into_owned(),
            Self::Many(texts) => texts.join(" "),
            Self::Ids(ids) => words(ids),
            Self::ManyIds(lists) => lists.iter().map(words).collect::<Vec<_>>().join(" "),
        }
    }
}

impl Message<'_> {
    /// The message's text; pictures and the like are left out.
    pub fn text(&self) -> Cow<'_, str> {
        match &self.content {
            None => Cow::Borrowed(""),
            Some(MessageContent::Text(text)) => Cow::Borrowed(text),
            Some(MessageContent::Parts(parts)) => {
                Cow::Owned(parts.iter().filter_map(|part| part.text.as_deref()).collect::<Vec<_>>().join(" "))
            }
        }
    }
}

/// The prompt of a chat as text.
pub fn render(messages: &[Message<'_>]) -> String {
    let texts: Vec<_> = messages.iter().map(|m| (m.role.as_ref(), m.text())).collect();
    tokens::render_chat(texts.iter().map(|(role, text)| (*role, text.as_ref())))
}

/// Reads a call. Block keys are worked out only `with_prefix`.
pub fn read(api: Api, bytes: &[u8], header_fault: Option<&str>, with_prefix: bool) -> Result<Ask, AskError> {
    let body: AskBody<'_> = serde_json::from_slice(bytes)?;
    let (prompt_tokens, inputs) = match api {
        Api::Chat => {
            let messages = body.messages.as_ref().filter(|m| !m.is_empty()).ok_or(AskError::NoMessages)?;
            let words: u32 = messages.iter().map(|m| tokens::count(&m.text()) + TEMPLATE_TOKENS_PER_MESSAGE).sum();
            (words + TEMPLATE_TOKENS, 1)
        }
        Api::Completions => {
            let prompt = body.prompt.as_ref().ok_or(AskError::NoPrompt)?;
            if prompt.parts() != 1 {
                return Err(AskError::SeveralPrompts);
            }
            (prompt.tokens(), 1)
        }
        Api::Embeddings => {
            let input = body.input.as_ref().ok_or(AskError::NoInput)?;
            (input.tokens(), input.parts())
        }
    };
    if body.n.is_some_and(|n| n != 1) {
        return Err(AskError::SeveralAnswers);
    }
    let max_tokens = body.max_completion_tokens.or(body.max_tokens);
    if max_tokens == Some(0) {
        return Err(AskError::NoTokens);
    }
    let prefix = match (with_prefix, &body.messages, &body.prompt) {
        (true, Some(messages), _) if api == Api::Chat => tokens::prefix_blocks(&render(messages)),
        (true, _, Some(prompt)) if api == Api::Completions => tokens::prefix_blocks(&prompt.rendered()),
        _ => Vec::new(),
    };
    let fault = header_fault.or(body.dyno_fault.as_deref()).map(str::parse).transpose()?;
    Ok(Ask {
        api,
        stream: body.stream.unwrap_or(false) && api != Api::Embeddings,
        include_usage: body.stream_options.and_then(|o| o.include_usage).unwrap_or(false),
        prompt_tokens,
        prefix,
        max_tokens,
        min_tokens: body.min_tokens.unwrap_or(0),
        ignore_eos: body.ignore_eos.unwrap_or(false),
        tool: body.tools.and_then(|tools| {
            let first = tools.into_iter().next()?;
            Some(first.function.map_or_else(|| "tool".to_owned(), |f| f.name))
        }),
        inputs,
        base64: body.encoding_format.as_deref() == Some("base64"),
        fault,
        model: body.model.map(Cow::into_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_the_tokenizer_says() {
        let chat = br#"{"model":"m","messages":[{"role":"system","content":"a b"},{"role":"user","content":[{"type":"text","text":"c d\u0020e"},{"type":"image_url"}]}],"max_tokens":9,"max_completion_tokens":7,"stream":true,"stream_options":{"include_usage":true},"ignore_eos":true,"temperature":0}"#;
        let ask = read(Api::Chat, chat, None, true).unwrap();
        assert_eq!(ask.prompt_tokens, 5 + 2 + 4);
        assert_eq!((ask.max_tokens, ask.stream, ask.include_usage, ask.ignore_eos), (Some(7), true, true, true));
        let ids = read(Api::Completions, br#"{"prompt":[1,2,3]}"#, Some("cut"), false).unwrap();
        assert_eq!((ids.prompt_tokens, ids.fault), (3, Some(Fault::Cut)));
        let many = read(Api::Embeddings, br#"{"input":["a b","c"],"stream":true}"#, None, false).unwrap();
        assert_eq!((many.prompt_tokens, many.inputs, many.stream), (3, 2, false));
    }

    #[test]
    fn says_what_is_wrong() {
        for (api, body) in [
            (Api::Chat, "{"),
            (Api::Chat, "{}"),
            (Api::Chat, r#"{"messages":[]}"#),
            (Api::Completions, r#"{"prompt":["a","b"]}"#),
            (Api::Completions, r#"{"prompt":"a","n":2}"#),
            (Api::Completions, r#"{"prompt":"a","max_tokens":0}"#),
            (Api::Completions, r#"{"prompt":"a","dyno_fault":"nonsense"}"#),
        ] {
            assert!(read(api, body.as_bytes(), None, false).is_err(), "{body}");
        }
    }
}
