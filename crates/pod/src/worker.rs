//! `dyno pod worker`: carries out one part of a load. The load in the run's load pod connects, shows the run's token, and from then
//! on its connection is the standard input and output of a worker process, as pipes are where all is on one machine. One load,
//! once: whoever comes later is refused, and when the worker has ended, so has the pod.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ExitCode, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::Args;
use dyno_load::workers::remote::{HELLO, Hello, HelloAnswer, MOST_HELLO, look_after};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::connection_permits::ConnectionPermits;
use crate::serving::{PodCommandError, ServerArgs, own_program, until_over};
use crate::token::Token;

/// Wait after a connection could not be accepted.
const ACCEPT_AGAIN: Duration = Duration::from_millis(200);
/// Between asking the worker to end and killing it: its pod has ten seconds in all.
const ENDING: Duration = Duration::from_secs(6);

/// A part of a run's load, in a pod
#[derive(Debug, Clone, Args)]
pub struct WorkerPodArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// Serves until its load is over (as the worker ended), the deadline (1), or the pod's end (143).
pub(crate) async fn main(args: WorkerPodArgs) -> Result<ExitCode, PodCommandError> {
    let token = Token::from_environment(&args.server.token_env)?;
    let program = own_program()?;
    let (listener, signals) = args.server.listen("worker").await?;
    let (admitted, admission) = oneshot::channel();
    tokio::spawn(accept(listener, Arc::new(Door { token, admitted: Mutex::new(Some(admitted)) })));

    let never = CancellationToken::new();
    let mut over = std::pin::pin!(until_over(&never, args.server.deadline, signals));
    let connection = tokio::select! {
        over = &mut over => return Ok(over.exit_code()),
        connection = admission => connection.map_err(|_| PodCommandError::Worker(io::ErrorKind::NotConnected.into()))?,
    };
    let mut worker = spawn(&program, &args.server.token_env, connection).map_err(PodCommandError::Worker)?;
    let over = tokio::select! {
        status = worker.wait() => return Ok(exit_code(status.map_err(PodCommandError::Worker)?)),
        over = &mut over => over,
    };
    end(&mut worker).await;
    Ok(over.exit_code())
}

/// Who is let in.
struct Door {
    token: Token,
    /// Taken by the one load that is admitted.
    admitted: Mutex<Option<oneshot::Sender<TcpStream>>>,
}

async fn accept(listener: TcpListener, door: Arc<Door>) {
    let permits = ConnectionPermits::default();
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            // No file is free, say, or the peer is gone again.
            tokio::time::sleep(ACCEPT_AGAIN).await;
            continue;
        };
        let Some(permit) = permits.take(peer.ip()) else { continue };
        let door = Arc::clone(&door);
        tokio::spawn(async move {
            // A TCP probe connects and sends nothing.
            let _ = timeout(HELLO, door.hear(stream, peer)).await;
            drop(permit);
        });
    }
}

impl Door {
    /// Answers a hello, and hands the connection of the first good one on.
    async fn hear(&self, mut stream: TcpStream, peer: SocketAddr) -> io::Result<()> {
        let is_known = match heard(&mut stream).await? {
            Heard::Nothing => return Ok(()),
            Heard::Hello(hello) => self.token.is(hello.token.as_bytes()),
            Heard::Other => false,
        };
        let admitted = if is_known { self.admitted.lock().unwrap_or_else(PoisonError::into_inner).take() } else { None };
        let refused = |reason: &str| HelloAnswer::Refused { reason: reason.to_owned() };
        let answer = match (&admitted, is_known) {
            (Some(_), _) => HelloAnswer::Admitted,
            (None, true) => refused("It has its load already, and takes no second one."),
            (None, false) => refused("The token is missing or wrong."),
        };
        let mut line = serde_json::to_vec(&answer)?;
        line.push(b'\n');
        let answered = stream.write_all(&line).await;
        if let Some(admitted) = admitted {
            let _ = writeln!(io::stdout(), "dyno pod worker: has its load, from {peer}");
            // Also where the answer did not arrive: then the worker's connection is closed, and the worker ends.
            let _ = admitted.send(stream);
        }
        answered
    }
}

/// What came first on a connection.
enum Heard {
    Nothing,
    Hello(Hello),
    Other,
}

async fn heard(stream: &mut TcpStream) -> io::Result<Heard> {
    let mut line = Vec::with_capacity(MOST_HELLO);
    while line.len() < MOST_HELLO {
        if (&mut *stream).take((MOST_HELLO - line.len()) as u64).read_buf(&mut line).await? == 0 {
            return Ok(Heard::Nothing);
        }
        if let Some(end) = line.iter().position(|byte| *byte == b'\n') {
            // Nothing may follow before the answer: it would be the worker's.
            let hello = serde_json::from_slice(&line).ok().filter(|_| end + 1 == line.len());
            return Ok(hello.map_or(Heard::Other, Heard::Hello));
        }
    }
    Ok(Heard::Other)
}

/// A worker's process at this connection, without the pod's token.
fn spawn(program: &Path, withheld: &str, connection: TcpStream) -> io::Result<Child> {
    look_after(&connection)?;
    let connection = connection.into_std()?;
    connection.set_nonblocking(false)?;
    let (input, output): (OwnedFd, OwnedFd) = (connection.try_clone()?.into(), connection.into());
    let mut command = Command::new(program);
    command.args(["load", "--worker"]).env_remove(withheld).kill_on_drop(true).process_group(0);
    command.stdin(Stdio::from(input)).stdout(Stdio::from(output)).spawn()
}

/// Ends the worker, which says to its load that it was stopped.
async fn end(worker: &mut Child) {
    if let Some(pid) = worker.id() {
        // One that has ended meanwhile needs no signal.
        let _ = kill(Pid::from_raw(pid.cast_signed()), Signal::SIGTERM);
    }
    if timeout(ENDING, worker.wait()).await.is_err() {
        let _ = worker.kill().await;
    }
}

/// As the worker ended; by a signal, as shells write it.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
