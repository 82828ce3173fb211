//! The reference engine: an OpenAI-compatible server that computes nothing and whose timing is exact and known.
//!
//! It is the ground truth for a load generator: it writes each event at a time determined by seed and settings (`timing`), and
//! logs the time at which it really wrote it (`truth`). Everything that it answers is marked as simulated: the `server` header,
//! `x-dyno-simulated`, the models' owner, `system_fingerprint`, the metrics page.
//!
//! Modules: `args` the command line, `config` settings and dialects; `http` parses requests, `ask` their bodies, `tokens` is
//! the tokenizer; `plan` determines what is answered, `timing` when, `faults` what goes wrong; `events` encodes the JSON of the
//! dialects, `wire` the bytes, `tls` the certificate; `job` is one request, `server` the event loop; `answers` the immediate
//! calls, `metrics` the Prometheus page, `truth` the log.

mod answers;
mod args;
mod ask;
pub mod clock;
pub mod config;
mod events;
pub mod faults;
mod http;
mod job;
mod metrics;
mod plan;
mod random;
mod server;
mod shared;
pub mod timing;
pub mod tls;
pub mod tokens;
pub mod truth;
mod wire;

use std::{
    io::{self, Write},
    net::{SocketAddr, TcpListener},
    os::fd::OwnedFd,
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    thread::JoinHandle,
};

use nix::sys::{
    eventfd::{EfdFlags, EventFd},
    resource::{Resource, getrlimit, setrlimit},
    socket::{self, AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, sockopt},
};

pub use args::EngineArgs;
pub use config::EngineOptions;
pub use truth::TruthRecord;

/// Starts reference engines in this process.
pub struct ReferenceEngine;

impl ReferenceEngine {
    /// Listens and serves in a thread of its own until the returned handle is stopped or dropped.
    pub fn start(config: EngineOptions) -> io::Result<Running> {
        raise_descriptor_limit();
        let listener = listen(config.listen)?;
        let addr = listener.local_addr()?;
        let truth = match &config.truth {
            config::TruthSink::None => truth::TruthLog::None,
            config::TruthSink::Memory => truth::TruthLog::Memory(Vec::new()),
            config::TruthSink::File(path) => truth::TruthLog::to_file(path)?,
        };
        let stop = Arc::new(EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?);
        let identity = config.tls.as_ref().map(|certificate| tls::Identity::new(certificate, addr.ip())).transpose()?;
        let authority = identity.as_ref().and_then(|identity| identity.authority.clone());
        let scheme = if identity.is_some() { "https" } else { "http" };
        let server = server::Server::new(shared::EngineState::new(config, truth), listener, identity, Arc::clone(&stop))?;
        let thread = std::thread::Builder::new().name("reference-engine".to_owned()).spawn(move || server.run())?;
        Ok(Running { addr, scheme, authority, stop, thread: Some(thread) })
    }
}

/// A running reference engine.
pub struct Running {
    addr: SocketAddr,
    scheme: &'static str,
    authority: Option<String>,
    stop: Arc<EventFd>,
    thread: Option<JoinHandle<io::Result<Vec<TruthRecord>>>>,
}

impl Running {
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://ADDRESS`, or `https://ADDRESS`, without a path.
    pub fn base_url(&self) -> String {
        format!("{}://{}", self.scheme, self.addr)
    }

    /// The certificate authority to trust (PEM), where the engine made its own certificate.
    pub fn authority(&self) -> Option<&str> {
        self.authority.as_deref()
    }

    /// Whether the engine has ended by itself, which happens only on an error.
    pub fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Drops all connections and ends the engine; returns the truth of all requests if it is kept in memory.
    pub fn stop(mut self) -> io::Result<Vec<TruthRecord>> {
        self.end()
    }

    fn end(&mut self) -> io::Result<Vec<TruthRecord>> {
        let Some(thread) = self.thread.take() else { return Ok(Vec::new()) };
        self.stop.write(1)?;
        thread.join().map_err(|_| io::Error::other("reference engine panicked"))?
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The result is available from `stop` only.
        let _ = self.end();
    }
}

