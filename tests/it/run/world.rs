//! A real portal process with a data folder of its own, that can be killed and started again.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{ADMIN_TOKEN, TestClient};

/// The program under test.
pub const DYNO: &str = env!("CARGO_BIN_EXE_dyno");
/// A secret of somebody's in the portal's environment.
pub const CANARY: (&str, &str) = ("CLOUD_ACCESS_KEY", "a-secret-of-the-environment");
/// Longest wait for anything: machines that run tests are busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// A portal process, and what is asked of it.
pub struct Portal {
    pub client: TestClient,
    dir: TempDir,
    port: u16,
    process: Child,
    env: Vec<(String, String)>,
    pub model: String,
}

impl Portal {
    /// A portal on an empty data folder, with one small model file.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// The same with more variables in its environment.
    pub async fn with(env: &[(&str, &str)]) -> Self {
        let env: Vec<(String, String)> = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let dir = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let client = TestClient { http, url: format!("http://127.0.0.1:{port}"), token: Some(ADMIN_TOKEN.to_owned()) };
        let process = spawn(dir.path(), port, &env);
        let mut portal = Self { client, dir, port, process, env, model: String::new() };
        portal.answers().await;
        let file = portal.model_folder().join("tiny.gguf");
        std::fs::write(&file, tiny_gguf()).unwrap();
        let body = json!({ "name": "tiny", "source": "file", "path": file, "location": "portal" });
        portal.model = text(&portal.client.post("/api/v1/models", &body).await.expect(201)["id"]);
        portal
    }

    /// Where models may lie.
    pub fn model_folder(&self) -> PathBuf {
        self.dir.path().canonicalize().unwrap()
    }

