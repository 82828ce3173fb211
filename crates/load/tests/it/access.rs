//! Reaching a server: refusals, redirects, unreachable servers, and loads that end because of errors.

use std::net::TcpListener;
use std::time::Duration;

use serde_json::json;

use super::program::dyno;
use super::scripted::{Bench, Scripted, Then, good_answer, say};

fn refusal(words: &str) -> String {
    format!("HTTP/1.1 400 Bad Request\r\ncontent-length: {}\r\n\r\n{words}", words.len())
}

#[test]
fn the_output_limit_goes_by_the_name_that_the_server_takes() {
    for (taken, refused) in [("max_completion_tokens", "max_tokens"), ("max_tokens", "max_completion_tokens")] {
        let server = Scripted::start(move |seen, out| {
            let words = format!("{{\"error\":{{\"message\":\"Unsupported parameter: '{refused}'.\"}}}}");
            say(out, &if seen.body.get(refused).is_some() { refusal(&words) } else { good_answer(3) }, 0);
            Then::GoOn
        });
        let mut bench = Bench::new(&server.url(), 4);
        bench.plan["token_limit"] = json!(refused);
        let left = bench.run();
        assert_eq!(left.report.summary.successful_requests, 4, "{:?}", left.report.error_examples);
        assert_eq!(server.seen().len(), 5, "asked once under the other name");
        assert_eq!(server.seen()[1].body[taken], json!(8));
        let note = format!("The server refused {refused}: the output was limited by {taken}.");
        assert!(left.report.notes.iter().any(|said| said.text == note), "{:?}", left.report.notes);
    }
    // a server that refuses both names gets no endless retries
    let server = Scripted::start(|_, out| {
        say(out, &refusal("max_tokens and max_completion_tokens are not supported"), 0);
        Then::GoOn
    });
    let left = Bench::new(&server.url(), 3).run();
    assert_eq!((left.report.summary.failed_requests, server.seen().len()), (3, 4));
}

#[test]
fn a_redirect_says_where_it_leads() {
    let server = Scripted::start(|_, out| {
        say(
            out,
            "HTTP/1.1 308 Permanent Redirect\r\nlocation: https://other.example/v1/?key=abc\r\ncontent-length: 0\r\n\r\n",
            0,
        );
        Then::GoOn
    });
    let words = Bench::new(&server.url(), 1).run().records[0].error.clone().unwrap();
    assert!(words.contains("https://other.example/v1/") && !words.contains("abc"), "{words}");
}

#[test]
fn a_server_that_comes_late_costs_few_requests() {
    let free = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let mut bench = Bench::new(&format!("http://{address}"), 40);
    bench.plan["load_points"][0]["load"]["concurrency"] = 4.into();
    let load = bench.start();
    bench.wait_for_records(1);
    std::thread::sleep(Duration::from_millis(1500));
    let listener = TcpListener::bind(address).unwrap();
    std::thread::spawn(move || {
        let real = Scripted::start(|_, out| {
            say(out, &good_answer(2), 0);
            Then::GoOn
        });
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            let there = std::net::TcpStream::connect(real.address).unwrap();
            for (mut from, mut to) in [(stream.try_clone().unwrap(), there.try_clone().unwrap()), (there, stream)] {
                std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            }
        }
    });
    let summary = bench.left_by(load).report.summary;
    assert!(summary.successful_requests >= 28 && summary.failed_requests > 0, "{:?}", summary.errors);
}

#[test]
fn a_hopeless_load_ends_where_that_was_asked_for() {
    let server = Scripted::start(|_, out| {
        say(out, "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n", 0);
        Then::GoOn
    });
    let mut bench = Bench::new(&server.url(), 1000);
    bench.plan["max_error_rate"] = 0.5.into();
    let left = bench.run();
    assert_eq!((left.report.summary.total_requests, left.output.status.code()), (100, Some(1)));
    assert!(bench.end()["data"]["reason"].as_str().unwrap().contains("over 50 %"), "{}", bench.end());
}

#[test]
fn a_load_most_of_which_failed_is_no_success() {
    for (good, code) in [(2, 1), (3, 0)] {
        let server = Scripted::start(move |seen, out| {
            let failed = "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n";
            say(out, &if seen.of_connection % 5 < good { good_answer(3) } else { failed.to_owned() }, 0);
            Then::GoOn
        });
        let left = Bench::new(&server.url(), 5).run();
        assert_eq!((left.report.summary.successful_requests, left.output.status.code()), (good as u64, Some(code)));
    }
}

#[test]
fn headers_and_fields_of_ones_own_are_sent_and_no_secret_is_kept() {
    let server = Scripted::start(|_, out| {
        say(out, &good_answer(3), 0);
        Then::GoOn
    });
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json");
    let run = |arguments: &[&str]| {
        let mut command = dyno();
        command.args(["load", "--model", "m", "--concurrency", "1", "--num-requests", "2", "--warmup-requests", "0"]);
        command.args(["--input-tokens", "8", "--self-check", "off", "--engine-metrics", "off", "--base-url"]);
        // the full URL of the call, as people paste it
        command.arg(format!("{}/v1/chat/completions", server.url())).arg("--report").arg(&report);
        command.args(arguments).env("MY_KEY", "abc-secret").output().unwrap()
    };
    let output = run(&["--header", "x-team: blue", "--header", "api-key: $MY_KEY", "--extra-body", r#"{"top_k":3}"#]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let seen = server.seen();
    assert!(seen[0].head.contains("x-team: blue\r\n") && seen[0].head.contains("api-key: abc-secret\r\n"), "{}", seen[0].head);
    assert_eq!((seen[0].path.as_str(), &seen[0].body["top_k"]), ("/v1/chat/completions", &json!(3)));
    let kept = std::fs::read_to_string(&report).unwrap();
    assert!(kept.contains("MY_KEY") && !kept.contains("abc-secret"));
    for refused in [["--header", "api-key: abc-secret"], ["--extra-body", r#"{"max_tokens":3}"#], ["--extra-body", "[1]"]] {
        assert_eq!(run(&refused).status.code(), Some(2), "{refused:?}");
    }
}

#[test]
fn a_slip_in_a_plan_is_said_and_stops_nothing() {
    let server = Scripted::start(|_, out| {
        say(out, &good_answer(3), 0);
        Then::GoOn
    });
    let mut bench = Bench::new(&server.url(), 2);
    bench.plan["retries_429"] = 3.into();
    let left = bench.run();
    assert_eq!(left.report.summary.successful_requests, 2);
    assert!(String::from_utf8_lossy(&left.output.stderr).contains("retries_429"));
}
