//! Lengths by tokenizers of all sorts.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;

use serde_json::{Value, json};

use super::*;
use crate::fetch::Fetch;
use crate::workload::TraceRequest;
use dyno_measure::address::Address;
use dyno_measure::load::{LengthDistribution, LengthSampler};

/// A tokenizer whose tokens are what the pattern matches.
fn tokenizer(pattern: &str) -> Tokens {
    let folder = tempfile::tempdir().unwrap();
    let split = json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Removed", "invert": true});
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "added_tokens": [],
        "pre_tokenizer": split, "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "vocab": {"<unk>": 0}, "unk_token": "<unk>"}
    });
    std::fs::write(folder.path().join("tokenizer.json"), tokenizer.to_string()).unwrap();
    Tokens::of_file(folder.path()).unwrap()
}

fn drawn(lengths: Value) -> Asked {
    let lengths: Option<LengthDistribution> = serde_json::from_value(lengths).unwrap();
    Asked::Drawn { input: LengthSampler::new(lengths, 40, 1), output: LengthSampler::new(None, 4, 1) }
}

fn wanted(asked: Asked, count: u64) -> Wanted {
    Wanted {
        asked,
        shared: 0.0,
        seed: 1,
        endpoint: Endpoint::Completions,
        prompts: [Some(50), Some(count)],
        budget: Duration::from_secs(600),
    }
}

/// What was found of how many prompts.
struct Found {
    notes: Vec<String>,
    /// By how many tokens each prompt is too long.
    off: Vec<i64>,
}

impl Found {
    fn of(wanted: Wanted, tokens: &mut Tokens, judge: &mut Tokens) -> Self {
        let prompts = wanted.prompts;
        let (synthetic, notes) = fit(wanted, tokens, &|| false).unwrap();
        let all = [true, false].into_iter().zip(prompts);
        let ids = all.flat_map(|(warmup, count)| (0..count.unwrap_or(0)).map(move |number| PromptId { warmup, number }));
        let off = ids
            .map(|prompt| i64::from(judge.text(&synthetic.text(prompt), true).unwrap()) - i64::from(synthetic.input_of(prompt)));
        Self { off: off.collect(), notes }
    }

    fn with(pattern: &str, wanted: Wanted) -> Self {
        Self::of(wanted, &mut tokenizer(pattern), &mut tokenizer(pattern))
    }

    fn wrong(&self) -> usize {
        self.off.iter().filter(|off| **off != 0).count()
    }

    /// How many were checked, where not all were.
    fn checked(&self) -> Option<u64> {
        let line = self.notes.iter().find(|note| note.contains("were checked"))?;
        line.split(' ').find_map(|word| word.replace(',', "").parse().ok())
    }
}

#[test]
fn where_words_add_up_few_prompts_are_checked_and_all_are_exact() {
    let spread = json!({"kind": "uniform", "min": 20});
    // plain; a first word that is a token more there than elsewhere, and a last one
    for (pattern, most_checked) in [(r"[^ ]+", 1500), (r"^[^ o]*o|[^ ]+", 2200), (r"[^ ]+(?=gh$)|[^ ]+", 1600)] {
        for lengths in [&Value::Null, &spread] {
            let found = Found::with(pattern, wanted(drawn(lengths.clone()), 3000));
            let checked = found.checked().unwrap();
            assert!((BELIEVED_AFTER.into()..most_checked).contains(&checked), "{pattern} {:?}", found.notes);
            // a prompt can't have its length where one more word is two more tokens: that is said of those that were checked
            let said = found
                .notes
                .iter()
                .find(|note| note.contains("could not be made"))
                .map_or(0, |note| note.split(' ').next().unwrap().parse().unwrap());
            assert_eq!(found.wrong(), said, "{pattern} {:?}", found.notes);
            assert!(found.notes[0].contains("of 3,050 prompts"), "{:?}", found.notes);
        }
    }
}

#[test]
fn prompts_with_a_common_beginning_are_exact_and_those_of_a_trace() {
    let pattern = r"^[^ o]*o|[^ ]+";
    let spread = json!({"kind": "uniform", "min": 4});
    let found = Found::with(pattern, Wanted { shared: 0.3, ..wanted(drawn(spread), 2000) });
    assert_eq!(found.wrong(), 0, "{:?}", found.notes);
    assert!(found.checked().is_some());

    let row = |number: u64| TraceRequest {
        at: 0,
        input: 500 + (number % 20) as u32 * 7,
        output: 1,
        blocks: Box::new([number % 10, 1000 + number % 60]),
    };
    let found = Found::with(pattern, wanted(Asked::Listed((0..1500).map(row).collect()), 1500));
    assert_eq!(found.wrong(), 0, "{:?}", found.notes);
    assert!(found.checked().is_some());
}

