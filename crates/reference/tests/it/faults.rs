use std::{
    net::TcpStream,
    time::{Duration, Instant},
};

use dyno_reference::{
    EngineOptions, ReferenceEngine, TruthRecord,
    config::{Dialect, KeepAlive},
    timing::Timing,
    tokens,
};
use serde_json::Value;

use super::{
    chat,
    client::{Client, End, Response, content},
    quick,
};

fn struck(fault: &str, body: &str) -> (Response, TruthRecord) {
    let engine = ReferenceEngine::start(quick(Dialect::Vllm)).unwrap();
    let headers = format!("x-request-id: r-1\r\nx-dyno-fault: {fault}\r\n");
    let response = Client::connect(engine.addr()).post("/v1/chat/completions", &headers, body);
    let record = engine.stop().unwrap().remove(0);
    assert_eq!((record.request_id.as_deref(), record.fault.as_deref()), (Some("r-1"), Some(fault)));
    (response, record)
}

#[test]
fn faults_before_an_answer() {
    for (fault, end) in [("reset", End::Reset), ("close", End::Closed), ("hang", End::Silent)] {
        let (response, record) = struck(fault, &chat(8));
        assert_eq!((response.status, response.end, response.body.len()), (0, end, 0), "{fault}");
        assert_eq!(record.content().count(), 0);
    }
    let (response, _) = struck("garbage", &chat(8));
    assert_eq!((response.status, response.end), (0, End::Closed));
    assert!(!response.body.is_empty());
}

#[test]
fn error_answers() {
    for (fault, status) in [("status:400", 400), ("status:429:7", 429), ("status:503", 503)] {
        let (response, record) = struck(fault, &chat(8));
        assert_eq!((response.status, response.end), (status, End::Complete));
        assert!(response.json()["error"]["message"].is_string());
        assert_eq!(response.head.contains("retry-after: 7\r\n"), status == 429);
        assert_eq!(record.ending, "error");
    }
}

#[test]
fn streams_that_break_off() {
    for (fault, end) in [("reset-mid", End::Reset), ("cut", End::Closed), ("end-early", End::Complete)] {
        let (response, record) = struck(fault, &chat(8));
        assert_eq!((response.status, response.end), (200, end), "{fault}");
        assert_eq!((record.ending, record.content().count()), ("error", 4));
        // A reset may overtake bytes that were not read yet.
        if fault != "reset-mid" {
            let chunks = response.chunks_json();
            assert_eq!(tokens::count(&content(&chunks)), 4);
            assert!(chunks.iter().all(|c| c["choices"][0]["finish_reason"].is_null()));
            assert!(!response.text().contains("[DONE]"));
        }
    }
}

#[test]
fn an_error_object_inside_of_a_good_answer() {
    let (response, _) = struck("error-in-stream", &chat(8));
    assert_eq!((response.status, response.end), (200, End::Complete));
    let chunks = response.chunks_json();
    assert!(chunks.last().unwrap()["error"]["message"].is_string());
    assert_eq!(tokens::count(&content(&chunks)), 4);
}

#[test]
fn one_malformed_event_and_the_rest_goes_on() {
    let (response, record) = struck("malformed", &chat(8));
    let events = response.events();
    let broken = events.iter().filter(|e| *e != "[DONE]" && serde_json::from_str::<Value>(e).is_err()).count();
    assert_eq!((response.end, broken), (End::Complete, 1));
    assert_eq!((record.content().count(), events.last().unwrap().as_str()), (7, "[DONE]"));
}

#[test]
fn a_stall_moves_all_later_events() {
    let started = Instant::now();
    let (response, record) = struck("stall:300", &chat(8));
    assert!(started.elapsed() >= Duration::from_millis(300));
    assert_eq!((response.end, tokens::count(&content(&response.chunks_json()))), (End::Complete, 8));
    let due: Vec<u64> = record.content().map(|e| e.due_mono_ns).collect();
    let gaps: Vec<u64> = due.windows(2).map(|w| w[1] - w[0]).collect();
    assert_eq!(gaps, [1_000_000, 1_000_000, 1_000_000, 301_000_000, 1_000_000, 1_000_000, 1_000_000]);
}

#[test]
fn an_empty_answer_ends_well_without_content() {
    let (response, record) = struck("empty", &chat(8));
    let chunks = response.chunks_json();
    assert_eq!((response.end, content(&chunks).len(), record.content().count()), (End::Complete, 0, 0));
    assert!(chunks.iter().any(|c| c["choices"][0]["finish_reason"] == "stop"));
    assert_eq!(response.events().last().unwrap(), "[DONE]");
}

