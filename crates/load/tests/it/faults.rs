//! Each fault is recorded with its error class and adds to no latency.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use super::scripted::{Bench, Left, STREAM, Scripted, Then, chunk, good_answer, say, unix_ns, word};

/// Runs a load of two requests against a server with this fault. The second connection has it too.
fn load_on(answer: impl Fn(&mut dyn Write) -> Then + Send + Sync + 'static) -> Left {
    let server = Scripted::start(move |_, out| answer(out));
    let mut bench = Bench::new(&server.url(), 2);
    bench.plan["stall_timeout_s"] = 0.4.into();
    bench.plan["timeout_s"] = 1.5.into();
    bench.run()
}

fn class_of(left: &Left) -> (Vec<(&str, u64)>, String) {
    let summary = &left.report.summary;
    assert!(summary.ttft_ms.is_none() && summary.e2el_ms.is_none() && summary.itl_ms.is_none());
    assert!((summary.error_rate - 1.0).abs() < 1e-9);
    assert_eq!(left.output.status.code(), Some(1));
    assert!(!left.report.valid);
    (summary.errors.iter().map(|(class, count)| (class.as_str(), *count)).collect(), left.records[0].error.clone().unwrap())
}

fn said(text: &str, then: Then) -> Left {
    let (text, close) = (text.to_owned(), then == Then::Close);
    load_on(move |out| {
        say(out, &text, 0);
        if close { Then::Close } else { Then::GoOn }
    })
}

#[test]
fn http_statuses() {
    let left = said(
        "HTTP/1.1 429 Too Many Requests\r\nretry-after: 3\r\ncontent-length: 34\r\n\r\n{\"error\":{\"message\":\"slow down.\"}} ",
        Then::Close,
    );
    let (classes, words) = class_of(&left);
    assert_eq!(classes, [("http_status", 2)]);
    assert_eq!(words, "slow down. (retry-after: 3)");
    assert_eq!((left.records[0].http_status, left.records[0].retry_after_s), (Some(429), Some(3.0)));
    let left = said("HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n", Then::GoOn);
    assert_eq!(class_of(&left), (vec![("http_status", 2)], "HTTP status 500".to_owned()));
}

#[test]
fn a_refusal_is_sent_again_only_where_that_was_asked_for() {
    let asked = AtomicU32::new(0);
    let refused: Arc<Mutex<Vec<i64>>> = Arc::default();
    let refusals = refused.clone();
    let server = Scripted::start(move |_, out| {
        let number = asked.fetch_add(1, Ordering::SeqCst);
        if number.is_multiple_of(2) {
            refusals.lock().unwrap().push(unix_ns());
        }
        // Each request is refused once, with and without closing the connection.
        match number {
            0 => say(out, "HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n", 0),
            2 => {
                say(out, "HTTP/1.1 429 Too Many Requests\r\nconnection: close\r\ncontent-length: 0\r\n\r\n", 0);
                return Then::Close;
            }
            _ => say(out, &good_answer(3), 0),
        }
        Then::GoOn
    });
    let mut bench = Bench::new(&server.url(), 2);
    bench.plan["load_points"][0]["load"]["concurrency"] = 1.into();
    bench.plan["retry_429"] = 2.into();
    let left = bench.run();
    assert_eq!(left.records.len(), 2, "{:?}", left.records);
    for (record, refused) in left.records.iter().zip(refused.lock().unwrap().iter()) {
        assert_eq!((record.retries, record.http_status, record.error_class), (Some(1), Some(200), None), "{record:?}");
        // the second of waiting is not latency: the recorded times are those of the second attempt
        let sent = record.sent_unix_ns.unwrap();
        assert!(sent - refused >= 995_000_000, "{refused}: {record:?}");
        let ttft_ms = (record.first_content_unix_ns.unwrap() - sent) as f64 / 1e6;
        assert!((record.ttft_ms.unwrap() - ttft_ms).abs() < 1e-3, "{record:?}");
    }
    assert!(left.report.notes.iter().any(|note| note.text.starts_with("2 times a request was refused by status 429")));

    // Refused more often than it is retried: recorded as an error.
    let server = Scripted::start(move |_, out| {
        say(out, "HTTP/1.1 429 Too Many Requests\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n", 0);
        Then::GoOn
    });
    let mut bench = Bench::new(&server.url(), 2);
    bench.plan["retry_429"] = 2.into();
    let left = bench.run();
    assert_eq!(class_of(&left).0, [("http_status", 2)]);
    assert_eq!((left.records[0].retries, left.records[0].http_status), (Some(2), Some(429)));
}

