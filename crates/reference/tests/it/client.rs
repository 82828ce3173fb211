//! A minimal client that exposes every byte.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use rustls::{ClientConfig, ClientConnection, StreamOwned, pki_types::ServerName};
use serde_json::Value;

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Its body was complete.
    Complete,
    /// The connection was closed before.
    Closed,
    Reset,
    /// Nothing came for three seconds.
    Silent,
}

#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
    pub end: End,
    /// Lengths of the chunks of the body.
    pub chunks: Vec<usize>,
}

impl Response {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    /// The data of each event, joined as the standard says.
    pub fn events(&self) -> Vec<String> {
        let (mut events, mut data) = (Vec::new(), Vec::new());
        for line in self.text().split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)) {
            match line.split_once(':') {
                None if line.is_empty() => {
                    if !data.is_empty() {
                        events.push(std::mem::take(&mut data).join("\n"));
                    }
                }
                Some(("data", value)) => data.push(value.strip_prefix(' ').unwrap_or(value).to_owned()),
                Some(("", _)) => {}
                _ => panic!("unexpected line {line:?}"),
            }
        }
        events
    }

    /// The events that are JSON objects; `[DONE]` is left out.
    pub fn chunks_json(&self) -> Vec<Value> {
        self.events()
            .iter()
            .filter(|e| *e != "[DONE]")
            .map(|e| serde_json::from_str(e).unwrap_or_else(|x| panic!("{x}: {e}")))
            .collect()
    }
}

/// The text that the deltas of a stream add up to.
pub fn content(chunks: &[Value]) -> String {
    chunks.iter().filter_map(|c| c["choices"][0]["delta"]["content"].as_str().or(c["choices"][0]["text"].as_str())).collect()
}

pub trait Duplex: Read + Write {}
impl<T: Read + Write> Duplex for T {}

pub struct Client {
    stream: Box<dyn Duplex>,
    received: Vec<u8>,
}

impl Client {
    pub fn connect(addr: SocketAddr) -> Self {
        Self { stream: Box::new(socket(addr)), received: Vec::new() }
    }

    /// Connects over TLS; an error if the handshake fails.
    pub fn connect_tls(addr: SocketAddr, config: Arc<ClientConfig>) -> std::io::Result<Self> {
        let name = ServerName::from(addr.ip());
        let mut stream = StreamOwned::new(ClientConnection::new(config, name).unwrap(), socket(addr));
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        assert_eq!(stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
        Ok(Self { stream: Box::new(stream), received: Vec::new() })
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    pub fn post(&mut self, path: &str, headers: &str, body: &str) -> Response {
        self.send(format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len()).as_bytes());
        self.answer()
    }

    pub fn get(&mut self, path: &str) -> Response {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes());
        self.answer()
    }

    /// Whether the other side has closed the connection.
    pub fn is_closed(&mut self) -> bool {
        let mut byte = [0];
        match self.stream.read(&mut byte) {
            Ok(read) => read == 0,
            Err(e) => e.kind() == ErrorKind::ConnectionReset,
        }
    }

    pub fn answer(&mut self) -> Response {
        let mut end = None;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            if let Some((mut response, used)) = read_response(&self.received, end) {
                self.received.drain(..used);
                response.end = if response.end == End::Complete { End::Complete } else { end.unwrap_or(End::Complete) };
                return response;
            }
            if let Some(end) = end {
                let body = std::mem::take(&mut self.received);
                return Response { status: 0, head: String::new(), body, end, chunks: Vec::new() };
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => end = Some(End::Closed),
                Ok(read) => self.received.extend_from_slice(&buffer[..read]),
                Err(e) if e.kind() == ErrorKind::ConnectionReset => end = Some(End::Reset),
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => end = Some(End::Silent),
                Err(e) => panic!("{e}"),
            }
        }
    }
}

fn socket(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
    stream
}

/// A complete response, or whatever has come when the connection has ended.
fn read_response(bytes: &[u8], ended: Option<End>) -> Option<(Response, usize)> {
    let head_len = bytes.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..head_len]).ok()?.to_owned();
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let field = |name: &str| head.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(": ").map(str::to_owned));
    let rest = &bytes[head_len..];
    let (mut body, mut chunks, mut complete, mut used) = (Vec::new(), Vec::new(), false, bytes.len());
    if let Some(length) = field("content-length") {
        let length: usize = length.parse().unwrap();
        complete = rest.len() >= length;
        body = rest[..length.min(rest.len())].to_vec();
        used = (head_len + length).min(bytes.len());
    } else if field("transfer-encoding").is_some() {
        let mut at = 0;
        while let Ok(httparse::Status::Complete((skip, size))) = httparse::parse_chunk_size(&rest[at..]) {
            at += skip;
            let size = size as usize;
            if size == 0 {
                let after = &rest[at..];
                let trailer = if after.starts_with(b"\r\n") {
                    Some(2)
                } else {
                    after.windows(4).position(|w| w == b"\r\n\r\n").map(|p| p + 4)
                };
                if let Some(trailer) = trailer {
                    complete = true;
                    used = head_len + at + trailer;
                }
                break;
            }
            body.extend_from_slice(&rest[at.min(rest.len())..(at + size).min(rest.len())]);
            if rest.len() < at + size + 2 {
                break;
            }
            assert_eq!(&rest[at + size..at + size + 2], b"\r\n");
            chunks.push(size);
            at += size + 2;
        }
    } else {
        body = rest.to_vec();
        complete = ended == Some(End::Closed);
    }
    (complete || ended.is_some()).then(|| {
        let end = if complete { End::Complete } else { End::Closed };
        (Response { status, head, body, end, chunks }, used)
    })
}
