//! Traces, conversations and embeddings, from the plan to the report.

use crate::program::dyno;
use std::collections::HashSet;
use std::time::Duration;

use dyno_measure::report::{ErrorClass, Phase, RequestRecord};
use dyno_reference::{EngineOptions, ReferenceEngine, Running, timing::Timing};
use serde_json::{Value, json};

use super::scripted::{Bench, Left, STREAM, Scripted, Then, chunk, ending, good_answer, say, word};

fn trace_bench(url: &str, rows: &[Value], load: Value) -> Bench {
    let mut bench = Bench::new(url, 1);
    let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
    std::fs::write(bench.file("trace.jsonl"), text).unwrap();
    bench.plan["workload"] = json!({"kind": "trace", "file": {"path": bench.file("trace.jsonl"), "id": uuid::Uuid::nil()}});
    bench.plan["load_points"] = json!([{"load": load, "warmup_requests": 0}]);
    bench
}

fn measured(left: &Left) -> Vec<RequestRecord> {
    let mut records: Vec<_> = left.records.iter().filter(|record| record.phase == Phase::Measured).cloned().collect();
    records.sort_by_key(|record| (record.scheduled_unix_ns, record.id.len(), record.id.clone()));
    records
}

fn quick_engine(config: EngineOptions) -> Running {
    let timing = Timing { ttft: Duration::from_millis(2), itl: Duration::from_millis(1), ..Timing::default() };
    ReferenceEngine::start(EngineOptions { model: "m".to_owned(), timing, ..config }).unwrap()
}

#[test]
fn a_trace_is_played_at_its_own_times_and_lengths() {
    let server = Scripted::start(|_, out| {
        say(out, &good_answer(2), 0);
        Then::GoOn
    });
    let rows: Vec<Value> = (0..10)
        .rev()
        .map(|row| json!({"timestamp": 5_000 + row * 100, "input_length": 30 + row, "output_length": 3 + row}))
        .collect();
    let left = trace_bench(&server.url(), &rows, json!({"kind": "trace", "time_scale": 2.0})).run();
    let records = measured(&left);
    assert_eq!(records.len(), 10);
    let begin = records[0].scheduled_unix_ns.unwrap();
    for (place, record) in (0_i64..).zip(&records) {
        // the clock offset is re-read during the load
        let off = record.scheduled_unix_ns.unwrap() - begin - place * 50_000_000;
        assert!(off.abs() < 5_000_000, "{place}: {off}");
        assert_eq!(record.requested_input_tokens, Some(30 + place as u32));
        assert_eq!(record.requested_output_tokens, Some(3 + place as u32));
    }
    let summary = &left.report.summary;
    assert!((summary.requested_rate.unwrap() - 20.0).abs() < 0.5, "{:?}", summary.requested_rate);
    assert!(summary.ttft_from_schedule_ms.is_some() && summary.schedule_lag_ms.as_ref().unwrap().n == 10);
    assert!(left.report.notes.iter().any(|note| note.text.contains("2 times as fast")), "{:?}", left.report.notes);
}

#[test]
fn a_traces_arrivals_over_the_cap_are_counted() {
    let server = Scripted::start(|_, out| {
        say(out, STREAM, 400);
        say(out, &(chunk(&word("x")) + &ending(20, 1)), 0);
        Then::GoOn
    });
    let rows: Vec<Value> = (0..4).map(|row| json!({"timestamp": row * 20, "input_length": 30, "output_length": 3})).collect();
    let left = trace_bench(&server.url(), &rows, json!({"kind": "trace", "max_in_flight": 2})).run();
    assert_eq!((left.report.summary.total_requests, left.report.summary.dropped_requests), (4, 2));
    let dropped: Vec<_> = measured(&left).into_iter().filter(|record| record.error_class == Some(ErrorClass::Dropped)).collect();
    assert!(dropped.len() == 2 && dropped.iter().all(|record| record.scheduled_unix_ns.is_some()));
    // `num_requests` ends the trace early
    let mut bench = trace_bench(&server.url(), &rows, json!({"kind": "trace"}));
    bench.plan["load_points"][0]["num_requests"] = json!(1);
    assert_eq!(bench.run().report.summary.total_requests, 1);
}

