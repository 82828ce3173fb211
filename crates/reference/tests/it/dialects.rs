use std::{io::Read, time::Duration};

use dyno_reference::{
    EngineOptions, ReferenceEngine,
    config::{Dialect, EventFormat, FinishPosition, Framing, LineEnd, RoleContent, RolePosition, UsagePlace, Wire},
    tokens,
    truth::TruthKind,
};
use serde_json::{Value, json};

use super::{
    chat,
    client::{Client, End, Response, content},
    quick,
};

const ALL: [Dialect; 4] = [Dialect::Vllm, Dialect::LlamaCpp, Dialect::Tgi, Dialect::OpenAi];

fn stream(config: EngineOptions, path: &str, body: &str) -> Response {
    let engine = ReferenceEngine::start(config).unwrap();
    let response = Client::connect(engine.addr()).post(path, "", body);
    assert_eq!((response.status, response.end), (200, End::Complete), "{response:?}");
    engine.stop().unwrap();
    response
}

fn usage(chunks: &[Value]) -> &Value {
    chunks.iter().map(|chunk| &chunk["usage"]).find(|usage| usage.is_object()).unwrap()
}

#[test]
fn every_dialect_streams_a_whole_chat_with_exact_lengths() {
    for dialect in ALL {
        let response = stream(quick(dialect), "/v1/chat/completions", &chat(20));
        let chunks = response.chunks_json();
        assert_eq!(tokens::count(&content(&chunks)), 20, "{dialect:?}");
        assert_eq!(usage(&chunks)["completion_tokens"], 20);
        assert_eq!(usage(&chunks)["prompt_tokens"], 3 + 4);
        assert_eq!(usage(&chunks)["total_tokens"], 27);
        assert_eq!(chunks.iter().filter(|c| c["choices"][0]["finish_reason"] == "length").count(), 1);
        assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
        assert!(chunks.iter().all(|c| c["system_fingerprint"] == "dyno-reference-engine"));
        assert_eq!(response.events().last().unwrap(), "[DONE]");
        assert!(response.head.contains("server: dyno-reference-engine"));
    }
}

#[test]
fn every_dialect_streams_a_whole_completion() {
    let body = r#"{"model":"m","prompt":"a b c d","max_tokens":9,"ignore_eos":true,"stream":true,"stream_options":{"include_usage":true}}"#;
    for dialect in ALL {
        let chunks = stream(quick(dialect), "/v1/completions", body).chunks_json();
        assert_eq!(tokens::count(&content(&chunks)), 9);
        assert_eq!((&usage(&chunks)["prompt_tokens"], &usage(&chunks)["completion_tokens"]), (&json!(4), &json!(9)));
        let last_text = chunks.iter().rev().find(|c| c["choices"][0]["text"].as_str().is_some_and(|t| !t.is_empty())).unwrap();
        assert_eq!(last_text["choices"][0]["finish_reason"], "length");
    }
}

#[test]
fn role_finish_and_usage_are_where_the_dialect_has_them() {
    let choices = |dialect| {
        let chunks = stream(quick(dialect), "/v1/chat/completions", &chat(2)).chunks_json();
        chunks.iter().map(|c| (c["choices"][0]["delta"].clone(), c["choices"][0]["finish_reason"].clone())).collect::<Vec<_>>()
    };
    let vllm = choices(Dialect::Vllm);
    assert_eq!(vllm.len(), 5);
    assert_eq!(vllm[0].0, json!({"role": "assistant", "content": ""}));
    assert_eq!(vllm[3], (json!({"content": ""}), json!("length")));
    let llama = choices(Dialect::LlamaCpp);
    assert_eq!(llama[0].0, json!({"role": "assistant", "content": null}));
    assert_eq!(llama[3], (json!({}), json!("length")));
    let tgi = choices(Dialect::Tgi);
    assert_eq!(tgi.len(), 2);
    assert_eq!((&tgi[1].0["role"], &tgi[1].1), (&json!("assistant"), &json!("length")));
}

