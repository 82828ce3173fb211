//! Runs: events, records, queue, cancel, the end, and what is left after each.

use dyno::domain::event::{LogLine, RunEnd, RunEvent};
use dyno::domain::list::ListQuery;
use dyno::domain::run::{Stage, StageId, StageStatus};
use dyno::store::{RunUpdate, StoreError};
use dyno_measure::events::{LogLevel, Progress};
use dyno_measure::run::{RunKind, RunStatus};
use dyno_measure::telemetry::{Levels, Reading, SampleContent, TelemetrySample, TelemetrySource};

use super::samples::{at, kept_run, new_run, record, store};

/// Runs of one person that wait.
const MOST_QUEUED: usize = 50;

fn log(line: &str) -> RunEvent {
    RunEvent::Log(LogLine { stage: StageId::DeployToEngine, level: LogLevel::Info, line: line.to_owned() })
}

fn end(status: RunStatus) -> RunEvent {
    RunEvent::End(RunEnd { status, reason: Some("because".to_owned()) })
}

#[tokio::test]
async fn an_update_is_kept_whole_and_numbered() {
    let (_folder, store, [_, anna, bert]) = store().await;
    let (_, run) = kept_run(&store, &anna, "one", 1).await;
    assert!(store.begin_run(run.id, at(5)).await.unwrap());
    assert!(!store.begin_run(run.id, at(6)).await.unwrap(), "it began already");

    let mut stage = Stage::pending(StageId::DeployToEngine);
    stage.status = StageStatus::Running;
    stage.started_at = Some(at(6));
    let update = RunUpdate {
        events: vec![(at(6), RunEvent::Stage(stage.clone())), (at(7), log("starting"))],
        records: vec![record(1, None), record(2, Some("cut_off"))],
        cursor: Some("100".to_owned()),
        ..RunUpdate::default()
    };
    let stored = store.update_run(run.id, &update, at(7)).await.unwrap();
    assert_eq!(stored.iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2]);
    let more = RunUpdate { events: vec![(at(8), log("more"))], ..RunUpdate::default() };
    assert_eq!(store.update_run(run.id, &more, at(8)).await.unwrap()[0].seq, 3);

    let open = store.open_runs().await.unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].cursor.as_deref(), Some("100"), "an update without a cursor leaves it");
    assert_eq!(open[0].nodes, ["local/here"]);
    let found = store.run(&anna, run.id).await.unwrap();
    assert_eq!(found.started_at, Some(at(5)));
    assert_eq!(found.stages[2], stage);

    let events = store.events_after(&anna, run.id, 1, 100).await.unwrap();
    assert_eq!(
        events.iter().map(|event| (event.seq, &event.event)).collect::<Vec<_>>(),
        [(2, &log("starting")), (3, &log("more"))]
    );
    assert_eq!(store.events_after(&anna, run.id, 0, 2).await.unwrap().len(), 2);
    assert!(matches!(store.events_after(&bert, run.id, 0, 2).await, Err(StoreError::NotFound("run"))));
}