#[test]
fn blocks_of_a_trace_are_found_again_in_the_engines_cache() {
    let engine = quick_engine(EngineOptions { prefix_cache: true, ..EngineOptions::default() });
    let row =
        |at: u32, length: u32, ids: Value| json!({"timestamp": at, "input_length": length, "output_length": 2, "hash_ids": ids});
    let rows = [
        row(0, 1_100, json!([1, 2, 3])),
        row(300, 1_200, json!([1, 2, 4])),
        row(600, 900, json!([5, 6])),
        row(601, 2, json!([7])),
    ];
    let url = format!("http://{}", engine.addr());
    let mut bench = trace_bench(&url, &rows, json!({"kind": "trace"}));
    bench.plan["tokenizer"] = json!({"kind": "engine"});
    let left = bench.run();
    let records = measured(&left);
    assert!(records.iter().all(|record| record.error.is_none()), "{records:?}");
    let lengths: Vec<_> = records.iter().map(|record| record.input_tokens.unwrap()).collect();
    assert_eq!(lengths[..3], [1_100, 1_200, 900]);
    // shorter than the template: a note, and the shortest possible prompt
    assert_eq!((records[3].input_tokens, records[3].requested_input_tokens), (Some(lengths[3]), Some(lengths[3])));
    assert!(
        left.report.notes.iter().any(|note| note.text.contains("1 requests of the trace are shorter")),
        "{:?}",
        left.report.notes
    );
    let cached: Vec<u32> = records.iter().map(|record| record.cached_tokens.unwrap_or(0)).collect();
    assert!(cached[0] == 0 && cached[2] == 0, "{cached:?}");
    assert!((1_024 - 16..=1_040).contains(&cached[1]), "{cached:?}");
}

#[test]
fn a_trace_by_hand() {
    let server = Scripted::start(|_, out| {
        say(out, &good_answer(2), 0);
        Then::GoOn
    });
    let folder = tempfile::tempdir().unwrap();
    let (trace, report) = (folder.path().join("day.csv"), folder.path().join("report.json"));
    let rows = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6,40,5\n2023-11-16 18:16:46.6,9000,5\n2023-11-16 18:17:46.6,50,7\n";
    std::fs::write(&trace, rows).unwrap();
    let url = server.url();
    let output = dyno()
        .args(["load", "--base-url", &url, "--model", "m", "--time-scale", "1000", "--context-tokens", "8192"])
        .args(["--max-in-flight", "4", "--warmup-requests", "2", "--engine-metrics", "off", "--self-check", "off", "--trace"])
        .arg(&trace)
        .arg("--report")
        .arg(&report)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let report: dyno_measure::report::Report = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    assert_eq!(report.summary.successful_requests, 2);
    assert!(report.notes.iter().any(|note| note.text.contains("1 of 3 requests")), "{:?}", report.notes);
    let limits: Vec<u64> = server.seen().iter().map(|seen| seen.body["max_tokens"].as_u64().unwrap()).collect();
    assert_eq!(limits[2..], [5, 7]);
}

