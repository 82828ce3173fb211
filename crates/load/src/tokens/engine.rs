//! The tokenize calls of engines.

use serde_json::{Value, json};

use super::Tokens;
use crate::fetch::Fetch;
use dyno_measure::dataset::ChatMessage;

pub(super) fn probe(mut fetch: Fetch, root: &str, model: &str) -> Tokens {
    let hello = [ChatMessage { role: "user".to_owned(), content: "hello".to_owned() }];
    if vllm_text(&mut fetch, root, model, "hello", true).is_some() {
        return Tokens::Vllm(Box::new(fetch), root.to_owned(), model.to_owned());
    }
    if llama_cpp_chat(&mut fetch, root, &hello).is_some() {
        return Tokens::LlamaCpp(Box::new(fetch), root.to_owned());
    }
    Tokens::Estimate
}

pub(super) fn llama_cpp_chat(fetch: &mut Fetch, root: &str, messages: &[ChatMessage]) -> Option<u32> {
    let answer = fetch.post_for_json(&format!("{root}/apply-template"), &json!({ "messages": messages }))?;
    llama_cpp_text(fetch, root, answer.get("prompt")?.as_str()?, true)
}

pub(super) fn llama_cpp_text(fetch: &mut Fetch, root: &str, text: &str, as_prompt: bool) -> Option<u32> {
    let body = json!({ "content": text, "add_special": as_prompt, "parse_special": as_prompt });
    let answer = fetch.post_for_json(&format!("{root}/tokenize"), &body)?;
    u32::try_from(answer.get("tokens")?.as_array()?.len()).ok()
}

pub(super) fn vllm_chat(fetch: &mut Fetch, root: &str, model: &str, messages: &[ChatMessage]) -> Option<u32> {
    let body = json!({ "model": model, "messages": messages, "add_generation_prompt": true });
    count_of(&fetch.post_for_json(&format!("{root}/tokenize"), &body)?)
}

pub(super) fn vllm_text(fetch: &mut Fetch, root: &str, model: &str, text: &str, as_prompt: bool) -> Option<u32> {
    let body = json!({ "model": model, "prompt": text, "add_special_tokens": as_prompt });
    count_of(&fetch.post_for_json(&format!("{root}/tokenize"), &body)?)
}

fn count_of(answer: &Value) -> Option<u32> {
    u32::try_from(answer.get("count")?.as_u64()?).ok()
}
