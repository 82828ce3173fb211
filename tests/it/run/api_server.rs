//! An API server of our own with one node, as far as a transfer asks it: it keeps what is applied, makes the pods of Jobs that bring files,
//! as the Job controller does, and hands requests on to them. Its pods are processes of the program under test, with one folder as the
//! node's disk. Some requests lose their pod half-way.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{Request, Response, StatusCode};
use axum::response::IntoResponse as _;
use axum::{Json, Router};
use base64::Engine as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::Mutex;

use super::world::DYNO;

/// Where everything of the runs lies.
const NAMESPACE: &str = "/api/v1/namespaces/dyno";
/// Longest wait for what a request leaves on the disk.
const PATIENCE: Duration = Duration::from_secs(60);

/// What happens to the pod that a part of a file is sent to.
#[derive(Debug, Clone, Copy)]
pub struct Loss {
    /// After so many bytes of the part.
    pub after: usize,
    pub how: LossKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LossKind {
    Deleted,
    /// By its node.
    Evicted,
    /// Evicted by a request, as draining a node does: it is there for some looks more, and replaced only then.
    Drained,
    /// Its program ends with a status of its own.
    GivenUp,
}

/// A pod of a Job that brings files.
struct PodProcess {
    job: String,
    address: SocketAddr,
    child: Child,
}

impl Drop for PodProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Cluster {
    folder: TempDir,
    /// By their paths.
    objects: BTreeMap<String, Value>,
    /// Owners of runs as they were applied first.
    owners: Vec<Value>,
    pods: BTreeMap<String, PodProcess>,
    /// A pod that is leaving, and how many looks at pods it is there yet.
    leaving: Option<(String, u32)>,
    /// Of the parts of files that are sent next.
    losses: VecDeque<Loss>,
    /// Where the parts of files that were sent begin.
    offsets: Vec<u64>,
    made: u32,
}

/// A server that runs as long as the test.
pub struct ApiServer {
    pub url: String,
    cluster: Arc<Mutex<Cluster>>,
}

impl ApiServer {
    pub async fn start(losses: &[Loss]) -> Self {
        let cluster = Cluster {
            folder: tempfile::tempdir().unwrap(),
            objects: BTreeMap::new(),
            owners: Vec::new(),
            pods: BTreeMap::new(),
            leaving: None,
            losses: losses.iter().copied().collect(),
            offsets: Vec::new(),
            made: 0,
        };
        let cluster = Arc::new(Mutex::new(cluster));
        let routes = Router::new().fallback(answer).with_state(Arc::clone(&cluster));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { url, cluster }
    }

    pub fn kubeconfig(&self) -> String {
        format!(
            "clusters: [{{name: c, cluster: {{server: '{}'}}}}]\nusers: [{{name: u, user: {{token: t}}}}]\n\
             contexts: [{{name: k, context: {{cluster: c, user: u}}}}]",
            self.url
        )
    }

    /// Where the parts of files that were sent to pods began.
    pub async fn offsets(&self) -> Vec<u64> {
        self.cluster.lock().await.offsets.clone()
    }

    pub async fn owners(&self) -> Vec<Value> {
        self.cluster.lock().await.owners.clone()
    }

    /// The files on the node's disk.
    pub async fn files(&self) -> Vec<PathBuf> {
        super::files_below(self.cluster.lock().await.folder.path()).into_iter().filter(|path| path.is_file()).collect()
    }

    /// What is left in the runs' namespace.
    pub async fn left(&self) -> Vec<String> {
        self.cluster.lock().await.objects.keys().cloned().collect()
    }
}

async fn answer(State(cluster): State<Arc<Mutex<Cluster>>>, request: Request<Body>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let mut cluster = cluster.lock().await;
    let path = head.uri.path().to_owned();
    if path.contains("/proxy/") {
        return cluster.proxied(Request::from_parts(head, body)).await;
    }
    let found = match (head.method.as_str(), path.as_str()) {
        ("GET", "/version") => Some(json!({
            "major": "1", "minor": "33", "gitVersion": "v1.33.1", "gitCommit": "", "gitTreeState": "", "buildDate": "",
            "goVersion": "", "compiler": "", "platform": "",
        })),
        ("GET", "/api/v1/nodes") => Some(list(vec![node()])),
        ("GET", "/api/v1/pods") => Some(cluster.listed(&format!("{NAMESPACE}/pods"))),
        ("GET", NAMESPACE) => Some(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "dyno"}})),
        ("GET", path) if path == format!("{NAMESPACE}/pods") => {
            cluster.let_leave();
            Some(cluster.listed(path))
        }
        ("GET", path) if ["pods", "jobs", "events"].contains(&path.rsplit('/').next().unwrap_or_default()) => {
            Some(cluster.listed(path))
        }
        ("GET", path) => cluster.objects.get(path).cloned(),
        ("POST", _) => {
            let mut review: Value = serde_json::from_slice(&body).unwrap_or_default();
            review["status"] = json!({"allowed": true, "userInfo": {"username": "admin"}});
            Some(review)
        }
        ("PATCH", path) => Some(cluster.patched(path, serde_json::from_slice(&body).unwrap())),
        ("DELETE", path) => cluster.deleted(path),
        _ => None,
    };
    found.map_or_else(|| none(&path), |found| Json(found).into_response())
}

