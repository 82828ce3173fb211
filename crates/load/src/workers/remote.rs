//! Workers on other machines: what listens there, and how the coordinator reaches it.

use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use super::WorkersError;

/// A worker is asked again for so long.
const PATIENCE: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(5);
const RETRY: Duration = Duration::from_millis(200);

/// A worker that waits at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteWorker {
    /// For people: the node that it is on.
    pub name: String,
    /// `host:port`
    pub address: String,
}

/// Workers that are not children of the coordinator.
#[derive(Debug, Clone)]
pub struct RemoteWorkers {
    pub workers: Vec<RemoteWorker>,
    /// What proves to them who connects.
    pub token: String,
}

/// Connects to a worker and says who it is; what is written from then on is read by the worker's process.
pub(super) fn connect(worker: &RemoteWorker, token: &str) -> Result<TcpStream, WorkersError> {
    let begun = Instant::now();
    loop {
        match connect_once(&worker.address, token) {
            Ok(stream) => return Ok(stream),
            Err(source) if begun.elapsed() > PATIENCE => {
                let (name, address) = (worker.name.clone(), worker.address.clone());
                return Err(WorkersError::NotReached { name, address, source });
            }
            Err(_) => std::thread::sleep(RETRY),
        }
    }
}

fn connect_once(address: &str, token: &str) -> io::Result<TcpStream> {
    let addresses: Vec<SocketAddr> = address.to_socket_addrs()?.collect();
    let first = addresses.first().ok_or_else(|| io::Error::other("the name has no address"))?;
    let mut stream = TcpStream::connect_timeout(first, CONNECT)?;
    // clocks are compared over it, which must not wait for more to be sent
    stream.set_nodelay(true)?;
    stream.write_all(token.as_bytes())?;
    stream.write_all(b"\n")?;
    Ok(stream)
}
