//! A server with scripted answers, and `dyno load` runs against it.

use crate::program::dyno;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dyno_measure::report::{Report, RequestRecord};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Longest wait of a test; reached only when a program hangs.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Wall-clock time, Unix ns.
pub fn unix_ns() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as i64
}

/// Polls until `look` returns a value; panics after [`PATIENCE`].
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A request as a server saw it.
#[derive(Debug, Clone)]
pub struct Seen {
    pub path: String,
    pub head: String,
    pub body: Value,
    /// Number of the request on its connection, from 0.
    pub of_connection: usize,
}

/// What the server does with the connection after an answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Then {
    GoOn,
    Close,
}

/// A server with one thread per connection.
pub struct Scripted {
    pub address: SocketAddr,
    pub seen: Arc<Mutex<Vec<Seen>>>,
}

impl Scripted {
    /// Answers each request of the load with `answer`; tokenize calls get a 404.
    pub fn start(answer: impl Fn(&Seen, &mut dyn Write) -> Then + Send + Sync + 'static) -> Self {
        Self::start_with(|stream| Box::new(stream), answer)
    }

    /// The same over TLS, or what `wrap` makes of a connection.
    pub fn start_with(
        wrap: impl Fn(TcpStream) -> Box<dyn Duplex> + Send + Sync + 'static,
        answer: impl Fn(&Seen, &mut dyn Write) -> Then + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, answer, wrap) = (seen.clone(), Arc::new(answer), Arc::new(wrap));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                // each write is sent at once
                let _ = stream.set_nodelay(true);
                let (log, answer, wrap) = (log.clone(), answer.clone(), wrap.clone());
                std::thread::spawn(move || serve(wrap(stream), &log, &*answer));
            }
        });
        Self { address, seen }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Requests of the load, without tokenize calls.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

pub trait Duplex: Read + Write + Send {}
impl<T: Read + Write + Send> Duplex for T {}

fn serve(stream: Box<dyn Duplex>, log: &Mutex<Vec<Seen>>, answer: &dyn Fn(&Seen, &mut dyn Write) -> Then) {
    let mut reader = BufReader::new(stream);
    for of_connection in 0.. {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length:")).map_or(0, |value| value.trim().parse().unwrap());
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let path = head.split(' ').nth(1).unwrap().to_owned();
        let seen = Seen { body: serde_json::from_slice(&body).unwrap_or_default(), path, head, of_connection };
        let then = if seen.path.contains("token") || seen.path.contains("template") {
            let _ = reader.get_mut().write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
            Then::GoOn
        } else {
            log.lock().unwrap().push(seen.clone());
            answer(&seen, reader.get_mut())
        };
        let _ = reader.get_mut().flush();
        if then == Then::Close {
            return;
        }
    }
}

/// The response head of a stream.
pub const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

/// A piece of a chunked body.
pub fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

/// An event with a word of content.
pub fn word(text: &str) -> String {
    format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": {"content": text}}]}))
}

/// Finish reason, usage, `[DONE]`, and the end of the body.
pub fn ending(prompt: u32, completion: u32) -> String {
    let finish = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
    let usage = json!({"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": completion}});
    chunk(&format!("data: {finish}\n\ndata: {usage}\n\ndata: [DONE]\n\n")) + "0\r\n\r\n"
}

/// A complete answer of `words` words, sent at once.
pub fn good_answer(words: u32) -> String {
    let words_sent: String = (0..words).map(|_| chunk(&word("x "))).collect();
    format!("{STREAM}{words_sent}{}", ending(20, words))
}

/// Writes `text`, then waits `then_ms`.
pub fn say(out: &mut dyn Write, text: &str, then_ms: u64) {
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
    std::thread::sleep(Duration::from_millis(then_ms));
}

/// The output and files of a finished load.
pub struct Left {
    pub output: Output,
    pub report: Report,
    pub records: Vec<RequestRecord>,
}

/// A folder for a load, and its plan.
pub struct Bench {
    pub folder: TempDir,
    pub plan: Value,
}

impl Bench {
    /// A small closed loop: one request in flight, no warm-up, no tokenizer.
    pub fn new(url: &str, requests: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let plan = json!({
            "endpoints": [{"node": "n", "base_url": url}], "model": "m",
            "workload": {"kind": "synthetic", "input_tokens": 20, "output_tokens": 8},
            "load_points": [{"load": {"kind": "closed", "concurrency": 1}, "num_requests": requests, "warmup_requests": 0}],
            "tokenizer": {"kind": "none"}, "stall_timeout_s": 20.0,
            "requests": folder.path().join("requests.ndjson"), "report": folder.path().join("report.json"),
        });
        Self { folder, plan }
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts the load with a spool.
    pub fn start(&self) -> Child {
        self.start_in(&[])
    }

    /// The same with environment variables.
    pub fn start_in(&self, environment: &[(&str, &str)]) -> Child {
        let plan = self.file("plan.json");
        std::fs::write(&plan, self.plan.to_string()).unwrap();
        dyno()
            .args(["load", "--plan"])
            .arg(plan)
            .arg("--spool")
            .arg(self.file("load.ndjson"))
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Waits until at least `least` records are on disk.
    pub fn wait_for_records(&self, least: usize) {
        until("records", || {
            let text = std::fs::read_to_string(self.file("requests.ndjson")).unwrap_or_default();
            (text.lines().count() >= least).then_some(())
        });
    }

    /// Runs the load to its end.
    pub fn run(&self) -> Left {
        self.left_by(self.start())
    }

    /// Waits for a load to end and collects its output and files.
    pub fn left_by(&self, load: Child) -> Left {
        let output = load.wait_with_output().unwrap();
        let report = std::fs::read(self.file("report.json"))
            .unwrap_or_else(|_| panic!("no report: {}", String::from_utf8_lossy(&output.stderr)));
        Left { output, report: serde_json::from_slice(&report).unwrap(), records: records(&self.file("requests.ndjson")) }
    }

    /// The last event of the spool.
    pub fn end(&self) -> Value {
        let spool = std::fs::read_to_string(self.file("load.ndjson")).unwrap();
        serde_json::from_str(spool.lines().last().unwrap()).unwrap()
    }
}

pub fn records(path: &Path) -> Vec<RequestRecord> {
    std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