fn none(path: &str) -> Response<Body> {
    let message = format!("{path} not found");
    let status =
        json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404, "message": message});
    (StatusCode::NOT_FOUND, Json(status)).into_response()
}

fn list(items: Vec<Value>) -> Value {
    json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": "1"}, "items": items})
}

fn node() -> Value {
    json!({
        "metadata": {"name": "node-1", "labels": {"kubernetes.io/hostname": "node-1"}},
        "spec": {},
        "status": {"allocatable": {"cpu": "8", "memory": "64Gi"}, "conditions": [{"type": "Ready", "status": "True"}]},
    })
}

/// As a JSON merge patch has it.
fn merge(into: &mut Value, patch: Value) {
    match (into, patch) {
        (Value::Object(into), Value::Object(patch)) => {
            for (name, value) in patch {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, patch) => *into = patch,
    }
}

impl Cluster {
    fn listed(&self, path: &str) -> Value {
        let below = format!("{path}/");
        list(self.objects.iter().filter(|(path, _)| path.starts_with(&below)).map(|(_, object)| object.clone()).collect())
    }

    fn patched(&mut self, path: &str, patch: Value) -> Value {
        let is_new = !self.objects.contains_key(path);
        self.made += 1;
        let metadata = json!({"uid": format!("uid-{}", self.made), "creationTimestamp": jiff::Timestamp::now()});
        let object = self.objects.entry(path.to_owned()).or_insert_with(|| json!({ "metadata": metadata }));
        merge(object, patch);
        let object = object.clone();
        let component = &object["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"];
        if is_new && component == "files" {
            self.make_pod(object["metadata"]["name"].as_str().unwrap());
        } else if is_new && component == "load" {
            self.owners.push(object.clone());
        }
        object
    }

    /// An owner goes with all that it owns.
    fn deleted(&mut self, path: &str) -> Option<Value> {
        let object = self.objects.remove(path)?;
        self.pods.remove(path.rsplit('/').next().unwrap());
        if self.owners.iter().any(|owner| owner["metadata"]["name"] == object["metadata"]["name"]) && path.contains("/jobs/") {
            self.pods.clear();
            self.objects.clear();
        }
        Some(object)
    }

    /// As the Job controller does.
    fn make_pod(&mut self, job: &str) {
        self.made += 1;
        let job_object = &self.objects[&format!("/apis/batch/v1/namespaces/dyno/jobs/{job}")];
        let mut labels = job_object["spec"]["template"]["metadata"]["labels"].clone();
        labels["job-name"] = json!(job);
        let spec = job_object["spec"]["template"]["spec"].clone();
        let name = format!("{job}-{}", self.made);
        let metadata = json!({"name": name, "namespace": "dyno", "uid": format!("uid-{}", self.made), "labels": labels});
        self.start_process(&name, job);
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": running()});
        self.objects.insert(format!("{NAMESPACE}/pods/{name}"), pod);
    }

    fn start_process(&mut self, name: &str, job: &str) {
        let secret = self.objects.iter().find(|(path, _)| path.contains("/secrets/")).unwrap().1;
        let token = base64::engine::general_purpose::STANDARD.decode(secret["data"]["token"].as_str().unwrap()).unwrap();
        let mut child = Command::new(DYNO)
            .args(["pod", "files"])
            .env("DYNO_POD_TOKEN", String::from_utf8(token).unwrap())
            .env("DYNO_POD_ADDRESS", "127.0.0.1")
            .env("DYNO_POD_PORT", "0")
            .env("DYNO_POD_FOLDER", self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().rsplit(' ').next().unwrap().parse().unwrap();
        self.pods.insert(name.to_owned(), PodProcess { job: job.to_owned(), address, child });
    }

    async fn proxied(&mut self, request: Request<Bytes>) -> Response<Body> {
        let path = request.uri().path_and_query().unwrap().as_str().to_owned();
        let (before, rest) = path.split_once("/proxy").unwrap();
        let name = before.rsplit('/').next().unwrap().split(':').next().unwrap().to_owned();
        let Some(pod) = self.pods.get(&name) else { return none(before) };
        let address = pod.address;
        if request.method() == "PUT" {
            let offset: u64 = rest.rsplit("offset=").next().unwrap().parse().unwrap();
            self.offsets.push(offset);
            if let Some(loss) = self.losses.pop_front() {
                let file = rest.strip_prefix("/files/").unwrap().split('?').next().unwrap();
                let part = self.folder.path().join(format!("{file}.part"));
                let _open = send_a_part(address, rest, &request, loss.after);
                wait_for_length(&part, offset + loss.after as u64).await;
                self.lose(&name, loss.how);
                return (StatusCode::BAD_GATEWAY, "error trying to reach service: EOF").into_response();
            }
        }
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let (head, body) = request.into_parts();
        let mut asked = client.request(head.method, format!("http://{address}{rest}")).body(body);
        for (header, value) in head.headers.iter().filter(|(header, _)| !["host", "content-length"].contains(&header.as_str())) {
            asked = asked.header(header, value);
        }
        let Ok(answer) = asked.send().await else {
            return (StatusCode::BAD_GATEWAY, "error trying to reach service: EOF").into_response();
        };
        let mut response = Response::builder().status(answer.status());
        for (header, value) in answer.headers() {
            response = response.header(header, value);
        }
        response.body(Body::from(answer.bytes().await.unwrap())).unwrap()
    }

    fn lose(&mut self, name: &str, how: LossKind) {
        let path = format!("{NAMESPACE}/pods/{name}");
        let pod = self.objects.get_mut(&path).unwrap();
        let job = self.pods.remove(name).unwrap().job.clone();
        match how {
            LossKind::Deleted => _ = self.objects.remove(&path),
            LossKind::Evicted => {
                let message = "The node was low on resource: ephemeral-storage.";
                pod["status"] = json!({"phase": "Failed", "reason": "Evicted", "message": message});
            }
            LossKind::GivenUp => {
                let container = &mut pod["status"]["containerStatuses"][0];
                container["ready"] = json!(false);
                container["state"] = json!({"terminated": {"exitCode": 1, "reason": "Error"}});
                pod["status"]["phase"] = json!("Failed");
            }
            LossKind::Drained => {
                pod["metadata"]["deletionTimestamp"] = json!(jiff::Timestamp::now());
                let conditions = pod["status"]["conditions"].as_array_mut().unwrap();
                conditions.push(json!({"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}));
                self.leaving = Some((name.to_owned(), 4));
                return;
            }
        }
        self.make_pod(&job);
    }

    fn let_leave(&mut self) {
        let Some((name, looks)) = self.leaving.take() else { return };
        if looks > 0 {
            self.leaving = Some((name, looks - 1));
        } else if let Some(pod) = self.objects.remove(&format!("{NAMESPACE}/pods/{name}")) {
            self.make_pod(pod["metadata"]["labels"]["job-name"].as_str().unwrap());
        }
    }
}

fn running() -> Value {
    let container = json!({
        "name": "files", "image": "", "imageID": "", "ready": true, "restartCount": 0,
        "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
    });
    json!({
        "phase": "Running", "containerStatuses": [container],
        "conditions": [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "True"}],
    })
}

/// A request of whose body so many bytes are sent; over its connection the rest may come.
fn send_a_part(address: SocketAddr, path: &str, request: &Request<Bytes>, bytes: usize) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    let mut head = format!("PUT {path} HTTP/1.1\r\nhost: pod\r\ncontent-length: {}\r\n", request.body().len());
    for (header, value) in request.headers().iter().filter(|(header, _)| !["host", "content-length"].contains(&header.as_str())) {
        head.push_str(&format!("{header}: {}\r\n", value.to_str().unwrap()));
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
    stream.write_all(&request.body()[..bytes]).unwrap();
    stream.flush().unwrap();
    stream
}

async fn wait_for_length(file: &Path, length: u64) {
    let begun = Instant::now();
    while file.metadata().map_or(0, |metadata| metadata.len()) < length {
        assert!(begun.elapsed() < PATIENCE, "{} does not grow to {length}", file.display());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
