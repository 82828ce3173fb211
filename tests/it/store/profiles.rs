//! What the simulator learnt: each valid measured run is looked at once, and its report then has what was expected of it.

use dyno::domain::event::{RunEnd, RunEvent};
use dyno::store::{LearntRun, RunUpdate, Store};
use dyno_measure::report::{Predicted, RequestRecord};
use dyno_measure::run::RunStatus;
use dyno_simulate::own_runs::{MeasuredPoint, MeasuredRun, MeasuredSetup, calibrated};
use dyno_simulate::{Engine, EngineSettings, Profiles, SimulatedWorkload, StopFlag, TokenLengths, device, model};
use serde_json::json;
use uuid::Uuid;

use super::samples::{at, kept_run, store};

async fn end(store: &Store, run: Uuid, valid: bool, second: i64) {
    let report = serde_json::from_value(json!({
        "run_id": run, "kind": "measured", "status": "succeeded", "valid": valid, "invalid_reasons": [], "summary": {},
        "load_points": [{ "concurrency": 1 }, { "rate": 2.0 }], "nodes": [], "provenance": {},
    }))
    .unwrap();
    let end = RunEvent::End(RunEnd { status: RunStatus::Succeeded, reason: None });
    let update = RunUpdate { events: vec![(at(second), end)], report: Some(report), ..RunUpdate::default() };
    store.update_run(run, &update, at(second)).await.unwrap();
}

fn predicted(error: f64) -> Predicted {
    serde_json::from_value(json!({
        "standing": "prior", "runs": 3, "error_pct": {}, "is_assumed": true,
        "load_points": [{ "load_point": 0, "ttft_ms": { "predicted": 100.0 + error, "measured": 100.0, "error_pct": error } }],
    }))
    .unwrap()
}

fn measured() -> MeasuredRun {
    let device = device::find("L40S").unwrap();
    let setup = MeasuredSetup {
        model: model::catalogue::find("meta-llama/Llama-3.1-8B").unwrap(),
        settings: EngineSettings::defaults(Engine::Vllm, &device, 1),
        device,
        engine: Engine::Vllm,
        version: None,
        tensor_parallel: 1,
        replicas: 1,
    };
    let workload = SimulatedWorkload::closed(4, TokenLengths::fixed(16, 8), 1, 1);
    MeasuredRun { setup, points: vec![MeasuredPoint { workload, ttft_ms: Some(20.0), tpot_ms: Some(9.0), e2el_ms: None }] }
}

#[tokio::test]
async fn a_valid_measured_run_is_looked_at_once_and_others_never() {
    let (_folder, store, [admin, anna, bert]) = store().await;
    let (_, late) = kept_run(&store, &anna, "late", 2).await;
    let (_, early) = kept_run(&store, &anna, "early", 3).await;
    let (_, invalid) = kept_run(&store, &anna, "invalid", 4).await;
    kept_run(&store, &anna, "waits", 5).await;
    assert!(store.unlearnt_runs_of_portal(9).await.unwrap().is_empty());
    end(&store, early.id, true, 10).await;
    end(&store, late.id, true, 11).await;
    end(&store, invalid.id, false, 12).await;
    assert_eq!(store.unlearnt_runs_of_portal(9).await.unwrap(), [early.id, late.id], "in the order of their ends");

    let key = "card, vllm".to_owned();
    let learnt = LearntRun { measured: Some((key.clone(), measured())), reason: None, predicted: Some(predicted(12.0)) };
    store.keep_learnt_run(early.id, &learnt, at(20)).await.unwrap();
    let reason = LearntRun { reason: Some("No.".to_owned()), ..LearntRun::default() };
    store.keep_learnt_run(late.id, &reason, at(21)).await.unwrap();
    assert!(store.unlearnt_runs_of_portal(9).await.unwrap().is_empty());
    assert_eq!(store.measured_runs_of_portal(&key, 9).await.unwrap(), [measured()]);

    // What was expected before the run was learnt from stays, whoever looks again.
    let again = LearntRun { predicted: Some(predicted(1.0)), ..learnt };
    store.keep_learnt_run(early.id, &again, at(22)).await.unwrap();
    assert_eq!(store.report(&anna, early.id).await.unwrap().predicted, Some(predicted(12.0)));
    assert_eq!(store.report(&anna, late.id).await.unwrap().predicted, None);

    let [found] = <[_; 1]>::try_from(store.predicted_runs(&anna, 9).await.unwrap()).unwrap();
    assert_eq!((found.id, found.name.as_str(), found.predicted.clone()), (early.id, "early", predicted(12.0)));
    assert_eq!(found.loads.len(), 2);
    assert!(store.predicted_runs(&bert, 9).await.unwrap().is_empty(), "another person's");
    assert_eq!(store.predicted_runs(&admin, 9).await.unwrap().len(), 1);

    store.delete_run(&anna, early.id).await.unwrap();
    assert!(store.measured_runs_of_portal(&key, 9).await.unwrap().is_empty());
    // A run that is gone meanwhile is no error.
    store.keep_learnt_run(early.id, &again, at(23)).await.unwrap();
}

#[tokio::test]
async fn a_profile_takes_the_place_of_the_earlier_one() {
    let (_folder, store, _) = store().await;
    let first = calibrated(&[measured()], &Profiles::published(), &StopFlag::default()).unwrap();
    let mut second = first.clone();
    second.runs = 2;
    store.put_profile("a", &first, at(1)).await.unwrap();
    store.put_profile("a", &second, at(2)).await.unwrap();
    assert_eq!(store.fitted_profiles().await.unwrap(), [second]);
}

#[tokio::test]
async fn records_to_learn_from_are_the_first_that_succeeded() {
    let (_folder, store, [_, anna, _]) = store().await;
    let (_, run) = kept_run(&store, &anna, "run", 2).await;
    let record = |id: &str, load_point: u32, phase: &str, sent: i64, error: Option<&str>| -> RequestRecord {
        let mut value = json!({ "id": id, "node": "here", "load_point": load_point, "phase": phase, "sent_unix_ns": sent });
        if let Some(error) = error {
            value["error_class"] = error.into();
        }
        serde_json::from_value(value).unwrap()
    };
    let records = vec![
        record("warm", 0, "warmup", 1, None),
        record("third", 0, "measured", 9, None),
        record("failed", 0, "measured", 3, Some("timeout")),
        record("other", 1, "measured", 2, None),
        record("first", 0, "measured", 4, None),
        record("second", 0, "measured", 5, None),
    ];
    store.update_run(run.id, &RunUpdate { records, ..RunUpdate::default() }, at(3)).await.unwrap();
    let found = store.first_records_of_portal(run.id, 0, 2).await.unwrap();
    assert_eq!(found.iter().map(|record| record.id.as_str()).collect::<Vec<_>>(), ["first", "second"]);
}
