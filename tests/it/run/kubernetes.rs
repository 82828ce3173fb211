//! Runs on a real Kubernetes cluster of two nodes, the one that `scripts/kubernetes/up.sh nodes 2` starts and `DYNO_TEST_CLUSTER` names.
//! The reference engine stands in for engines; it is in the product's own image. Without a cluster these tests say that they were skipped.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use dyno_kubernetes::objects::RunName;
use dyno_kubernetes::{Connection, check};
use serde_json::{Value, json};

use super::world::{Portal, text};
use super::{reason, stage};

/// A portal with the cluster, where there is one.
struct OnCluster {
    portal: Portal,
    connection: Connection,
    namespace: String,
    cluster: String,
    nodes: Vec<String>,
    model: String,
    image: String,
}

impl OnCluster {
    /// Each test has a namespace of its own.
    async fn start(name: &str) -> Option<Self> {
        let Ok(folder) = std::env::var("DYNO_TEST_CLUSTER").map(PathBuf::from) else {
            eprintln!("skipped: DYNO_TEST_CLUSTER names no cluster (scripts/kubernetes/up.sh nodes 2)");
            return None;
        };
        let image = std::env::var("DYNO_TEST_IMAGE").unwrap_or_else(|_| "dyno.test/dyno:1".to_owned());
        let portal = Portal::with(&[("DYNO_IMAGE", &image)]).await;
        let kubeconfig = std::fs::read_to_string(folder.join("admin.kubeconfig")).unwrap();
        let connection = Connection::with_kubeconfig(&check(&kubeconfig, None).unwrap().kubeconfig).await.unwrap();
        let namespace = format!("dyno-test-{name}");
        let models = folder.join("models");
        let body = json!({
            "name": "k", "kind": "kubernetes", "kubeconfig": kubeconfig, "namespace": namespace, "model_roots": [models],
        });
        let cluster = text(&portal.client.post("/api/v1/clusters", &body).await.expect(201)["id"]);
        let found = portal.client.get(&format!("/api/v1/clusters/{cluster}/node-metrics")).await.expect(200);
        let nodes = found["nodes"].as_array().unwrap().iter().map(|node| text(&node["hostname"])).collect();
        let path = std::fs::read_dir(&models).unwrap().flatten().map(|entry| entry.path()).find(|path| path.is_file()).unwrap();
        let body = json!({ "name": "on nodes", "source": "file", "path": path, "location": "node" });
        let model = text(&portal.client.post("/api/v1/models", &body).await.expect(201)["id"]);
        Some(Self { portal, connection, namespace, cluster, nodes, model, image })
    }

    fn engine(&self) -> Value {
        let line = ["dyno", "engine", "--listen", "{host}:{port}", "--model", "{alias}", "--ttft-ms", "20", "--itl-ms", "5"];
        json!({ "engine": "custom", "engine_image": self.image, "engine_args": line })
    }

    async fn run(&self, nodes: usize, requests: u32, engine: Value) -> String {
        self.portal.run_on(&self.cluster, &self.nodes[..nodes], &self.model, requests, engine).await
    }

    fn name(&self, run: &str) -> RunName {
        RunName { id: run.to_owned(), namespace: self.namespace.clone() }
    }