#[test]
fn usage_is_left_out_unless_asked_for() {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"x"}],"max_tokens":3,"stream":true}"#;
    for dialect in ALL {
        let chunks = stream(quick(dialect), "/v1/chat/completions", body).chunks_json();
        assert!(chunks.iter().all(|c| c.get("usage").is_none()), "{dialect:?}");
    }
}

#[test]
fn single_habits_can_be_changed() {
    let shape = EventFormat {
        role: RolePosition::WithFirst,
        role_content: RoleContent::Absent,
        finish: FinishPosition::WithLast,
        usage: UsagePlace::InFinish,
        done: false,
        line_end: LineEnd::Crlf,
        multi_line: true,
        data_space: false,
        empty_every: 2,
        tokens_per_event: 4,
        ping_every: Some(Duration::from_millis(1)),
        ..EventFormat::of(Dialect::Vllm)
    };
    let response = stream(EngineOptions { shape, ..quick(Dialect::Vllm) }, "/v1/chat/completions", &chat(18));
    assert!(response.text().contains(": ping\r\n\r\n"));
    assert!(!response.text().replace("\r\n", "").contains('\n'));
    assert!(!response.text().contains("[DONE]"));
    let chunks = response.chunks_json();
    let texts: Vec<&str> = chunks.iter().map(|c| c["choices"][0]["delta"]["content"].as_str().unwrap()).collect();
    assert_eq!(texts.iter().filter(|t| t.is_empty()).count(), 2);
    assert_eq!(texts.iter().map(|t| tokens::count(t)).filter(|n| *n > 0).collect::<Vec<_>>(), [4, 4, 4, 4, 2]);
    let last = chunks.last().unwrap();
    assert_eq!((&last["choices"][0]["finish_reason"], &last["usage"]["completion_tokens"]), (&json!("length"), &json!(18)));
}