#[tokio::test]
async fn a_run_is_claimed_by_one_at_a_time() {
    let (_folder, store, [_, anna, _]) = store().await;
    let (_, run) = kept_run(&store, &anna, "one", 1).await;
    let (first, second) = (uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
    assert!(store.claim_run(run.id, first, at(10), at(40)).await.unwrap());
    assert!(!store.claim_run(run.id, second, at(20), at(50)).await.unwrap(), "it is claimed");
    assert!(store.claim_run(run.id, first, at(30), at(60)).await.unwrap(), "renewed");
    assert!(!store.claim_run(run.id, second, at(59), at(90)).await.unwrap());
    assert!(store.claim_run(run.id, second, at(60), at(90)).await.unwrap(), "expired");
    assert!(!store.claim_run(run.id, first, at(70), at(99)).await.unwrap(), "lost");

    let update = |claimant| RunUpdate { events: vec![(at(70), log("mine"))], claimant, ..RunUpdate::default() };
    let late = store.update_run(run.id, &update(Some(first)), at(70)).await;
    assert!(matches!(late, Err(StoreError::Conflict(_))), "whoever lost the claim writes no more");
    assert_eq!(store.update_run(run.id, &update(Some(second)), at(70)).await.unwrap().len(), 1);

    store.release_run(run.id, first).await.unwrap();
    assert!(!store.claim_run(run.id, first, at(71), at(99)).await.unwrap(), "only its holder gives a claim back");
    store.release_run(run.id, second).await.unwrap();
    assert!(store.claim_run(run.id, first, at(72), at(99)).await.unwrap());
    let end = RunUpdate { events: vec![(at(80), end(RunStatus::Failed))], ..RunUpdate::default() };
    store.update_run(run.id, &end, at(80)).await.unwrap();
    assert!(!store.claim_run(run.id, first, at(81), at(99)).await.unwrap(), "it is over");
}

#[tokio::test]
async fn a_sample_is_kept_once_and_is_its_owners() {
    let (_folder, store, [_, anna, bert]) = store().await;
    let (_, run) = kept_run(&store, &anna, "one", 1).await;
    store.begin_run(run.id, at(5)).await.unwrap();
    let sample = |at_unix_ns: i64, node: &str, percent: f64| {
        let levels = Levels { cpu_percent: Some(percent), ..Levels::default() };
        let reading = Reading { pace_ms: 1_000, levels, ..Reading::default() };
        TelemetrySample::new(at_unix_ns, node, TelemetrySource::Kubelet, SampleContent::Reading(reading))
    };
    let update = |telemetry| RunUpdate { telemetry, ..RunUpdate::default() };
    store.update_run(run.id, &update(vec![sample(1, "a", 10.0), sample(1, "b", 20.0)]), at(6)).await.unwrap();
    // Another portal goes on, and its source has nothing new yet.
    store.update_run(run.id, &update(vec![sample(1, "a", 10.0), sample(2, "a", 30.0)]), at(7)).await.unwrap();
    let kept = store.telemetry_of_portal(run.id).await.unwrap();
    assert_eq!(kept, [sample(1, "a", 10.0), sample(1, "b", 20.0), sample(2, "a", 30.0)]);
    let first = store.telemetry_after(&anna, run.id, 0, 2).await.unwrap();
    assert_eq!(first.len(), 2);
    let rest = store.telemetry_after(&anna, run.id, first[1].0, 2).await.unwrap();
    assert_eq!(rest.into_iter().map(|(_, sample)| sample).collect::<Vec<_>>(), [sample(2, "a", 30.0)]);
    assert!(matches!(store.telemetry_after(&bert, run.id, 0, 2).await, Err(StoreError::NotFound("run"))));
}

#[tokio::test]
async fn nothing_follows_the_end() {
    let (_folder, store, [_, anna, _]) = store().await;
    let (_, run) = kept_run(&store, &anna, "one", 1).await;
    store.begin_run(run.id, at(5)).await.unwrap();
    let update = RunUpdate { events: vec![(at(9), end(RunStatus::Partial))], ..RunUpdate::default() };
    store.update_run(run.id, &update, at(9)).await.unwrap();
    let found = store.run(&anna, run.id).await.unwrap();
    assert_eq!((found.status, found.reason.as_deref(), found.ended_at), (RunStatus::Partial, Some("because"), Some(at(9))));
    let late =
        RunUpdate { events: vec![(at(10), end(RunStatus::Failed))], records: vec![record(1, None)], ..RunUpdate::default() };
    assert!(matches!(store.update_run(run.id, &late, at(10)).await, Err(StoreError::Conflict(_))));
    assert_eq!(store.run(&anna, run.id).await.unwrap().status, RunStatus::Partial);
    assert_eq!(store.record_count_of_portal(run.id).await.unwrap(), 0);
    assert_eq!(store.open_runs().await.unwrap(), []);
}

#[tokio::test]
async fn runs_on_one_node_queue() {
    let (_folder, store, [_, anna, bert]) = store().await;
    let (benchmark, first) = kept_run(&store, &anna, "one", 1).await;
    let (_, second) = kept_run(&store, &bert, "two", 2).await;
    let mut elsewhere = new_run(&benchmark, &anna, 3);
    elsewhere.nodes = vec!["local/there".to_owned()];
    store.insert_run(&benchmark, &elsewhere).await.unwrap();
    let position = async |id| store.run_of_portal(id).await.unwrap().queue_position;
    assert_eq!(position(first.id).await, Some(0));
    assert_eq!(position(second.id).await, Some(1));
    assert_eq!(position(elsewhere.run.id).await, Some(0));
    store.begin_run(first.id, at(5)).await.unwrap();
    assert_eq!(position(first.id).await, None);
    assert_eq!(position(second.id).await, Some(1), "the first is at work");
}

#[tokio::test]
async fn a_cancel_is_asked_for_by_those_who_may() {
    let (_folder, store, [_, anna, bert]) = store().await;
    let (_, run) = kept_run(&store, &anna, "one", 1).await;
    assert!(matches!(store.request_cancel(&bert, run.id).await, Err(StoreError::NotFound("run"))));
    store.begin_run(run.id, at(5)).await.unwrap();
    store.request_cancel(&anna, run.id).await.unwrap();
    store.request_cancel(&anna, run.id).await.unwrap();
    assert_eq!(store.run(&anna, run.id).await.unwrap().status, RunStatus::Cancelling);
    let update = RunUpdate { events: vec![(at(9), end(RunStatus::Cancelled))], ..RunUpdate::default() };
    store.update_run(run.id, &update, at(9)).await.unwrap();
    assert!(matches!(store.request_cancel(&anna, run.id).await, Err(StoreError::Conflict(_))));
}

#[tokio::test]
async fn a_queued_run_that_is_cancelled_never_begins() {
    let (_folder, store, [_, anna, _]) = store().await;
    let (_, run) = kept_run(&store, &anna, "one", 1).await;
    store.request_cancel(&anna, run.id).await.unwrap();
    assert!(!store.begin_run(run.id, at(5)).await.unwrap());
    assert!(store.open_runs().await.unwrap()[0].cancel_requested);
}

#[tokio::test]
async fn deleting_takes_everything_of_the_run() {
    let (_folder, store, [_, anna, bert]) = store().await;
    let (benchmark, run) = kept_run(&store, &anna, "one", 1).await;
    let again = new_run(&benchmark, &anna, 2);
    store.insert_run(&benchmark, &again).await.unwrap();
    assert!(matches!(store.delete_run(&bert, run.id).await, Err(StoreError::NotFound("run"))));
    assert!(matches!(store.delete_run(&anna, run.id).await, Err(StoreError::Conflict(_))), "it is not over");
    for id in [run.id, again.run.id] {
        let update =
            RunUpdate { events: vec![(at(9), end(RunStatus::Failed))], records: vec![record(1, None)], ..RunUpdate::default() };
        store.update_run(id, &update, at(9)).await.unwrap();
    }
    store.delete_run(&anna, run.id).await.unwrap();
    assert_eq!(store.record_count_of_portal(run.id).await.unwrap(), 0);
    assert!(store.benchmark(&anna, benchmark.id).await.is_ok(), "its other run is there");
    store.delete_run(&anna, again.run.id).await.unwrap();
    assert!(matches!(store.benchmark(&anna, benchmark.id).await, Err(StoreError::NotFound("benchmark"))));
    assert_eq!(store.workflows(&anna, false).await.unwrap(), [], "a finished draft goes with its run");
}

#[tokio::test]
async fn records_are_paged_sorted_and_filtered() {
    let (_folder, store, [_, anna, bert]) = store().await;
    let (_, run) = kept_run(&store, &anna, "one", 1).await;
    let records: Vec<_> = (1..=7).map(|number| record(number, (number % 3 == 0).then_some("timeout"))).collect();
    let update = RunUpdate { records: records.clone(), ..RunUpdate::default() };
    store.update_run(run.id, &update, at(9)).await.unwrap();
    let ask = async |query: ListQuery| store.records(&anna, run.id, &query).await;

    let all = ask(ListQuery::default()).await.unwrap();
    assert_eq!((all.total, &all.items), (7, &records), "whole, in their order");
    let page = ListQuery { sort: Some("-ttft_ms".to_owned()), page: Some(2), page_size: Some(3), ..ListQuery::default() };
    let page = ask(page).await.unwrap();
    assert_eq!(page.total, 7);
    assert_eq!(page.items.iter().map(|record| record.id.as_str()).collect::<Vec<_>>(), ["request-4", "request-3", "request-2"]);
    let failed = ask(ListQuery { status: Some("error".to_owned()), ..ListQuery::default() }).await.unwrap();
    assert_eq!(failed.total, 2);
    let one = ask(ListQuery { search: Some("REQUEST-5".to_owned()), ..ListQuery::default() }).await.unwrap();
    assert_eq!(one.items, [records[4].clone()]);
    let wrong = ask(ListQuery { sort: Some("data".to_owned()), ..ListQuery::default() }).await;
    assert!(matches!(wrong, Err(StoreError::Invalid { field: "sort", .. })));
    assert!(matches!(store.records(&bert, run.id, &ListQuery::default()).await, Err(StoreError::NotFound("run"))));

    let rest = store.records_after(&anna, run.id, 5, 100).await.unwrap();
    assert_eq!(rest.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), [6, 7]);
}

