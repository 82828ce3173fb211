//! The self-check against the reference engine before a load, run as a process.

use dyno_measure::validity::SelfCheck;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use procfs::ProcResult;
use procfs::process::Process;
use serde_json::json;

use super::scripted::{Bench, Scripted, Then, good_answer, say, until};

fn server() -> Scripted {
    Scripted::start(|_, out| {
        say(out, &good_answer(3), 0);
        Then::GoOn
    })
}

fn process(pid: u32) -> ProcResult<Process> {
    Process::new(pid.cast_signed())
}

fn children(pid: u32) -> Vec<u32> {
    process(pid).and_then(|process| process.task_main_thread()?.children()).unwrap_or_default()
}

/// Whether a process is running; zombies are not.
fn lives(pid: u32) -> bool {
    process(pid).is_ok_and(|process| process.is_alive())
}

/// Process id of the reference engine of a load's self-check.
fn engine_of(load: u32) -> u32 {
    until("the check's engine", || {
        let is_engine = |child: &u32| {
            process(*child).and_then(|process| process.cmdline()).is_ok_and(|words| words.iter().any(|word| word == "engine"))
        };
        children(load).into_iter().find(is_engine)
    })
}

#[test]
fn a_checks_engine_does_not_see_the_loads_secrets() {
    let server = server();
    let mut bench = Bench::new(&server.url(), 5);
    bench.plan["self_check"] = json!({ "cache": bench.file("checks") });
    let load = bench.start_in(&[("DYNO_LOAD_SECRET", "canary")]);
    let engine = engine_of(load.id());
    let environment = format!("{:?}", process(engine).unwrap().environ().unwrap());
    assert!(!environment.contains("canary"), "{environment}");
    bench.left_by(load);
}

#[test]
fn a_check_is_measured_kept_and_taken_again() {
    let server = server();
    let mut bench = Bench::new(&server.url(), 5);
    let cache = bench.file("checks");
    bench.plan["self_check"] = json!({ "cache": cache });
    let measured = bench.run();
    let check = measured.report.self_check.expect("a check");
    assert_eq!((check.concurrency, check.cached, &check.failed), (1, false, &None), "{check:?}");
    for error in [check.ttft_error_ms.unwrap(), check.itl_error_ms.unwrap()] {
        // enough samples for p99; with kernel stamps, the median error is far below a millisecond on any machine
        assert!(error.n >= 662 && error.p50 < 1.0 && error.p50 <= error.p99 && error.p99 <= error.max, "{check:?}");
    }
    assert!(check.requests >= 662);
    let spool = std::fs::read_to_string(bench.file("load.ndjson")).unwrap();
    assert!(spool.contains("Checking the client…"), "{spool}");

    let again = bench.run().report.self_check.unwrap();
    assert_eq!(again, SelfCheck { cached: true, ..check.clone() });

    // an unreadable cache file leads to a new check
    for file in std::fs::read_dir(&cache).unwrap() {
        std::fs::write(file.unwrap().path(), "{\"key\":").unwrap();
    }
    let anew = bench.run().report.self_check.unwrap();
    assert!(!anew.cached && anew.failed.is_none() && anew.checked_at_unix_ms > check.checked_at_unix_ms);
}

#[test]
fn a_folder_that_can_not_be_written_stops_nothing() {
    let server = server();
    let mut bench = Bench::new(&server.url(), 5);
    std::fs::write(bench.file("taken"), "").unwrap();
    bench.plan["self_check"] = json!({ "cache": bench.file("taken").join("below") });
    let left = bench.run();
    let check = left.report.self_check.unwrap();
    assert!(check.failed.is_none() && check.ttft_error_ms.is_some());
    assert_eq!(left.report.summary.successful_requests, 5);
}

#[test]
fn a_killed_load_takes_its_checks_engine_along() {
    let server = server();
    let mut bench = Bench::new(&server.url(), 5);
    bench.plan["self_check"] = json!({});
    for signal in [Signal::SIGKILL, Signal::SIGTERM] {
        let mut load = bench.start();
        let engine = engine_of(load.id());
        kill(Pid::from_raw(load.id().cast_signed()), signal).unwrap();
        let end = until("the load's end", || load.try_wait().unwrap());
        assert!(!end.success());
        until("the engine's end", || (!lives(engine)).then_some(()));
    }
    assert_eq!(bench.end()["data"]["reason"], "Stopped before any request was sent.");
    assert!(server.seen().is_empty());
}

#[test]
fn a_check_outlives_a_killed_load_beside_its_records() {
    let server = Scripted::start(|_, out| {
        say(out, "", 20);
        say(out, &good_answer(3), 0);
        Then::GoOn
    });
    let mut bench = Bench::new(&server.url(), 100_000);
    bench.plan["self_check"] = json!({});
    let mut load = bench.start();
    bench.wait_for_records(3);
    load.kill().unwrap();
    load.wait().unwrap();
    let plan = serde_json::from_value(bench.plan.clone()).unwrap();
    let report = dyno_load::report::from_folder(bench.folder.path(), &plan).unwrap().unwrap();
    assert!(report.self_check.is_some_and(|check| check.failed.is_none()));
}