#[test]
fn reasoning_and_tool_calls_have_their_own_deltas() {
    let shape = EventFormat { reasoning_tokens: 5, hidden_reasoning_tokens: 3, ..EventFormat::of(Dialect::OpenAi) };
    let chunks = stream(EngineOptions { shape, ..quick(Dialect::OpenAi) }, "/v1/chat/completions", &chat(12)).chunks_json();
    let thought: String = chunks.iter().filter_map(|c| c["choices"][0]["delta"]["reasoning_content"].as_str()).collect();
    assert_eq!((tokens::count(&thought), tokens::count(&content(&chunks))), (5, 4));
    assert_eq!(usage(&chunks)["completion_tokens"], 12);
    assert_eq!(usage(&chunks)["completion_tokens_details"]["reasoning_tokens"], 8);

    let body = chat(6).replace("\"stream\":true", r#""stream":true,"tools":[{"type":"function","function":{"name":"look"}}]"#);
    let chunks = stream(quick(Dialect::Vllm), "/v1/chat/completions", &body).chunks_json();
    let calls: Vec<&Value> =
        chunks.iter().map(|c| &c["choices"][0]["delta"]["tool_calls"][0]).filter(|c| c.is_object()).collect();
    assert_eq!((calls.len(), &calls[0]["function"]["name"]), (6, &json!("look")));
    let arguments: String = calls.iter().map(|c| c["function"]["arguments"].as_str().unwrap()).collect();
    assert!(serde_json::from_str::<Value>(&arguments).unwrap()["words"].is_string());
    assert!(chunks.iter().any(|c| c["choices"][0]["finish_reason"] == "tool_calls"));
}

#[test]
fn every_way_over_the_wire_carries_the_same_stream() {
    let plain = stream(quick(Dialect::Vllm), "/v1/chat/completions", &chat(30)).chunks_json();
    for framing in [Framing::Every(1), Framing::Every(5), Framing::Random(9), Framing::UntilClose] {
        for bytes_per_write in [0, 3] {
            let wire = Wire { framing, bytes_per_write, ..Wire::default() };
            let response = stream(EngineOptions { wire, ..quick(Dialect::Vllm) }, "/v1/chat/completions", &chat(30));
            assert_eq!(content(&response.chunks_json()), content(&plain), "{framing:?}");
            let limit = match framing {
                Framing::Every(n) | Framing::Random(n) => n,
                _ => 0,
            };
            assert!(response.chunks.iter().all(|size| *size <= limit), "{framing:?}");
        }
    }
}

#[test]
fn compressed_streams_are_flushed_after_each_event() {
    let wire = Wire { gzip: true, framing: Framing::Random(40), ..Wire::default() };
    let engine = ReferenceEngine::start(EngineOptions { wire, ..quick(Dialect::Vllm) }).unwrap();
    let mut client = Client::connect(engine.addr());
    let mut response = client.post("/v1/chat/completions", "accept-encoding: br, gzip\r\n", &chat(10));
    assert!(response.head.contains("content-encoding: gzip\r\n"));
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(response.body.as_slice()).read_to_end(&mut plain).unwrap();
    response.body = plain;
    assert_eq!(tokens::count(&content(&response.chunks_json())), 10);
    assert!(!client.post("/v1/chat/completions", "", &chat(10)).head.contains("content-encoding"));
    // What is read before the cut can be unpacked.
    let cut = client.post("/v1/chat/completions", "accept-encoding: gzip\r\nx-dyno-fault: cut\r\n", &chat(10));
    let mut half = Vec::new();
    let error = flate2::read::GzDecoder::new(cut.body.as_slice()).read_to_end(&mut half).unwrap_err();
    assert_eq!((cut.end, error.kind()), (End::Closed, std::io::ErrorKind::UnexpectedEof));
    assert_eq!(String::from_utf8(half).unwrap().matches("data: ").count(), 1 + 5);
}

#[test]
fn coalesced_events_share_one_write() {
    let wire = Wire { events_per_write: 4, ..Wire::default() };
    let engine = ReferenceEngine::start(EngineOptions { wire, ..quick(Dialect::Vllm) }).unwrap();
    let response = Client::connect(engine.addr()).post("/v1/chat/completions", "", &chat(13));
    assert_eq!(tokens::count(&content(&response.chunks_json())), 13);
    let record = engine.stop().unwrap().remove(0);
    let stamps: Vec<u64> = record.content().map(|e| e.mono_ns).collect();
    let mut distinct = stamps.clone();
    distinct.dedup();
    assert_eq!((stamps.len(), distinct.len()), (13, 4));
    assert!(stamps[1..5].iter().all(|stamp| *stamp == stamps[1]));
}

#[test]
fn answers_that_are_not_streamed_are_whole() {
    for dialect in ALL {
        let body = chat(15).replace("\"stream\":true,", "");
        let answer = stream(quick(dialect), "/v1/chat/completions", &body).json();
        assert_eq!(tokens::count(answer["choices"][0]["message"]["content"].as_str().unwrap()), 15);
        assert_eq!(answer["usage"]["completion_tokens"], 15);
        assert_eq!(answer["choices"][0]["finish_reason"], "length");
    }
}

#[test]
fn without_ignore_eos_the_length_is_seeded_and_the_end_is_a_step_of_its_own() {
    let body = chat(40).replace("\"ignore_eos\":true,", "");
    let lengths = |seed| {
        let engine = ReferenceEngine::start(EngineOptions { seed, ..quick(Dialect::Vllm) }).unwrap();
        let mut client = Client::connect(engine.addr());
        (0..4)
            .map(|_| {
                let chunks = client.post("/v1/chat/completions", "", &body).chunks_json();
                usage(&chunks)["completion_tokens"].as_u64().unwrap()
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(lengths(5), lengths(5));
    assert_ne!(lengths(5), lengths(6));
    assert_eq!(lengths(5), [13, 3, 2, 29]);

    let engine = ReferenceEngine::start(EngineOptions { seed: 5, ..quick(Dialect::Vllm) }).unwrap();
    Client::connect(engine.addr()).post("/v1/chat/completions", "", &body);
    let record = engine.stop().unwrap().remove(0);
    let last = record.content().last().unwrap().due_mono_ns;
    let finish = record.events.iter().find(|e| e.kind == TruthKind::Finish).unwrap();
    assert_eq!((record.ending, finish.due_mono_ns - last), ("stop", 1_000_000));
}
