//! One socket, plain or TLS, read with the kernel's receive stamps.

use std::io::{self, IoSliceMut, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrStorage, connect, recvmsg,
    setsockopt, socket, sockopt,
};
use nix::sys::time::TimeSpec;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use super::clock::{self, Clock};
use super::framing::{TlsRecords, first_event};

/// Bytes that one read takes at most.
pub const BUFFER: usize = 128 << 10;

/// Bytes that are looked at before they are read one by one.
const PEEK: usize = 8 << 10;

/// What reads go into: one for all connections.
#[derive(Debug)]
pub struct Buffers {
    raw: Vec<u8>,
    plain: Vec<u8>,
    control: Vec<u8>,
    /// What a look ahead has seen, and when the kernel received the last of it, Unix ns.
    pub ahead: Vec<u8>,
    pub ahead_stamp: Option<i64>,
    /// When the kernel received the last of what the latest read took, Unix ns.
    pub stamp: Option<i64>,
    /// Reads so far, and how many of them came without a kernel stamp.
    pub reads: u64,
    pub unstamped: u64,
}

impl Default for Buffers {
    fn default() -> Self {
        Self {
            raw: vec![0; BUFFER],
            plain: Vec::new(),
            control: nix::cmsg_space!(TimeSpec),
            ahead: Vec::new(),
            ahead_stamp: None,
            stamp: None,
            reads: 0,
            unstamped: 0,
        }
    }
}

/// What a read gave.
#[derive(Debug)]
pub enum ReadOutcome<'a> {
    /// Bytes, when the kernel received the last of them (monotonic, ns), and whether more may wait. No bytes, when they were
    /// TLS's own business.
    Bytes(&'a [u8], i64, bool),
    Nothing,
    /// The other side has closed; true when it said so in an orderly way.
    Closed,
    Broken(io::Error),
    Tls(rustls::Error),
}

#[derive(Debug)]
pub struct Socket {
    stream: TcpStream,
    tls: Option<Box<ClientTls>>,
}

#[derive(Debug)]
struct ClientTls {
    session: ClientConnection,
    records: TlsRecords,
}

impl Socket {
    /// Begins to connect; `EPOLLOUT` tells when that is done.
    ///
    /// # Errors
    /// When the system refuses at once.
    pub fn open(address: SocketAddr, tls: Option<(&Arc<ClientConfig>, &ServerName<'static>)>) -> io::Result<Self> {
        let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        let socket: OwnedFd =
            socket(family, SockType::Stream, SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC, SockProtocol::Tcp)?;
        setsockopt(&socket, sockopt::TcpNoDelay, &true)?;
        // where the system knows no receive stamps, times are taken after the read
        let _ = setsockopt(&socket, sockopt::ReceiveTimestampns, &true);
        match connect(socket.as_raw_fd(), &SockaddrStorage::from(address)) {
            Ok(()) | Err(Errno::EINPROGRESS) => {}
            Err(error) => return Err(error.into()),
        }
        let tls = match tls {
            Some((config, name)) => {
                let mut session = ClientConnection::new(config.clone(), name.clone()).map_err(io::Error::other)?;
                // By default it takes 64 KiB and leaves the rest of a longer request for when the socket is writable again,
                // which is not told where the socket was never full.
                session.set_buffer_limit(None);
                Some(Box::new(ClientTls { session, records: TlsRecords::default() }))
            }
            None => None,
        };
        Ok(Self { stream: TcpStream::from(socket), tls })
    }

    /// How the connection attempt ended.
    ///
    /// # Errors
    /// When it failed.
    pub fn connected(&self) -> io::Result<()> {
        self.stream.take_error()?.map_or(Ok(()), Err)
    }

    /// Whether requests can be sent.
    pub fn is_ready(&self) -> bool {
        self.tls.as_ref().is_none_or(|tls| !tls.session.is_handshaking())
    }

    /// Whether TLS has something to send.
    pub fn wants_write(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.session.wants_write())
    }

