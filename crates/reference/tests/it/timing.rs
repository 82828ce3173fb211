//! Due times are exact; true times are compared with what a client sees, with room for a busy machine.

use std::{
    thread,
    time::{Duration, Instant},
};

use dyno_reference::{
    EngineOptions, ReferenceEngine, TruthRecord,
    clock::monotonic_ns,
    config::{Dialect, TruthSink},
    timing::Timing,
    truth::TruthKind,
};
use serde_json::Value;

use super::{
    chat,
    client::{Client, End},
    quick,
};

fn due(record: &TruthRecord) -> Vec<u64> {
    record.content().map(|event| event.due_mono_ns).collect()
}

#[test]
fn due_times_follow_the_settings_exactly() {
    let timing = Timing {
        ttft: Duration::from_millis(20),
        itl: Duration::from_micros(1500),
        prompt_token: Duration::from_micros(100),
        ..Timing::default()
    };
    let engine = ReferenceEngine::start(EngineOptions { timing, ..quick(Dialect::Vllm) }).unwrap();
    let sent = monotonic_ns();
    Client::connect(engine.addr()).post("/v1/chat/completions", "x-request-id: abc\r\n", &chat(5));
    let ended = monotonic_ns();
    let record = engine.stop().unwrap().remove(0);
    assert_eq!((record.request_id.as_deref(), record.prompt_tokens, record.output_tokens), (Some("abc"), 7, 5));
    assert_eq!(record.admitted_mono_ns, record.received_mono_ns);
    let first = record.received_mono_ns + 20_000_000 + 700_000;
    assert_eq!(due(&record), (0..5).map(|i| first + i * 1_500_000).collect::<Vec<_>>());
    // The truth lies between the request and the end of the answer, in order, never before it is due.
    assert!(sent < record.received_mono_ns && record.received_mono_ns < ended);
    // The kernel had it after it was sent and before it was read, as far as two clocks can be compared.
    assert!(sent < record.received_mono_ns + 1_000_000, "{record:?}");
    for event in &record.events {
        assert!(event.mono_ns >= event.due_mono_ns && event.mono_ns < ended, "{event:?}");
    }
    assert!(record.events.windows(2).all(|w| w[0].mono_ns <= w[1].mono_ns));
    let offset = |mono: u64, unix: u64| unix.abs_diff(mono);
    let clocks = offset(record.received_mono_ns, record.received_unix_ns);
    assert!(record.events.iter().all(|e| offset(e.mono_ns, e.unix_ns).abs_diff(clocks) < 1_000_000_000));
    assert_eq!(record.events.iter().map(|e| e.kind).next_back(), Some(TruthKind::Done));
}

#[test]
fn a_batch_limit_queues_first_come_first_served() {
    let engine = ReferenceEngine::start(EngineOptions { max_num_seqs: 1, ..quick(Dialect::Vllm) }).unwrap();
    let addr = engine.addr();
    let threads: Vec<_> = (0..4)
        .map(|n| {
            let client = thread::spawn(move || {
                let id = format!("x-request-id: {n}\r\n");
                assert_eq!(Client::connect(addr).post("/v1/chat/completions", &id, &chat(150)).end, End::Complete);
            });
            thread::sleep(Duration::from_millis(5));
            client
        })
        .collect();
    let mut watcher = Client::connect(addr);
    let running = "vllm:num_requests_running{engine=\"0\",model_name=\"m\"} 1\n";
    while !watcher.get("/metrics").text().contains(running) {
        assert!(!threads.iter().all(thread::JoinHandle::is_finished), "no request was seen running");
    }
    for client in threads {
        client.join().unwrap();
    }
    let mut records = engine.stop().unwrap();
    records.sort_by_key(|record| record.received_mono_ns);
    let admitted: Vec<u64> = records.iter().map(|record| record.admitted_mono_ns).collect();
    assert!(admitted.is_sorted());
    for (before, after) in records.iter().zip(&records[1..]) {
        assert!(after.admitted_mono_ns >= before.content().last().unwrap().mono_ns);
        assert_eq!(due(after)[0], after.admitted_mono_ns + 2_000_000);
    }
}