#[test]
fn errors_inside_an_answer_of_status_200() {
    let stream = format!("{STREAM}{}{}", chunk(&word("x")), chunk("data: {\"error\":{\"message\":\"out of memory\"}}\n\n"));
    assert_eq!(class_of(&said(&stream, Then::Close)), (vec![("error_in_stream", 2)], "out of memory".to_owned()));
    let whole = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 15\r\n\r\n{\"error\":\"nope\"}";
    let whole = whole.replace("15", "16");
    assert_eq!(class_of(&said(&whole, Then::GoOn)).0, [("error_in_stream", 2)]);
}

#[test]
fn what_is_no_stream() {
    for text in [
        format!("{STREAM}{}", chunk("data: {\"choices\":[{\"delta\":{\"content\":\"x\"\n\n")),
        format!("{STREAM}zz\r\n"),
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: gzip\r\ncontent-length: 16\r\n\r\ndata: no gzip...".to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>".to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: br\r\ncontent-length: 3\r\n\r\nabc".to_owned(),
        "SSH-2.0-OpenSSH\r\n\r\n".to_owned(),
    ] {
        assert_eq!(class_of(&said(&text, Then::Close)).0, [("malformed_stream", 2)], "{text}");
    }
}

#[test]
fn http_2_is_named_and_is_no_latency() {
    let settings = "\0\0\u{c}\u{4}\0\0\0\0\0\0\u{3}\0\0\0d\0\u{4}\0\0\0\0";
    let left = said(settings, Then::Close);
    let (classes, words) = class_of(&left);
    assert_eq!(classes, [("connect", 2)]);
    assert!(words.contains("HTTP/2 only"), "{words}");
}

#[test]
fn a_compressed_stream_is_read_as_it_comes() {
    let server = Scripted::start(|seen, out| {
        assert!(seen.head.contains("accept-encoding: identity\r\n"));
        let head =
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n";
        say(out, head, 0);
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        let done = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n".to_owned();
        for event in [word("a"), word("b"), word("c"), done] {
            encoder.write_all(event.as_bytes()).unwrap();
            encoder.flush().unwrap();
            let packed = std::mem::take(encoder.get_mut());
            // in one write: Nagle's algorithm delays small ones
            let framed = [format!("{:x}\r\n", packed.len()).as_bytes(), &packed, b"\r\n"].concat();
            let _ = out.write_all(&framed);
            say(out, "", 30);
        }
        say(out, "0\r\n\r\n", 0);
        Then::GoOn
    });
    let left = Bench::new(&server.url(), 2).run();
    let summary = &left.report.summary;
    assert_eq!((summary.successful_requests, left.records[0].events), (2, 3), "{:?}", left.report.error_examples);
    assert!(summary.itl_ms.as_ref().unwrap().min > 25.0);
    assert!(left.report.notes.iter().any(|note| note.text.starts_with("2 answers came compressed")), "{:?}", left.report.notes);
}

#[test]
fn streams_that_end_too_early() {
    let begun = format!("{STREAM}{}", chunk(&word("x")));
    assert_eq!(class_of(&said(&begun, Then::Close)).0, [("cut_off", 2)]);
    let ended = format!("{begun}0\r\n\r\n");
    assert_eq!(class_of(&said(&ended, Then::GoOn)).0, [("cut_off", 2)]);
    let empty = format!("{STREAM}{}0\r\n\r\n", chunk("data: [DONE]\n\n"));
    assert_eq!(class_of(&said(&empty, Then::GoOn)).0, [("no_content", 2)]);
    assert_eq!(class_of(&said("", Then::Close)).0, [("connect", 2)]);
}

#[test]
fn an_end_after_the_finish_reason_is_a_success() {
    let finish = "data: {\"choices\":[{\"delta\":{\"content\":\"y\"},\"finish_reason\":\"stop\"}]}\n\n";
    let left = said(&format!("{STREAM}{}{}", chunk(&word("x")), chunk(finish)), Then::Close);
    assert_eq!((left.report.summary.successful_requests, left.report.summary.total_output_tokens), (2, Some(4)));
}

#[test]
fn what_takes_too_long() {
    let stalled = load_on(|out| {
        say(out, &format!("{STREAM}{}", chunk(&word("x"))), 1200);
        Then::Close
    });
    assert_eq!(class_of(&stalled).0, [("stalled", 2)]);
    // pings do not count as events
    let pinged = load_on(|out| {
        say(out, &format!("{STREAM}{}", chunk(&word("x"))), 0);
        (0..10).for_each(|_| say(out, &chunk(": ping\n\n"), 100));
        Then::Close
    });
    assert_eq!(class_of(&pinged).0, [("stalled", 2)]);
    let endless = load_on(|out| {
        say(out, STREAM, 0);
        (0..25).for_each(|_| say(out, &chunk(&word("x")), 100));
        Then::Close
    });
    assert_eq!(class_of(&endless).0, [("timeout", 2)]);
}

#[test]
fn servers_that_are_not_there() {
    let free = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    assert_eq!(class_of(&Bench::new(&format!("http://{free}"), 5).run()).0, [("connect", 5)]);
    assert_eq!(class_of(&Bench::new("http://nowhere.invalid", 5).run()).0, [("dns", 5)]);
    let plain = Scripted::start(|_, out| {
        say(out, &good_answer(1), 0);
        Then::Close
    });
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // read before closing: closing with unread bytes would reset the connection
            let _ = stream.map(|mut stream| {
                let _ = stream.read(&mut [0; 4096]);
                stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            });
        }
    });
    drop(plain);
    assert_eq!(class_of(&Bench::new(&format!("https://{address}"), 2).run()).0, [("tls", 2)]);
}
