//! Loads that are stopped or killed, or whose server disappears.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dyno_load::report::from_folder;
use dyno_measure::plan::Plan;
use dyno_measure::report::Report;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use super::scripted::{Bench, Scripted, Then, good_answer, say};

fn slow_server() -> Scripted {
    Scripted::start(|_, out| {
        say(out, "", 30);
        say(out, &good_answer(3), 0);
        Then::GoOn
    })
}

#[test]
fn sigterm_keeps_what_was_measured() {
    let server = slow_server();
    let bench = Bench::new(&server.url(), 100_000);
    let load = bench.start();
    bench.wait_for_records(5);
    kill(Pid::from_raw(load.id() as i32), Signal::SIGTERM).unwrap();
    let sent = server.seen().len();
    let left = bench.left_by(load);
    // at most one more, sent just when the signal came
    assert!(server.seen().len() <= sent + 1, "{sent} requests were sent before, {} in all", server.seen().len());
    assert_eq!(left.output.status.code(), Some(1));
    assert_eq!(bench.end()["event"], "end");
    assert_eq!(bench.end()["data"]["status"], "partial");
    assert_eq!(left.records.len() as u64, left.report.summary.total_requests);
    assert!(left.report.summary.failed_requests == 0 && left.report.summary.successful_requests >= 5);
}

#[test]
fn a_killed_load_leaves_records_that_make_a_report() {
    let server = slow_server();
    let bench = Bench::new(&server.url(), 100_000);
    let mut load = bench.start();
    bench.wait_for_records(20);
    load.kill().unwrap();
    load.wait().unwrap();
    assert!(!bench.file("report.json").exists());
    let plan: Plan = serde_json::from_value(bench.plan.clone()).unwrap();
    let report = from_folder(bench.folder.path(), &plan).unwrap().unwrap();
    assert!(report.summary.successful_requests >= 20);
    assert_eq!(report.summary.itl_ms.unwrap().n, report.summary.successful_requests * 2);
    assert!(from_folder(&bench.file("elsewhere"), &Plan { requests: None, ..plan }).unwrap().is_none());
}

#[test]
fn a_report_from_records_is_the_report_of_the_process() {
    let server = slow_server();
    let bench = Bench::new(&server.url(), 20);
    let left = bench.run();
    let plan: Plan = serde_json::from_value(bench.plan.clone()).unwrap();
    let again = from_folder(bench.folder.path(), &plan).unwrap().unwrap();
    let through_json = |report: &Report| -> Report { serde_json::from_str(&serde_json::to_string(report).unwrap()).unwrap() };
    let again = through_json(&again);
    assert_eq!(again.summary, left.report.summary);
    assert_eq!(again.series, left.report.series);
}

#[test]
fn the_deadline_ends_a_load() {
    let server = slow_server();
    let mut bench = Bench::new(&server.url(), 100_000);
    // time enough for a busy machine to start the load
    let soon = std::time::SystemTime::now() + Duration::from_secs(3);
    bench.plan["deadline_unix_ns"] = json!(soon.duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as i64);
    let left = bench.run();
    assert_eq!(bench.end()["data"]["status"], "partial");
    assert!(left.report.summary.successful_requests > 0);
}

#[test]
fn a_server_that_goes_away_ends_the_load() {
    static GONE: AtomicBool = AtomicBool::new(false);
    let real = slow_server();
    // a relay that can be closed like a dying process
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            if GONE.load(Ordering::SeqCst) {
                return;
            }
            let there = std::net::TcpStream::connect(real.address).unwrap();
            for (mut from, mut to) in [(stream.try_clone().unwrap(), there.try_clone().unwrap()), (there, stream)] {
                std::thread::spawn(move || {
                    let mut buffer = [0; 4096];
                    while let Ok(length) = std::io::Read::read(&mut from, &mut buffer) {
                        if length == 0
                            || GONE.load(Ordering::SeqCst)
                            || std::io::Write::write_all(&mut to, &buffer[..length]).is_err()
                        {
                            break;
                        }
                    }
                    let _ = to.shutdown(std::net::Shutdown::Both);
                });
            }
        }
    });
    let bench = Bench::new(&format!("http://{address}"), 100_000);
    let load = bench.start();
    bench.wait_for_records(5);
    GONE.store(true, Ordering::SeqCst);
    let _ = std::net::TcpStream::connect(address);
    // Of its own accord, after six seconds of failures: nothing else ends it, and it would go on for nearly an hour.
    let left = bench.left_by(load);
    assert_eq!(bench.end()["data"]["status"], "partial");
    assert!(bench.end()["data"]["reason"].as_str().unwrap().contains("stopped answering"));
    assert!(left.report.summary.failed_requests < 60, "{:?}", left.report.summary.errors);
}

#[test]
fn the_spool_has_all_events() {
    let server = slow_server();
    let bench = Bench::new(&server.url(), 30);
    bench.run();
    let spool = std::fs::read_to_string(bench.file("load.ndjson")).unwrap();
    let names: Vec<String> = spool
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["event"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names.first().map(String::as_str), Some("started"));
    assert!(names.contains(&"prepared".to_owned()) && names.iter().filter(|name| *name == "progress").count() >= 2);
    assert_eq!(names[names.len() - 2..], ["load_point_end", "end"]);
    assert_eq!(bench.end()["data"]["status"], "ok");
}
