//! What both kinds of pod have in common: where they listen, and until when they live.

use std::io::{self, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::protocol::{EndCause, PORT};
use crate::token::TokenError;

/// Where a pod listens and when it ends.
#[derive(Debug, Clone, Args)]
pub(crate) struct ServerArgs {
    /// Address to listen at.
    #[arg(long, env = "DYNO_POD_ADDRESS", default_value = "0.0.0.0")]
    address: IpAddr,
    /// Port to listen at; 0: a free one.
    #[arg(long, env = "DYNO_POD_PORT", default_value_t = PORT)]
    port: u16,
    /// The environment variable that holds the access token.
    #[arg(long, env = "DYNO_POD_TOKEN_ENV", value_name = "NAME", default_value = "DYNO_POD_TOKEN")]
    pub(crate) token_env: String,
    /// When the pod ends at the latest, as RFC 3339 has it.
    #[arg(long, env = "DYNO_POD_DEADLINE", value_name = "TIME")]
    pub(crate) deadline: Option<Timestamp>,
    /// The pod's termination grace period, seconds.
    #[arg(long, env = "DYNO_POD_GRACE_S", value_name = "SECONDS", default_value_t = 30)]
    pub(crate) grace_s: u64,
}

/// Why a pod's program does not serve.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PodCommandError {
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error("The plan {} can't be read: {source}.", path.display())]
    Plan { path: PathBuf, source: io::Error },
    #[error("The spool can't be used: {0}.")]
    LoadSpool(#[source] io::Error),
    #[error("The folder for files can't be used: {0}.")]
    Folder(#[source] io::Error),
    #[error("Can't listen at {0}: {1}.")]
    Listen(SocketAddr, #[source] io::Error),
    #[error("Dyno's own program is not found: {0}.")]
    Program(#[source] io::Error),
    #[error("Signals can't be waited for: {0}.")]
    Signals(#[source] io::Error),
    #[error("The worker's process can't be started: {0}.")]
    Worker(#[source] io::Error),
}

impl ServerArgs {
    /// Listens, and says where. From now on the pod is told of its end: whoever has read the line may send the signal at once.
    pub(crate) async fn listen(&self, what: &str) -> Result<(TcpListener, EndSignals), PodCommandError> {
        let signals = EndSignals::catch().map_err(PodCommandError::Signals)?;
        let address = SocketAddr::new(self.address, self.port);
        let failed = |error| PodCommandError::Listen(address, error);
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let _ = writeln!(io::stdout(), "dyno pod {what}: listening at {}", listener.local_addr().map_err(failed)?);
        Ok((listener, signals))
    }
}

/// SIGTERM and SIGINT, kept for whoever waits for them instead of ending the process.
pub(crate) struct EndSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl EndSignals {
    fn catch() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn came(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Dyno's program, also after another build has taken its place on the disk.
pub(crate) fn own_program() -> Result<PathBuf, PodCommandError> {
    let program = std::env::current_exe().map_err(PodCommandError::Program)?;
    let running = PathBuf::from("/proc/self/exe");
    Ok(if !program.exists() && running.exists() { running } else { program })
}

/// Why a pod is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    /// Nobody needs it any more.
    Taken,
    Deadline,
    Terminated,
}

impl Over {
    pub(crate) fn cause(self) -> Option<EndCause> {
        match self {
            Self::Taken => None,
            Self::Deadline => Some(EndCause::Deadline),
            Self::Terminated => Some(EndCause::Terminated),
        }
    }

    pub(crate) fn exit_code(self) -> ExitCode {
        match self {
            Self::Taken => ExitCode::SUCCESS,
            Self::Deadline => ExitCode::FAILURE,
            // As of a process that SIGTERM has ended.
            Self::Terminated => ExitCode::from(143),
        }
    }
}

pub(crate) async fn until_over(taken: &CancellationToken, deadline: Option<Timestamp>, mut signals: EndSignals) -> Over {
    let passed = async {
        match deadline {
            Some(deadline) => {
                let left = deadline.duration_since(Timestamp::now());
                tokio::time::sleep(std::time::Duration::try_from(left).unwrap_or_default()).await;
            }
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = taken.cancelled() => Over::Taken,
        () = passed => Over::Deadline,
        () = signals.came() => Over::Terminated,
    }
}
