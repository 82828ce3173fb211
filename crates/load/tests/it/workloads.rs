//! Workloads: lengths, datasets, embeddings, and the command line without a plan.

use crate::program::dyno;
use std::collections::HashSet;

use serde_json::{Value, json};

use super::scripted::{Bench, STREAM, Scripted, Seen, Then, chunk, ending, good_answer, say, word};

fn content(seen: &Seen) -> String {
    seen.body["messages"][0]["content"].as_str().unwrap().to_owned()
}

/// A server that counts one token per word, and seven for its template.
fn counting_server() -> Scripted {
    Scripted::start(|seen, out| {
        let tokens = content(seen).split(' ').count() as u32 + 7;
        say(out, &format!("{STREAM}{}{}", chunk(&word("x")), ending(tokens, 4)), 0);
        Then::GoOn
    })
}

#[test]
fn lengths_are_made_right_by_the_engines_own_count() {
    let server = counting_server();
    let mut bench = Bench::new(&server.url(), 10);
    bench.plan["load_points"][0]["warmup_requests"] = json!(3);
    let left = bench.run();
    let lengths = left.report.summary.lengths.unwrap();
    let (asked, sent) = (lengths.requested_input.unwrap(), lengths.input.unwrap());
    assert_eq!((asked.min, asked.max, sent.min, sent.max), (20.0, 20.0, 20.0, 20.0));
    let prompts: HashSet<String> = server.seen().iter().map(content).collect();
    assert_eq!(prompts.len(), 13);
}

#[test]
fn spread_lengths_are_asked_for_and_sent_as_asked() {
    let server = counting_server();
    let mut bench = Bench::new(&server.url(), 40);
    bench.plan["load_points"][0]["warmup_requests"] = json!(3);
    bench.plan["workload"] = json!({
        "kind": "synthetic", "input_tokens": 60, "input_lengths": {"kind": "normal", "mean": 45.0, "std": 5.0},
        "output_tokens": 9, "output_lengths": {"kind": "uniform", "min": 2},
    });
    let left = bench.run();
    let measured: Vec<_> = left.records.iter().filter(|record| record.phase == dyno_measure::report::Phase::Measured).collect();
    let asked: HashSet<u32> = measured.iter().filter_map(|record| record.requested_input_tokens).collect();
    assert!(asked.len() > 5 && asked.iter().all(|tokens| *tokens <= 60), "{asked:?}");
    assert!(measured.iter().all(|record| record.input_tokens == record.requested_input_tokens), "{measured:?}");
    let limits: Vec<u64> = server.seen()[3..].iter().map(|seen| seen.body["max_tokens"].as_u64().unwrap()).collect();
    let recorded: Vec<u64> = measured.iter().map(|record| record.requested_output_tokens.unwrap().into()).collect();
    assert_eq!(limits, recorded);
    assert!(limits.contains(&2) && limits.contains(&9) && limits.iter().all(|limit| (2..=9).contains(limit)), "{limits:?}");
    let lengths = left.report.summary.lengths.unwrap();
    assert!(lengths.requested_input.unwrap().std > 1.0 && lengths.output.unwrap().max == 4.0);
}

#[test]
fn a_chat_template_that_can_not_be_used_is_told_in_the_report() {
    let server = Scripted::start(|_, out| {
        say(out, &good_answer(2), 0);
        Then::GoOn
    });
    let mut bench = Bench::new(&server.url(), 2);
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "added_tokens": [],
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "vocab": {"<unk>": 0, "one": 1}, "unk_token": "<unk>"}
    });
    std::fs::write(bench.file("tokenizer.json"), tokenizer.to_string()).unwrap();
    std::fs::write(bench.file("chat_template.jinja"), "{% colour %}").unwrap();
    bench.plan["tokenizer"] = json!({"kind": "file", "path": bench.folder.path()});
    let left = bench.run();
    let said = left.report.notes.iter().find(|note| note.text.contains("chat template"));
    assert!(said.is_some_and(|note| note.text.contains("colour")), "{:?}", left.report.notes);
}

#[test]
fn the_seed_fixes_the_prompts() {
    let prompts = |seed: u64| {
        let server = counting_server();
        let mut bench = Bench::new(&server.url(), 6);
        bench.plan["seed"] = json!(seed);
        bench.run();
        server.seen().iter().map(content).collect::<Vec<_>>()
    };
    let first = prompts(5);
    assert_eq!(first, prompts(5));
    assert_ne!(first, prompts(6));
}

#[test]
fn rows_of_datasets_once_each_then_again() {
    let server = Scripted::start(|_, out| {
        say(out, &good_answer(2), 0);
        Then::GoOn
    });
    let mut bench = Bench::new(&server.url(), 15);
    let rows: String = (0..10)
        .map(|row| {
            json!({"messages": [{"role": "user", "content": format!("row {row}")}], "reference": "four chars per token"})
                .to_string()
                + "\n"
        })
        .collect();
    std::fs::write(bench.file("rows.ndjson"), rows).unwrap();
    bench.plan["workload"] = json!({"kind": "dataset", "files": [{"path": bench.file("rows.ndjson"), "id": uuid::Uuid::nil()}]});
    bench.plan["ignore_eos"] = json!(true);
    let left = bench.run();
    let seen: Vec<String> = server.seen().iter().map(content).collect();
    assert_eq!(seen[..10].iter().collect::<HashSet<_>>().len(), 10);
    assert_eq!(seen[10..], seen[..5]);
    assert!(left.report.notes.iter().any(|note| note.text.contains("repeated: 15 requests, 10 rows")), "{:?}", left.report.notes);
    let body = &server.seen()[0].body;
    assert_eq!((&body["max_tokens"], &body["ignore_eos"], &body["stream"]), (&json!(5), &json!(true), &json!(true)));
}

