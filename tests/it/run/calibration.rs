//! What measured runs leave behind beside their figures: a calibration's profile, and what the devices cost.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::ENGINE;
use super::world::{DYNO, Portal, gguf, text};

/// Calibrations that are tried until one is valid: on a busy machine a load may come too late.
const TRIES: u32 = 3;
/// The engine's time of a token, ms; as on a processor, each further sequence and each token of a prompt takes its time.
const ITL_MS: f64 = 20.0;

/// A `llama-server` whose timing is known: the reference engine under llama.cpp's command line.
fn llama_server(folder: &Path) -> String {
    let program = folder.join("llama-server");
    let script = format!(
        "#!/bin/sh\nwhile [ $# -gt 0 ]; do\n  case \"$1\" in\n    --version) echo 'version: 1'; exit 0 ;;\n    --alias) alias=$2 ;;\n    \
         --host) host=$2 ;;\n    --port) port=$2 ;;\n  esac\n  shift\ndone\n\
         exec '{DYNO}' engine --listen \"$host:$port\" --model \"$alias\" --ttft-ms 20 --itl-ms {ITL_MS} --prompt-token-us 2000 \
         --slowdown 0.6\n"
    );
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    program.to_str().unwrap().to_owned()
}

/// A model that is described well enough to be simulated.
async fn described_model(portal: &Portal) -> String {
    let file = portal.data_dir().canonicalize().unwrap().join("described.gguf");
    let numbers = [
        ("llama.block_count", 30),
        ("llama.embedding_length", 576),
        ("llama.feed_forward_length", 1_536),
        ("llama.attention.head_count", 9),
        ("llama.attention.head_count_kv", 3),
        ("llama.context_length", 2_048),
        ("llama.vocab_size", 49_152),
        ("general.file_type", 7),
    ];
    std::fs::write(&file, gguf(&numbers)).unwrap();
    let body = json!({ "name": "described", "source": "file", "path": file, "location": "portal" });
    text(&portal.client.post("/api/v1/models", &body).await.expect(201)["id"])
}

