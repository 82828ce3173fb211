//! Bytes on the wire: response heads, transfer coding and non-blocking writes.

use std::{
    fmt::Write as _,
    io::{self, ErrorKind, IoSliceMut, Read, Write},
    net::TcpStream,
    os::fd::AsRawFd,
};

use flate2::{Compression, write::GzEncoder};
use nix::{
    errno::Errno,
    sys::{
        socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt},
        time::TimeSpec,
    },
};
use rustls::ServerConnection;

use super::{
    config::Framing,
    random::{Purpose, draw},
    tls::Identity,
};

/// A connection's socket, and the bytes that it has not accepted yet.
#[derive(Debug)]
pub struct Io {
    stream: TcpStream,
    tls: Option<Box<ServerTls>>,
    pending: Vec<u8>,
    pending_at: usize,
    bytes_per_write: usize,
}

#[derive(Debug)]
struct ServerTls {
    session: ServerConnection,
    /// Buffer for the encrypted bytes of one write, reused.
    sealed: Vec<u8>,
}

/// How far a write got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    All,
    /// The rest waits until the socket is writable again.
    Blocked,
    Gone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketRead {
    /// Bytes came; with the kernel's receive time of the last, Unix ns, if it gave one.
    Bytes(Option<u64>),
    Nothing,
    End,
}

impl Io {
    pub fn new(stream: TcpStream, bytes_per_write: usize) -> Self {
        // without kernel receive stamps, times are taken after the read
        let _ = setsockopt(&stream, sockopt::ReceiveTimestampns, &true);
        Self { stream, tls: None, pending: Vec::new(), pending_at: 0, bytes_per_write }
    }

    /// Adds TLS. If rustls refuses, the connection stays plain and the handshake fails.
    pub fn with_tls(self, identity: &Identity) -> Self {
        let session = ServerConnection::new(identity.config.clone()).map(|mut session| {
            // bytes that the socket does not accept are buffered here
            session.set_buffer_limit(None);
            Box::new(ServerTls { session, sealed: Vec::new() })
        });
        Self { tls: session.ok(), ..self }
    }

