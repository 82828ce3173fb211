//! A load that comes from several pods.

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use dyno_measure::run::RunStatus;
use dyno_pod::client::{LoadPodClient, SpoolPosition};
use dyno_pod::protocol::{EndCause, Exit, StartRequest, WorkerPlace};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use serde_json::json;

use super::started::{Bench, PATIENCE, Plain, Process, TOKEN, at, dyno, ended, engine, lines_of, quick_engine, until};

fn worker() -> Process {
    Process::start(dyno().args(["pod", "worker"]))
}

/// The load's own pod is the first place.
fn places(workers: &[&Process]) -> Vec<WorkerPlace> {
    let addresses = std::iter::once(None).chain(workers.iter().map(|worker| Some(worker.address)));
    addresses.enumerate().map(|(index, address)| WorkerPlace { name: format!("Load pod {}", index + 1), address }).collect()
}

fn with(request: StartRequest, workers: &[&Process]) -> StartRequest {
    StartRequest { workers: places(workers), ..request }
}

/// Says a first line, and gives what is answered.
fn say(address: SocketAddr, line: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let _ = stream.write_all(line);
    let mut answer = String::new();
    let _ = BufReader::new(stream).read_line(&mut answer);
    answer
}

fn hello(token: &str) -> Vec<u8> {
    format!("{}\n", json!({ "token": token })).into_bytes()
}

async fn is_under_load(worker: &Process) -> i32 {
    until("a worker's process", async || worker.children().first().copied()).await
}