#[test]
fn embeddings_have_an_end_and_no_first_token() {
    let server = Scripted::start(|seen, out| {
        assert!(seen.path.ends_with("/v1/embeddings") && seen.body["input"].is_string());
        let body = r#"{"object":"list","data":[{"embedding":[0.1,0.2]}],"usage":{"prompt_tokens":20,"total_tokens":20}}"#;
        say(
            out,
            &format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len()),
            0,
        );
        Then::GoOn
    });
    let mut bench = Bench::new(&server.url(), 5);
    bench.plan["endpoint"] = json!("embeddings");
    let left = bench.run();
    let summary = left.report.summary;
    assert_eq!((summary.successful_requests, summary.e2el_ms.map(|figures| figures.n), summary.ttft_ms), (5, Some(5), None));
    assert_eq!((summary.total_input_tokens, summary.total_output_tokens), (Some(100), None));
}

#[test]
fn by_hand() {
    let server = counting_server();
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json");
    let load = |arguments: &[&str]| {
        dyno().arg("load").args(arguments).args(["--self-check", "off"]).env("DYNO_TEST_KEY", "sesame").output().unwrap()
    };
    let url = server.url();
    let done = load(&[
        "--base-url",
        &url,
        "--model",
        "m",
        "--concurrency",
        "2",
        "--num-requests",
        "8",
        "--input-tokens",
        "30",
        "--output-tokens",
        "4",
        "--api-key-env",
        "DYNO_TEST_KEY",
        "--report",
        report.to_str().unwrap(),
    ]);
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    let table = String::from_utf8(done.stdout).unwrap();
    assert!(table.contains("TTFT ms") && table.contains("2 in flight") && table.contains("(few)"), "{table}");
    let text = std::fs::read_to_string(&report).unwrap();
    assert!(!text.contains("sesame"));
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["load_points"][0]["concurrency"], 2);
    assert!(server.seen().iter().all(|seen| seen.head.contains("authorization: Bearer sesame\r\n")));
    // the plan in the report can be read as a plan
    assert!(serde_json::from_value::<dyno_measure::plan::Plan>(report["provenance"]["plan"].clone()).is_ok());

    assert_eq!(load(&["--base-url", &url, "--model", "m"]).status.code(), Some(2));
    assert_eq!(load(&["--base-url", "ftp://x", "--model", "m", "--concurrency", "1"]).status.code(), Some(2));
    assert_eq!(
        load(&["--base-url", &url, "--model", "m", "--concurrency", "1", "--api-key-env", "DYNO_NO_SUCH_KEY"]).status.code(),
        Some(2)
    );
    assert_eq!(load(&["--plan", "/no/such/plan.json"]).status.code(), Some(2));
}

#[test]
fn a_dataset_by_hand() {
    let server = counting_server();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("chats.json");
    let turns = |first: &str| {
        json!([
            { "from": "human", "value": first }, { "from": "gpt", "value": "fine" },
            { "from": "human", "value": format!("{first} again") }, { "from": "gpt", "value": "still fine" },
        ])
    };
    let rows = json!([{ "conversations": turns("one") }, { "conversations": turns("two") }]);
    std::fs::write(&file, rows.to_string()).unwrap();
    let load = |more: &[&str]| {
        let mut command = dyno();
        command.args(["load", "--base-url", &server.url(), "--model", "m", "--concurrency", "1", "--warmup-requests", "0"]);
        command.args(["--self-check", "off", "--engine-metrics", "off", "--dataset"]).arg(&file).args(more);
        command.env("XDG_CACHE_HOME", folder.path()).output().unwrap()
    };
    let output = load(&["--num-requests", "4", "--multi-turn", "--output-tokens", "6"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let chats: Vec<Seen> = server.seen().into_iter().filter(|seen| seen.body["messages"].is_array()).collect();
    assert_eq!(chats.len(), 4);
    assert!(chats.iter().all(|seen| seen.body["max_tokens"] == 6), "{chats:?}");
    let lengths: Vec<usize> = chats.iter().map(|seen| seen.body["messages"].as_array().unwrap().len()).collect();
    assert_eq!(lengths, [1, 3, 1, 3], "turn by turn, with the model's own answers");

    std::fs::write(&file, "{\"prompt\": \"p\"}\n{\"prompt\": 7}\n").unwrap();
    let refused = load(&["--num-requests", "1"]);
    assert_eq!(refused.status.code(), Some(2));
    let words = String::from_utf8_lossy(&refused.stderr);
    assert!(words.contains("chats.json is not understood: line"), "{words}");
}
