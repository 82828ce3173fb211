//! Large spools, and files that the load replaces while they are read.

use dyno_measure::report::RequestRecord;
use dyno_pod::client::{LoadPodClient, SpoolPosition};
use dyno_pod::protocol::SpoolFile;
use serde_json::json;

use super::load::all;
use super::relay::{Relay, Side};
use super::started::{Bench, Plain, token};

/// A spool whose load has ended, with these records.
fn with_records(bench: &Bench, records: &str) {
    std::fs::create_dir_all(bench.spool("")).unwrap();
    std::fs::write(bench.spool("started.json"), json!({ "at_unix_ms": 0, "request": {} }).to_string()).unwrap();
    std::fs::write(bench.spool("ended.json"), json!({ "cause": "finished" }).to_string()).unwrap();
    std::fs::write(bench.spool("requests.ndjson"), records).unwrap();
}

fn line(number: usize, error: &str) -> String {
    let record = json!({ "id": format!("dyno-{number}"), "node": "n", "load_point": 0, "phase": "measured", "error": error });
    format!("{record}\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_a_log_would_keep_arrives_whole_and_once() {
    let bench = Bench::new(1);
    const CUTS: &[usize] = &[500_000, 200, usize::MAX, usize::MAX, usize::MAX, 1_500_000];
    // one line of 3 MiB among the others, and a last one that was cut
    let text: String =
        (0..100_000).map(|number| line(number, &"x".repeat(if number == 60_000 { 3 << 20 } else { 40 }))).collect();
    assert!(text.len() > 12 << 20);
    with_records(&bench, &format!("{text}{{\"id\":\"dyno-cut"));
    let (process, direct) = bench.start();
    let relay = Relay::start(process.address, Side::Answers, CUTS);
    let pod = LoadPodClient::new(Plain(relay.address), token());
    let records: Vec<RequestRecord> = all("records", async |place| pod.records(place).await).await;
    assert_eq!(records.len(), 100_000);
    assert!(records.iter().enumerate().all(|(number, record)| record.id == format!("dyno-{number}")));
    assert!(relay.broken() > 5, "{}", relay.broken());
    let (rest, lines) = direct.records_after(99_998, "").await.unwrap();
    assert_eq!((rest.len(), lines.is_last), (2, true));
    let (none, lines) = direct.records(&lines.place).await.unwrap();
    assert!(none.is_empty() && lines.is_last);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_replaced_is_read_anew() {
    let bench = Bench::new(1);
    with_records(&bench, &format!("{}{}", line(0, "a"), line(1, "b")));
    let (_process, pod) = bench.start();
    let lines = pod.lines(SpoolFile::Records, &SpoolPosition::default()).await.unwrap();
    assert_eq!((lines.lines.len(), lines.is_anew), (2, false));
    std::fs::write(bench.spool("new"), format!("{}{}{}", line(0, "c"), line(1, "d"), line(2, "e"))).unwrap();
    std::fs::rename(bench.spool("new"), bench.spool("requests.ndjson")).unwrap();
    let again = pod.lines(SpoolFile::Records, &lines.place).await.unwrap();
    assert_eq!((again.lines.len(), again.is_anew, again.is_last), (3, true, true));
    // After as many as are kept, where they are of the other file or of this one.
    let (records, anew) = pod.records_after(2, &lines.place.file).await.unwrap();
    assert_eq!((records.len(), anew.is_anew), (3, true), "none of the new ones is left out");
    let (records, rest) = pod.records_after(2, &again.place.file).await.unwrap();
    assert_eq!((records.len(), rest.is_anew), (1, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_what_was_printed_is_there() {
    let bench = Bench::new(1);
    with_records(&bench, "");
    std::fs::write(bench.spool("load.log"), "first\nlast words\n").unwrap();
    let (_process, pod) = bench.start();
    assert_eq!(pod.log_end(11).await.unwrap(), "last words\n");
    assert_eq!(pod.log_end(1_000).await.unwrap(), "first\nlast words\n");
}