    async fn answers(&self) {
        let begun = Instant::now();
        while self.client.request(reqwest::Method::GET, "/api/v1/runs").send().await.is_err() {
            assert!(begun.elapsed() < PATIENCE, "the portal does not answer");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// As an operator or a crash would: `kill -9`.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// SIGTERM, and what the portal said until its end.
    pub fn terminate(&mut self) -> String {
        signal(self.process.id(), "TERM");
        self.process.wait().unwrap();
        std::fs::read_to_string(self.dir.path().join("portal.log")).unwrap()
    }

    /// The same portal again.
    pub async fn start_again(&mut self) {
        self.process = spawn(self.dir.path(), self.port, &self.env);
        self.answers().await;
    }

    /// Starts a run of so many requests, four in flight, on an engine of that command.
    pub async fn run(&self, requests: u32, engine: &[&str]) -> String {
        let model = self.model.clone();
        self.run_of(&model, requests, json!({ "engine": "custom", "engine_args": engine })).await
    }

    /// The same with more fields of step 4.
    pub async fn run_placed(&self, requests: u32, engine: &[&str], place: Value) -> String {
        let model = self.model.clone();
        self.run_with(&model, requests, json!({ "engine": "custom", "engine_args": engine }), place).await
    }

    /// Starts a run of a model, with more fields of step 5.
    pub async fn run_of(&self, model: &str, requests: u32, serving: Value) -> String {
        self.run_with(model, requests, serving, json!({})).await
    }

    async fn run_with(&self, model: &str, requests: u32, serving: Value, place: Value) -> String {
        let cluster = text(&self.client.get("/api/v1/clusters").await.expect(200)["items"][0]["id"]);
        let nodes = self.client.get(&format!("/api/v1/clusters/{cluster}/node-metrics")).await.expect(200);
        let node = text(&nodes["nodes"][0]["hostname"]);
        self.run_on(&cluster, &node, model, requests, serving, place).await
    }

    /// Starts a run on a node of a cluster.
    pub async fn run_on(&self, cluster: &str, node: &str, model: &str, requests: u32, serving: Value, place: Value) -> String {
        let mut step_4 = json!({ "nodes": [{ "hostname": node }] });
        step_4.as_object_mut().unwrap().extend(place.as_object().unwrap().clone());
        let details = json!({
            "workflow_total_steps": 9, "step_number": 1, "name": "kill tests", "tags": [], "description": "",
            "concurrent_requests": 4, "eval_with": "configuration",
        });
        let workflow = self.step(details).await["workflow_id"].clone();
        let mut step = json!({ "model_id": model });
        step.as_object_mut().unwrap().extend(serving.as_object().unwrap().clone());
        let steps = [
            (2, json!({ "max_input_tokens": 32, "max_output_tokens": 16, "num_requests": requests })),
            (3, json!({ "cluster_id": cluster })),
            (4, step_4),
            (5, step),
            (7, json!({ "user_confirmation": true })),
            (8, json!({ "run_as_simulation": false, "trigger_workflow": true })),
        ];
        let mut answer = Value::Null;
        for (number, mut body) in steps {
            body["workflow_id"] = workflow.clone();
            body["step_number"] = json!(number);
            answer = self.step(body).await;
        }
        text(&answer["run_id"])
    }

    async fn step(&self, body: Value) -> Value {
        self.client.post("/api/v1/benchmarks/run-workflow", &body).await.expect(200)
    }

    pub async fn look(&self, run: &str) -> Value {
        self.client.get(&format!("/api/v1/runs/{run}")).await.expect(200)
    }

    pub async fn cancel(&self, run: &str) {
        self.client.post(&format!("/api/v1/runs/{run}/cancel"), &json!({})).await.expect(200);
    }

    /// Waits until the run is over.
    pub async fn end(&self, run: &str) -> Value {
        self.end_within(PATIENCE, run).await
    }

    /// The same for what takes longer by its nature.
    pub async fn end_within(&self, patience: Duration, run: &str) -> Value {
        let begun = Instant::now();
        loop {
            let found = self.look(run).await;
            if !matches!(found["status"].as_str().unwrap(), "queued" | "running" | "cancelling") {
                return found;
            }
            assert!(begun.elapsed() < patience, "{found:#}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until some requests of the run have succeeded.
    pub async fn under_load(&self, run: &str) {
        let spool = self.folder(run).join("load.ndjson");
        let begun = Instant::now();
        loop {
            let found = std::fs::read_to_string(&spool).unwrap_or_default();
            let completed = found.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            if completed.filter_map(|event| event["data"]["completed"].as_u64()).max().unwrap_or(0) > 0 {
                return;
            }
            let run = self.look(run).await;
            assert!(begun.elapsed() < PATIENCE && run["ended_at"].is_null(), "{run:#}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub async fn report(&self, run: &str) -> Value {
        self.client.get(&format!("/api/v1/runs/{run}/report")).await.expect(200)
    }

    /// Ids of all events, as a browser gets them that has seen those up to `after`.
    pub async fn event_ids(&self, run: &str, after: i64) -> Vec<i64> {
        let request = self.client.request(reqwest::Method::GET, &format!("/api/v1/runs/{run}/events"));
        let body = request.header("last-event-id", after).send().await.unwrap().text().await.unwrap();
        body.lines().filter_map(|line| line.strip_prefix("id: ")?.parse().ok()).collect()
    }

    pub fn data_dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn folder(&self, run: &str) -> PathBuf {
        self.dir.path().join("runs").join(run)
    }

    /// The process that the keeper started under a name.
    pub async fn pid(&self, run: &str, name: &str) -> u32 {
        let journal = self.folder(run).join("keeper.ndjson");
        let begun = Instant::now();
        loop {
            let found = std::fs::read_to_string(&journal).unwrap_or_default();
            let entries = found.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            if let Some(entry) = entries.into_iter().find(|entry| entry["name"] == name) {
                return entry["pid"].as_u64().unwrap() as u32;
            }
            assert!(begun.elapsed() < PATIENCE, "no process {name}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Processes that have this portal's data folder in their command line or as their working folder: keepers, guards,
    /// engines, loads.
    pub fn left(&self) -> Vec<String> {
        let folder = self.dir.path().canonicalize().unwrap();
        let runs = folder.join("runs");
        let mut left = Vec::new();
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
            let inside = std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(&runs));
            if inside {
                let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
                left.push(format!("{pid} {}", String::from_utf8_lossy(&line).replace('\0', " ")));
            }
        }
        left
    }

    /// Waits until nothing of the runs is left.
    pub async fn nothing_left(&self) {
        let begun = Instant::now();
        loop {
            let left = self.left();
            if left.is_empty() {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{left:#?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Drop for Portal {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        // A failed test leaves runs at work; each process is one that this portal started.
        for line in self.left() {
            if let Some(pid) = line.split(' ').next().and_then(|pid| pid.parse().ok()) {
                signal(pid, "KILL");
            }
        }
    }
}

fn spawn(dir: &Path, port: u16, env: &[(String, String)]) -> Child {
    let log = std::fs::File::options().create(true).append(true).open(dir.join("portal.log")).unwrap();
    Command::new(DYNO)
        .args(["serve", "--addr", &format!("127.0.0.1:{port}"), "--data-dir"])
        .arg(dir)
        .env("DYNO_ADMIN_TOKEN", ADMIN_TOKEN)
        .env_remove("DATABASE_URL")
        .env(CANARY.0, CANARY.1)
        .envs(env.iter().map(|(name, value)| (name, value)))
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

pub fn signal(pid: u32, name: &str) {
    use nix::sys::signal::{Signal, kill};
    let signal = if name == "KILL" { Signal::SIGKILL } else { Signal::SIGTERM };
    let _ = kill(nix::unistd::Pid::from_raw(pid.cast_signed()), signal);
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// The smallest GGUF file that says something: an architecture, its layers, and one tensor.
fn tiny_gguf() -> Vec<u8> {
    gguf(&[("llama.block_count", 4)])
}

/// A GGUF file of a llama with these numbers, and one tensor.
pub fn gguf(numbers: &[(&str, u32)]) -> Vec<u8> {
    fn text(bytes: &mut Vec<u8>, text: &str) {
        bytes.extend((text.len() as u64).to_le_bytes());
        bytes.extend(text.as_bytes());
    }
    let mut bytes = b"GGUF".to_vec();
    bytes.extend(3_u32.to_le_bytes());
    bytes.extend(1_u64.to_le_bytes());
    bytes.extend((1 + numbers.len() as u64).to_le_bytes());
    text(&mut bytes, "general.architecture");
    bytes.extend(8_u32.to_le_bytes());
    text(&mut bytes, "llama");
    for (key, number) in numbers {
        text(&mut bytes, key);
        bytes.extend(4_u32.to_le_bytes());
        bytes.extend(number.to_le_bytes());
    }
    text(&mut bytes, "token_embd.weight");
    bytes.extend(2_u32.to_le_bytes());
    bytes.extend(8_u64.to_le_bytes());
    bytes.extend(4_u64.to_le_bytes());
    bytes.extend(0_u32.to_le_bytes());
    bytes.extend(0_u64.to_le_bytes());
    bytes.resize(bytes.len().next_multiple_of(32) + 128, 0);
    bytes
}
