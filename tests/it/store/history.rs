//! The history: who sees what, search, filters, sorts, pages.

use dyno::domain::list::ListQuery;
use dyno::domain::run::LimitsVerdict;
use dyno::domain::user::Actor;
use dyno::store::{RunUpdate, Store, StoreError};
use dyno_measure::load::Slo;
use dyno_measure::run::RunStatus;
use serde_json::json;

use super::samples::{at, benchmark, kept_run, kept_run_of, store};

async fn names(store: &Store, actor: &Actor, query: ListQuery) -> Vec<String> {
    let page = store.runs(actor, &query).await.unwrap();
    page.items.into_iter().map(|row| row.name).collect()
}

fn query(change: impl FnOnce(&mut ListQuery)) -> ListQuery {
    let mut query = ListQuery::default();
    change(&mut query);
    query
}

#[tokio::test]
async fn members_see_their_own_and_administrators_everybodys() {
    let (_folder, store, [admin, anna, bert]) = store().await;
    let (_, of_anna) = kept_run(&store, &anna, "of anna", 1).await;
    let (benchmark, of_bert) = kept_run(&store, &bert, "of bert", 2).await;
    let chosen = [of_anna.id, of_bert.id];
    let by_id = async |actor| {
        let rows = store.runs_by_id(actor, &chosen).await.unwrap();
        rows.into_iter().map(|row| row.name).collect::<Vec<_>>()
    };
    assert_eq!((by_id(&anna).await, by_id(&admin).await), (vec!["of anna".into()], vec!["of bert".into(), "of anna".into()]));
    assert!(store.runs_by_id(&admin, &[]).await.unwrap().is_empty());
    assert_eq!(names(&store, &anna, query(|_| {})).await, ["of anna"]);
    assert_eq!(names(&store, &admin, query(|_| {})).await, ["of bert", "of anna"]);
    assert_eq!(names(&store, &admin, query(|query| query.creator = Some("anna".to_owned()))).await, ["of anna"]);
    assert!(matches!(store.benchmark(&anna, benchmark.id).await, Err(StoreError::NotFound("benchmark"))));
    assert_eq!(store.benchmarks(&anna, &query(|_| {})).await.unwrap().total, 1);
    let [models, clusters, tags, creators] = store.history_choices(&anna).await.unwrap();
    assert_eq!((models, clusters), (vec!["model of of anna".to_owned()], vec!["local".to_owned()]));
    assert_eq!((tags, creators), (vec!["nightly".to_owned()], vec!["anna".to_owned()]));
}

/// Which load the figures are of, and what became of the limits.
#[tokio::test]
async fn a_row_says_which_load_it_is_of_and_whether_that_met_the_limits() {
    let (_folder, store, [_, anna, _]) = store().await;
    let several = json!([{ "concurrency": 1, "meets_slo": false }, { "concurrency": 1280, "meets_slo": true }]);
    let unsure = json!([{ "rate": 2.5 }, { "rate": 4.0, "meets_slo": false }]);
    let plain = json!([{ "concurrency": 8 }]);
    let met = Some(LimitsVerdict::Met);
    for (number, (points, best, valid, limited, expected)) in [
        (&several, 1, true, true, (Some("1,280 in flight"), met)),
        (&several, 0, true, true, (Some("1 in flight"), Some(LimitsVerdict::NotMet))),
        (&several, 1, false, true, (Some("1,280 in flight"), None)),
        (&unsure, 0, true, true, (Some("2.50 requests/s"), Some(LimitsVerdict::Undecided))),
        (&plain, 0, true, true, (None, Some(LimitsVerdict::Undecided))),
        (&plain, 0, true, false, (None, Some(LimitsVerdict::None))),
    ]
    .into_iter()
    .enumerate()
    {
        let mut asked = benchmark(&anna, &format!("run {number}"), None);
        let limits = Slo { percentile: 90.0, ttft_ms: None, tpot_ms: Some(12.0), e2el_ms: None, search: None };
        asked.spec.load.slo = limited.then_some(limits);
        let (_, run) = kept_run_of(&store, &anna, asked, number as i64).await;
        let row = async || store.runs_by_id(&anna, &[run.id]).await.unwrap().remove(0);
        assert_eq!((row().await.chosen_load, row().await.limits), (None, None), "nothing is known yet");
        let report = serde_json::from_value(json!({
            "run_id": run.id, "kind": "measured", "status": "succeeded", "valid": valid, "invalid_reasons": [], "summary": {},
            "load_points": points, "best": best, "nodes": [], "provenance": {},
        }))
        .unwrap();
        let update = RunUpdate { report: Some(report), ..RunUpdate::default() };
        store.update_run(run.id, &update, at(9)).await.unwrap();
        let row = row().await;
        assert_eq!((row.chosen_load.as_deref(), row.limits), expected, "{number}");
    }
}

