//! After each valid measured run the simulator knows its device better, and the run's report has what was expected of it.

use std::time::{Duration, Instant};

use dyno::domain::benchmark::NodeChoice;
use dyno::domain::engine::EngineKind;
use dyno::domain::event::{RunEnd, RunEvent};
use dyno::domain::inventory::ModelSource;
use dyno::domain::user::Actor;
use dyno::domain::workflow::Draft;
use dyno::simulation::hypothetical_nodes;
use dyno::store::RunUpdate;
use dyno_measure::load::{EvalWith, LoadSpec};
use dyno_measure::report::RequestRecord;
use dyno_measure::run::RunStatus;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::world::World;
use crate::store::samples;

const HOST: &str = "h100-sxm-80gb-x1";
const TTFT_MS: f64 = 60.0;
const TPOT_MS: f64 = 14.0;

fn e2el() -> f64 {
    TTFT_MS + 63.0 * TPOT_MS
}

fn same(value: f64) -> Value {
    json!({ "mean": value, "std": 0.0, "min": value, "p25": value, "p50": value, "p75": value, "p90": value, "p95": value,
        "p99": value, "p999": value, "max": value, "n": 24 })
}

/// A measured run of Llama-3.1-8B on an H100, which was slower than any that was published; its id.
async fn measured(world: &World) -> uuid::Uuid {
    let store = &world.portal.app.store;
    let user = store.first_administrator(Timestamp::now()).await.unwrap();
    let owner = Actor { id: user.id, name: user.name, role: user.role };
    let mut benchmark = samples::benchmark(&owner, "measured", None);
    let spec = &mut benchmark.spec;
    spec.cluster_id = world.cluster;
    spec.model.source =
        ModelSource::Hub { repository: "meta-llama/Llama-3.1-8B-Instruct".to_owned(), revision: "main".to_owned() };
    spec.serving.engine = Some(EngineKind::Vllm);
    spec.nodes = vec![NodeChoice { hostname: HOST.to_owned(), device_types: Vec::new() }];
    spec.load = LoadSpec {
        max_input_tokens: Some(256),
        max_output_tokens: Some(64),
        num_requests: Some(24),
        ..LoadSpec::new(2, EvalWith::Configuration)
    };
    let draft = samples::draft(&owner, "measured");
    store.insert_workflow(&draft).await.unwrap();
    let run = samples::new_run(&benchmark, &owner, 5);
    store.trigger_workflow(&Draft { revision: 2, ..draft }, 1, &benchmark, &run).await.unwrap();

    let record = |number: i64| -> RequestRecord {
        serde_json::from_value(json!({ "id": format!("r{number}"), "node": HOST, "load_point": 0, "phase": "measured",
            "sent_unix_ns": 500_000_000 * number, "ttft_ms": TTFT_MS, "tpot_ms": TPOT_MS, "e2el_ms": e2el(),
            "input_tokens": 256, "output_tokens": 64 }))
        .unwrap()
    };
    let point = json!({ "concurrency": 2, "total_requests": 24, "successful_requests": 24, "ttft_ms": same(TTFT_MS),
        "tpot_ms": same(TPOT_MS), "e2el_ms": same(e2el()), "output_throughput": 135.0 });
    let node = hypothetical_nodes().into_iter().find(|node| node.hostname == HOST).unwrap();
    let report = serde_json::from_value(json!({
        "run_id": run.run.id, "kind": "measured", "status": "succeeded", "valid": true, "invalid_reasons": [], "summary": point,
        "load_points": [point], "nodes": [],
        "provenance": { "nodes": [node], "engines": [{ "node": HOST, "title": "vLLM" }] },
    }))
    .unwrap();
    let end = RunEvent::End(RunEnd { status: RunStatus::Succeeded, reason: None });
    let update = RunUpdate {
        events: vec![(Timestamp::now(), end)],
        records: (0..24).map(record).collect(),
        report: Some(report),
        ..RunUpdate::default()
    };
    store.update_run(run.run.id, &update, Timestamp::now()).await.unwrap();
    world.portal.app.run_notifier.tell_end();
    run.run.id
}