#[test]
fn a_huge_event_is_one_megabyte_and_one_token() {
    let (response, _) = struck("huge", &chat(8));
    let chunks = response.chunks_json();
    let text = content(&chunks);
    assert_eq!((response.end, tokens::count(&text)), (End::Complete, 8));
    assert!(text.len() > 1_000_000);
    assert!(response.chunks.iter().any(|size| *size > 1_000_000));
}

#[test]
fn faults_of_answers_that_are_not_streamed() {
    let body = chat(8).replace("\"stream\":true,", "");
    let end = |fault| {
        let (response, record) = struck(fault, &body);
        (response.status, response.end, serde_json::from_slice::<Value>(&response.body).is_ok(), record.ending)
    };
    assert_eq!(end("cut"), (200, End::Closed, false, "error"));
    assert_eq!(end("malformed"), (200, End::Complete, false, "error"));
    assert_eq!(end("stall:20"), (200, End::Complete, true, "length"));
    let (response, _) = struck("error-in-stream", &body);
    assert!(response.json()["error"].is_object());
    let (response, _) = struck("empty", &body);
    assert_eq!(response.json()["choices"][0]["message"]["content"], "");
}

#[test]
fn a_fault_can_be_asked_for_in_the_body() {
    let engine = ReferenceEngine::start(quick(Dialect::Vllm)).unwrap();
    let body = chat(2).replace("\"stream\":true", r#""stream":true,"dyno_fault":"status:502""#);
    assert_eq!(Client::connect(engine.addr()).post("/v1/chat/completions", "", &body).status, 502);
    let body = body.replace("status:502", "no such fault");
    assert_eq!(Client::connect(engine.addr()).post("/v1/chat/completions", "", &body).status, 400);
}

#[test]
fn faults_by_rate_are_the_same_again_with_the_same_seed() {
    let statuses = |seed| {
        let faults = vec!["status:503=0.3".parse().unwrap(), "status:400=0.2".parse().unwrap()];
        let engine = ReferenceEngine::start(EngineOptions { faults, seed, ..quick(Dialect::Vllm) }).unwrap();
        let mut client = Client::connect(engine.addr());
        (0..60).map(|_| client.post("/v1/chat/completions", "", &chat(1)).status).collect::<Vec<_>>()
    };
    let first = statuses(11);
    assert_eq!(first, statuses(11));
    assert_ne!(first, statuses(12));
    let count = |status| first.iter().filter(|s| **s == status).count();
    assert_eq!([count(503), count(400), count(200)], [19, 6, 35], "{first:?}");
}

#[test]
fn refused_connections_are_reset() {
    let faults = vec!["refuse=1".parse().unwrap()];
    let engine = ReferenceEngine::start(EngineOptions { faults, ..quick(Dialect::Vllm) }).unwrap();
    let connected = TcpStream::connect(engine.addr());
    if let Ok(stream) = connected {
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let error = std::io::Read::read(&mut &stream, &mut [0]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
}

#[test]
fn an_answer_that_takes_no_time_leaves_its_connection_open() {
    let timing = Timing { ttft: Duration::ZERO, itl: Duration::ZERO, ..Timing::default() };
    let engine = ReferenceEngine::start(EngineOptions { timing, ..quick(Dialect::Vllm) }).unwrap();
    let mut client = Client::connect(engine.addr());
    for _ in 0..20 {
        assert_eq!(client.post("/v1/chat/completions", "", &chat(1)).status, 200);
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn kept_connections_end_after_a_number_of_answers_or_idle_time() {
    let keep_alive = KeepAlive { max_requests: Some(2), idle: Some(Duration::from_millis(900)), unannounced: false };
    let engine = ReferenceEngine::start(EngineOptions { keep_alive, ..quick(Dialect::LlamaCpp) }).unwrap();
    let mut client = Client::connect(engine.addr());
    let first = client.post("/v1/chat/completions", "", &chat(2));
    assert!(first.head.contains("keep-alive: timeout=0, max=1\r\n"), "{}", first.head);
    let second = client.post("/v1/chat/completions", "", &chat(2));
    assert!(second.head.contains("connection: close\r\n"), "{}", second.head);
    assert!(client.is_closed());
    let mut idle = Client::connect(engine.addr());
    assert_eq!(idle.get("/v1/models").status, 200);
    assert!(idle.is_closed());

    let keep_alive = KeepAlive { max_requests: Some(1), idle: None, unannounced: true };
    let engine = ReferenceEngine::start(EngineOptions { keep_alive, ..quick(Dialect::Vllm) }).unwrap();
    let mut client = Client::connect(engine.addr());
    assert!(!client.post("/v1/chat/completions", "", &chat(2)).head.contains("connection: close"));
    assert!(client.is_closed());
}