    /// Waits until some requests have succeeded.
    async fn under_load(&self, run: &str) {
        let begun = Instant::now();
        loop {
            let log = self.portal.client.get(&format!("/api/v1/runs/{run}")).await.expect(200);
            assert!(log["ended_at"].is_null() && begun.elapsed() < Duration::from_secs(120), "{log:#}");
            if stage(&log, "run_performance_benchmark") == "running" && self.completed(run).await > 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    /// As the last snapshot among the run's events says.
    async fn completed(&self, run: &str) -> u64 {
        let request = self.portal.client.request(reqwest::Method::GET, &format!("/api/v1/runs/{run}/events"));
        let mut answer = request.send().await.unwrap();
        let mut seen = Vec::new();
        // The stream of a run that is not over stays open.
        while let Ok(Ok(Some(part))) = tokio::time::timeout(Duration::from_millis(300), answer.chunk()).await {
            seen.extend_from_slice(&part);
        }
        let seen = String::from_utf8_lossy(&seen).into_owned();
        let data = seen.lines().filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok());
        data.filter_map(|event| event["completed"].as_u64()).max().unwrap_or(0)
    }

    async fn nothing_left(&self, run: &str) {
        let name = self.name(run);
        assert_eq!(self.connection.left(&name).await.unwrap(), Vec::<String>::new());
        assert!(self.connection.run_secret(&name).await.unwrap().is_none(), "the Secret goes with its owner");
    }

    async fn records(&self, run: &str) -> u64 {
        self.portal.client.get(&format!("/api/v1/runs/{run}/requests")).await.expect(200)["total"].as_u64().unwrap()
    }
}

#[tokio::test]
async fn two_nodes_are_measured_and_nothing_is_left() {
    let Some(on) = OnCluster::start("two").await else { return };
    let run = on.run(2, 40, on.engine()).await;
    let ended = on.portal.end(&run).await;
    assert_eq!((ended["status"].as_str(), reason(&ended)), (Some("succeeded"), ""), "{ended:#}");
    assert!(ended["stages"].as_array().unwrap().iter().all(|stage| stage["status"] == "succeeded"), "{ended:#}");
    let report = on.portal.report(&run).await;
    let nodes = report["nodes"].as_array().unwrap();
    assert_eq!(nodes.iter().map(|node| node["successful_requests"].as_u64().unwrap()).collect::<Vec<_>>(), [20, 20]);
    let engines = report["provenance"]["engines"].as_array().unwrap();
    assert!(
        engines.iter().all(|engine| engine["base_url"].as_str().unwrap().starts_with("http://10.")),
        "by the pods' addresses"
    );
    assert!(report["self_check"]["requests"].as_u64().unwrap() > 0, "the client was checked in its pod");
    assert!(report["provenance"]["notes"].to_string().contains("under test"), "both nodes are: the load shares one");
    assert!(on.records(&run).await >= 40);
    on.nothing_left(&run).await;
}

#[tokio::test]
async fn an_engine_that_is_deleted_ends_the_run_and_what_was_measured_is_kept() {
    let Some(on) = OnCluster::start("deleted").await else { return };
    let run = on.run(1, 100_000, on.engine()).await;
    on.under_load(&run).await;
    let name = on.name(&run);
    on.connection.delete_pod(&name, &name.engine(0)).await.unwrap();
    let ended = on.portal.end(&run).await;
    assert_eq!(ended["status"], "partial", "{ended:#}");
    assert!(reason(&ended).contains("It was deleted") && reason(&ended).contains("Those are kept"), "{}", reason(&ended));
    assert!(on.records(&run).await > 0);
    on.nothing_left(&run).await;
}

#[tokio::test]
async fn a_cancel_keeps_what_was_measured() {
    let Some(on) = OnCluster::start("cancelled").await else { return };
    let run = on.run(1, 100_000, on.engine()).await;
    on.under_load(&run).await;
    on.portal.cancel(&run).await;
    let ended = on.portal.end(&run).await;
    assert_eq!(ended["status"], "cancelled", "{ended:#}");
    assert!(on.records(&run).await > 0);
    on.nothing_left(&run).await;
}

#[tokio::test]
async fn a_killed_portal_goes_on_with_its_run() {
    let Some(mut on) = OnCluster::start("killed").await else { return };
    let run = on.run(1, 2_000, on.engine()).await;
    on.under_load(&run).await;
    on.portal.kill();
    tokio::time::sleep(Duration::from_secs(2)).await;
    on.portal.start_again().await;
    let ended = on.portal.end(&run).await;
    assert_eq!(ended["status"], "succeeded", "{ended:#}");
    let records = on.records(&run).await;
    assert_eq!(on.portal.report(&run).await["summary"]["successful_requests"], 2_000);
    assert!((2_000..2_100).contains(&records), "none is lost and none is doubled: {records}");
    on.nothing_left(&run).await;
}

#[tokio::test]
async fn an_engine_that_ends_says_why() {
    let Some(on) = OnCluster::start("ends").await else { return };
    let line = ["dyno", "engine", "--listen", "{host}:{port}", "--no-such-option", "{alias}"];
    let run = on.run(1, 10, json!({ "engine": "custom", "engine_image": on.image, "engine_args": line })).await;
    let ended = on.portal.end(&run).await;
    assert_eq!((ended["status"].as_str(), stage(&ended, "verify_deployment_status")), (Some("failed"), "failed"), "{ended:#}");
    assert!(reason(&ended).contains("It ended with status 2"), "{}", reason(&ended));
    on.nothing_left(&run).await;
}

#[tokio::test]
async fn an_image_that_is_not_there_ends_the_run_after_a_while() {
    let Some(on) = OnCluster::start("image").await else { return };
    let engine = json!({ "engine": "llama.cpp", "engine_image": "dyno.test/no-such-image:1" });
    let run = on.run(1, 10, engine).await;
    let ended = on.portal.end_within(Duration::from_secs(240), &run).await;
    assert_eq!((ended["status"].as_str(), stage(&ended, "deploy_to_engine")), (Some("failed"), "failed"), "{ended:#}");
    assert!(reason(&ended).contains("dyno.test/no-such-image:1 could not be pulled"), "{}", reason(&ended));
    on.nothing_left(&run).await;
}

#[tokio::test]
async fn a_folder_that_is_not_on_the_node_is_named() {
    let Some(on) = OnCluster::start("folder").await else { return };
    let body = json!({ "name": "not there", "source": "file", "path": "/tmp/dyno-kubernetes-none/m.gguf", "location": "node" });
    let model = text(&on.portal.client.post("/api/v1/models", &body).await.expect(201)["id"]);
    let run = on.portal.run_on(&on.cluster, &on.nodes[..1], &model, 10, on.engine()).await;
    let ended = on.portal.end_within(Duration::from_secs(240), &run).await;
    assert_eq!((ended["status"].as_str(), stage(&ended, "transfer_model_to_cluster")), (Some("failed"), "failed"), "{ended:#}");
    assert!(reason(&ended).contains("/tmp/dyno-kubernetes-none"), "{}", reason(&ended));
    on.nothing_left(&run).await;
}
