use std::{collections::HashMap, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use dyno_reference::{EngineOptions, ReferenceEngine, config::Dialect};
use serde_json::json;

use super::{
    chat,
    client::{Client, End},
    quick,
};

#[test]
fn models_health_and_version_say_that_they_are_simulated() {
    let engine = ReferenceEngine::start(quick(Dialect::Vllm)).unwrap();
    let mut client = Client::connect(engine.addr());
    let models = client.get("/v1/models").json();
    assert_eq!(models["data"][0]["id"], "m");
    assert!(models["data"][0]["owned_by"].as_str().unwrap().contains("simulated"));
    assert_eq!(client.get("/v1/models/m").json()["id"], "m");
    assert_eq!(client.get("/health").json()["simulated"], true);
    assert!(client.get("/version").json()["version"].as_str().unwrap().starts_with("dyno-reference-engine"));
    assert_eq!(client.get("/v1/nothing").status, 404);
    assert_eq!(client.get("/v1/tokenize").status, 405);
    assert!(client.get("/health").head.contains("x-dyno-simulated: true"));
}

#[test]
fn a_starting_engine_is_not_healthy() {
    let engine =
        ReferenceEngine::start(EngineOptions { ready_after: Duration::from_millis(200), ..quick(Dialect::LlamaCpp) }).unwrap();
    let mut client = Client::connect(engine.addr());
    assert_eq!(client.get("/health").status, 503);
    std::thread::sleep(Duration::from_millis(250));
    assert_eq!(client.get("/health").status, 200);
}

#[test]
fn tokenize_answers_both_who_ask() {
    let engine = ReferenceEngine::start(quick(Dialect::Vllm)).unwrap();
    let mut client = Client::connect(engine.addr());
    let llama = client.post("/tokenize", "", r#"{"content":"a b c"}"#).json();
    assert_eq!(llama["tokens"].as_array().unwrap().len(), 3);
    let vllm = client.post("/tokenize", "", r#"{"model":"m","prompt":"a b c"}"#).json();
    assert_eq!((&vllm["count"], &vllm["max_model_len"], &vllm["tokens"]), (&json!(3), &json!(131_072), &llama["tokens"]));
    let messages = r#"{"model":"m","messages":[{"role":"user","content":"one two three"}]}"#;
    assert_eq!(client.post("/tokenize", "", messages).json()["count"], 7);
    let prompt = client.post("/apply-template", "", messages).json()["prompt"].as_str().unwrap().to_owned();
    let body = json!({"content": prompt}).to_string();
    assert_eq!(client.post("/tokenize", "", &body).json()["tokens"].as_array().unwrap().len(), 7);
    assert_eq!(client.post("/tokenize", "", "{}").status, 400);
}

#[test]
fn embeddings_as_numbers_and_in_base64() {
    let engine = ReferenceEngine::start(quick(Dialect::OpenAi)).unwrap();
    let mut client = Client::connect(engine.addr());
    let plain = client.post("/v1/embeddings", "", r#"{"model":"m","input":["a b","c"]}"#).json();
    assert_eq!(plain["usage"]["prompt_tokens"], 3);
    let vector: Vec<f32> = plain["data"][1]["embedding"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect();
    let coded = client.post("/v1/embeddings", "", r#"{"model":"m","input":["a b","c"],"encoding_format":"base64"}"#).json();
    let bytes = BASE64_STANDARD.decode(coded["data"][1]["embedding"].as_str().unwrap()).unwrap();
    let decoded: Vec<f32> = bytes.chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    assert_eq!(vector, decoded);
}

#[test]
fn wrong_calls_are_refused_in_the_dialects_form() {
    for dialect in [Dialect::Vllm, Dialect::LlamaCpp, Dialect::Tgi, Dialect::OpenAi] {
        let engine = ReferenceEngine::start(EngineOptions { max_model_len: 20, ..quick(dialect) }).unwrap();
        let mut client = Client::connect(engine.addr());
        let long = client.post("/v1/chat/completions", "", &chat(14));
        assert_eq!(long.status, 400);
        let message =
            if dialect == Dialect::Tgi { long.json()["error"].clone() } else { long.json()["error"]["message"].clone() };
        assert!(message.as_str().unwrap().contains("20 tokens"), "{message}");
        assert_eq!(client.post("/v1/chat/completions", "", "{").status, 400);
        let other = client.post("/v1/chat/completions", "", &chat(2).replace("\"m\"", "\"other\"")).status;
        let strict = matches!(dialect, Dialect::Vllm | Dialect::OpenAi);
        assert_eq!(other, if strict { 404 } else { 200 });
    }
}

#[test]
fn a_key_is_asked_for_where_one_is_set() {
    let engine = ReferenceEngine::start(EngineOptions { api_key: Some("k".to_owned()), ..quick(Dialect::Vllm) }).unwrap();
    let mut client = Client::connect(engine.addr());
    assert_eq!(client.post("/v1/chat/completions", "", &chat(1)).status, 401);
    assert_eq!(client.post("/v1/chat/completions", "authorization: Bearer k\r\n", &chat(1)).status, 200);
    assert_eq!(client.get("/health").status, 200);
}

#[test]
fn requests_may_come_in_pieces_in_chunks_and_one_behind_the_other() {
    let engine = ReferenceEngine::start(quick(Dialect::Vllm)).unwrap();
    let mut client = Client::connect(engine.addr());
    let body = chat(2);
    for byte in format!("POST /v1/chat/completions HTTP/1.1\r\ncontent-length: {}\r\n\r\n{body}", body.len()).bytes() {
        client.send(&[byte]);
    }
    assert_eq!(client.answer().end, End::Complete);
    client.send(b"POST /v1/chat/completions HTTP/1.1\r\nexpect: 100-continue\r\ntransfer-encoding: chunked\r\n\r\n");
    let go_on = client_line(&mut client);
    assert!(go_on.starts_with("HTTP/1.1 100"), "{go_on}");
    client.send(format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()).as_bytes());
    assert_eq!(client.answer().status, 200);
    let two = "GET /health HTTP/1.1\r\n\r\nGET /v1/models HTTP/1.1\r\n\r\n";
    client.send(two.as_bytes());
    assert_eq!(client.answer().json()["status"], "ok");
    assert_eq!(client.answer().json()["object"], "list");
}

/// An answer without a body, which the client takes for one that has not ended.
fn client_line(client: &mut Client) -> String {
    client.answer().head
}

#[test]
fn the_metrics_page_parses_and_counts() {
    let engine = ReferenceEngine::start(quick(Dialect::Vllm)).unwrap();
    let mut client = Client::connect(engine.addr());
    for _ in 0..3 {
        client.post("/v1/chat/completions", "", &chat(10));
    }
    let page = client.get("/metrics");
    assert!(page.head.contains("text/plain; version=0.0.4"));
    let mut values = HashMap::new();
    for line in page.text().lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        let (metric, labels) = name.split_once('{').unwrap();
        assert!(
            labels.ends_with('}')
                && page.text().contains(&format!(
                    "# TYPE {}",
                    metric.trim_end_matches("_bucket").trim_end_matches("_sum").trim_end_matches("_count")
                ))
        );
        values.insert(name.to_owned(), value.parse::<f64>().unwrap());
    }
    let labels = "{engine=\"0\",model_name=\"m\"}";
    let value = |name: &str| values[&format!("vllm:{name}{labels}")];
    assert!((value("prompt_tokens_total") - 21.0).abs() < 1e-9);
    assert!((value("generation_tokens_total") - 30.0).abs() < 1e-9);
    assert!((value("time_to_first_token_seconds_count") - 3.0).abs() < 1e-9);
    assert!((value("inter_token_latency_seconds_count") - 27.0).abs() < 1e-9);
    assert!(value("num_requests_running").abs() < 1e-9 && value("kv_cache_usage_perc").abs() < 1e-9);
    assert!((values["dyno_reference_engine_info{simulated=\"true\"}"] - 1.0).abs() < 1e-9);
}
