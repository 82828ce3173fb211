//! Keys are not logged, not inherited, and sent only where allowed.

use std::process::{Output, Stdio};

use serde_json::json;

use super::program::dyno;
use super::scripted::{Bench, Scripted, Then, good_answer, say};

const SECRET: (&str, &str) = ("A_KEY_OF_MINE", "plain0secret1of2mine");

#[test]
fn what_the_server_repeats_of_a_key_is_struck_out() {
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
