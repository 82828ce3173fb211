//! Answers in the dialects of servers and gateways.

use serde_json::{Value, json};

use super::scripted::{Bench, Left, STREAM, Scripted, Then, chunk, ending, say, word};

/// Runs a load of two requests, each of which gets this answer.
fn load_on(answer: &str) -> Left {
    let answer = answer.to_owned();
    let server = Scripted::start(move |_, out| {
        say(out, &answer, 0);
        Then::Close
    });
    Bench::new(&server.url(), 2).run()
}

fn event(value: &Value) -> String {
    format!("data: {value}\n\n")
}

fn choice(value: Value) -> String {
    event(&json!({ "choices": [value] }))
}

/// A stream of these events, properly ended.
fn stream(events: &[String]) -> String {
    let events: String = events.iter().map(|event| chunk(event)).collect();
    format!("{STREAM}{events}0\r\n\r\n")
}

const DONE: &str = "data: [DONE]\n\n";

fn failure(left: &Left) -> (&str, &str) {
    assert_eq!((left.report.summary.failed_requests, left.output.status.code()), (2, Some(1)), "{:?}", left.records);
    let example = &left.report.error_examples[0];
    (example.class.into_str(), &example.message)
}

#[test]
fn only_a_good_finish_reason_ends_a_request_well() {
    for reason in ["abort", "error", "cancelled", "nobody knows"] {
        let left = load_on(&stream(&[word("a"), choice(json!({ "delta": {}, "finish_reason": reason })), DONE.to_owned()]));
        let (class, words) = failure(&left);
        assert!(class == "error_in_stream" && words.contains(reason), "{class}: {words}");
    }
    for reason in ["stop", "length", "end_turn", "MAX_TOKENS"] {
        let left = load_on(&stream(&[word("a"), choice(json!({ "delta": {}, "finish_reason": reason }))]));
        assert_eq!(left.report.summary.successful_requests, 2, "{reason}");
    }
    let cut = load_on(&stream(&[word("a"), choice(json!({ "delta": { "content": "b" }, "finish_reason": "" }))]));
    assert_eq!(failure(&cut).0, "cut_off");
}

#[test]
fn an_error_is_found_wherever_it_stands_and_keeps_its_words() {
    let out_of = json!({ "code": 502, "message": "out of memory" });
    for events in [
        vec![word("a"), choice(json!({ "delta": { "content": "" }, "error": out_of })), DONE.to_owned()],
        vec![event(&json!({ "choices": null, "error_type": "X", "error_message": "out of memory" })), DONE.to_owned()],
        vec![event(&json!({ "message": "out of memory", "code": 500 }))],
        vec![word("a"), event(&json!({ "choices": [], "message": "out of memory", "code": 500 })), DONE.to_owned()],
        vec![word("a"), event(&json!([{ "error": out_of }])), DONE.to_owned()],
        vec![word("a"), format!("{:#}\n\n", json!([{ "error": out_of }])), DONE.to_owned()],
        vec![event(&json!({ "detail": "out of memory" }))],
        vec![word("a"), format!("{}\n\n", json!({ "error": out_of })), DONE.to_owned()],
        vec![format!("{:#}\n", json!({ "error": out_of }))],
        vec![word("a"), "event: error\ndata: out of memory\n\n".to_owned()],
        // the finish reason first, then the message
        vec![choice(json!({ "delta": {}, "finish_reason": "error" })), event(&json!({ "error": out_of }))],
    ] {
        let left = load_on(&stream(&events));
        assert_eq!(failure(&left), ("error_in_stream", "out of memory"), "{events:?}");
    }
    let silent = load_on(&stream(&[word("a"), "event: error\n\n".to_owned(), DONE.to_owned()]));
    assert_eq!(failure(&silent).0, "error_in_stream");
}

#[test]
fn what_is_no_stream_is_called_what_it_is() {
    let page = "<!DOCTYPE html>\n<html>\n<body>Sign in</body>\n</html>\n";
    for (answer, class, part) in [
        (format!("{STREAM}{}0\r\n\r\n", chunk(page)), "malformed_stream", "<!DOCTYPE html>"),
        (format!("{STREAM}{}", chunk(page)), "malformed_stream", "<!DOCTYPE html>"),
        (format!("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n{page}"), "malformed_stream", "<!DOCTYPE html>"),
        (
            format!("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 900\r\n\r\n{page}"),
            "malformed_stream",
            "<!DOCTYPE html>",
        ),
        (format!("{STREAM}{}{}0\r\n\r\n", chunk(&word("a")), chunk(page)), "malformed_stream", "<!DOCTYPE html>"),
        ("HTTP/1.1 200 OK\r\ncontent-ty".to_owned(), "cut_off", "head"),
    ] {
        let left = load_on(&answer);
        let (got, words) = failure(&left);
        assert!(got == class && words.contains(part), "{answer}: {got}: {words}");
    }
}

