//! Loads that several workers put on: what they send and measure is what one would.

use std::collections::HashMap;
use std::time::Duration;

use dyno_measure::report::RequestRecord;
use dyno_measure::run::RunStatus;
use dyno_reference::{EngineOptions, ReferenceEngine, Running, timing::Timing};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use super::scripted::{Bench, Left, Scripted, Then, good_answer, say, until};

const TTFT: Duration = Duration::from_millis(60);
const ITL: Duration = Duration::from_millis(20);
/// Most that reading two clocks one after the other takes unless the machine is stuck, ns.
const CLOCK_READ: i64 = 1_000_000;

fn engine() -> Running {
    let timing = Timing { ttft: TTFT, itl: ITL, ..Timing::default() };
    ReferenceEngine::start(EngineOptions { model: "m".to_owned(), timing, full_length: true, ..EngineOptions::default() })
        .unwrap()
}

fn bench(urls: &[String], load: &Value, workers: u32) -> Bench {
    let mut bench = Bench::new(&urls[0], 1);
    bench.plan["endpoints"] = urls.iter().map(|url| json!({ "node": url, "base_url": url })).collect();
    bench.plan["load_points"] = json!([load]);
    bench.plan["workers"] = json!(workers);
    bench
}

fn slow_server() -> Scripted {
    Scripted::start(|_, out| {
        say(out, "", 30);
        say(out, &good_answer(3), 0);
        Then::GoOn
    })
}

/// Arrivals of measured requests by their id's number, ns after the first.
fn schedule(left: &Left) -> HashMap<u32, i64> {
    let measured = || left.records.iter().filter(|record| record.id.contains("-0m"));
    let first = measured().filter_map(|record| record.scheduled_unix_ns).min().unwrap();
    measured().map(|record| (number(record), record.scheduled_unix_ns.unwrap() - first)).collect()
}

fn number(record: &RequestRecord) -> u32 {
    record.id.rsplit(['m', 'w']).next().unwrap().parse().unwrap()
}

fn workers_of(load: u32) -> Vec<u32> {
    let text = std::fs::read_to_string(format!("/proc/{load}/task/{load}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|child| child.parse().ok()).collect()
}

fn lives(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next()).is_some_and(|state| state != "Z" && state != "X")
}

#[test]
fn two_workers_send_what_one_would() {
    let engine = engine();
    let url = [format!("http://{}", engine.addr())];
    let load = json!({
        "load": { "kind": "rate", "rate": 40.0, "process": "poisson", "burstiness": 1.0, "max_in_flight": 100 },
        "num_requests": 81, "warmup_requests": 3,
    });
    let (one, two) = (bench(&url, &load, 1).run(), bench(&url, &load, 2).run());
    let (alone, together) = (schedule(&one), schedule(&two));
    assert_eq!(together.len(), 81);
    let facts = &two.report.provenance.load_workers;
    assert_eq!(facts.iter().map(|worker| worker.requests).collect::<Vec<_>>(), [43, 41], "every second one, warm-up included");
    let bound = facts.iter().map(|worker| worker.clock.uncertainty_ns).sum::<i64>() + 1_000;
    for (number, at) in &alone {
        let off = (together[number] - at).abs();
        assert!(off <= bound, "arrival {number} is {off} ns off, {facts:?}");
    }
    let lengths = |left: &Left| -> HashMap<u32, _> {
        left.records
            .iter()
            .map(|record| (number(record), (record.requested_input_tokens, record.requested_output_tokens)))
            .collect()
    };
    assert_eq!(lengths(&one), lengths(&two));
    // on one machine there is one clock, which each reads for itself
    for worker in facts {
        assert!(worker.clock.offset_ns.abs() <= worker.clock.uncertainty_ns + CLOCK_READ, "{worker:?}");
    }
    assert_eq!(one.report.provenance.load_workers, []);
}

#[test]
fn two_workers_measure_what_one_does() {
    let (first, second) = (engine(), engine());
    let urls = [format!("http://{}", first.addr()), format!("http://{}", second.addr())];
    let load = json!({ "load": { "kind": "closed", "concurrency": 9 }, "num_requests": 101, "warmup_requests": 9 });
    let left = bench(&urls, &load, 2).run();
    assert_eq!(left.report.status, RunStatus::Succeeded, "{}", String::from_utf8_lossy(&left.output.stderr));
    let summary = &left.report.summary;
    assert_eq!((summary.successful_requests, summary.failed_requests, summary.peak_concurrency), (101, 0, Some(9)));
    let mut numbers: Vec<u32> = left.records.iter().filter(|record| record.id.contains("-0m")).map(number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..101).collect::<Vec<_>>(), "each once");
    let ids = left.records.iter().filter_map(|record| record.id.rsplit_once('-')).map(|(run, _)| run);
    assert_eq!(ids.collect::<std::collections::HashSet<_>>().len(), 1, "of one run");
    let sent: Vec<i64> = left.records.iter().map(|record| record.sent_unix_ns.unwrap()).collect();
    assert!(sent.is_sorted(), "by send time");
    let [ttft, itl] = [&summary.ttft_ms, &summary.itl_ms].map(|figures| figures.as_ref().unwrap());
    assert!((ttft.p50 - 60.0).abs() < 15.0 && (itl.p50 - 20.0).abs() < 5.0, "{ttft:?} {itl:?}");
    assert_eq!(itl.n, 101 * 7, "all gaps are there");
    assert!(left.report.client.littles_law_ratio.is_some_and(|ratio| (ratio - 1.0).abs() < 1e-3));
    let note = left.report.notes.iter().find(|note| note.text.contains("2 workers")).unwrap();
    assert!(note.text.contains("clocks differed"), "{note}");
    // streams are dealt out to the endpoints as one worker's are
    let at = |url: &str| left.records.iter().filter(|record| record.node == url && record.id.contains('m')).count();
    assert!(at(&urls[0]) > 30 && at(&urls[1]) > 30, "{} {}", at(&urls[0]), at(&urls[1]));
}

