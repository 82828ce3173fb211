//! Loads that are cancelled, killed, out of time, or lose their pod.

use dyno_measure::run::RunStatus;
use dyno_pod::protocol::{EndCause, Exit, LoadState};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::started::{Bench, at, ended, engine, lines_of, start_by, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_load_keeps_what_it_measured() {
    let (engine, bench) = (engine(20, 1), Bench::new(100_000));
    let (mut process, pod) = bench.start();
    pod.start(&at(&engine)).await.unwrap();
    bench.wait_for_records(1).await;
    pod.cancel(false).await.unwrap();
    let end = ended(&pod).await.end.unwrap();
    // as `dyno load` ends when it was stopped
    assert_eq!((end.cause, end.exit), (EndCause::Cancelled, Some(Exit::Code(1))));
    assert_eq!(end.reason.as_deref(), Some("The load was cancelled."));
    let report = pod.report().await.unwrap().unwrap();
    assert_eq!(report.status, RunStatus::Partial);
    assert!(report.summary.total_requests > 0);
    assert_eq!(report.summary.total_requests, lines_of(&bench.spool("requests.ndjson")) as u64);
    // asked again, it is as it was
    assert_eq!(pod.cancel(true).await.unwrap().end.unwrap().cause, EndCause::Cancelled);
    pod.done().await.unwrap();
    assert_eq!(process.exit().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_load_has_the_report_of_its_records() {
    let (engine, bench) = (engine(20, 1), Bench::new(100_000));
    let (_process, pod) = bench.start();
    pod.start(&at(&engine)).await.unwrap();
    bench.wait_for_records(1).await;
    pod.cancel(true).await.unwrap();
    let end = ended(&pod).await.end.unwrap();
    assert_eq!((end.cause, end.exit), (EndCause::Cancelled, Some(Exit::Signal(9))));
    let report = pod.report().await.unwrap().unwrap();
    assert!(report.summary.successful_requests > 0 && report.summary.itl_ms.is_some(), "{:?}", report.summary);
    assert!(report.notes.iter().any(|note| note.text.contains("ended before it wrote its report")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_does_not_end_when_it_is_asked_is_killed() {
    let (engine, bench) = (engine(20, 1), Bench::new(100_000));
    let (process, pod) = start_by(bench.command().args(["--load-grace-s", "1"]));
    pod.start(&at(&engine)).await.unwrap();
    bench.wait_for_records(1).await;
    let load = process.children()[0];
    killpg(Pid::from_raw(load), Signal::SIGSTOP).unwrap();
    pod.cancel(false).await.unwrap();
    assert_eq!(ended(&pod).await.end.unwrap().exit, Some(Exit::Signal(9)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_was_cancelled_before_its_start_is_not_started() {
    let (engine, bench) = (engine(20, 1), Bench::new(100));
    let (mut process, pod) = bench.start();
    assert_eq!(pod.cancel(false).await.unwrap().state, LoadState::Ended);
    assert!(pod.start(&at(&engine)).await.is_err());
    assert!(!bench.spool("load.ndjson").exists());
    pod.done().await.unwrap();
    assert_eq!(process.exit().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_is_started_again_starts_no_load() {
    let (engine, bench) = (engine(20, 1), Bench::new(100_000));
    let (mut process, pod) = bench.start();
    pod.start(&at(&engine)).await.unwrap();
    bench.wait_for_records(1).await;
    let load = process.children()[0];
    // a container's processes end together
    process.signal(Signal::SIGKILL);
    killpg(Pid::from_raw(load), Signal::SIGKILL).unwrap();
    process.exit().await;
    let records = lines_of(&bench.spool("requests.ndjson"));

    let (mut process, pod) = bench.start();
    let status = pod.start(&at(&engine)).await.unwrap();
    assert_eq!((status.state, status.started), (LoadState::Ended, Some(at(&engine))));
    let end = status.end.unwrap();
    assert_eq!((end.cause, end.exit), (EndCause::Restarted, None));
    assert!(end.reason.unwrap().contains("never started twice"));
    assert_eq!(process.children(), Vec::<i32>::new());
    let report = pod.report().await.unwrap().unwrap();
    assert_eq!((report.summary.total_requests, lines_of(&bench.spool("requests.ndjson"))), (records as u64, records));
    pod.done().await.unwrap();
    assert_eq!(process.exit().await.code(), Some(0));

    // one that had ended is told as it ended
    let end = r#"{"cause":"finished","exit":{"code":0}}"#;
    std::fs::write(bench.spool("ended.json"), end).unwrap();
    let (_process, pod) = bench.start();
    assert_eq!(pod.status().await.unwrap().end.unwrap().cause, EndCause::Finished);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_is_asked_to_end_hands_out_what_was_measured() {
    let (engine, bench) = (engine(20, 1), Bench::new(100_000));
    let (mut process, pod) = start_by(bench.command().args(["--grace-s", "60"]));
    pod.start(&at(&engine)).await.unwrap();
    bench.wait_for_records(1).await;
    process.signal(Signal::SIGTERM);
    let end = ended(&pod).await.end.unwrap();
    assert_eq!((end.cause, end.exit), (EndCause::Terminated, Some(Exit::Code(1))));
    let (records, lines) = pod.records_after(0, "").await.unwrap();
    assert!(!records.is_empty() && lines.is_last);
    assert!(pod.report().await.unwrap().is_some());
    pod.done().await.unwrap();
    // Else it would wait for the end of its minute, longer than `exit` does.
    assert_eq!(process.exit().await.code(), Some(143));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_past_its_deadline_is_gone_with_its_load() {
    let (engine, bench) = (engine(20, 1), Bench::new(100_000));
    let deadline = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(8);
    let (mut process, pod) = start_by(bench.command().args(["--deadline", &deadline.to_string()]));
    pod.start(&at(&engine)).await.unwrap();
    let load = until("the load", async || process.children().first().copied()).await;
    assert_eq!(process.exit().await.code(), Some(1));
    assert!(!std::path::Path::new(&format!("/proc/{load}")).exists());
    assert!(std::fs::read_to_string(bench.spool("ended.json")).unwrap().contains("deadline"));
    assert!(bench.spool("report.json").exists());
}