#[test]
fn few_prompts_are_all_checked() {
    let found = Found::with(r"[^ ]+", wanted(drawn(Value::Null), 100));
    assert!(found.notes.is_empty() && found.wrong() == 0, "{:?}", found.notes);
}

#[test]
fn where_words_do_not_add_up_every_prompt_is_checked() {
    // two words are one token where the first begins with a letter up to m
    let found = Found::with(r"\b[a-m][^ ]* [^ ]+|[^ ]+", wanted(drawn(Value::Null), 1500));
    assert!(found.notes.is_empty() && found.wrong() == 0, "{:?}", found.notes);
}

#[test]
fn of_words_that_seldom_do_not_add_up_the_computed_prompts_are_checked_after_all() {
    // some hundred of the pairs of words are one token: such a pair is in about one of a hundred prompts
    let found = Found::with(r"qu[^ ]* t[^ ]*|[^ ]+", wanted(drawn(Value::Null), 3000));
    assert!(found.notes.is_empty() && found.wrong() == 0, "{:?} {}", found.notes, found.wrong());
    // and here in about one of a thousand: what is not noticed is among those that were only computed
    let found = Found::with(r"quick u[^ ]*|quiet u[^ ]*|[^ ]+", wanted(drawn(Value::Null), 3000));
    assert!(found.wrong() <= 10 && (found.wrong() == 0 || found.checked().is_some()), "{:?} {}", found.notes, found.wrong());
}

#[test]
fn what_could_not_be_asked_is_said() {
    let found = Found::with(r"[^ ]+", Wanted { budget: Duration::ZERO, ..wanted(drawn(Value::Null), 500) });
    assert_eq!(found.notes, ["Input lengths of 0 of 550 prompts were checked with the tokenizer; the others are estimates."]);
    let found = Found::with(r"[^ ]+", Wanted { prompts: [Some(0), None], ..wanted(drawn(Value::Null), 0) });
    assert_eq!(found.notes, ["Input lengths of 200 prompts were checked with the tokenizer; the others are estimates."]);
}

/// A server that answers so many questions for a text's tokens, one a word, and then closes each connection at once.
fn failing_server(answers: usize) -> Tokens {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = Address::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    std::thread::spawn(move || {
        let mut left = answers;
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            while left > 0 {
                let mut length = 0;
                let mut line = String::new();
                while stream.read_line(&mut line).is_ok_and(|bytes| bytes > 2) {
                    length = line.strip_prefix("content-length: ").map_or(length, |number| number.trim().parse().unwrap());
                    line.clear();
                }
                let mut body = vec![0; length];
                if length == 0 || stream.read_exact(&mut body).is_err() {
                    break;
                }
                let body: Value = serde_json::from_slice(&body).unwrap();
                let words = body["content"].as_str().unwrap().split(' ').count();
                let answer = json!({ "tokens": vec![0; words] }).to_string();
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", answer.len());
                stream.get_mut().write_all((head + &answer).as_bytes()).unwrap();
                left -= 1;
            }
        }
    });
    Tokens::LlamaCpp(Box::new(Fetch::new(address, String::new(), None, Duration::from_secs(5))), String::new())
}

#[test]
fn a_tokenizer_that_no_longer_answers_proves_nothing() {
    let mut judge = tokenizer(r"[^ ]+");
    // once it is known that words add up, the rest is computed
    let found = Found::of(wanted(drawn(Value::Null), 2000), &mut failing_server(850), &mut judge);
    assert_eq!(found.wrong(), 0, "{:?}", found.notes);
    assert!(found.notes[0].contains("computed") && found.notes[1].contains("no longer answered"), "{:?}", found.notes);
    // before that, nothing is
    let found = Found::of(wanted(drawn(Value::Null), 300), &mut failing_server(100), &mut judge);
    assert!(found.notes[0].ends_with("the others are estimates.") && found.checked().unwrap() < 100, "{:?}", found.notes);
}
