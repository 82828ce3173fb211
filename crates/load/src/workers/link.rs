//! The coordinator's end of the way to a worker: pipes to a process, or a connection to another machine.

use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::Sender;

use super::protocol::{Preparation, WorkerCommand, WorkerMessage};
use crate::client::clock;
use crate::records::WorkerRecords;

/// Longest line and largest portion of records that is taken, bytes.
const MOST: u64 = 256 << 20;

/// What comes from a worker.
#[derive(Debug)]
pub(super) enum Incoming {
    /// With when it was read, monotonic ns.
    Message(WorkerMessage, i64),
    Records(WorkerRecords),
    /// The other side has closed the connection.
    Closed,
}

/// What comes from a worker, to be read on another thread.
pub(super) type Source = Box<dyn Read + Send>;

pub(super) struct Link {
    commands: Box<dyn Write + Send>,
    worker: Peer,
}

enum Peer {
    Process(Child),
    Connection(TcpStream),
}

impl Link {
    /// Starts a worker as a child process, which ends with this one.
    pub(super) fn spawn(program: &std::path::Path) -> io::Result<(Self, Source)> {
        let mut child = Command::new(program).args(["load", "--worker"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let missing = || io::Error::from(io::ErrorKind::BrokenPipe);
        let input: ChildStdin = child.stdin.take().ok_or_else(missing)?;
        let output: ChildStdout = child.stdout.take().ok_or_else(missing)?;
        Ok((Self { commands: Box::new(input), worker: Peer::Process(child) }, Box::new(output)))
    }

    /// Over a connection on which a worker has admitted this load.
    pub(super) fn over(connection: TcpStream) -> io::Result<(Self, Source)> {
        let (commands, source) = (connection.try_clone()?, connection.try_clone()?);
        Ok((Self { commands: Box::new(commands), worker: Peer::Connection(connection) }, Box::new(source)))
    }

    pub(super) fn prepare(&mut self, preparation: &Preparation) -> io::Result<()> {
        self.write(&serde_json::to_vec(preparation)?)
    }

    /// A worker that can't be written to is gone, which reading from it reports.
    pub(super) fn say(&mut self, command: &WorkerCommand) {
        if let Ok(line) = serde_json::to_vec(command) {
            let _ = self.write(&line);
        }
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let mut whole = line.to_vec();
        whole.push(b'\n');
        self.commands.write_all(&whole)?;
        self.commands.flush()
    }

    /// How the worker ended, as the end of a sentence; absent where it is not known.
    pub(super) fn exit(&mut self) -> Option<String> {
        use std::os::unix::process::ExitStatusExt as _;
        let Peer::Process(child) = &mut self.worker else { return None };
        let status = child.wait().ok()?;
        Some(match (status.code(), status.signal()) {
            (Some(code), _) => format!("status {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => "an unknown status".to_owned(),
        })
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        match &mut self.worker {
            Peer::Process(child) => {
                // One that has ended needs no signal.
                let _ = child.kill();
                let _ = child.wait();
            }
            // A worker whose coordinator is gone ends.
            Peer::Connection(connection) => _ = connection.shutdown(Shutdown::Both),
        }
    }
}

/// Hands everything that comes on, with the worker's place, on a thread of its own.
pub(super) fn receive(place: usize, source: Source, incoming: Sender<(usize, Incoming)>) -> io::Result<()> {
    std::thread::Builder::new().name(format!("worker-{}", place + 1)).spawn(move || {
        let mut source = BufReader::with_capacity(1 << 16, source);
        while let Ok(Some(next)) = next(&mut source) {
            if incoming.send((place, next)).is_err() {
                return;
            }
        }
        let _ = incoming.send((place, Incoming::Closed));
    })?;
    Ok(())
}

fn next(source: &mut BufReader<Source>) -> io::Result<Option<Incoming>> {
    let mut line = Vec::new();
    source.take(MOST).read_until(b'\n', &mut line)?;
    let at = clock::now();
    if line.last() != Some(&b'\n') {
        return Ok(None);
    }
    Ok(Some(match serde_json::from_slice(&line)? {
        WorkerMessage::Records { lines, gaps, .. } if (lines + gaps) as u64 > MOST => return Ok(None),
        WorkerMessage::Records { replaces, lines, gaps } => {
            let mut portion = WorkerRecords { replaces, lines: vec![0; lines], gaps: vec![0; gaps] };
            source.read_exact(&mut portion.lines)?;
            source.read_exact(&mut portion.gaps)?;
            Incoming::Records(portion)
        }
        message => Incoming::Message(message, at),
    }))
}
