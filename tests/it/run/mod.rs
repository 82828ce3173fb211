//! Runs from the trigger to the report, on a portal process of their own, with the reference engine; and what becomes of
//! them when portal, keeper, load or engine are killed.

mod api_server;
mod calibration;
mod kills;
mod kubernetes;
mod streams;
mod templates;
mod world;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use dyno_reference::{EngineOptions, ReferenceEngine, tls::Certificate};
use serde_json::{Value, json};
use world::{CANARY, DYNO, Portal};

/// The reference engine as an own command.
const ENGINE: &[&str] = &[DYNO, "engine", "--listen", "{host}:{port}", "--model", "{alias}", "--ttft-ms", "20", "--itl-ms", "5"];

/// Status of a stage.
fn stage<'a>(run: &'a Value, id: &str) -> &'a str {
    let stages = run["stages"].as_array().unwrap();
    stages.iter().find(|stage| stage["id"] == id).unwrap()["status"].as_str().unwrap()
}

fn reason(run: &Value) -> &str {
    run["reason"].as_str().unwrap_or_default()
}

/// A folder and all below it.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![folder.to_owned()];
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        if entry.path().is_dir() { found.extend(files_below(&entry.path())) } else { found.push(entry.path()) }
    }
    found
}

#[tokio::test]
async fn a_run_ends_in_its_report() {
    let portal = Portal::start().await;
    let run = portal.run(20, ENGINE).await;
    let ended = portal.end(&run).await;
    assert_eq!((ended["status"].as_str(), reason(&ended)), (Some("succeeded"), ""), "{ended:#}");
    assert!(ended["stages"].as_array().unwrap().iter().all(|stage| stage["status"] == "succeeded"), "{ended:#}");

    let report = portal.report(&run).await;
    assert_eq!((&report["summary"]["successful_requests"], &report["run_id"]), (&json!(20), &json!(run)));
    assert_eq!(report["nodes"].as_array().unwrap().len(), 1);
    let provenance = &report["provenance"];
    assert_eq!(provenance["dyno_version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(provenance["engines"][0]["argv"][0], DYNO);
    assert_eq!(provenance["model"]["facts"]["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(provenance["plan"]["workload"]["input_tokens"], 32);

    // Warm-up requests are kept, and counted nowhere.
    let records = portal.client.get(&format!("/api/v1/runs/{run}/requests")).await.expect(200);
    assert_eq!(records["total"], 24);
    let lines = portal.client.get(&format!("/api/v1/runs/{run}/requests?format=csv")).await;
    assert_eq!(lines.content_type, "text/csv; charset=utf-8");
    assert_eq!(lines.body.as_str().unwrap().lines().count(), 25);
    // Browsers ask for compression, which reads each file to its very end.
    for file in ["requests?format=csv", "requests?format=ndjson", "log"] {
        let file = portal.client.request(reqwest::Method::GET, &format!("/api/v1/runs/{run}/{file}"));
        let answer = file.header("accept-encoding", "gzip").send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(!answer.bytes().await.unwrap().is_empty());
    }

    let ids = portal.event_ids(&run, 0).await;
    assert_eq!(ids, (1..=ids.len() as i64).collect::<Vec<_>>());
    let seen_all = portal.client.request(reqwest::Method::GET, &format!("/api/v1/runs/{run}/events"));
    let seen_all = seen_all.header("last-event-id", ids.len()).send().await.unwrap();
    assert_eq!(seen_all.status(), 204);
    portal.nothing_left().await;

    let open =
        files_below(&portal.folder(&run)).into_iter().filter(|file| file.metadata().unwrap().permissions().mode() & 0o077 != 0);
    assert_eq!(open.collect::<Vec<_>>(), Vec::<PathBuf>::new(), "others on the machine read nothing");

    let row = &portal.client.get("/api/v1/runs").await.expect(200)["items"][0];
    assert!(row["output_throughput"].as_f64().unwrap() > 0.0, "{row:#}");
    portal.client.delete(&format!("/api/v1/runs/{run}")).await.expect(204);
    assert!(!portal.folder(&run).exists());
}

#[tokio::test]
async fn a_load_of_two_processes_is_one_run() {
    let portal = Portal::start().await;
    let run = portal.run_placed(200, ENGINE, json!({ "load_pods": 2 })).await;
    let ended = portal.end(&run).await;
    assert_eq!((ended["status"].as_str(), reason(&ended)), (Some("succeeded"), ""), "{ended:#}");
    let report = portal.report(&run).await;
    assert_eq!(report["summary"]["successful_requests"], 200);
    assert_eq!(report["provenance"]["plan"]["workers"], 2);
    let workers = report["provenance"]["load_workers"].as_array().unwrap();
    assert_eq!(workers.len(), 2, "{workers:#?}");
    let sent: u64 = workers.iter().map(|worker| worker["requests"].as_u64().unwrap()).sum();
    // four of them for warming up
    assert_eq!(sent, 204);
    assert!(workers.iter().all(|worker| worker["requests"].as_u64() > Some(0)), "{workers:#?}");
    let records = portal.client.get(&format!("/api/v1/runs/{run}/requests?page_size=1")).await.expect(200);
    assert_eq!(records["total"], 204);
    portal.nothing_left().await;
}

#[tokio::test]
async fn what_the_machine_did_stands_beside_the_figures() {
    let mut portal = Portal::start().await;
    let run = portal.run(320, ENGINE).await;
    portal.under_load(&run).await;
    // The keeper samples, so that a portal that is away leaves no gap.
    portal.kill();
    tokio::time::sleep(std::time::Duration::from_millis(2_500)).await;
    portal.start_again().await;
    let ended = portal.end(&run).await;
    assert_eq!(ended["status"], "succeeded", "{ended:#}");

    let report = portal.report(&run).await;
    let duration_ms = report["summary"]["duration_s"].as_f64().unwrap() * 1e3;
    let telemetry = &report["summary"]["telemetry"];
    assert_eq!(telemetry.as_array().map(Vec::len), Some(1), "{telemetry:#}");
    let node = &telemetry[0];
    assert_eq!((&node["hostname"], &report["load_points"][0]["telemetry"]), (&report["nodes"][0]["hostname"], telemetry));
    let series = node["series"].as_array().unwrap();
    let covered: f64 = series
        .iter()
        .map(|point| {
            let (end, span) = (point["t_ms"].as_f64().unwrap(), point["span_ms"].as_f64().unwrap());
            (end.min(duration_ms) - (end - span).max(0.0)).max(0.0)
        })
        .sum();
    assert!(covered > 0.95 * duration_ms, "{covered} of {duration_ms} ms: {node:#}");
    for point in series {
        assert!((0.0..=100.0).contains(&point["cpu_percent"].as_f64().unwrap()), "{point}");
        assert!(point["memory_used_bytes"].as_f64().unwrap() > 1e7, "{point}");
    }
    assert!(node["mean"]["cpu_percent"].as_f64().unwrap() > 0.0, "an engine and a load were at work");
    assert!(node["max"]["cpu_percent"].as_f64() >= node["mean"]["cpu_percent"].as_f64());
    assert_eq!(node["sources"][0]["source"], "proc");
    // No accelerator served: there is no value of any, no zero and no gap.
    for absent in ["devices", "energy_j", "gaps"] {
        assert_eq!(node[absent], Value::Null, "{node:#}");
    }
    assert_eq!(report["summary"]["energy"], Value::Null);

    let path = format!("/api/v1/runs/{run}/telemetry");
    let csv = portal.client.get(&format!("{path}?format=csv")).await;
    assert_eq!(csv.content_type, "text/csv; charset=utf-8");
    let csv = csv.body.as_str().unwrap().to_owned();
    let mut times: Vec<&str> = csv.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert!(times.len() as f64 >= duration_ms / 1e3, "{csv}");
    let all = times.len();
    times.dedup();
    assert_eq!(times.len(), all, "each sample once");
    portal.client.get(&format!("{path}?format=xml")).await.expect(422);
    let page = portal.client.get(&format!("/runs/{run}/report")).await;
    let page = page.body.as_str().unwrap();
    assert!(page.contains("What the nodes did") && page.contains("id=\"node-cpu\"") && !page.contains("id=\"device-power\""));
    portal.client.get(&format!("/runs/{run}/report/charts/node-cpu.svg?point=0")).await.expect(200);
}

#[tokio::test]
async fn a_run_waits_for_its_node() {
    let portal = Portal::start().await;
    let first = portal.run(2_000, ENGINE).await;
    let second = portal.run(20, ENGINE).await;
    let third = portal.run(20, ENGINE).await;
    portal.under_load(&first).await;
    let (waiting, behind) = (portal.look(&second).await, portal.look(&third).await);
    assert_eq!((&waiting["status"], &waiting["queue_position"]), (&json!("queued"), &json!(1)));
    assert_eq!((&behind["status"], &behind["queue_position"]), (&json!("queued"), &json!(2)));

    portal.cancel(&third).await;
    assert_eq!(portal.end(&third).await["status"], "cancelled");
    portal.cancel(&first).await;
    let ended = portal.end(&first).await;
    assert_eq!(ended["status"], "cancelled");
    assert!(reason(&ended).starts_with("Cancelled after ") && reason(&ended).ends_with(" of 2,000 requests. Those are kept."));
    assert!(portal.report(&first).await["summary"]["successful_requests"].as_u64().unwrap() > 0);
    let ended = portal.end(&second).await;
    assert_eq!(ended["status"], "succeeded", "{ended:#}");
}

#[tokio::test]
async fn a_cancel_while_the_engine_starts() {
    let portal = Portal::start().await;
    let run = portal.run(20, &["sleep", "600", "{port}"]).await;
    portal.pid(&run, "engine-0").await;
    portal.cancel(&run).await;
    let ended = portal.end(&run).await;
    assert_eq!(ended["status"], "cancelled", "{ended:#}");
    assert_eq!((stage(&ended, "run_performance_benchmark"), stage(&ended, "clean_up")), ("skipped", "succeeded"));
    portal.nothing_left().await;
}

#[tokio::test]
async fn an_engine_that_can_not_start_says_why() {
    let portal = Portal::start().await;
    let run = portal.run(20, &["sh", "-c", "echo out of memory; exit 3", "{port}"]).await;
    let ended = portal.end(&run).await;
    assert_eq!(ended["status"], "failed");
    assert_eq!(reason(&ended), "The own command stopped before it was ready (exit 3): out of memory.");
    assert_eq!(stage(&ended, "verify_deployment_status"), "failed");
    portal.client.get(&format!("/api/v1/runs/{run}/report")).await.expect(404);
}

#[tokio::test]
async fn an_engine_sees_a_chosen_environment() {
    let portal = Portal::start().await;
    let run = portal.run(20, &["sh", "-c", "env; exit 3", "{port}"]).await;
    portal.end(&run).await;
    let (name, value) = CANARY;
    let mut said = String::new();
    for file in files_below(&portal.folder(&run)).into_iter().filter(|file| file.is_file()) {
        said += &String::from_utf8_lossy(&std::fs::read(file).unwrap());
    }
    assert!(said.contains("PATH="), "it wrote its environment down: {said}");
    assert!(!said.contains(name) && !said.contains(value), "{said}");
}

#[tokio::test]
async fn a_cloud_model_is_asked_once_before_the_load() {
    let portal = Portal::start().await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let body = json!({
        "name": "cloud", "source": "cloud", "provider": "openai_compatible", "base_url": format!("http://127.0.0.1:{port}/v1"), "model": "m"
    });
    let model = portal.client.post("/api/v1/models", &body).await.expect(201)["id"].as_str().unwrap().to_owned();

    let refused = portal.end(&portal.run_of(&model, 20, json!({})).await).await;
    assert_eq!((&refused["status"], stage(&refused, "verify_deployment_status")), (&json!("failed"), "failed"));
    assert!(reason(&refused).starts_with("The model did not answer: "), "{refused:#}");

    let mut engine = std::process::Command::new(DYNO)
        .args(["engine", "--listen", &format!("127.0.0.1:{port}"), "--model", "m", "--ttft-ms", "10", "--itl-ms", "2"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let ended = portal.end(&portal.run_of(&model, 20, json!({})).await).await;
    engine.kill().unwrap();
    engine.wait().unwrap();
    assert_eq!(ended["status"], "succeeded", "{ended:#}");
    assert_eq!(ended["stages"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn a_cloud_model_behind_an_own_authority() {
    let portal = Portal::start().await;
    let options = EngineOptions { model: "m".to_owned(), tls: Some(Certificate::Own), ..EngineOptions::default() };
    let engine = ReferenceEngine::start(options).unwrap();
    let run = async |more: Value| {
        let mut body = json!({
            "name": "cloud", "source": "cloud", "provider": "openai_compatible", "base_url": engine.base_url(), "model": "m"
        });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let model = portal.client.post("/api/v1/models", &body).await.expect(201)["id"].as_str().unwrap().to_owned();
        portal.end(&portal.run_of(&model, 20, json!({})).await).await
    };
    let refused = run(json!({})).await;
    assert!(reason(&refused).starts_with("The model did not answer: "), "{refused:#}");

    for (more, is_noted) in
        [(json!({ "ca_certificate": engine.authority().unwrap() }), false), (json!({ "insecure_skip_tls_verify": true }), true)]
    {
        let ended = run(more.clone()).await;
        assert_eq!(ended["status"], "succeeded", "{more}: {ended:#}");
        let path = format!("/api/v1/runs/{}", ended["id"].as_str().unwrap());
        let report = portal.client.get(&format!("{path}/report")).await.expect(200).to_string();
        assert_eq!(report.contains("The server's certificate was not checked"), is_noted, "{more}");
        // who repeats the load reaches the server the same way
        let plan = portal.client.get(&format!("{path}/plan")).await.expect(200);
        assert_eq!((plan.get("ca_certificates").is_some(), plan.get("insecure").is_some()), (!is_noted, is_noted));
    }
}
