//! Kept-alive connections, and servers that close them.

use super::scripted::{Bench, Scripted, Then, good_answer, say};

#[test]
fn a_connection_closed_between_requests_is_no_error() {
    let server = Scripted::start(|_, out| {
        say(out, &good_answer(2), 0);
        Then::Close
    });
    let left = Bench::new(&server.url(), 20).run();
    assert_eq!((left.report.summary.successful_requests, left.report.summary.failed_requests), (20, 0));
    // the last connection may be closed after the load has ended
    assert!((19..=20).contains(&left.report.client.reconnects.unwrap()), "{:?}", left.report.client);
}

#[test]
fn a_kept_connection_that_dies_before_the_answer_is_tried_once_more() {
    // every second request of a connection gets no answer
    let server = Scripted::start(|seen, out| {
        if seen.of_connection == 1 {
            return Then::Close;
        }
        say(out, &good_answer(2), 0);
        Then::GoOn
    });
    let left = Bench::new(&server.url(), 10).run();
    assert_eq!(left.report.summary.successful_requests, 10);
    assert_eq!(left.report.client.reconnects, Some(9));
    assert_eq!(server.seen().len(), 19);
}

#[test]
fn connections_are_used_again() {
    let server = Scripted::start(|_, out| {
        say(out, &good_answer(2), 0);
        Then::GoOn
    });
    let left = Bench::new(&server.url(), 10).run();
    assert_eq!(left.report.client.reconnects, Some(0));
    assert_eq!(server.seen().last().unwrap().of_connection, 9);
    assert_eq!(left.records[3].id, server.seen()[3].head.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap());
}

#[test]
fn a_server_that_does_not_know_stream_options_is_asked_without() {
    let server = Scripted::start(|seen, out| {
        if seen.body.get("stream_options").is_some() {
            let words = r#"{"detail":"Extra inputs are not permitted: stream_options"}"#;
            say(out, &format!("HTTP/1.1 422 Unprocessable\r\ncontent-length: {}\r\n\r\n{words}", words.len()), 0);
        } else {
            say(out, &good_answer(2), 0);
        }
        Then::GoOn
    });
    let left = Bench::new(&server.url(), 5).run();
    assert_eq!((left.report.summary.successful_requests, server.seen().len()), (5, 6));
    assert!(left.report.notes.iter().any(|note| note.text.contains("stream_options")));
}
