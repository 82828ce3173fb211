//! The calls that are answered at once, and the vectors of the embeddings call.

use std::borrow::Cow;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    ask::{self, Ask, Message, Text},
    clock::monotonic_ns,
    config::Dialect,
    events,
    http::HttpRequest,
    random::{Purpose, fraction},
    shared::EngineState,
    tokens,
};

#[derive(Debug)]
pub struct Small {
    pub status: u16,
    pub content_type: &'static str,
    pub body: String,
}

impl Small {
    pub fn error(dialect: Dialect, status: u16, message: &str) -> Self {
        let kind = match status {
            400 | 422 => "invalid_request_error",
            401 => "authentication_error",
            404 => "not_found_error",
            429 => "rate_limit_error",
            503 => "unavailable_error",
            _ => "server_error",
        };
        Self { status, content_type: "application/json", body: events::error(dialect, status, kind, message) }
    }

    fn json(value: &Value) -> Self {
        Self { status: 200, content_type: "application/json", body: value.to_string() }
    }
}

/// Answers everything but the three calls that take time.
pub fn answer(shared: &EngineState, request: &HttpRequest<'_>) -> Small {
    let config = &shared.config;
    let dialect = config.shape.dialect;
    let path = request.path.strip_prefix("/v1").unwrap_or(request.path);
    let refused = |error: TokenizeError| Small::error(dialect, 400, &error.to_string());
    match (request.method, path) {
        ("GET", "/health" | "/ping") => {
            let ready_at = shared.started_mono_ns + config.ready_after.as_nanos() as u64;
            if monotonic_ns() < ready_at {
                return Small::error(dialect, 503, "loading model");
            }
            Small::json(&json!({"status": "ok", "simulated": true}))
        }
        ("GET", "/models") => Small::json(&json!({"object": "list", "data": [model(shared)]})),
        ("GET", path) if path.strip_prefix("/models/") == Some(&config.model) => Small::json(&model(shared)),
        ("GET", "/metrics") => Small {
            status: 200,
            content_type: "text/plain; version=0.0.4; charset=utf-8",
            body: shared.metrics.render(&config.model, config.kv_cache_tokens),
        },
        ("GET", "/version") => {
            Small::json(&json!({"version": format!("{} {}", events::FINGERPRINT, env!("CARGO_PKG_VERSION")), "simulated": true}))
        }
        ("GET", "/props") => Small::json(&json!({
            "default_generation_settings": {"n_ctx": config.max_model_len},
            "total_slots": config.max_num_seqs.min(u32::MAX as usize),
            "model_alias": config.model,
            "build_info": events::FINGERPRINT,
        })),
        ("POST", "/tokenize") => tokenize(shared, &request.body).unwrap_or_else(refused),
        ("POST", "/apply-template") => template(&request.body).unwrap_or_else(refused),
        (_, "/health" | "/models" | "/metrics" | "/tokenize" | "/apply-template" | "/version") => {
            Small::error(dialect, 405, "method not allowed")
        }
        _ => Small::error(dialect, 404, "there is nothing at this address"),
    }
}

fn model(shared: &EngineState) -> Value {
    json!({
        "id": shared.config.model,
        "object": "model",
        "created": shared.started_unix_ns / 1_000_000_000,
        "owned_by": "dyno-reference-engine (simulated)",
        "root": shared.config.model,
        "parent": null,
        "max_model_len": shared.config.max_model_len,
    })
}

#[derive(Deserialize)]
struct TokenizeBody<'a> {
    #[serde(borrow)]
    content: Option<Cow<'a, str>>,
    #[serde(borrow)]
    prompt: Option<Text<'a>>,
    #[serde(borrow)]
    messages: Option<Vec<Message<'a>>>,
}

/// Why a text is not counted, or a chat not written out; for the caller.
#[derive(Debug, thiserror::Error)]
enum TokenizeError {
    #[error("the body cannot be read: {0}")]
    Body(#[from] serde_json::Error),
    #[error("content, prompt or messages is needed")]
    NoText,
    #[error("messages is missing")]
    NoMessages,
}

/// llama.cpp asks with `content` and gets `tokens`; vLLM with `prompt` or `messages` and gets `count` and more.
fn tokenize(shared: &EngineState, body: &[u8]) -> Result<Small, TokenizeError> {
    let body: TokenizeBody<'_> = serde_json::from_slice(body)?;
    if let Some(content) = body.content {
        return Ok(Small::json(&json!({"tokens": tokens::ids(&content)})));
    }
    let ids = match (body.prompt, body.messages) {
        (Some(Text::One(text)), _) => tokens::ids(&text),
        (None, Some(messages)) => tokens::ids(&ask::render(&messages)),
        _ => return Err(TokenizeError::NoText),
    };
    let answer = json!({"count": ids.len(), "max_model_len": shared.config.max_model_len, "tokens": ids, "token_strs": null});
    Ok(Small::json(&answer))
}

fn template(body: &[u8]) -> Result<Small, TokenizeError> {
    let body: TokenizeBody<'_> = serde_json::from_slice(body)?;
    let messages = body.messages.ok_or(TokenizeError::NoMessages)?;
    Ok(Small::json(&json!({"prompt": ask::render(&messages)})))
}

/// Length of the vectors.
const DIMENSIONS: u64 = 64;

/// The body of an embeddings answer: seeded vectors, one an input, in the form that was asked for.
pub fn embeddings(ask: &Ask, model: &str, seed: u64) -> String {
    let vector = |input: u64| -> Vec<f32> {
        (0..DIMENSIONS).map(|i| (fraction(seed, input, Purpose::Word, i) * 2.0 - 1.0) as f32 / 8.0).collect()
    };
    let data: Vec<Value> = (0..ask.inputs as u64)
        .map(|input| {
            let vector = vector(input);
            let embedding = if ask.base64 {
                Value::from(BASE64_STANDARD.encode(vector.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>()))
            } else {
                Value::from(vector)
            };
            json!({"object": "embedding", "index": input, "embedding": embedding})
        })
        .collect();
    json!({
        "object": "list",
        "model": model,
        "data": data,
        "system_fingerprint": events::FINGERPRINT,
        "usage": {"prompt_tokens": ask.prompt_tokens, "total_tokens": ask.prompt_tokens},
    })
    .to_string()
}
