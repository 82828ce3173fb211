//! Keys are not logged, not inherited, and sent only where allowed.

use std::process::{Output, Stdio};

use serde_json::json;

use super::program::dyno;
use super::scripted::{Bench, Scripted, Then, good_answer, say};

const SECRET: (&str, &str) = ("A_KEY_OF_MINE", "plain0secret1of2mine");

#[test]
fn keys_echoed_by_the_server_are_replaced() {
    let server = Scripted::start(|seen, out| {
        let sent = seen.head.lines().find(|line| line.starts_with("authorization:")).unwrap_or_default();
        let words = json!({"error": {"message": format!("{sent} is wrong, as is sk-proj-abcdef0123; {}", "why ".repeat(200))}})
            .to_string();
        say(out, &format!("HTTP/1.1 401 Unauthorized\r\ncontent-length: {}\r\n\r\n{words}", words.len()), 0);
        Then::GoOn
    });
    let mut bench = Bench::new(&server.url(), 1);
    bench.plan["auth"] = json!({ "header": "bearer", "api_key_env": SECRET.0 });
    let left = bench.left_by(bench.start_in(&[SECRET]));
    assert!(server.seen()[0].head.contains(SECRET.1));
    let words = left.records[0].error.clone().unwrap();
    assert!(words.starts_with("authorization: Bearer [key] is wrong, as is [key]; why why"), "{words}");
    assert!(words.chars().count() <= 300, "{words}");
    for file in std::fs::read_dir(bench.folder.path()).unwrap().flatten() {
        let text = String::from_utf8_lossy(&std::fs::read(file.path()).unwrap()).into_owned();
        assert!(!text.contains(SECRET.1) && !text.contains("sk-proj"), "{:?}: {text}", file.path());
    }
}

fn by_hand(bench: &Bench, more: &[&str]) -> Output {
    let plan = bench.file("plan.json");
    std::fs::write(&plan, bench.plan.to_string()).unwrap();
    dyno().args(["load", "--plan"]).arg(plan).args(more).env(SECRET.0, SECRET.1).stdin(Stdio::null()).output().unwrap()
}

#[test]
fn a_plan_takes_no_variable_that_was_not_named() {
    let server = Scripted::start(|_, out| {
        say(out, &good_answer(3), 0);
        Then::GoOn
    });
    for (auth, headers) in [
        (json!({ "header": "bearer", "api_key_env": SECRET.0 }), json!([])),
        (json!(null), json!([{ "name": "x-mine", "value_env": SECRET.0 }])),
    ] {
        let before = server.seen().len();
        let mut bench = Bench::new(&server.url(), 1);
        (bench.plan["auth"], bench.plan["headers"]) = (auth, headers);
        (bench.plan["requests"], bench.plan["report"]) = (json!(null), json!(null));
        let refused = by_hand(&bench, &[]);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(said.contains(SECRET.0) && said.contains(&server.url()) && !said.contains(SECRET.1), "{said}");
        assert_eq!(by_hand(&bench, &["--api-key-env", "ANOTHER"]).status.code(), Some(2));
        assert_eq!(server.seen().len(), before, "nothing was sent");
        by_hand(&bench, &["--api-key-env", SECRET.0]);
        assert_eq!(server.seen().len(), before + 1);
        assert!(server.seen()[before].head.contains(SECRET.1));
    }
}

#[test]
fn a_plan_reads_and_writes_no_file_that_was_not_named() {
    let server = Scripted::start(|_, out| {
        say(out, &good_answer(3), 0);
        Then::GoOn
    });
    let mut bench = Bench::new(&server.url(), 1);
    let (mine, precious) = (bench.file("my rows"), bench.file("precious"));
    std::fs::write(&mine, "{\"messages\":[{\"role\":\"user\",\"content\":\"my own words\"}]}\n").unwrap();
    std::fs::write(&precious, "precious").unwrap();
    bench.plan["workload"] = json!({ "kind": "dataset", "files": [{ "path": mine, "id": uuid::Uuid::nil() }] });
    bench.plan["report"] = json!(precious);
    let (read, requests, report) = (mine.to_str().unwrap(), bench.file("requests.ndjson"), precious.to_str().unwrap());
    let requests = requests.to_str().unwrap();

    let refused = by_hand(&bench, &[]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    for words in [read, requests, report, &format!("--allow-file '{read}'"), &server.url()] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(by_hand(&bench, &["--allow-file", read, "--allow-file", report]).status.code(), Some(2));
    assert!(server.seen().is_empty() && !bench.file("requests.ndjson").exists());
    assert_eq!(std::fs::read_to_string(&precious).unwrap(), "precious");

    by_hand(&bench, &["--allow-file", read, "--allow-file", report, "--allow-file", requests]);
    assert!(server.seen()[0].body.to_string().contains("my own words"));
    assert_ne!(std::fs::read_to_string(&precious).unwrap(), "precious");
    // where the user says himself what is written, nothing is left to allow
    let own = bench.file("own.json");
    let own = own.to_str().unwrap();
    by_hand(&bench, &["--allow-file", read, "--report", own, "--requests", requests]);
    assert_eq!(server.seen().len(), 2);
}

#[test]
fn words_of_a_plan_do_not_steer_the_terminal() {
    let server = Scripted::start(|_, out| {
        say(out, &good_answer(3), 0);
        Then::GoOn
    });
    let mut bench = Bench::new(&server.url(), 1);
    (bench.plan["requests"], bench.plan["report"]) = (json!(null), json!(null));
    bench.plan["endpoints"][0]["node"] = json!("n\u{1b}[2K\u{1b}[1A\u{202e}EVIL\u{7}\r");
    bench.plan["endpoints"][0]["metrics"] = json!("/\u{1b}]0;x\u{7}");
    bench.plan["\u{1b}[2J"] = json!(1);
    let done = by_hand(&bench, &[]);
    for printed in [&done.stdout, &done.stderr] {
        let text = String::from_utf8_lossy(printed);
        let steers = |letter: char| letter != '\n' && (letter.is_control() || letter == '\u{202e}');
        assert!(!text.contains(steers), "{text:?}");
    }
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(said.contains(r"the plan's field \u{1b}[2J is not known"), "{said}");
}
