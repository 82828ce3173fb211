//! The way to a worker on another machine: a TCP connection, on which the load first shows its token. After that it carries what
//! the pipes to a worker process do.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt};
use serde::{Deserialize, Serialize};

/// Longest hello and longest answer to it, its line's end included; bytes.
pub const MOST_HELLO: usize = 1 << 10;
/// A hello, and the answer to it, is there after this.
pub const HELLO: Duration = Duration::from_secs(10);

/// How long a worker that can't be reached is tried again: it listens already, but the way to it may be as new as itself.
const CONNECTING: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(200);
/// Bytes that the peer has not confirmed after this are lost, and the connection with them.
const UNCONFIRMED: Duration = Duration::from_secs(20);
/// A connection on which nothing is said is looked after so often, seconds.
const KEEP_ALIVE_S: u32 = 5;
const KEEP_ALIVE_TRIES: u32 = 3;

/// The first line on a connection.
#[derive(Serialize, Deserialize)]
pub struct Hello {
    pub token: String,
}

/// The answer to it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "snake_case")]
pub enum HelloAnswer {
    /// What follows is between coordinator and worker.
    Admitted,
    /// With a sentence for people.
    Refused { reason: String },
}

/// Why a worker on another machine can't be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum RemoteError {
    #[error("{0} can't be reached: {1}")]
    Unreachable(SocketAddr, #[source] io::Error),
    #[error("{0} does not answer as a worker does")]
    NoWorker(SocketAddr),
    #[error("{}", .0.trim_end_matches('.'))]
    Refused(String),
    #[error("the load was stopped")]
    Stopped,
}

/// Connects to a worker, which admits the load by its token.
pub(super) fn connect(address: SocketAddr, token: &str, is_stopped: &dyn Fn() -> bool) -> Result<TcpStream, RemoteError> {
    let begun = Instant::now();
    let mut stream = loop {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(stream) => break stream,
            Err(_) if is_stopped() => return Err(RemoteError::Stopped),
            Err(error) if begun.elapsed() > CONNECTING => return Err(RemoteError::Unreachable(address, error)),
            Err(_) => std::thread::sleep(PAUSE),
        }
    };
    let unreachable = |error| RemoteError::Unreachable(address, error);
    look_after(&stream).map_err(unreachable)?;
    stream.set_read_timeout(Some(HELLO)).map_err(unreachable)?;
    stream.set_write_timeout(Some(UNCONFIRMED)).map_err(unreachable)?;
    let mut hello = serde_json::to_vec(&Hello { token: token.to_owned() }).map_err(|error| unreachable(error.into()))?;
    hello.push(b'\n');
    stream.write_all(&hello).map_err(unreachable)?;
    let answer = line(&mut stream).map_err(unreachable)?;
    match serde_json::from_slice(&answer) {
        Ok(HelloAnswer::Admitted) => {}
        Ok(HelloAnswer::Refused { reason }) => return Err(RemoteError::Refused(reason)),
        Err(_) => return Err(RemoteError::NoWorker(address)),
    }
    stream.set_read_timeout(None).map_err(unreachable)?;
    Ok(stream)
}

/// The answer's line and not a byte more: what follows is another reader's.
fn line(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let (mut line, mut byte) = (Vec::new(), [0]);
    while line.len() < MOST_HELLO && stream.read(&mut byte)? == 1 && byte[0] != b'\n' {
        line.push(byte[0]);
    }
    Ok(line)
}

/// Sees to it that commands are sent at once, and that the loss of the other machine is noticed within half a minute, whether
/// anything is being said or not.
///
/// # Errors
/// When the system refuses.
pub fn look_after(connection: &impl AsFd) -> io::Result<()> {
    setsockopt(connection, sockopt::TcpNoDelay, &true)?;
    setsockopt(connection, sockopt::KeepAlive, &true)?;
    setsockopt(connection, sockopt::TcpKeepIdle, &KEEP_ALIVE_S)?;
    setsockopt(connection, sockopt::TcpKeepInterval, &KEEP_ALIVE_S)?;
    setsockopt(connection, sockopt::TcpKeepCount, &KEEP_ALIVE_TRIES)?;
    setsockopt(connection, sockopt::TcpUserTimeout, &(UNCONFIRMED.as_millis() as u32))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::net::TcpListener;
    use std::thread::JoinHandle;

    use super::*;

    /// Answers one connection; gives back its hello.
    fn answering(answer: &'static [u8]) -> (SocketAddr, JoinHandle<String>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let answered = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut hello = String::new();
            BufReader::new(stream.try_clone().unwrap()).read_line(&mut hello).unwrap();
            stream.write_all(answer).unwrap();
            hello
        });
        (address, answered)
    }

    #[test]
    fn what_follows_the_answer_is_left_to_its_reader() {
        let (address, answered) = answering(b"{\"say\":\"admitted\"}\nrest");
        let mut stream = connect(address, "secret", &|| false).unwrap();
        let mut rest = String::new();
        stream.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "rest");
        assert_eq!(answered.join().unwrap(), "{\"token\":\"secret\"}\n");
    }

    #[test]
    fn whoever_does_not_admit_says_why() {
        let (address, _) = answering(b"{\"say\":\"refused\",\"reason\":\"It has its load already.\"}\n");
        assert_eq!(connect(address, "t", &|| false).unwrap_err().to_string(), "It has its load already");
        for other in [&b""[..], b"HTTP/1.1 400 Bad Request\r\n", b"{\"say\":\"hello\"}\n", &[b'x'; 2 * MOST_HELLO]] {
            let (address, _) = answering(other);
            let error = connect(address, "t", &|| false).unwrap_err();
            assert!(matches!(error, RemoteError::NoWorker(_)), "{error}");
        }
    }

    #[test]
    fn a_stopped_load_waits_for_nobody() {
        let closed = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
        assert!(matches!(connect(closed, "t", &|| true), Err(RemoteError::Stopped)));
    }
}