#[tokio::test]
async fn a_page_reads_of_a_runs_events_what_it_shows() {
    let (_folder, store, [_, anna, bert]) = store().await;
    let (_, run) = kept_run(&store, &anna, "one", 1).await;
    store.begin_run(run.id, at(5)).await.unwrap();
    let snapshot = |elapsed_ms| RunEvent::Progress(Box::new(Progress { elapsed_ms, ..Progress::default() }));
    let other = RunEvent::Log(LogLine { stage: StageId::CleanUp, level: LogLevel::Info, line: "other".to_owned() });
    let mut events: Vec<_> = (0..1000).flat_map(|number| [snapshot(number), log(&number.to_string())]).collect();
    events.insert(700, other.clone());
    let mut stage = Stage::pending(StageId::DeployToEngine);
    stage.status = StageStatus::Succeeded;
    events.insert(300, RunEvent::Stage(stage));
    let events = events.into_iter().map(|event| (at(6), event)).collect();
    let stored = store.update_run(run.id, &RunUpdate { events, ..RunUpdate::default() }, at(7)).await.unwrap();

    let run = store.run(&anna, run.id).await.unwrap();
    let found = store.run_snapshot(&anna, &run, 10, 20).await.unwrap();
    assert_eq!(found.last_seq, 2002);
    assert_eq!(found.earlier, [(StageId::DeployToEngine, 990), (StageId::CleanUp, 0)]);
    assert!(found.events.is_sorted_by_key(|event| event.seq) && found.events.iter().all(|event| stored.contains(event)));
    let of = |name: &str| found.events.iter().filter(|event| event.event.into_str() == name).collect::<Vec<_>>();
    assert_eq!((of("log").len(), of("stage").len()), (11, 1));
    assert_eq!(of("log").last().unwrap().event, log("999"));
    assert_eq!(of("progress").len(), 20, "evenly spread");
    assert_eq!(of("progress").last().unwrap().event, snapshot(999), "the last one always");
    assert!(matches!(store.run_snapshot(&bert, &run, 10, 20).await, Err(StoreError::NotFound("run"))));

    let before = of("log")[1].seq;
    let lines = store.log_lines_before(&anna, run.id, StageId::DeployToEngine, before, 3).await.unwrap();
    assert_eq!(lines.iter().map(|line| &line.event).collect::<Vec<_>>(), [&log("987"), &log("988"), &log("989")]);
    assert!(matches!(
        store.log_lines_before(&bert, run.id, StageId::DeployToEngine, before, 3).await,
        Err(StoreError::NotFound("run"))
    ));
}