#[test]
fn a_whole_answer_is_taken_without_latencies_of_a_stream() {
    let whole = json!({ "choices": [{ "message": { "content": "a b" }, "finish_reason": "stop" }], "usage": { "prompt_tokens": 20, "completion_tokens": 5 } });
    let length = whole.to_string().len();
    for head in [
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"),
        format!("HTTP/1.1 201 Created\r\ncontent-type: text/event-stream\r\ncontent-length: {length}\r\n\r\n"),
    ] {
        let left = load_on(&format!("{head}{whole}"));
        let summary = &left.report.summary;
        assert_eq!((summary.successful_requests, summary.total_output_tokens), (2, Some(10)), "{:?}", left.records);
        assert!(summary.ttft_ms.is_none() && summary.tpot_ms.is_none() && summary.e2el_ms.is_some());
        assert!(
            left.report.notes.iter().any(|note| note.text.starts_with("2 answers came in one piece")),
            "{:?}",
            left.report.notes
        );
    }
    // one piece without usage: the number of output tokens is unknown
    let left = load_on("HTTP/1.1 200 OK\r\n\r\n{\"choices\":[{\"message\":{\"content\":\"a b\"}}]}");
    assert_eq!((left.report.summary.successful_requests, left.report.summary.total_output_tokens), (2, None));
}

#[test]
fn usage_is_merged_and_zero_is_no_count() {
    let finish = |usage: Value| event(&json!({ "choices": [{ "delta": {}, "finish_reason": "stop" }], "usage": usage }));
    let zeros = event(&json!({ "choices": null, "usage": { "prompt_tokens": 0, "completion_tokens": 0 } }));
    let totals = |events: &[String]| {
        let summary = load_on(&stream(events)).report.summary;
        assert_eq!(summary.successful_requests, 2);
        (summary.total_input_tokens, summary.total_output_tokens, summary.total_throughput.is_some())
    };
    let apart = [
        event(&json!({ "choices": [], "usage": { "input_tokens": 20.0 } })),
        word("a"),
        finish(json!({ "output_tokens": 3 })),
        zeros.clone(),
    ];
    assert_eq!(totals(&apart), (Some(40), Some(6), true));
    assert_eq!(totals(&[word("a"), word("b"), finish(Value::Null), zeros, DONE.to_owned()]), (None, Some(4), false));
}

#[test]
fn a_count_that_the_events_contradict_tenfold_is_said() {
    let words: Vec<String> = (0..20).map(|_| word("x ")).collect();
    let left = load_on(&format!("{STREAM}{}{}", chunk(&words.concat()), ending(20, 900)));
    let said = left.report.notes.iter().find(|note| note.text.contains("contradicted tenfold"));
    assert!(said.is_some_and(|note| note.text.contains("2 answers")), "{:?}", left.report.notes);
}

#[test]
fn a_repeated_whole_message_is_no_content() {
    let last = choice(json!({ "message": { "content": "ab" }, "finish_reason": "stop" }));
    let beside = choice(json!({ "delta": { "content": "b" }, "message": { "content": "ab" } }));
    let left = load_on(&stream(&[word("a"), beside, last, DONE.to_owned()]));
    assert_eq!((left.report.summary.successful_requests, left.records[0].events), (2, 2));
}

#[test]
fn a_stream_without_a_type_is_known_though_its_first_piece_is_short() {
    let server = Scripted::start(|_, out| {
        let body = format!("{}{}", word("a"), choice(json!({ "delta": {}, "finish_reason": "stop" })));
        say(out, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n", 20);
        say(out, &body[..2], 40);
        say(out, &body[2..], 0);
        Then::Close
    });
    let left = Bench::new(&server.url(), 2).run();
    assert_eq!((left.report.summary.successful_requests, left.records[0].events), (2, 1), "{:?}", left.report.error_examples);
    assert!(left.report.summary.ttft_ms.is_some());
}

#[test]
fn bytes_that_are_no_text_are_said() {
    let server = Scripted::start(|_, out| {
        let event = [&b"data: {\"choices\":[{\"delta\":{\"content\":\""[..], b"\xff\xfe", b"\"}}]}\n\n"].concat();
        say(out, STREAM, 0);
        let _ = out.write_all(&[format!("{:x}\r\n", event.len()).as_bytes(), &event, b"\r\n"].concat());
        say(out, &ending(20, 1), 0);
        Then::GoOn
    });
    let left = Bench::new(&server.url(), 2).run();
    assert!(
        left.report.notes.iter().any(|note| note.text == "2 answers held bytes that are no UTF-8."),
        "{:?}",
        left.report.notes
    );
}