    pub fn is_blocked(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Writes all of `bytes` or buffers the rest. `stamp` is called immediately before each system call; with TLS, after
    /// encryption.
    pub fn send(&mut self, bytes: &[u8], stamp: impl FnMut()) -> Sent {
        let Some(tls) = &mut self.tls else { return self.send_raw(bytes, stamp) };
        // writing to the session's memory does not fail; an error of the session itself ends the connection
        if tls.session.writer().write_all(bytes).is_err() {
            return Sent::Gone;
        }
        self.send_sealed(stamp)
    }

    /// Sends the encrypted bytes that TLS has ready.
    fn send_sealed(&mut self, stamp: impl FnMut()) -> Sent {
        let Some(tls) = &mut self.tls else { return Sent::All };
        let mut sealed = std::mem::take(&mut tls.sealed);
        sealed.clear();
        while tls.session.wants_write() {
            if tls.session.write_tls(&mut sealed).is_err() {
                return Sent::Gone;
            }
        }
        let sent = self.send_raw(&sealed, stamp);
        if let Some(tls) = &mut self.tls {
            tls.sealed = sealed;
        }
        sent
    }

    fn send_raw(&mut self, bytes: &[u8], mut stamp: impl FnMut()) -> Sent {
        if self.is_blocked() {
            self.pending.extend_from_slice(bytes);
            return Sent::Blocked;
        }
        match self.write_from(bytes, &mut stamp) {
            None => Sent::Gone,
            Some(written) if written == bytes.len() => Sent::All,
            Some(written) => {
                self.pending.extend_from_slice(&bytes[written..]);
                Sent::Blocked
            }
        }
    }

    /// Writes the buffered rest.
    pub fn flush(&mut self, mut stamp: impl FnMut()) -> Sent {
        let pending = std::mem::take(&mut self.pending);
        match self.write_from(&pending[self.pending_at..], &mut stamp) {
            None => Sent::Gone,
            Some(written) if self.pending_at + written == pending.len() => {
                self.pending_at = 0;
                Sent::All
            }
            Some(written) => {
                self.pending_at += written;
                self.pending = pending;
                Sent::Blocked
            }
        }
    }

    fn write_from(&self, bytes: &[u8], stamp: &mut impl FnMut()) -> Option<usize> {
        let limit = if self.bytes_per_write == 0 { usize::MAX } else { self.bytes_per_write };
        let mut at = 0;
        while at < bytes.len() {
            stamp();
            match (&self.stream).write(&bytes[at..at.saturating_add(limit).min(bytes.len())]) {
                Ok(written) => at += written,
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
        Some(at)
    }

    /// Reads once into `buffer` and appends plain bytes to `input`; none, when the read held TLS control data only.
    pub fn read(&mut self, buffer: &mut [u8], input: &mut Vec<u8>) -> SocketRead {
        let (count, stamp) = match self.receive(buffer) {
            Ok((0, _)) => return SocketRead::End,
            Ok(got) => got,
            Err(Errno::EAGAIN) => return SocketRead::Nothing,
            Err(_) => return SocketRead::End,
        };
        let Some(tls) = &mut self.tls else {
            input.extend_from_slice(&buffer[..count]);
            return SocketRead::Bytes(stamp);
        };
        let opened = open(&mut tls.session, &buffer[..count], input);
        // sends the alert that names the error, if any
        let sent = self.send_sealed(|| ());
        match opened {
            Ok(true) if sent != Sent::Gone => SocketRead::Bytes(stamp),
            _ => SocketRead::End,
        }
    }

    /// One `recvmsg`: the number of bytes, and when the kernel received the last of them.
    fn receive(&self, buffer: &mut [u8]) -> Result<(usize, Option<u64>), Errno> {
        let mut control = nix::cmsg_space!(TimeSpec);
        loop {
            let mut parts = [IoSliceMut::new(buffer)];
            match recvmsg::<()>(self.stream.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::empty()) {
                Ok(message) => {
                    let stamp = message.cmsgs().ok().and_then(|mut all| {
                        all.find_map(|one| match one {
                            ControlMessageOwned::ScmTimestampns(at) => {
                                Some(at.tv_sec() as u64 * 1_000_000_000 + at.tv_nsec() as u64)
                            }
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

    /// Sends TLS's `close_notify`, without which the peer can't tell the end from a broken connection.
    pub fn say_goodbye(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.session.send_close_notify();
            self.send_sealed(|| ());
        }
    }

    /// Makes the next close a reset.
    pub fn reset_on_close(&self) {
        let linger = nix::libc::linger { l_onoff: 1, l_linger: 0 };
        // If this fails, the client sees a normal close instead, which is a fault too.
        let _ = setsockopt(&self.stream, sockopt::Linger, &linger);
    }
}

/// Decrypts received bytes. Returns false after the peer's `close_notify`.
fn open(session: &mut ServerConnection, mut bytes: &[u8], input: &mut Vec<u8>) -> io::Result<bool> {
    while !bytes.is_empty() {
        session.read_tls(&mut bytes)?;
        let state = session.process_new_packets().map_err(io::Error::other)?;
        let had = input.len();
        input.resize(had + state.plaintext_bytes_to_read(), 0);
        session.reader().read_exact(&mut input[had..])?;
        if state.peer_has_closed() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The status and headers of an answer.
#[derive(Debug, Clone, Copy)]
pub struct AnswerHead<'a> {
    pub status: u16,
    pub content_type: &'a str,
    /// None for a chunked or close-delimited body.
    pub length: Option<usize>,
    pub chunked: bool,
    pub gzip: bool,
    pub close: bool,
    pub retry_after_s: Option<u32>,
    pub request_id: Option<&'a str>,
    /// `timeout` and `max` of a `Keep-Alive` header.
    pub keep_alive: Option<(u64, u32)>,
}

/// Writes the head of an answer.
pub fn write_head(head: &AnswerHead<'_>, out: &mut Vec<u8>) {
    let mut text = format!(
        "HTTP/1.1 {} {}\r\nserver: dyno-reference-engine\r\nx-dyno-simulated: true\r\ncontent-type: {}\r\n",
        head.status,
        reason(head.status),
        head.content_type
    );
    if let Some(length) = head.length {
        let _ = write!(text, "content-length: {length}\r\n");
    }
    if head.chunked {
        text.push_str("transfer-encoding: chunked\r\n");
    }
    if head.gzip {
        text.push_str("content-encoding: gzip\r\n");
    }
    if let Some(seconds) = head.retry_after_s {
        let _ = write!(text, "retry-after: {seconds}\r\n");
    }
    if let Some(id) = head.request_id {
        let _ = write!(text, "x-request-id: {id}\r\n");
    }
    if head.close {
        text.push_str("connection: close\r\n");
    } else if let Some((timeout_s, max)) = head.keep_alive {
        let _ = write!(text, "keep-alive: timeout={timeout_s}, max={max}\r\n");
    }
    text.push_str("\r\n");
    out.extend_from_slice(text.as_bytes());
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        413 => "Content Too Large",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Unnamed",
    }
}

/// Applies a stream's content and transfer coding.
#[derive(Debug)]
pub struct Framer {
    framing: Framing,
    gzip: Option<Box<GzEncoder<Vec<u8>>>>,
    seed: u64,
    serial: u64,
    chunks: u64,
}

impl Framer {
    pub fn new(framing: Framing, gzip: bool, seed: u64, serial: u64) -> Self {
        let gzip = gzip.then(|| Box::new(GzEncoder::new(Vec::new(), Compression::fast())));
        Self { framing, gzip, seed, serial, chunks: 0 }
    }

    pub fn is_gzip(&self) -> bool {
        self.gzip.is_some()
    }

    /// Appends `body` in the chunks of the framing.
    pub fn frame(&mut self, body: &[u8], out: &mut Vec<u8>) {
        let Some(mut gzip) = self.gzip.take() else { return self.cut(body, out) };
        // writing to memory does not fail; if it did, the client would see a broken stream
        let _ = gzip.write_all(body).and_then(|()| gzip.flush());
        self.cut(gzip.get_ref(), out);
        gzip.get_mut().clear();
        self.gzip = Some(gzip);
    }

    fn cut(&mut self, mut body: &[u8], out: &mut Vec<u8>) {
        loop {
            let size = match self.framing {
                Framing::UntilClose => return out.extend_from_slice(body),
                Framing::PerEvent => body.len(),
                Framing::Every(size) => size.min(body.len()),
                Framing::Random(most) => {
                    let size = 1 + draw(self.seed, self.serial, Purpose::ChunkSize, self.chunks) as usize % most;
                    size.min(body.len())
                }
            };
            if size == 0 {
                return;
            }
            let odd = matches!(self.framing, Framing::Random(_));
            chunk_size(size, odd, self.chunks, out);
            out.extend_from_slice(&body[..size]);
            out.extend_from_slice(b"\r\n");
            self.chunks += 1;
            body = &body[size..];
        }
    }

    /// Appends the end of the body.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        if let Some(rest) = self.gzip.take().and_then(|gzip| gzip.finish().ok()) {
            self.cut(&rest, out);
        }
        match self.framing {
            Framing::UntilClose => {}
            Framing::Random(_) => out.extend_from_slice(b"000;last\r\nx-trailer: 1\r\n\r\n"),
            Framing::PerEvent | Framing::Every(_) => out.extend_from_slice(b"0\r\n\r\n"),
        }
    }
}

fn chunk_size(size: usize, odd: bool, index: u64, out: &mut Vec<u8>) {
    let digits: &[u8; 16] = if odd && index % 2 == 1 { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
    if odd && index % 3 == 1 {
        out.extend_from_slice(b"00");
    }
    let count = (usize::BITS - size.leading_zeros()).div_ceil(4).max(1);
    for shift in (0..count).rev() {
        out.push(digits[(size >> (shift * 4)) & 15]);
    }
    if odd && index % 5 == 1 {
        out.extend_from_slice(b";n=\"1\"");
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{ParsedRequest, parse};

    #[test]
    fn every_framing_carries_the_same_bytes() {
        let events = ["data: {\"a\":\"日本🦀\"}\n\n", "data: [DONE]\n\n", "x"];
        for framing in [Framing::PerEvent, Framing::Every(1), Framing::Every(7), Framing::Random(1), Framing::Random(9)] {
            let mut framer = Framer::new(framing, false, 3, 4);
            let mut bytes = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
            for event in events {
                framer.frame(event.as_bytes(), &mut bytes);
            }
            framer.end(&mut bytes);
            let ParsedRequest::Whole { request, consumed } = parse(&bytes) else { panic!("{framing:?}") };
            assert_eq!(request.body, events.concat().as_bytes(), "{framing:?}");
            assert_eq!(consumed, bytes.len());
        }
    }

    #[test]
    fn sizes_are_hexadecimal() {
        let mut out = Vec::new();
        for size in [1, 15, 16, 255, 4096, 1_048_576] {
            chunk_size(size, false, 0, &mut out);
        }
        assert_eq!(out, b"1\r\nf\r\n10\r\nff\r\n1000\r\n100000\r\n");
    }
}