/// `dyno engine`: serves until SIGINT or SIGTERM. Needs no async runtime and works inside one.
pub fn main(args: EngineArgs) -> ExitCode {
    match serve(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Why `dyno engine` can't serve, or stopped serving.
#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error(transparent)]
    Argument(#[from] args::EngineArgumentError),
    #[error("cannot serve on {listen}: {source}")]
    NotStarted { listen: SocketAddr, source: io::Error },
    #[error("cannot write {}: {source}", file.display())]
    AuthorityNotWritten { file: PathBuf, source: io::Error },
    #[error("cannot be ended by signals: {0}")]
    Signals(#[source] nix::Error),
    #[cfg(target_os = "linux")]
    #[error("cannot follow the parent: {0}")]
    Parent(#[source] nix::Error),
    #[error("the process that started this has ended")]
    ParentEnded,
    /// It ended by itself.
    #[error(transparent)]
    Ended(io::Error),
}

fn serve(args: EngineArgs) -> Result<(), ServeError> {
    if let Some(parent) = args.parent {
        end_with(parent)?;
    }
    unblock_end_signals()?;
    let authority_file = args.tls_authority.clone();
    let config = args.into_config()?;
    let (listen, model) = (config.listen, config.model.clone());
    let running = ReferenceEngine::start(config).map_err(|source| ServeError::NotStarted { listen, source })?;
    if let Some((file, authority)) = authority_file.as_ref().zip(running.authority()) {
        std::fs::write(file, authority).map_err(|source| ServeError::AuthorityNotWritten { file: file.clone(), source })?;
    }
    // A thread of its own, since the caller may already be inside of a runtime.
    let (caught, catching) = std::sync::mpsc::channel();
    let waiting = std::thread::spawn(move || -> io::Result<()> {
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
            let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
            let mut interrupt = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?;
            let _ = caught.send(());
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            Ok(())
        })
    });
    // Before it says where it is: whoever has read that may send the signal at once. An error is a thread that has ended.
    let _ = catching.recv();
    let _ = writeln!(io::stdout(), "reference engine (simulated): model {model} at {}/v1", running.base_url());
    if authority_file.is_none()
        && let Some(authority) = running.authority()
    {
        let _ = write!(io::stdout(), "{authority}");
    }
    while !waiting.is_finished() && !running.is_finished() {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    running.stop().map_err(ServeError::Ended)?;
    Ok(())
}

/// The parent process may have blocked these signals, and children inherit that.
fn unblock_end_signals() -> Result<(), ServeError> {
    use nix::sys::signal::{SigSet, Signal};
    let mut set = SigSet::empty();
    set.add(Signal::SIGTERM);
    set.add(Signal::SIGINT);
    set.thread_unblock().map_err(ServeError::Signals)
}

/// Makes the kernel kill this process when its parent ends.
fn end_with(parent: i32) -> Result<(), ServeError> {
    #[cfg(target_os = "linux")]
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL).map_err(ServeError::Parent)?;
    // The parent may have ended before the call above.
    if nix::unistd::getppid().as_raw() == parent { Ok(()) } else { Err(ServeError::ParentEnded) }
}

/// A listening socket with the longest backlog that the system allows.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let descriptor: OwnedFd = socket::socket(family, SockType::Stream, flags, None)?;
    socket::setsockopt(&descriptor, sockopt::ReuseAddr, &true)?;
    socket::bind(std::os::fd::AsRawFd::as_raw_fd(&descriptor), &SockaddrStorage::from(address))?;
    socket::listen(&descriptor, Backlog::MAXCONN)?;
    Ok(TcpListener::from(descriptor))
}

/// Raises the soft limit of open files to the hard one: each connection needs one.
fn raise_descriptor_limit() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        // If this fails, fewer connections are served; further ones wait to be accepted.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}