#[tokio::test]
async fn a_person_has_so_many_runs_waiting_and_others_go_on() {
    let (_folder, store, [_, anna, bert]) = store().await;
    let (benchmark, _) = kept_run(&store, &anna, "one", 1).await;
    let refused = async |most: usize| {
        for number in 1..most {
            store.insert_run(&benchmark, &new_run(&benchmark, &anna, number as i64)).await?;
        }
        store.insert_run(&benchmark, &new_run(&benchmark, &anna, 0)).await
    };
    let refused = refused(MOST_QUEUED).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Conflict(why) if why.contains(&MOST_QUEUED.to_string())), "{refused}");
    store.insert_run(&benchmark, &new_run(&benchmark, &bert, 9)).await.unwrap();
    let first = store.open_runs().await.unwrap().into_iter().find(|open| open.run.owner == anna.id).unwrap();
    assert!(store.begin_run(first.run.id, at(99)).await.unwrap());
    store.insert_run(&benchmark, &new_run(&benchmark, &anna, 100)).await.unwrap();

    // simulated ones begin at once, and wait for a slot then
    for number in 1..MOST_QUEUED {
        let mut simulated = new_run(&benchmark, &bert, number as i64);
        simulated.run.kind = RunKind::Simulated;
        store.insert_run(&benchmark, &simulated).await.unwrap();
        assert!(store.begin_run(simulated.run.id, at(99)).await.unwrap());
    }
    assert!(matches!(store.insert_run(&benchmark, &new_run(&benchmark, &bert, 0)).await, Err(StoreError::Conflict(_))));
}
