//! The reference engine as a child process: it shares no thread with the client and does not outlive it.

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
/// Longest wait for it to write its truth log and end.
const END_WAIT: Duration = Duration::from_secs(20);

/// A running reference engine; killed when dropped.
pub(super) struct CheckEngine {
    pub base_url: String,
    /// The certificate authority to trust (PEM), where it speaks TLS.
    pub authority: Option<String>,
    child: Child,
    /// Reads its standard output: after the first lines, all of it is the truth log.
    reader: Option<JoinHandle<io::Result<Vec<u8>>>>,
}

impl CheckEngine {
    /// Starts an engine, with or without TLS, and waits until it listens.
    pub(super) fn start(shape: &CheckShape, tls: bool) -> io::Result<Self> {
        let mut child = Command::new(own_program()?)
            // The load's secrets are in the environment: the engine gets only what finds libraries.
            .env_clear()
            .envs(["PATH", "LD_LIBRARY_PATH"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
            .args(["engine", "--listen", "127.0.0.1:0", "--full-length", "--jitter", "0.1", "--model", MODEL])
            .args(["--ttft-ms", &shape.ttft_ms.to_string(), "--itl-ms", &shape.itl_ms.to_string()])
            // It ends with this process, even when that is killed.
            .args(["--parent", &std::process::id().to_string()])
            // The truth log comes over the pipe, so that no file is left behind.
            .args(["--truth", "/proc/self/fd/1"])
            .args(tls.then_some("--tls"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let (sender, started) = mpsc::channel();
        let reader = child.stdout.take().map(|out| std::thread::spawn(move || read(out, tls, &sender)));
        let mut engine = Self { base_url: String::new(), authority: None, child, reader };
        let said = started.recv_timeout(START_WAIT).map_err(|_| io::Error::other("it does not listen"))?;
        let (line, authority) = said.split_once('\n').unwrap_or((&said, ""));
        engine.authority = tls.then(|| authority.to_owned());
        let scheme = if tls { "https://" } else { "http://" };
        let address = line.split_whitespace().last().filter(|word| word.starts_with(scheme));
        address.ok_or_else(|| io::Error::other("it does not say where it listens"))?.clone_into(&mut engine.base_url);
        Ok(engine)
    }

    /// Ends the engine and returns its truth log.
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
        // Has no effect on a process that has ended; it is then only reaped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends what the engine prints once it listens (address, and TLS authority) to `started`; returns the truth log after it.
fn read(out: ChildStdout, tls: bool, started: &mpsc::Sender<String>) -> io::Result<Vec<u8>> {
    let mut out = BufReader::new(out);
    let mut said = String::new();
    while out.read_line(&mut said)? > 0 && tls && !said.ends_with("-----END CERTIFICATE-----\n") {}
    // The receiver is gone if the start took too long.
    let _ = started.send(said);
    let mut truth = Vec::new();
    out.read_to_end(&mut truth)?;
    Ok(truth)
}

/// The path of Dyno's program, also when another build has replaced the file.
pub(super) fn own_program() -> io::Result<PathBuf> {
    let program = std::env::current_exe()?;
    Ok(if program.exists() { program } else { PathBuf::from("/proc/self/exe") })
}
