//! A load from its start to the last record.

use std::collections::HashSet;

use dyno_measure::events::{LoadEvent, LoadEventKind, LoadStatus};
use dyno_pod::client::{Lines, LoadPodClient, PodClientError, SpoolPosition};
use dyno_pod::protocol::{EndCause, ErrorCode, Exit, LoadState, SpoolFile, StartRequest};
use serde_json::json;

use super::relay::{Relay, Side};
use super::started::{Bench, Plain, at, ended, engine, lines_of, quick_engine, token, until};

/// Reads on, over every connection that breaks, to the last line.
pub async fn all<T>(what: &str, mut next: impl AsyncFnMut(&SpoolPosition) -> Result<(Vec<T>, Lines), PodClientError>) -> Vec<T> {
    let (mut all, mut place) = (Vec::new(), SpoolPosition::default());
    until(what, async || match next(&place).await {
        Ok((some, lines)) => {
            assert!(!lines.is_anew, "nothing was replaced");
            all.extend(some);
            place = lines.place;
            lines.is_last.then_some(())
        }
        Err(error) => {
            assert!(error.is_transient(), "{error}");
            None
        }
    })
    .await;
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_load_arrives_over_connections_that_break() {
    let (engine, bench) = (quick_engine(), Bench::new(4_000));
    let (mut process, direct) = bench.start();
    assert_eq!(direct.status().await.unwrap().state, LoadState::Waiting);
    assert!(direct.report().await.unwrap().is_none());
    // in the head, just after it, in the first line, in the middle, never
    let relay = Relay::start(process.address, Side::Answers, &[90, 400, 700, 5_000, 60_000, 300_000, usize::MAX]);
    let pod = LoadPodClient::new(Plain(relay.address), token());
    until("it starts", async || pod.start(&at(&engine)).await.ok()).await;

    let events: Vec<LoadEvent> = all("events", async |place| pod.events(place).await).await;
    assert_eq!(events.len(), lines_of(&bench.spool("load.ndjson")));
    assert!(matches!(events[0].kind, LoadEventKind::Started { .. }));
    assert!(matches!(events.last().unwrap().kind, LoadEventKind::End { status: LoadStatus::Ok, .. }));
    let records = all("records", async |place| pod.records(place).await).await;
    let ids: HashSet<&str> = records.iter().map(|record| record.id.as_str()).collect();
    assert_eq!((records.len(), ids.len()), (4_000, 4_000));
    let rest = until("the rest", async || pod.records_after(3_990, "").await.ok()).await;
    assert_eq!((rest.0.as_slice(), rest.1.is_last), (&records[3_990..], true));
    let report = until("the report", async || pod.report().await.ok()).await.unwrap();
    assert_eq!((report.summary.successful_requests, report.load_points.len()), (4_000, 1));
    let sidecar = until("the sidecar", async || pod.sidecar().await.ok()).await.unwrap();
    assert_eq!(sidecar.points.len(), 1);
    let plan = until("the plan", async || pod.plan().await.ok()).await.unwrap();
    assert_eq!((plan.endpoints, plan.model), (at(&engine).endpoints, "reference".to_owned()));
    assert!(relay.broken() > 10, "{} connections broke", relay.broken());

    let status = direct.status().await.unwrap();
    assert_eq!(status.end.map(|end| (end.cause, end.exit, end.reason)), Some((EndCause::Finished, Some(Exit::Code(0)), None)));
    direct.done().await.unwrap();
    assert_eq!(process.exit().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_is_started_once() {
    let (engine, other, bench) = (engine(20, 1), quick_engine(), Bench::new(200));
    let (_process, pod) = bench.start();
    let (first, second) = tokio::join!(async { pod.start(&at(&engine)).await }, async { pod.start(&at(&engine)).await });
    assert_eq!((first.unwrap().state, second.unwrap().state), (LoadState::Running, LoadState::Running));
    assert_eq!(pod.start(&at(&other)).await.unwrap_err().code(), Some(ErrorCode::AlreadyStarted));
    assert_eq!(pod.done().await.unwrap_err().code(), Some(ErrorCode::WrongState), "it runs");
    ended(&pod).await;
    assert_eq!(pod.start(&at(&engine)).await.unwrap().state, LoadState::Ended);
    assert_eq!(pod.start(&at(&other)).await.unwrap_err().code(), Some(ErrorCode::AlreadyStarted));
    let starts = pod.lines(SpoolFile::Events, &SpoolPosition::default()).await.unwrap().lines;
    let starts = starts.iter().filter(|line| String::from_utf8_lossy(line).contains(r#""event":"started""#)).count();
    assert_eq!((starts, lines_of(&bench.spool("requests.ndjson"))), (1, 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_can_not_be_carried_out_is_refused_and_starts_nothing() {
    let (engine, bench) = (quick_engine(), Bench::new(20));
    let (_process, pod) = bench.start();
    assert_eq!(pod.start(&StartRequest::default()).await.unwrap_err().code(), Some(ErrorCode::Invalid), "no endpoint");
    assert_eq!(pod.status().await.unwrap().state, LoadState::Waiting);
    pod.start(&at(&engine)).await.unwrap();
    ended(&pod).await;
    assert_eq!(pod.report().await.unwrap().unwrap().summary.successful_requests, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_is_checked_while_engines_are_awaited() {
    let (engine, mut bench) = (quick_engine(), Bench::new(50));
    bench.plan["self_check"] = json!({});
    let (_process, pod) = bench.start();
    let check = until("the check", async || pod.status().await.unwrap().self_check).await;
    assert_eq!((check.concurrency, check.cached, &check.failed), (4, false, &None));
    pod.start(&at(&engine)).await.unwrap();
    ended(&pod).await;
    let of_load = pod.report().await.unwrap().unwrap().self_check.unwrap();
    assert_eq!((of_load.checked_at_unix_ms, of_load.cached), (check.checked_at_unix_ms, true), "the load takes it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_starts_at_once_waits_for_the_check() {
    let (engine, mut bench) = (quick_engine(), Bench::new(50));
    bench.plan["self_check"] = json!({});
    let (_process, pod) = bench.start();
    pod.start(&at(&engine)).await.unwrap();
    let status = ended(&pod).await;
    let of_load = pod.report().await.unwrap().unwrap().self_check.unwrap();
    assert_eq!(status.self_check.unwrap().checked_at_unix_ms, of_load.checked_at_unix_ms);
}