#[test]
fn load_slows_down_and_lock_step_aligns() {
    let timing = Timing { slowdown: 1.0, lock_step: true, ..quick(Dialect::Vllm).timing };
    let engine = ReferenceEngine::start(EngineOptions { timing, ..quick(Dialect::Vllm) }).unwrap();
    let body = chat(300);
    let request = format!("POST /v1/chat/completions HTTP/1.1\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let mut clients = [(); 2].map(|()| Client::connect(engine.addr()));
    clients.iter_mut().for_each(|client| client.send(request.as_bytes()));
    for client in &mut clients {
        assert_eq!(client.answer().end, End::Complete);
    }
    let records = engine.stop().unwrap();
    assert!(records.iter().flat_map(due).all(|at| at % 1_000_000 == 0));
    // While both run each gap is twice as long.
    let slow =
        records.iter().flat_map(|r| due(r).windows(2).map(|w| w[1] - w[0]).collect::<Vec<_>>()).filter(|gap| *gap == 2_000_000);
    assert!(slow.count() > 20);
}

#[test]
fn a_known_prefix_is_cached_and_costs_nothing() {
    let timing = Timing { prompt_token: Duration::from_micros(100), ..quick(Dialect::Vllm).timing };
    let engine = ReferenceEngine::start(EngineOptions { prefix_cache: true, timing, ..quick(Dialect::Vllm) }).unwrap();
    let mut client = Client::connect(engine.addr());
    let words = |last: &str| (0..40).map(|i| format!("w{i} ")).collect::<String>() + last;
    let mut cached = Vec::new();
    for last in ["x", "y"] {
        let body = chat(2).replace("one two three", &words(last));
        let chunks = client.post("/v1/chat/completions", "", &body).chunks_json();
        cached.push(chunks.iter().find_map(|c| c["usage"]["prompt_tokens_details"]["cached_tokens"].as_u64()).unwrap());
    }
    assert_eq!(cached, [0, 32]);
    let records = engine.stop().unwrap();
    let wait = |record: &TruthRecord| due(record)[0] - record.admitted_mono_ns;
    assert_eq!(wait(&records[0]) - wait(&records[1]), 32 * 100_000);
}

#[test]
fn clients_that_go_away_make_room() {
    let engine = ReferenceEngine::start(EngineOptions { max_num_seqs: 1, ..quick(Dialect::Vllm) }).unwrap();
    let body = chat(100_000);
    let request = format!("POST /v1/chat/completions HTTP/1.1\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let (mut running, mut waiting) = (Client::connect(engine.addr()), Client::connect(engine.addr()));
    running.send(request.as_bytes());
    waiting.send(request.as_bytes());
    let mut watcher = Client::connect(engine.addr());
    let both = ["running", "waiting"].map(|state| format!("vllm:num_requests_{state}{{engine=\"0\",model_name=\"m\"}} 1\n"));
    let started = Instant::now();
    while !both.iter().all(|line| watcher.get("/metrics").text().contains(line)) {
        assert!(started.elapsed() < Duration::from_secs(60));
    }
    drop(waiting);
    drop(running);
    assert_eq!(Client::connect(engine.addr()).post("/v1/chat/completions", "", &chat(2)).end, End::Complete);
    let records = engine.stop().unwrap();
    assert_eq!(records.iter().map(|r| r.ending).collect::<Vec<_>>().iter().filter(|e| **e == "abort").count(), 2);
}

#[test]
fn a_reader_that_is_too_slow_delays_its_own_events_only() {
    let timing = Timing { itl: Duration::ZERO, ..quick(Dialect::Vllm).timing };
    let engine = ReferenceEngine::start(EngineOptions { timing, ..quick(Dialect::Vllm) }).unwrap();
    let body = chat(50_000);
    let mut slow = Client::connect(engine.addr());
    slow.send(format!("POST /v1/chat/completions HTTP/1.1\r\ncontent-length: {}\r\n\r\n{body}", body.len()).as_bytes());
    thread::sleep(Duration::from_millis(200));
    assert_eq!(Client::connect(engine.addr()).post("/v1/chat/completions", "", &chat(20)).end, End::Complete);
    let slept = monotonic_ns();
    let response = slow.answer();
    assert_eq!((response.end, response.events().len()), (End::Complete, 50_000 + 4));
    let records = engine.stop().unwrap();
    let ends: Vec<u64> = records.iter().map(|record| record.events.last().unwrap().mono_ns).collect();
    assert!(ends[0] < slept && ends[1] > slept, "{ends:?} {slept}");
}

#[test]
fn many_connections_are_held_at_once() {
    let timing = Timing { ttft: Duration::from_millis(300), ..quick(Dialect::Vllm).timing };
    let engine = ReferenceEngine::start(EngineOptions { timing, ..quick(Dialect::Vllm) }).unwrap();
    let body = chat(3);
    let request = format!("POST /v1/chat/completions HTTP/1.1\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let mut clients: Vec<Client> = (0..1500).map(|_| Client::connect(engine.addr())).collect();
    for client in &mut clients {
        client.send(request.as_bytes());
    }
    for client in &mut clients {
        assert_eq!(client.answer().end, End::Complete);
    }
    let records = engine.stop().unwrap();
    assert_eq!(records.len(), 1500);
    for record in records {
        let due = due(&record);
        assert_eq!(due[0], record.received_mono_ns + 300_000_000);
        assert!(record.content().zip(due).all(|(event, at)| event.mono_ns >= at));
    }
}

#[test]
fn the_truth_file_has_one_line_a_request() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("truth.ndjson");
    let engine = ReferenceEngine::start(EngineOptions { truth: TruthSink::File(path.clone()), ..quick(Dialect::Vllm) }).unwrap();
    let mut client = Client::connect(engine.addr());
    for n in 0..3 {
        client.post("/v1/chat/completions", &format!("x-request-id: r{n}\r\n"), &chat(4));
    }
    engine.stop().unwrap();
    let text = std::fs::read_to_string(path).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    for (n, line) in lines.iter().enumerate() {
        assert_eq!((line["request_id"].as_str().unwrap(), line["simulated"].as_bool()), (format!("r{n}").as_str(), Some(true)));
        assert_eq!(line["kinds"], "hrccccfud");
        for column in ["tokens", "due_mono_ns", "mono_ns", "unix_ns"] {
            assert_eq!(line[column].as_array().unwrap().len(), 9, "{column}");
        }
    }
}