#[tokio::test]
async fn the_history_is_searched_filtered_sorted_and_paged() {
    let (_folder, store, [_, anna, _]) = store().await;
    for (number, name) in ["beta", "Alpha", "gamma"].into_iter().enumerate() {
        kept_run(&store, &anna, name, number as i64 * 24 * 3600).await;
    }
    let ask = async |change: fn(&mut ListQuery)| names(&store, &anna, query(change)).await;
    assert_eq!(ask(|_| {}).await, ["gamma", "Alpha", "beta"], "newest first");
    assert_eq!(ask(|query| query.sort = Some("name".to_owned())).await, ["Alpha", "beta", "gamma"]);
    assert_eq!(ask(|query| query.search = Some("ALP".to_owned())).await, ["Alpha"]);
    assert_eq!(ask(|query| query.search = Some("größe 50%".to_owned())).await.len(), 3, "the description");
    assert_eq!(ask(|query| query.search = Some("50%x".to_owned())).await.len(), 0, "wildcards are text");
    assert_eq!(ask(|query| query.search = Some("nightly".to_owned())).await.len(), 3, "tags");
    assert_eq!(ask(|query| query.search = Some("model of BETA".to_owned())).await, ["beta"], "models");
    assert_eq!(ask(|query| query.search = Some("llama.cpp".to_owned())).await.len(), 3, "engines");
    assert_eq!(ask(|query| query.tag = Some("nightly".to_owned())).await.len(), 3);
    assert_eq!(ask(|query| query.tag = Some("night".to_owned())).await.len(), 0);
    assert_eq!(ask(|query| query.model = Some("model of beta".to_owned())).await, ["beta"]);
    assert_eq!(ask(|query| query.status = Some("failed".to_owned())).await.len(), 0);
    assert_eq!(ask(|query| query.status = Some("queued".to_owned())).await.len(), 3);
    assert_eq!(ask(|query| query.from = Some("2026-11-02".to_owned())).await, ["gamma", "Alpha"]);
    assert_eq!(ask(|query| query.to = Some("2026-11-02".to_owned())).await, ["Alpha", "beta"]);
    let page = store.runs(&anna, &query(|query| (query.page, query.page_size) = (Some(2), Some(2)))).await.unwrap();
    assert_eq!((page.total, page.items.len(), page.items[0].name.as_str()), (3, 1, "beta"));
    assert_eq!(page.items[0].tags[0].name, "nightly");
    assert_eq!(page.items[0].status, RunStatus::Queued);
    assert_eq!(page.items[0].created_at, at(0));
    for (field, wrong) in [
        ("sort", query(|query| query.sort = Some("password".to_owned()))),
        ("status", query(|query| query.status = Some("done".to_owned()))),
        ("from", query(|query| query.from = Some("soon".to_owned()))),
    ] {
        match store.runs(&anna, &wrong).await {
            Err(StoreError::Invalid { field: named, .. }) => assert_eq!(named, field),
            other => panic!("{field}: {other:?}"),
        }
    }
}

/// Of the last runs on a cluster, whoever's they are, the last that came to figures.
#[tokio::test]
async fn the_latest_self_check_of_a_cluster_is_known() {
    let (_folder, store, [_, anna, bert]) = store().await;
    let check = |concurrency: u32, failed: Option<&str>| {
        json!({
            "concurrency": concurrency, "requests": 700, "true_ttft_ms": 8.0, "true_itl_ms": 4.0, "checked_at_unix_ms": 0, "cached": false,
            "failed": failed,
        })
    };
    let mut cluster = uuid::Uuid::nil();
    let checks = [Some(check(8, None)), Some(check(64, None)), Some(check(128, Some("no request succeeded"))), None];
    for (number, checked) in checks.into_iter().enumerate() {
        let person = if number % 2 == 0 { &anna } else { &bert };
        let (kept, run) = kept_run(&store, person, &format!("run {number}"), number as i64).await;
        cluster = kept.spec.cluster_id;
        let report = serde_json::from_value(json!({
            "run_id": run.id, "kind": "measured", "status": "succeeded", "valid": true, "invalid_reasons": [], "summary": {},
            "load_points": [], "nodes": [], "provenance": {}, "self_check": checked,
        }))
        .unwrap();
        let update = RunUpdate { report: Some(report), ..RunUpdate::default() };
        store.update_run(run.id, &update, at(9)).await.unwrap();
    }
    let found = store.last_self_check(cluster).await.unwrap().unwrap();
    assert_eq!(found.concurrency, 64);
    assert_eq!(store.last_self_check(uuid::Uuid::now_v7()).await.unwrap(), None);
}
