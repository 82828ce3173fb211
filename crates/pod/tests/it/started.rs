//! A pod's program that was started, and a load for it.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use dyno_measure::plan::PlanEndpoint;
use dyno_pod::Token;
use dyno_pod::client::{LoadPodClient, PodTransport, TransportError};
use dyno_pod::protocol::{LoadState, StartRequest, Status};
use dyno_reference::timing::Timing;
use dyno_reference::{EngineOptions, ReferenceEngine, Running};
use http::{Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;

pub const TOKEN: &str = "0123456789abcdef0123456789abcdef";
/// How long a test waits for what must come: only a program that hangs takes so long, however busy the machine is.
pub const PATIENCE: Duration = Duration::from_secs(90);

pub fn token() -> Token {
    Token::new(TOKEN).unwrap()
}

/// HTTP to an address, a connection for each request.
#[derive(Debug, Clone, Copy)]
pub struct Plain(pub SocketAddr);

impl PodTransport for Plain {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let stream = tokio::net::TcpStream::connect(self.0).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let mut request = request.map(Full::new);
        request.headers_mut().insert(header::HOST, self.0.to_string().parse()?);
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        connection.abort();
        Ok(Response::from_parts(head, body))
    }
}

pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// An engine that answers at once.
pub fn quick_engine() -> Running {
    engine(1, 0)
}

pub fn engine(ttft_ms: u64, itl_ms: u64) -> Running {
    let timing = Timing { ttft: Duration::from_millis(ttft_ms), itl: Duration::from_millis(itl_ms), ..Timing::default() };
    ReferenceEngine::start(EngineOptions { timing, full_length: true, ..EngineOptions::default() }).unwrap()
}

/// The address of an engine, as the portal tells it.
pub fn at(engine: &Running) -> StartRequest {
    let endpoint = PlanEndpoint { node: "n".to_owned(), base_url: engine.base_url(), metrics: None };
    StartRequest { endpoints: vec![endpoint], model: Some("reference".to_owned()), ..StartRequest::default() }
}

/// The command that starts the program: the example `dyno_pod`, which cargo builds with the tests.
pub fn dyno() -> Command {
    // target/PROFILE/deps/it-HASH → target/PROFILE/examples/dyno_pod
    let test = std::env::current_exe().unwrap();
    let profile: PathBuf = test.ancestors().nth(2).unwrap().to_owned();
    let program = profile.join("examples/dyno_pod");
    assert!(program.exists(), "{} is missing: `cargo test -p dyno-pod` builds it, `--test it` alone does not", program.display());
    Command::new(program)
}

/// A pod's process. Dropped, it is killed with the load that it started.
pub struct Process {
    child: Child,
    pub address: SocketAddr,
    /// What it prints after its first line goes nowhere, and must be read.
    _out: BufReader<std::process::ChildStdout>,
}

impl Process {
    pub fn start(command: &mut Command) -> Self {
        command.env("DYNO_POD_TOKEN", TOKEN).env("DYNO_POD_ADDRESS", "127.0.0.1").env("DYNO_POD_PORT", "0");
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let address = line.trim().rsplit(' ').next().unwrap();
        let address = address.parse().unwrap_or_else(|_| panic!("it does not listen: {line:?}, {:?}", child.wait()));
        Self { child, address, _out: out }
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    pub fn children(&self) -> Vec<i32> {
        let pid = self.child.id().cast_signed();
        let children = procfs::process::Process::new(pid).and_then(|process| process.task_main_thread()?.children());
        children.unwrap_or_default().into_iter().map(u32::cast_signed).collect()
    }

    pub async fn exit(&mut self) -> ExitStatus {
        until("the pod ends", async || self.child.try_wait().unwrap()).await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        for child in self.children() {
            let _ = nix::sys::signal::killpg(Pid::from_raw(child), Signal::SIGKILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder with a plan, and a spool for its load.
pub struct Bench {
    pub folder: TempDir,
    pub plan: Value,
}

impl Bench {
    /// Four in flight, without warm-up, tokenizer, self-check, and endpoints.
    pub fn new(requests: u32) -> Self {
        let plan = json!({
            "endpoints": [], "model": "",
            "workload": {"kind": "synthetic", "input_tokens": 20, "output_tokens": 8},
            "load_points": [{"load": {"kind": "closed", "concurrency": 4}, "num_requests": requests, "warmup_requests": 0}],
            "tokenizer": {"kind": "none"}, "stall_timeout_s": 20.0,
        });
        Self { folder: tempfile::tempdir().unwrap(), plan }
    }

    pub fn spool(&self, name: &str) -> PathBuf {
        self.folder.path().join("spool").join(name)
    }

    pub fn command(&self) -> Command {
        let plan = self.folder.path().join("plan.json");
        std::fs::write(&plan, self.plan.to_string()).unwrap();
        let mut command = dyno();
        command.env("DYNO_POD_LOAD_GRACE_S", "20").args(["pod", "load", "--plan"]).arg(plan).arg("--spool").arg(self.spool(""));
        command
    }

    pub fn start(&self) -> (Process, LoadPodClient<Plain>) {
        start_by(&mut self.command())
    }

    /// Waits until the load has so many records on disk.
    pub async fn wait_for_records(&self, least: usize) {
        let path = self.spool("requests.ndjson");
        until("records", async || (lines_of(&path) >= least).then_some(())).await;
    }
}

/// Starts a load pod.
pub fn start_by(command: &mut Command) -> (Process, LoadPodClient<Plain>) {
    let process = Process::start(command);
    let pod = LoadPodClient::new(Plain(process.address), token());
    (process, pod)
}

pub fn lines_of(path: &Path) -> usize {
    std::fs::read(path).unwrap_or_default().split(|byte| *byte == b'\n').count() - 1
}

/// The status once the load has ended.
pub async fn ended(pod: &LoadPodClient<Plain>) -> Status {
    until("the load ends", async || pod.status().await.ok().filter(|status| status.state == LoadState::Ended)).await
}