    /// Writes as much as the socket takes; of TLS, all is taken and what the socket does not take is kept. Gives how many
    /// bytes, and when the first of them was handed to the system: of TLS, after they were encrypted.
    ///
    /// # Errors
    /// When the connection is broken.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<(usize, i64)> {
        let Some(tls) = &mut self.tls else {
            let at = clock::now();
            return match self.stream.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok((0, at)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok((0, at)),
                other => other.map(|taken| (taken, at)),
            };
        };
        let taken = tls.session.writer().write(bytes)?;
        let at = clock::now();
        self.flush()?;
        Ok((taken, at))
    }

    /// Sends what TLS has kept.
    ///
    /// # Errors
    /// When the connection is broken.
    pub fn flush(&mut self) -> io::Result<()> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        while tls.session.wants_write() {
            match tls.session.write_tls(&mut self.stream) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Looks at what waits without taking it: into `buffers.ahead`.
    pub fn look_ahead(&self, buffers: &mut Buffers) {
        buffers.ahead.resize(PEEK, 0);
        let (length, stamp) = self.receive(&mut buffers.ahead, &mut buffers.control, MsgFlags::MSG_PEEK).unwrap_or_default();
        buffers.ahead.truncate(length);
        buffers.ahead_stamp = stamp;
    }

    /// How many of these bytes, which come next, to read so that no more than one event (of TLS, one record) is in them.
    pub fn first_piece(&self, ahead: &[u8]) -> usize {
        match &self.tls {
            Some(tls) => tls.records.first_record(ahead),
            None => first_event(ahead),
        }
    }

    /// Reads once, at most so many bytes, with the kernel's stamp.
    pub fn read<'a>(&mut self, buffers: &'a mut Buffers, clock: &mut Clock, most: usize) -> ReadOutcome<'a> {
        let most = most.min(BUFFER);
        let (length, stamp) = match self.receive(&mut buffers.raw[..most], &mut buffers.control, MsgFlags::empty()) {
            Ok((0, _)) => return ReadOutcome::Closed,
            Ok(got) => got,
            Err(Errno::EAGAIN) => return ReadOutcome::Nothing,
            Err(error) => return ReadOutcome::Broken(error.into()),
        };
        let Buffers { raw, plain, reads, unstamped, .. } = buffers;
        buffers.stamp = stamp;
        *reads += 1;
        *unstamped += u64::from(stamp.is_none());
        let at = stamp.map_or_else(clock::now, |stamp| clock.from_wall(stamp));
        // a read that fell short has emptied the socket
        let more = length == most;
        let Some(tls) = &mut self.tls else { return ReadOutcome::Bytes(&raw[..length], at, more) };
        tls.records.pass(&raw[..length]);
        plain.clear();
        let mut left = &raw[..length];
        let mut closed = false;
        while !left.is_empty() && !closed {
            if let Err(error) = tls.session.read_tls(&mut left) {
                return ReadOutcome::Broken(error);
            }
            match tls.session.process_new_packets() {
                Ok(state) => {
                    let had = plain.len();
                    plain.resize(had + state.plaintext_bytes_to_read(), 0);
                    if tls.session.reader().read_exact(&mut plain[had..]).is_err() {
                        plain.truncate(had);
                    }
                    closed = state.peer_has_closed();
                }
                Err(error) => {
                    let _ = tls.session.write_tls(&mut self.stream);
                    return ReadOutcome::Tls(error);
                }
            }
        }
        if closed && plain.is_empty() { ReadOutcome::Closed } else { ReadOutcome::Bytes(plain, at, more) }
    }

    /// One call: how many bytes, and when the kernel received the last of them, Unix ns.
    fn receive(&self, into: &mut [u8], control: &mut [u8], flags: MsgFlags) -> Result<(usize, Option<i64>), Errno> {
        loop {
            let mut parts = [IoSliceMut::new(into)];
            match recvmsg::<()>(self.stream.as_raw_fd(), &mut parts, Some(control), flags) {
                Ok(message) => {
                    let stamp = message.cmsgs().ok().and_then(|mut all| {
                        all.find_map(|one| match one {
                            ControlMessageOwned::ScmTimestampns(time) => Some(time.tv_sec() * 1_000_000_000 + time.tv_nsec()),
                            _ => None,
                        })
                    });
                    return Ok((message.bytes, stamp));
                }
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// The kernel begins to stamp packets a while after the first socket asked for it, and ends with the last: a socket
/// of no other use, held from before the load until after it.
pub fn keep_stamps_on() -> Option<std::net::UdpSocket> {
    let socket = std::net::UdpSocket::bind(("127.0.0.1", 0)).ok()?;
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true).ok()?;
    Some(socket)
}

/// Lets this process open as many files as the system allows; gives that number.
pub fn raise_open_files() -> u64 {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return 1024 };
    if soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() { hard } else { soft }
}
