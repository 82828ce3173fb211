//! Step 8 with `run_as_simulation`: a run of its own kind, done at once, marked wherever its figures are.

use std::time::{Duration, Instant};

use dyno::domain::inventory::{Model, ModelSource};
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::search_bounds::on_hypothetical_devices;
use super::world::{World, post};
use crate::support::TestClient;

/// The bodies of a walk whose last step simulates.
pub(super) fn simulated(mut bodies: Vec<Value>) -> Vec<Value> {
    bodies.last_mut().unwrap()["run_as_simulation"] = json!(true);
    bodies
}

pub(super) async fn ended(client: &TestClient, answer: &Value) -> Value {
    let begun = Instant::now();
    loop {
        let run = client.get(&format!("/api/v1/runs/{}", answer["run_id"].as_str().unwrap())).await.expect(200);
        if !run["ended_at"].is_null() {
            return run;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{run:#}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(super) async fn report(client: &TestClient, run: &Value) -> Value {
    client.get(&format!("/api/v1/runs/{}/report", run["id"].as_str().unwrap())).await.expect(200)
}

pub(super) async fn page(client: &TestClient, address: &str) -> String {
    client.request(reqwest::Method::GET, address).send().await.unwrap().text().await.unwrap()
}

/// A model that is known by its name alone.
pub(super) async fn hub_model(world: &World, repository: &str) -> Uuid {
    let source = ModelSource::Hub { repository: repository.to_owned(), revision: "main".to_owned() };
    let (id, name) = (Uuid::now_v7(), repository.to_owned());
    let model = Model { id, name, source, facts: None, owner: None, archived: false, created_at: Timestamp::now() };
    world.portal.app.store.insert_model(&model).await.unwrap();
    id
}

#[tokio::test]
async fn the_examples_are_simulated() {
    let world = World::start().await;
    let client = &world.portal.admin;
    let answer = world.send(client, &simulated(world.walk("configuration", world.local_model))).await;
    assert_eq!((&answer["run"]["kind"], &answer["workflow_steps"]["run_as_simulation"]), (&json!("simulated"), &json!(true)));
    let run = ended(client, &answer).await;
    assert_eq!((&run["status"], &run["kind"]), (&json!("succeeded"), &json!("simulated")), "{run:#}");
    let stages: Vec<_> = run["stages"].as_array().unwrap().iter().map(|stage| (&stage["id"], &stage["status"])).collect();
    assert_eq!(stages, [(&json!("simulate_performance"), &json!("succeeded"))]);

    // So does its row in a file of the history.
    let of_file = async |query: &str| {
        let path = format!("/runs/figures.csv?{query}");
        client.request(reqwest::Method::GET, &path).send().await.unwrap().text().await.unwrap()
    };
    let id = run["id"].as_str().unwrap();
    let chosen = of_file(&format!("run={id}&status=failed")).await;
    assert!(
        chosen.starts_with("id,name,kind,") && chosen.contains(&format!("{id},")) && chosen.contains(",simulated,"),
        "{chosen}"
    );
    assert_eq!((chosen.lines().count(), of_file("status=succeeded").await), (2, chosen));
    assert_eq!(of_file("status=failed").await.lines().count(), 1);

    // The report is one like any, and says what it is.
    let report = report(client, &run).await;
    assert_eq!((&report["kind"], &report["status"], &report["valid"]), (&json!("simulated"), &json!("succeeded"), &json!(true)));
    let summary = &report["summary"];
    assert_eq!((&summary["total_requests"], &summary["successful_requests"]), (&json!(500), &json!(500)));
    assert_eq!((&summary["total_input_tokens"], &summary["total_output_tokens"]), (&json!(25_000), &json!(50_000)));
    for metric in ["ttft_ms", "tpot_ms", "e2el_ms"] {
        assert_eq!(summary[metric]["n"], 500, "{metric}");
        assert!(summary[metric]["p50"].as_f64().unwrap() > 0.0, "{metric}");
    }
    let in_flight = summary["achieved_concurrency"].as_f64().unwrap();
    assert!((40.0..=50.0).contains(&in_flight), "{in_flight}");
    assert_eq!(report["load_points"][0]["concurrency"], 50);
    let prediction = &report["prediction"];
    assert_eq!(prediction["standing"], "prior");
    assert!(prediction["runs"].is_u64() && prediction["error_pct"]["tpot_ms"].as_f64().unwrap() > 0.0, "{prediction}");
    let provenance = &report["provenance"];
    assert_eq!((&provenance["seed"], &provenance["simulation"]["engine"]), (&json!(1), &json!("llama_cpp")));
    assert_eq!((&provenance["simulation"]["replicas"], &provenance["nodes"][0]["hostname"]), (&json!(1), &json!(world.hostname)));
    let engine = &provenance["simulation"];
    assert_eq!(engine["model"]["layers"], 2);
    let (memory, point) = (&engine["memory"], &engine["load_points"][0]);
    assert!(memory["kv_tokens"].as_u64() > Some(0) && memory["usable"].as_f64() > memory["weights"].as_f64(), "{memory}");
    let seconds = point["seconds_by_operator"].as_object().unwrap();
    let all: f64 = seconds.values().map(|seconds| seconds.as_f64().unwrap()).sum();
    assert!(seconds.len() == 6 && all > 0.0, "{point}");
    assert!(["compute", "bandwidth", "communication", "overhead"].contains(&point["bound"].as_str().unwrap()), "{point}");
    let shown = page(client, &format!("/runs/{}/report", run["id"].as_str().unwrap())).await;
    for part in ["Where the time goes", " usable on each device, weights take ", "Reading weights", "Attention, prefill"] {
        assert!(shown.contains(part), "{part:?} is not in the page");
    }
    assert!(report["self_check"].is_null() && summary["tokens_per_event"].is_null());

    // Its events end, its records are marked.
    let id = run["id"].as_str().unwrap();
    let events =
        client.request(reqwest::Method::GET, &format!("/api/v1/runs/{id}/events")).send().await.unwrap().text().await.unwrap();
    for event in ["event: stage", "event: log", "event: end"] {
        assert!(events.contains(event), "{event} is not in {events}");
    }
    let requests = client.get(&format!("/api/v1/runs/{id}/requests")).await.expect(200);
    assert_eq!((&requests["total"], &requests["run_kind"]), (&json!(500), &json!("simulated")));
    let csv = client.request(reqwest::Method::GET, &format!("/api/v1/runs/{id}/requests?format=csv")).send().await.unwrap();
    let csv = csv.text().await.unwrap();
    assert!(csv.lines().count() == 501 && csv.lines().skip(1).all(|line| line.contains(",simulated,true,")), "{csv}");
    let row = &client.get("/api/v1/runs").await.expect(200)["items"][0];
    assert_eq!((&row["kind"], &row["output_throughput"]), (&json!("simulated"), &summary["output_throughput"]));

    // Run again: the same question has the same answer. A measured run of the same benchmark stands beside it.
    let benchmark = format!("/api/v1/benchmarks/{}/runs", run["benchmark_id"].as_str().unwrap());
    let again = client.post(&benchmark, &json!({ "run_as_simulation": true })).await.expect(201);
    let again = ended(client, &json!({ "run_id": again["id"] })).await;
    let second = self::report(client, &again).await;
    for part in ["summary", "load_points", "series", "nodes", "prediction"] {
        assert_eq!(second[part], report[part], "{part}");
    }
    let measured = client.post(&benchmark, &json!({})).await.expect(201);
    assert_eq!(measured["kind"], "measured");
    client.delete(&format!("/api/v1/runs/{id}")).await.expect(204);
    client.get(&format!("/api/v1/runs/{id}/report")).await.expect(404);
}

#[tokio::test]
async fn prompts_of_datasets_are_simulated() {
    let world = World::start().await;
    let client = &world.portal.admin;
    let sets = client.get("/api/v1/datasets").await.expect(200);
    let builtin = sets["items"].as_array().unwrap().iter().find(|set| set["builtin"] == json!(true)).unwrap();
    let mut bodies = simulated(world.walk("dataset", world.local_model));
    bodies[1]["datset_ids"] = json!([builtin["id"]]);
    let answer = world.send(client, &bodies).await;
    let run = ended(client, &answer).await;
    assert_eq!(run["status"], "succeeded", "{run:#}");
    let report = report(client, &run).await;
    assert_eq!(report["summary"]["successful_requests"], 500);
    let lengths = &report["summary"]["lengths"]["input"];
    assert!(lengths["max"].as_f64() > lengths["min"].as_f64(), "each row has its own length: {lengths}");
    let notes = report["notes"].to_string();
    assert!(notes.contains("four characters a token"), "{notes}");
}

#[tokio::test]
async fn sweeps_and_searches_are_simulated() {
    let world = World::start().await;
    let client = &world.portal.admin;
    let walk = |load: &Value| {
        let mut bodies = simulated(world.walk("configuration", world.local_model));
        bodies[1].as_object_mut().unwrap().extend(load.as_object().unwrap().clone());
        bodies
    };
    let sweep = json!({ "load_points": [{ "concurrency": 1 }, { "concurrency": 4 }, { "concurrency": 16 }] });
    let run = ended(client, &world.send(client, &walk(&sweep)).await).await;
    let swept = report(client, &run).await;
    let tpot: Vec<f64> =
        swept["load_points"].as_array().unwrap().iter().map(|point| point["tpot_ms"]["p50"].as_f64().unwrap()).collect();
    assert!(tpot.len() == 3 && tpot[0] <= tpot[1] && tpot[1] <= tpot[2], "{tpot:?}");

    // A limit between the loads of the sweep: the search finds where it lies.
    let limit = f64::midpoint(tpot[0], tpot[2]);
    let slo = json!({ "slo": { "percentile": 90, "tpot_ms": limit, "search": { "min": 1, "max": 64 } } });
    let run = ended(client, &world.send(client, &walk(&slo)).await).await;
    let searched = report(client, &run).await;
    let search = &searched["search"];
    let (meets, fails) = (search["meets_at"].as_f64().unwrap(), search["fails_at"].as_f64().unwrap());
    assert!((1.0..16.0).contains(&meets) && fails - meets <= 1.0, "{search}");
    assert!(search["sentence"].as_str().unwrap().contains("The largest concurrency within the limits"), "{search}");
    let points = searched["load_points"].as_array().unwrap();
    assert!((2..=9).contains(&points.len()));
    let best = &points[searched["best"].as_u64().unwrap() as usize];
    assert_eq!((best["concurrency"].as_f64(), &best["meets_slo"]), (Some(meets), &json!(true)));

    // The list of runs says which load its figures are of, and that it is within the limits.
    let rows = client.get("/api/v1/runs").await.expect(200)["items"].clone();
    let said = |index: usize| (&rows[index]["chosen_load"], &rows[index]["limits"]);
    assert_eq!(said(0), (&json!(format!("{meets:.0} in flight")), &json!("met")));
    let chosen = &swept["load_points"][swept["best"].as_u64().unwrap() as usize]["concurrency"];
    assert_eq!(said(1), (&json!(format!("{chosen} in flight")), &json!("none")));
    let file = page(client, "/runs/figures.csv").await;
    assert!(file.contains(&format!(",{meets:.0} in flight,met,")), "{file}");
    let history = page(client, "/").await;
    assert!(history.contains(&format!("figures at {meets:.0} in flight")) && history.contains(">limits met<"), "{history}");

    // An open loop over its cap drops, and says so.
    let rate = json!({ "arrival": { "kind": "rate", "rate": 5000, "process": "poisson" }, "num_requests": 300 });
    let run = ended(client, &world.send(client, &walk(&rate)).await).await;
    let open = report(client, &run).await;
    let summary = &open["summary"];
    assert_eq!((&summary["total_requests"], &summary["requested_rate"]), (&json!(300), &json!(5000.0)));
    let (well, dropped) = (summary["successful_requests"].as_u64().unwrap(), summary["dropped_requests"].as_u64().unwrap());
    assert_eq!((well + dropped, &summary["errors"]["dropped"]), (300, &json!(dropped)));
    assert!(dropped > 0, "{summary}");
}

/// A report has the prices of when its run began, whatever becomes of them, and none unless every device has one.
#[tokio::test]
async fn a_report_keeps_the_prices_of_its_run() {
    let world = World::start().await;
    let client = &world.portal.admin;
    let model = hub_model(&world, "meta-llama/Llama-3.1-8B-Instruct").await;
    let clusters = client.get("/api/v1/clusters").await.expect(200);
    let catalogue = clusters["items"].as_array().unwrap().iter().find(|row| row["kind"] == "catalogue").unwrap()["id"].clone();
    let mut bodies = simulated(world.walk("configuration", model));
    bodies[2]["cluster_id"] = catalogue;
    bodies[3]["nodes"] = json!([{ "hostname": "h100-sxm-80gb-x8" }]);
    bodies[4]["tensor_parallel"] = json!(2);
    bodies[4]["replicas"] = json!(2);
    let set = async |per_hour: f64| {
        let body = json!({ "device": "NVIDIA H100 80GB HBM3", "per_hour": per_hour, "currency": "EUR" });
        client.post("/api/v1/prices", &body).await.expect(201)
    };
    let without = ended(client, &world.send(client, &bodies).await).await;
    set(2.5).await;
    let run = ended(client, &world.send(client, &bodies).await).await;
    set(9.0).await;
    assert!(report(client, &without).await["provenance"].get("prices").is_none());
    let kept = report(client, &run).await;
    let expected = json!([{ "device": "H100-SXM-80GB", "count": 4, "per_hour": 2.5, "currency": "EUR" }]);
    assert_eq!(kept["provenance"]["prices"], expected);

    let address = |run: &Value| format!("/runs/{}/report", run["id"].as_str().unwrap());
    let throughput = kept["summary"]["output_throughput"].as_f64().unwrap();
    let cost = dyno_measure::words::figure(4.0 * 2.5 / 3600.0 * 1e6 / throughput);
    let shown = page(client, &address(&run)).await;
    let (before, _) = shown.split_once("4 × H100-SXM-80GB at 2.50 EUR per hour each; this load would cost ").expect(&shown);
    let (_, card) = before.rsplit_once("class=\"headline-value\">").unwrap();
    let of_load_point = shown.contains("data-label=\"EUR per million output tokens\"");
    assert!(of_load_point, "each load point has its own");
    assert!(card.starts_with(&format!("≈\u{a0}{cost}")) && card.contains("EUR"), "{cost}: {card}");
    // In the file of the history, too: nothing for the run that had no prices.
    let id = |run: &Value| run["id"].as_str().unwrap().to_owned();
    let file = page(client, &format!("/runs/figures.csv?run={}&run={}", id(&run), id(&without))).await;
    let line = |run: &Value| file.lines().find(|line| line.starts_with(&id(run))).unwrap().to_owned();
    assert!(line(&run).ends_with(",EUR") && line(&without).ends_with(",,,"), "{file}");
    assert!(!page(client, &address(&without)).await.contains("per hour each"));
}

#[tokio::test]
async fn the_catalogue_is_for_simulation_only() {
    let world = World::start().await;
    let client = &world.portal.admin;
    let clusters = client.get("/api/v1/clusters").await.expect(200);
    let kinds: Vec<&str> = clusters["items"].as_array().unwrap().iter().map(|row| row["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["local", "catalogue"]);
    let catalogue = &clusters["items"][1];
    assert_eq!((&catalogue["reachable"], &catalogue["nodes"]), (&json!(true), &catalogue["ready_nodes"]));
    let id = catalogue["id"].as_str().unwrap();
    client.delete(&format!("/api/v1/clusters/{id}")).await.expect(409);
    let metrics = client.get(&format!("/api/v1/clusters/{id}/node-metrics")).await.expect(200);
    let nodes = metrics["nodes"].as_array().unwrap();
    let node = nodes.iter().find(|node| node["hostname"] == "h100-sxm-80gb-x8").unwrap();
    assert_eq!((&node["status"], &node["devices"][0]["available_count"]), (&json!("Ready"), &json!(8)));

    let large = hub_model(&world, "meta-llama/Llama-3.1-70B-Instruct").await;
    let walk = |tensor_parallel: u32| {
        let mut bodies = world.walk("configuration", large);
        bodies[2]["cluster_id"] = json!(id);
        bodies[3]["nodes"] = json!([node]);
        bodies[4]["tensor_parallel"] = json!(tensor_parallel);
        bodies
    };
    let mut bodies = walk(8);
    let trigger = bodies.pop().unwrap();
    let before = world.send(client, &bodies).await;
    let refused = post(client, &trigger, &before).await.expect(422);
    assert_eq!((&refused["errors"][0]["field"], &refused["errors"][0]["step"]), (&json!("cluster_id"), &json!(3)), "{refused}");
    let answer = post(client, &simulated(vec![trigger])[0], &before).await.expect(200);
    let run = ended(client, &answer).await;
    assert_eq!(run["status"], "succeeded", "{run:#}");
    let report = report(client, &run).await;
    assert_eq!(report["provenance"]["simulation"]["device"]["name"], "H100-SXM-80GB");
    assert_eq!(report["provenance"]["serving_devices"][0]["count"], 8);

    // The page asks what if: at the run's own values, then at those of its address; what does not fit says by how much.
    let address = format!("/runs/{}/report", run["id"].as_str().unwrap());
    let own = page(client, &address).await;
    let concurrency = report["load_points"][0]["concurrency"].as_u64().unwrap();
    for part in [
        "id=\"what-if\"".to_owned(),
        format!("{concurrency} requests in flight"),
        "At the run's own values the figures are the report's.".to_owned(),
        "on 8 devices: 1 replica, on 8 devices.".to_owned(),
    ] {
        assert!(own.contains(&part), "{part:?} is not in the page");
    }
    let mean = report["summary"]["ttft_ms"]["mean"].as_f64().unwrap();
    assert!(own.contains(&format!("≈ {} <span", dyno_measure::words::figure(mean))), "TTFT {mean}");
    let other = page(client, &format!("{address}?concurrency=3&devices=16&tensor_parallel=4")).await;
    assert!(other.contains("3 requests in flight") && other.contains("on 16 devices: 4 replicas, each on 4 devices."));
    assert!(other.contains("name=\"devices\" min=\"1\" max=\"64\" step=\"1\" required value=\"16\""), "the form has it, too");
    let single = page(client, &format!("{address}?tensor_parallel=1")).await;
    assert!(single.contains("The model does not fit: it needs") && single.contains("GB are missing on each device."));
    let wrong = page(client, &format!("{address}?input=%3Cscript%3E")).await;
    assert!(wrong.contains("Input length: a whole number from 1 to 131,072.") && !wrong.contains("<script>\""));

    // One device is too small for it: the run says by how much.
    let run = ended(client, &world.send(client, &simulated(walk(1))).await).await;
    assert_eq!(run["status"], "failed");
    let reason = run["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("The model does not fit: it needs 1") && reason.contains(" GB are there: 141 GB of weights"),
        "{reason}"
    );
    assert_eq!(run["stages"][0]["status"], "failed");
    client.get(&format!("/api/v1/runs/{}/report", run["id"].as_str().unwrap())).await.expect(404);

    // More devices than the node has are refused before there is a run.
    let mut bodies = simulated(walk(16));
    let trigger = bodies.pop().unwrap();
    let before = world.send(client, &bodies).await;
    let refused = post(client, &trigger, &before).await.expect(422);
    let error =
        json!({ "field": "nodes", "step": 4, "message": "The layout needs 16 devices on node h100-sxm-80gb-x8, which has 8." });
    assert_eq!(refused["errors"], json!([error]));
}

#[tokio::test]
async fn a_missing_engine_is_a_warning_and_no_obstacle() {
    let world = World::start().await;
    let client = &world.portal.admin;
    let small = hub_model(&world, "HuggingFaceTB/SmolLM2-135M-Instruct").await;
    let mut bodies = world.walk("configuration", small);
    bodies[4]["engine"] = json!("tgi");
    let trigger = bodies.pop().unwrap();
    let chosen = world.send(client, &bodies[..5]).await;
    let warning = &chosen["warnings"][0];
    assert_eq!((&warning["field"], &warning["step"]), (&json!("engine"), &json!(5)));
    assert!(warning["message"].as_str().unwrap().starts_with("Text Generation Inference is not installed."), "{warning}");
    let before = world.send_on(client, &bodies[5..], chosen).await;
    assert_eq!(before["warnings"], json!([]));
    assert_eq!(post(client, &trigger, &before).await.fields(), ["engine"]);
    let run = ended(client, &post(client, &simulated(vec![trigger])[0], &before).await.expect(200)).await;
    assert_eq!(run["status"], "succeeded", "{run:#}");

    // A model of which nothing is known: the run says so.
    let run = ended(client, &world.send(client, &simulated(world.walk("configuration", world.hub_model))).await).await;
    assert_eq!(run["status"], "failed");
    assert!(run["reason"].as_str().unwrap().contains("nothing is known of its architecture"), "{run:#}");
}

#[tokio::test]
async fn a_cloud_model_is_not_simulated() {
    let world = World::start().await;
    let client = &world.portal.admin;
    let mut bodies = simulated(world.walk("configuration", world.cloud_model));
    let trigger = bodies.pop().unwrap();
    let before = world.send(client, &bodies).await;
    let refused = post(client, &trigger, &before).await.expect(422);
    let message = "A cloud model can't be simulated: what serves it is not known. Choose Run on cluster.";
    assert_eq!(refused["errors"], json!([{ "field": "run_as_simulation", "step": 8, "message": message }]));
    assert_eq!(client.get("/api/v1/runs").await.expect(200)["total"], 0);
}

#[tokio::test]
async fn the_policy_of_pages_lets_a_worker_run() {
    let world = World::start().await;
    let client = &world.portal.admin;
    let answer = client.request(reqwest::Method::GET, "/").send().await.unwrap();
    let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("worker-src 'self'"), "{policy}");
}

/// More runs than are simulated at once, each of which would take minutes: had they gone on, the last one would wait for them.
#[tokio::test]
async fn cancelled_simulations_end_and_make_room() {
    let world = World::start().await;
    let client = &world.portal.admin;
    let bodies = simulated(on_hypothetical_devices(&world).await);
    let mut endless = bodies.clone();
    endless[0]["concurrent_requests"] = json!(10_000);
    for (field, value) in [("max_input_tokens", 50_000), ("max_output_tokens", 50_000), ("num_requests", 250_000)] {
        endless[1][field] = json!(value);
    }
    for _ in 0..4 {
        let answer = world.send(client, &endless).await;
        let run = format!("/api/v1/runs/{}", answer["run_id"].as_str().unwrap());
        while client.get(&run).await.expect(200)["status"] == "queued" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        client.post(&format!("{run}/cancel"), &Value::Null).await;
        assert_eq!(ended(client, &answer).await["status"], "cancelled");
    }
    let run = ended(client, &world.send(client, &bodies).await).await;
    assert_eq!(run["status"], "succeeded", "{run:#}");
}

/// More records than are stored at once: all are there, in order, and a load of more than are simulated is refused in words.
#[tokio::test]
async fn many_records_are_stored_in_portions_and_too_many_are_refused() {
    let world = World::start().await;
    let client = &world.portal.admin;
    let mut bodies = simulated(on_hypothetical_devices(&world).await);
    for (field, value) in [("max_input_tokens", 16), ("max_output_tokens", 1), ("num_requests", 5_000), ("warmup_requests", 0)] {
        bodies[1][field] = json!(value);
    }
    let run = ended(client, &world.send(client, &bodies).await).await;
    assert_eq!(run["status"], "succeeded", "{run:#}");
    let requests = format!("/api/v1/runs/{}/requests?page_size=100", run["id"].as_str().unwrap());
    let last = client.get(&format!("{requests}&page=50")).await.expect(200);
    assert_eq!((&last["total"], last["items"].as_array().unwrap().len()), (&json!(5_000), 100));

    bodies[1]["num_requests"] = json!(250_001);
    let run = ended(client, &world.send(client, &bodies).await).await;
    assert_eq!(run["status"], "failed");
    assert_eq!(run["reason"], "Too large to be simulated: more than 250,000 requests in all load points together.");
}