#[test]
fn conversations_go_on_with_the_models_own_answers() {
    let server = Scripted::start(|seen, out| {
        // reasoning is not part of the history
        let thought = "data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\n";
        let said = seen.body["messages"].as_array().unwrap().len();
        let words = chunk(thought) + &chunk(&word(&format!("answer \"{said}\" "))) + &chunk(&word("é"));
        say(out, &format!("{STREAM}{words}{}", ending(9, 4)), 0);
        Then::GoOn
    });
    let mut bench = Bench::new(&server.url(), 12);
    let says = |role: &str, content: &str| json!({"role": role, "content": content});
    let rows: String = (0..4)
        .map(|row| {
            json!({
                "messages": [says("user", &format!("first {row}")), says("assistant", "recorded"), says("user", "second")],
                "more_turns": ["third"],
            })
            .to_string()
                + "\n"
        })
        .collect();
    std::fs::write(bench.file("rows.jsonl"), rows).unwrap();
    let file = json!({"path": bench.file("rows.jsonl"), "id": uuid::Uuid::nil()});
    bench.plan["workload"] = json!({"kind": "dataset", "files": [file], "multi_turn": true, "max_output_tokens": 8});
    bench.plan["load_points"][0]["load"]["concurrency"] = json!(2);
    let left = bench.run();
    assert_eq!((left.report.summary.successful_requests, left.records.len()), (12, 12), "{:?}", left.report.error_examples);
    let sent: Vec<Vec<String>> = server
        .seen()
        .iter()
        .map(|seen| {
            let messages = seen.body["messages"].as_array().unwrap();
            messages.iter().map(|message| message["content"].as_str().unwrap().to_owned()).collect()
        })
        .collect();
    let last: Vec<_> = sent.iter().filter(|messages| messages.len() == 5).collect();
    // `num_requests` cuts off at most two conversations
    assert!(last.len() >= 3, "{sent:?}");
    for messages in &last {
        let rest: Vec<&str> = messages[1..].iter().map(String::as_str).collect();
        assert_eq!(rest, ["answer \"1\" é", "second", "answer \"3\" é", "third"]);
    }
    assert_eq!(last.iter().map(|messages| &messages[0]).collect::<HashSet<_>>().len(), last.len());
    assert!(server.seen().iter().all(|seen| seen.body["max_tokens"] == 8));
}

#[test]
fn a_conversation_whose_turn_failed_is_given_up() {
    let server = Scripted::start(|seen, out| {
        if seen.body["messages"].as_array().unwrap().len() > 1 {
            say(out, "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n", 0);
        } else {
            say(out, &good_answer(2), 0);
        }
        Then::GoOn
    });
    let mut bench = Bench::new(&server.url(), 4);
    std::fs::write(
        bench.file("rows.jsonl"),
        "{\"messages\":[{\"role\":\"user\",\"content\":\"q\"}],\"more_turns\":[\"r\",\"s\"]}\n",
    )
    .unwrap();
    let file = json!({"path": bench.file("rows.jsonl"), "id": uuid::Uuid::nil()});
    bench.plan["workload"] = json!({"kind": "dataset", "files": [file], "multi_turn": true});
    let left = bench.run();
    assert_eq!((left.report.summary.successful_requests, left.report.summary.failed_requests), (2, 2));
    assert!(left.report.notes.iter().any(|note| note.text.starts_with("Conversations were repeated")), "{:?}", left.report.notes);
}

#[test]
fn embeddings_of_exact_lengths_have_input_throughput_and_nothing_that_streams() {
    let engine = quick_engine(EngineOptions::default());
    let mut bench = Bench::new(&format!("http://{}", engine.addr()), 20);
    bench.plan["endpoint"] = json!("embeddings");
    bench.plan["tokenizer"] = json!({"kind": "engine"});
    bench.plan["workload"] = json!({
        "kind": "synthetic", "input_tokens": 80, "output_tokens": 1, "input_lengths": {"kind": "uniform", "min": 20},
    });
    let left = bench.run();
    let records = measured(&left);
    assert!(records.iter().all(|record| record.error.is_none() && record.input_tokens == record.requested_input_tokens));
    assert!(records.iter().all(|record| record.requested_output_tokens.is_none() && record.output_tokens.is_none()));
    let summary = serde_json::to_value(&left.report.summary).unwrap();
    for absent in
        ["ttft_ms", "ttfo_ms", "tpot_ms", "itl_ms", "output_throughput", "output_throughput_per_user", "tokens_per_event"]
    {
        assert!(summary.get(absent).is_none(), "{absent}: {}", summary[absent]);
    }
    let seconds = summary["duration_s"].as_f64().unwrap();
    let input = summary["total_input_tokens"].as_f64().unwrap();
    assert!((summary["total_throughput"].as_f64().unwrap() - input / seconds).abs() < 1e-6 * input / seconds);
    assert_eq!(summary["e2el_ms"]["n"], 20);
    assert!(summary["lengths"].get("output").is_none() && summary["lengths"].get("requested_output").is_none());
    // A busy machine may be a reason.
    assert!(left.report.invalid_reasons.iter().all(|reason| !reason.contains("token")), "{:?}", left.report.invalid_reasons);
}
