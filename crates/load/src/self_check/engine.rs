//! The reference engine as a process of its own: it shares no thread with the client, and does not outlive it.

use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::shape::{CheckShape, MODEL};

/// Longest wait for the engine to listen.
const START_WAIT: Duration = Duration::from_secs(10);
/// Longest wait for it to write down the truth and end.
const END_WAIT: Duration = Duration::from_secs(20);

/// A reference engine that serves. Dropped, it is killed.
pub(super) struct CheckEngine {
    pub base_url: String,
    /// The authority to trust, where it speaks TLS, PEM.
    pub authority: Option<String>,
    child: Child,
    /// Reads what it prints: all after the first lines is the truth.
    reader: Option<JoinHandle<io::Result<Vec<u8>>>>,
}

impl CheckEngine {
    /// Starts one, with or without TLS, and waits until it listens.
    pub(super) fn start(shape: &CheckShape, tls: bool) -> io::Result<Self> {
        let mut child = Command::new(own_program()?)
            // It needs nothing of the environment, where the load's secrets are, beside what finds libraries.
            .env_clear()
            .envs(["PATH", "LD_LIBRARY_PATH"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
            .args(["engine", "--listen", "127.0.0.1:0", "--full-length", "--jitter", "0.1", "--model", MODEL])
            .args(["--ttft-ms", &shape.ttft_ms.to_string(), "--itl-ms", &shape.itl_ms.to_string()])
            // It ends with this process, even when that is killed.
            .args(["--parent", &std::process::id().to_string()])
            // The truth comes over the pipe, so that no file is left behind.
            .args(["--truth", "/proc/self/fd/1"])
            .args(tls.then_some("--tls"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let (tell, listens) = mpsc::channel();
        let reader = child.stdout.take().map(|out| std::thread::spawn(move || read(out, tls, &tell)));
        let mut engine = Self { base_url: String::new(), authority: None, child, reader };
        let said = listens.recv_timeout(START_WAIT).map_err(|_| io::Error::other("it does not listen"))?;
        let (line, authority) = said.split_once('\n').unwrap_or((&said, ""));
        engine.authority = tls.then(|| authority.to_owned());
        let scheme = if tls { "https://" } else { "http://" };
        let address = line.split_whitespace().last().filter(|word| word.starts_with(scheme));
        address.ok_or_else(|| io::Error::other("it does not say where it listens"))?.clone_into(&mut engine.base_url);
        Ok(engine)
    }

    /// Ends it, and gives the truth that it wrote down.
    pub(super) fn stop(mut self) -> io::Result<Vec<u8>> {
        let reader = self.reader.take().ok_or(io::ErrorKind::BrokenPipe)?;
        kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM)?;
        let begun = Instant::now();
        while !reader.is_finished() {
            if begun.elapsed() > END_WAIT {
                return Err(io::ErrorKind::TimedOut.into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        reader.join().map_err(|_| io::Error::other("the reader failed"))?
    }
}

impl Drop for CheckEngine {
    fn drop(&mut self) {
        // One that has ended by itself is only waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What is printed when it listens, TLS's authority included, is told; what follows is the truth.
fn read(out: ChildStdout, tls: bool, tell: &mpsc::Sender<String>) -> io::Result<Vec<u8>> {
    let mut out = BufReader::new(out);
    let mut said = String::new();
    while out.read_line(&mut said)? > 0 && tls && !said.ends_with("-----END CERTIFICATE-----\n") {}
    // Nobody listens any more where that took too long.
    let _ = tell.send(said);
    let mut truth = Vec::new();
    out.read_to_end(&mut truth)?;
    Ok(truth)
}

/// Dyno's program, also after another build has taken its place on the disk.
pub(super) fn own_program() -> io::Result<PathBuf> {
    let program = std::env::current_exe()?;
    Ok(if program.exists() { program } else { PathBuf::from("/proc/self/exe") })
}