/// What was expected of a run, once the simulator has looked at it.
async fn predicted(portal: &Portal, run: &str) -> Value {
    let begun = Instant::now();
    loop {
        let report = portal.report(run).await;
        if !report["predicted"].is_null() {
            return report["predicted"].clone();
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "nothing was predicted");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The report of a simulated run of the same benchmark, once it rests on own runs.
async fn calibrated(portal: &Portal, benchmark: &str) -> Value {
    let begun = Instant::now();
    loop {
        let path = format!("/api/v1/benchmarks/{benchmark}/runs");
        let run = text(&portal.client.post(&path, &json!({ "run_as_simulation": true })).await.expect(201)["id"]);
        assert_eq!(portal.end(&run).await["status"], "succeeded");
        let report = portal.report(&run).await;
        if report["prediction"]["standing"] == "calibrated" {
            return report;
        }
        // The profile is fitted a moment after the run has its prediction.
        assert!(begun.elapsed() < Duration::from_secs(120), "{}", report["prediction"]);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn mean_tpots(report: &Value) -> Vec<f64> {
    report["load_points"].as_array().unwrap().iter().map(|point| point["tpot_ms"]["mean"].as_f64().unwrap()).collect()
}

#[tokio::test]
async fn a_calibration_ends_in_a_profile_that_simulations_rest_on() {
    let folder = tempfile::tempdir().unwrap();
    let server = llama_server(folder.path());
    let portal = Portal::with(&[("DYNO_LLAMA_SERVER", &server)]).await;
    let model = described_model(&portal).await;
    let cluster = text(&portal.client.get("/api/v1/clusters").await.expect(200)["items"][0]["id"]);
    let nodes = portal.client.get(&format!("/api/v1/clusters/{cluster}/node-metrics")).await.expect(200);
    let wanted = json!({ "model_id": model, "hostname": nodes["nodes"][0]["hostname"], "duration_s": 2 });

    for _ in 0..TRIES {
        let run = portal.client.post(&format!("/api/v1/clusters/{cluster}/calibrate"), &wanted).await.expect(201);
        let id = text(&run["id"]);
        let ended = portal.end(&id).await;
        assert_eq!((&ended["kind"], &ended["status"]), (&json!("measured"), &json!("succeeded")), "{ended:#}");
        let report = portal.report(&id).await;
        let loads: Vec<u64> =
            report["load_points"].as_array().unwrap().iter().map(|point| point["concurrency"].as_u64().unwrap()).collect();
        assert!(loads.len() == 4 && loads[0] == 1 && loads.is_sorted_by(|one, other| one < other), "{loads:?}");
        if report["valid"] != json!(true) {
            continue;
        }
        // Nobody knew the engine before: what was expected rests on no run.
        let before = predicted(&portal, &id).await;
        assert_eq!(before["standing"], "prior", "{before}");
        assert_eq!(before["load_points"].as_array().unwrap().len(), 4, "{before}");

        let after = calibrated(&portal, run["benchmark_id"].as_str().unwrap()).await;
        assert_eq!(after["prediction"]["runs"], 1, "{}", after["prediction"]);
        let (expected, measured) = (mean_tpots(&after), mean_tpots(&report));
        let of_profile: Vec<f64> =
            expected.iter().zip(&measured).map(|(expected, measured)| 100.0 * (expected / measured - 1.0)).collect();
        let of_prior = before["load_points"].as_array().unwrap().iter().map(|point| &point["tpot_ms"]["error_pct"]);
        let of_prior: Vec<f64> = of_prior.map(|error| error.as_f64().unwrap()).collect();
        // The engine makes no steps as a real one does, so that no factors meet it exactly.
        let mean = |errors: &[f64]| errors.iter().map(|error| error.abs()).sum::<f64>() / errors.len() as f64;
        assert!(mean(&of_profile) < mean(&of_prior) / 2.0, "TPOT is {of_profile:?} % off, was {of_prior:?} %");
        let over_all = portal.client.get("/clusters/predictions").await;
        assert!(over_all.body.as_str().unwrap().contains(&format!("/runs/{id}/report")));
        portal.nothing_left().await;
        return;
    }
    panic!("none of {TRIES} calibrations was valid: the machine is too busy to measure on");
}

#[tokio::test]
async fn a_measured_run_says_what_its_devices_cost() {
    const PER_HOUR: f64 = 3.6;
    let portal = Portal::start().await;
    let cluster = text(&portal.client.get("/api/v1/clusters").await.expect(200)["items"][0]["id"]);
    let nodes = portal.client.get(&format!("/api/v1/clusters/{cluster}/node-metrics")).await.expect(200);
    for device in nodes["nodes"][0]["devices"].as_array().unwrap() {
        let price = json!({ "device": device["name"], "per_hour": PER_HOUR, "currency": "EUR" });
        portal.client.post("/api/v1/prices", &price).await.expect(201);
    }
    let run = portal.run(20, ENGINE).await;
    let ended = portal.end(&run).await;
    assert_eq!((&ended["kind"], &ended["status"]), (&json!("measured"), &json!("succeeded")), "{ended:#}");
    let report = portal.report(&run).await;
    let prices = report["provenance"]["prices"].as_array().unwrap_or_else(|| panic!("no prices: {}", report["provenance"]));
    assert_eq!((prices.len(), &prices[0]["per_hour"], &prices[0]["currency"]), (1, &json!(PER_HOUR), &json!("EUR")));
    let devices = prices[0]["count"].as_f64().unwrap();

    // On the page, and in both files of figures: from the same throughput and duration.
    let (throughput, seconds) =
        (report["summary"]["output_throughput"].as_f64().unwrap(), report["summary"]["duration_s"].as_f64().unwrap());
    let (per_million, of_load) = (devices * PER_HOUR / 3600.0 * 1e6 / throughput, devices * PER_HOUR / 3600.0 * seconds);
    let page = portal.client.get(&format!("/runs/{run}/report")).await;
    let page = page.body.as_str().unwrap();
    let words = format!("at 3.60 EUR per hour each; this load cost {} EUR", dyno_measure::words::figure(of_load));
    assert!(page.contains(&words), "{words}");
    let figure = dyno_measure::words::figure(per_million);
    assert!(page.contains("data-label=\"EUR per million output tokens\"") && page.contains(&format!(">{figure}<")), "{figure}");
    assert!(page.contains(&format!("href=\"/runs/{run}/report/loads.csv\"")), "the file is linked");
    for path in [format!("/runs/{run}/report/loads.csv"), format!("/runs/figures.csv?run={run}")] {
        let file = portal.client.get(&path).await;
        assert_eq!(file.content_type, "text/csv; charset=utf-8");
        let mut rows = csv::Reader::from_reader(file.body.as_str().unwrap().as_bytes());
        let head = rows.headers().unwrap().clone();
        let rows: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 1, "{path}");
        let of = |name: &str| rows[0][head.iter().position(|found| found == name).unwrap()].to_owned();
        let number = |name: &str| of(name).parse::<f64>().unwrap();
        assert!((number("cost_per_million_output_tokens") / per_million - 1.0).abs() < 1e-9, "{path}");
        assert!((number("cost_of_load") / of_load - 1.0).abs() < 1e-9, "{path}");
        assert_eq!((of("kind"), of("currency")), ("measured".to_owned(), "EUR".to_owned()), "{path}");
    }
}