async fn records(pod: &LoadPodClient<Plain>) -> Vec<dyno_measure::report::RequestRecord> {
    let (mut all, mut place) = (Vec::new(), SpoolPosition::default());
    loop {
        let (some, lines) = pod.records(&place).await.unwrap();
        all.extend(some);
        place = lines.place;
        if lines.is_last {
            return all;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_pods_measure_what_one_does_each_request_once() {
    let (engine, mut bench) = (engine(40, 10), Bench::new(203));
    bench.plan["load_points"][0]["warmup_requests"] = json!(6);
    let (mut worker, (_process, pod)) = (worker(), bench.start());
    pod.start(&with(at(&engine), &[&worker])).await.unwrap();
    let status = ended(&pod).await;
    let log = pod.log_end(1_000).await.unwrap();
    assert_eq!(status.end.map(|end| end.cause), Some(EndCause::Finished), "{log}");
    let report = pod.report().await.unwrap().unwrap();
    assert_eq!(report.status, RunStatus::Succeeded, "{log}");
    let summary = &report.summary;
    assert_eq!((summary.successful_requests, summary.failed_requests, summary.peak_concurrency), (203, 0, Some(4)));
    let [ttft, itl] = [&summary.ttft_ms, &summary.itl_ms].map(|figures| figures.as_ref().unwrap());
    assert!((ttft.p50 - 40.0).abs() < 10.0 && (itl.p50 - 10.0).abs() < 3.0, "{ttft:?} {itl:?}");
    assert_eq!(itl.n, 203 * 7, "percentiles are over all gaps");
    let records = records(&pod).await;
    let ids: HashSet<&str> = records.iter().map(|record| record.id.as_str()).collect();
    assert_eq!((records.len(), ids.len()), (209, 209));
    assert!(records.is_sorted_by_key(|record| record.sent_unix_ns), "by send time");
    let facts = &report.provenance.load_workers;
    assert_eq!(facts.iter().map(|worker| worker.name.as_str()).collect::<Vec<_>>(), ["Load pod 1", "Load pod 2"]);
    assert!(facts.iter().all(|worker| worker.requests > 90), "{facts:?}");
    assert!(facts[1].clock.uncertainty_ns > 0 && facts[1].clock.offset_ns.abs() < 1_000_000_000, "{facts:?}");
    let said = |what: &str| report.notes.iter().any(|note| note.text.contains(what));
    assert!(said("2 workers (Load pod 1, Load pod 2)") && said("Load pod 2: its clock was"), "{:?}", report.notes);
    assert_eq!(report.provenance.plan().unwrap().workers, 2);
    assert_eq!(worker.exit().await.code(), Some(0), "it never has another load");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_admits_one_load_and_nobody_without_the_token() {
    let (engine, bench) = (engine(20, 1), Bench::new(100_000));
    let (worker, (_process, pod)) = (worker(), bench.start());
    for stranger in [hello(&TOKEN.replace('f', "e")), hello(""), b"GET /status HTTP/1.1\r\n\r\n".to_vec()] {
        assert!(say(worker.address, &stranger).contains("The token is missing or wrong."));
    }
    // what follows the hello before it is answered would be the worker's to read
    assert!(say(worker.address, &[hello(TOKEN), b"{}\n".to_vec()].concat()).contains("refused"));
    assert!(!say(worker.address, &vec![b' '; 1 << 20]).contains("admitted"));
    drop(TcpStream::connect(worker.address).unwrap());
    assert_eq!(worker.children(), Vec::<i32>::new(), "nobody was let in");

    pod.start(&with(at(&engine), &[&worker])).await.unwrap();
    bench.wait_for_records(20).await;
    assert!(say(worker.address, &hello(TOKEN)).contains("It has its load already"));
    let load = is_under_load(&worker).await;
    let environment = format!("{:?}", procfs::process::Process::new(load).unwrap().environ().unwrap());
    assert!(!environment.contains(TOKEN), "the worker's process has no use for it");
    pod.cancel(false).await.unwrap();
    assert_eq!(ended(&pod).await.end.unwrap().cause, EndCause::Cancelled);
    assert!(pod.report().await.unwrap().unwrap().summary.failed_requests == 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_a_worker_does_not_admit_is_not_put_on() {
    let (engine, bench) = (quick_engine(), Bench::new(10));
    let (_process, pod) = bench.start();
    let taken = worker();
    let mut first = TcpStream::connect(taken.address).unwrap();
    first.write_all(&hello(TOKEN)).unwrap();
    let mut answer = [0; 18];
    first.read_exact(&mut answer).unwrap();
    pod.start(&with(at(&engine), &[&taken])).await.unwrap();
    ended(&pod).await;
    let log = pod.log_end(1_000).await.unwrap();
    let words = "Load pod 2 does not take part in the load: It has its load already, and takes no second one.";
    assert!(log.contains(words), "{log}");
    assert_eq!(records(&pod).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_dies_or_is_ended_is_named_and_what_was_measured_is_kept() {
    for (signal, words) in [
        (Signal::SIGKILL, "Load pod 2 was lost before the load's end, or the way to it."),
        (Signal::SIGTERM, "Load pod 2: Stopped before its end."),
    ] {
        let (engine, bench) = (engine(20, 1), Bench::new(100_000));
        let (mut worker, (_process, pod)) = (worker(), bench.start());
        pod.start(&with(at(&engine), &[&worker])).await.unwrap();
        bench.wait_for_records(20).await;
        let load = is_under_load(&worker).await;
        worker.signal(signal);
        if signal == Signal::SIGKILL {
            // a container's processes end together
            killpg(Pid::from_raw(load), Signal::SIGKILL).unwrap();
        }
        ended(&pod).await;
        let report = pod.report().await.unwrap().unwrap();
        assert_eq!(report.status, RunStatus::Partial);
        let (events, _) = pod.events(&SpoolPosition::default()).await.unwrap();
        let last = serde_json::to_string(events.last().unwrap()).unwrap();
        assert!(last.contains(words), "{last}");
        let kept = lines_of(&bench.spool("requests.ndjson")) as u64;
        let of_workers: Vec<u64> = report.provenance.load_workers.iter().map(|worker| worker.requests).collect();
        assert_eq!(of_workers.iter().sum::<u64>(), kept);
        assert!(of_workers.iter().all(|requests| *requests > 0), "both have handed over: {of_workers:?}");
        let code = worker.exit().await.code();
        assert_eq!(code, if signal == Signal::SIGTERM { Some(143) } else { None });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_ends_with_the_pod_that_leads_it() {
    let (engine, bench) = (engine(20, 1), Bench::new(100_000));
    let (mut worker, (process, pod)) = (worker(), bench.start());
    pod.start(&with(at(&engine), &[&worker])).await.unwrap();
    bench.wait_for_records(20).await;
    let load = process.children()[0];
    process.signal(Signal::SIGKILL);
    killpg(Pid::from_raw(load), Signal::SIGKILL).unwrap();
    assert!(worker.exit().await.code().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_nobody_needs_ends_when_it_is_told_to() {
    let mut idle = worker();
    idle.signal(Signal::SIGTERM);
    assert_eq!(idle.exit().await.code(), Some(143));
    let deadline = jiff::Timestamp::now() + jiff::SignedDuration::from_millis(300);
    let mut late = Process::start(dyno().args(["pod", "worker"]).env("DYNO_POD_DEADLINE", deadline.to_string()));
    assert_eq!(late.exit().await.code(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_stands_still_holds_nobody_up_for_ever() {
    let (engine, bench) = (engine(20, 1), Bench::new(100_000));
    let (worker, (_process, pod)) = (worker(), bench.start());
    pod.start(&with(at(&engine), &[&worker])).await.unwrap();
    bench.wait_for_records(20).await;
    let load = is_under_load(&worker).await;
    kill(Pid::from_raw(load), Signal::SIGSTOP).unwrap();
    pod.cancel(false).await.unwrap();
    let end = ended(&pod).await.end.unwrap();
    assert_eq!((end.cause, end.exit), (EndCause::Cancelled, Some(Exit::Code(1))), "it wrote its report by itself");
    kill(Pid::from_raw(load), Signal::SIGCONT).unwrap();
}