/// What was expected of a run, once the simulator has looked at it.
async fn predicted(world: &World, run: uuid::Uuid) -> Value {
    let begun = Instant::now();
    loop {
        let report = world.portal.admin.get(&format!("/api/v1/runs/{run}/report")).await.expect(200);
        if !report["predicted"].is_null() {
            return report["predicted"].clone();
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "nothing was predicted");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_measured_run_is_held_against_what_was_expected_and_learnt_from() {
    let world = World::start().await;
    let first = measured(&world).await;
    let before = predicted(&world, first).await;
    assert_eq!(before["standing"], "prior", "{before}");
    let tpot = &before["load_points"][0]["tpot_ms"];
    assert_eq!(tpot["measured"], TPOT_MS);
    let error = tpot["error_pct"].as_f64().unwrap();
    assert!(error < -20.0, "the device is slower than published ones: {before}");

    // The profile is fitted a moment after the report has its prediction.
    let begun = Instant::now();
    while world.portal.app.store.fitted_profiles().await.unwrap().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let second = measured(&world).await;
    let after = predicted(&world, second).await;
    assert_eq!((&after["standing"], &after["runs"]), (&json!("calibrated"), &json!(1)), "{after}");
    let corrected = after["load_points"][0]["tpot_ms"]["error_pct"].as_f64().unwrap();
    assert!(corrected.abs() < 10.0, "{corrected} after {error}");
    // What had been expected of the first stays as it was.
    assert_eq!(predicted(&world, first).await, before);

    let page =
        async |path: String| world.portal.admin.request(reqwest::Method::GET, &path).send().await.unwrap().text().await.unwrap();
    let over_all = page("/clusters/predictions".to_owned()).await;
    assert!(over_all.contains("Median error") && over_all.contains(&format!("/runs/{first}/report")), "{over_all}");
    assert!(page(format!("/runs/{first}/report")).await.contains("Means, predicted and measured"));
    for address in ["/clusters/predictions", "/"] {
        let html = page(address.to_owned()).await;
        assert!(html.contains(">vLLM<") && !html.contains(">vllm<"), "an engine goes by its title: {html}");
    }
}

#[tokio::test]
async fn a_calibration_is_a_measured_sweep_on_one_node() {
    let world = World::start().await;
    let client = &world.portal.admin;
    let path = format!("/api/v1/clusters/{}/calibrate", world.cluster);
    let wanted = |model: uuid::Uuid, hostname: &str| json!({ "model_id": model, "hostname": hostname });
    let run = client.post(&path, &wanted(world.local_model, &world.hostname)).await.expect(201);
    assert_eq!(run["kind"], "measured");
    let benchmark = client.get(&format!("/api/v1/benchmarks/{}", run["benchmark_id"].as_str().unwrap())).await.expect(200);
    let load = &benchmark["spec"]["load"];
    assert_eq!(load["load_points"].as_array().unwrap().len(), 4, "{load}");
    assert_eq!(load["load_points"][0]["concurrency"], 1);
    assert_eq!(benchmark["spec"]["nodes"][0]["hostname"], world.hostname.as_str());

    // Refusals are in words, and leave no draft behind.
    let mut endless = wanted(world.local_model, &world.hostname);
    endless["duration_s"] = json!(-1);
    assert_eq!(client.post(&path, &endless).await.fields(), ["duration_s"]);
    assert_eq!(client.post(&path, &wanted(world.cloud_model, &world.hostname)).await.fields(), ["model_id"]);
    assert_eq!(client.post(&path, &wanted(world.local_model, "elsewhere")).await.fields(), ["hostname"]);
    // vLLM is not there.
    client.post(&path, &wanted(world.hub_model, &world.hostname)).await.expect(422);
    let catalogue = client.get("/api/v1/clusters").await.expect(200)["items"][1]["id"].clone();
    let nowhere = format!("/api/v1/clusters/{}/calibrate", catalogue.as_str().unwrap());
    client.post(&nowhere, &wanted(world.local_model, HOST)).await.expect(409);
    assert_eq!(client.get("/api/v1/workflows").await.expect(200)["total"], 0);
}