#[test]
fn load_points_do_not_overlap_and_are_told_live() {
    let server = slow_server();
    let mut bench = bench(&[server.url()], &json!({}), 2);
    let point = |concurrency| json!({ "load": { "kind": "closed", "concurrency": concurrency }, "num_requests": 40, "warmup_requests": 2 });
    // with one stream, one of the workers has nothing to do
    bench.plan["load_points"] = json!([point(1), point(3), point(5)]);
    let left = bench.run();
    let requests: Vec<u64> = left.report.load_points.iter().map(|point| point.summary.total_requests).collect();
    assert_eq!(requests, [40, 40, 40], "{:?}", left.report.notes);
    let of = |load_point| left.records.iter().filter(move |record| record.load_point == load_point);
    for load_point in 1..3 {
        let before = of(load_point - 1).filter_map(|record| record.ended_unix_ns).max().unwrap();
        let begun = of(load_point).filter_map(|record| record.sent_unix_ns).min().unwrap();
        assert!(before < begun, "load point {load_point} begins {} ns before the last is over", before - begun);
    }
    let spool = std::fs::read_to_string(bench.file("load.ndjson")).unwrap();
    let events: Vec<Value> = spool.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let progress = events.iter().rfind(|event| event["event"] == "progress").unwrap();
    assert_eq!((&progress["data"]["issued"], &progress["data"]["completed"]), (&json!(40), &json!(40)), "{progress}");
    assert_eq!(progress["data"]["finished"].as_array().unwrap().len(), 3);
}

#[test]
fn a_worker_that_dies_is_named_and_what_was_measured_is_kept() {
    let server = slow_server();
    let bench = bench(&[server.url()], &json!({ "load": { "kind": "closed", "concurrency": 4 }, "num_requests": 100_000 }), 2);
    let load = bench.start();
    bench.wait_for_records(20);
    let workers = workers_of(load.id());
    assert_eq!(workers.len(), 2);
    kill(Pid::from_raw(workers[1] as i32), Signal::SIGKILL).unwrap();
    let left = bench.left_by(load);
    assert_eq!(left.output.status.code(), Some(1));
    let end = bench.end();
    assert_eq!(end["data"]["status"], "partial");
    assert!(end["data"]["reason"].as_str().unwrap().starts_with("Worker 2 was lost before the load's end (signal 9)"), "{end}");
    assert!(left.report.summary.successful_requests >= 20 && left.report.summary.failed_requests == 0);
    assert_eq!(left.records.len() as u64, left.report.provenance.load_workers.iter().map(|worker| worker.requests).sum::<u64>());
    assert!(left.report.provenance.load_workers[1].requests > 0);
}

#[test]
fn an_interrupt_ends_all_workers_and_a_kill_does() {
    let server = slow_server();
    let endless = json!({ "load": { "kind": "closed", "concurrency": 4 }, "num_requests": 100_000 });
    let bench = bench(&[server.url()], &endless, 2);
    let load = bench.start();
    bench.wait_for_records(10);
    kill(Pid::from_raw(load.id() as i32), Signal::SIGINT).unwrap();
    let left = bench.left_by(load);
    assert_eq!((left.output.status.code(), bench.end()["data"]["status"].as_str()), (Some(1), Some("partial")));
    assert!(left.report.summary.successful_requests >= 10 && left.report.summary.failed_requests == 0);

    let mut load = bench.start();
    bench.wait_for_records(10);
    let workers = workers_of(load.id());
    load.kill().unwrap();
    load.wait().unwrap();
    until("the workers' end", || workers.iter().all(|worker| !lives(*worker)).then_some(()));
    std::thread::sleep(Duration::from_millis(200));
    let seen = server.seen().len();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(server.seen().len(), seen, "nothing is sent any more");
}

#[test]
fn errors_are_judged_over_all_workers() {
    let server = Scripted::start(|_, out| {
        say(out, "HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n", 5);
        Then::GoOn
    });
    let mut bench = bench(
        &[server.url()],
        &json!({ "load": { "kind": "closed", "concurrency": 4 }, "num_requests": 100_000, "warmup_requests": 0 }),
        2,
    );
    bench.plan["max_error_rate"] = json!(0.5);
    let load = bench.start();
    let output = load.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let end = bench.end();
    assert!(end["data"]["reason"].as_str().unwrap().starts_with("100 of 100 requests had failed"), "{end}");
}

#[test]
fn a_plan_with_more_workers_than_requests_in_flight_is_refused() {
    let bench = bench(&["http://127.0.0.1:9".to_owned()], &json!({ "load": { "kind": "closed", "concurrency": 2 } }), 3);
    let output = bench.start().wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("3 workers need as many requests in flight, and the load has 2 at most."), "{said}");
}
