//! A small blocking HTTP client for what is asked before and after the load: tokenizer calls, mostly.

use crate::resolve::resolve;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::stream::http::AnswerParser;
use dyno_measure::address::Address;

/// Largest answer that is taken, bytes.
const LARGEST: usize = 64 << 20;

trait Duplex: Read + Write + Send {}
impl<T: Read + Write + Send> Duplex for T {}

/// A kept connection to one server.
pub struct Fetch {
    address: Address,
    headers: String,
    tls: Option<Arc<ClientConfig>>,
    timeout: Duration,
    stream: Option<Box<dyn Duplex>>,
}

impl Fetch {
    /// A client of a server. `headers` are whole lines, each with its end.
    pub fn new(address: Address, headers: String, tls: Option<Arc<ClientConfig>>, timeout: Duration) -> Self {
        Self { address, headers, tls, timeout, stream: None }
    }

    /// Posts JSON; gives status and body.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn post(&mut self, path: &str, body: &serde_json::Value) -> io::Result<(u16, Vec<u8>)> {
        let body = serde_json::to_vec(body)?;
        self.ask("POST", path, &body)
    }

    /// Gets a page; gives status and body.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn get(&mut self, path: &str) -> io::Result<(u16, Vec<u8>)> {
        self.ask("GET", path, &[])
    }

    fn ask(&mut self, method: &str, path: &str, body: &[u8]) -> io::Result<(u16, Vec<u8>)> {
        let kept = self.stream.is_some();
        match self.ask_once(method, path, body) {
            // a kept connection may have been closed meanwhile
            Err(_) if kept => self.ask_once(method, path, body),
            other => other,
        }
    }

    /// Posts JSON; gives the JSON of an answer of status 200, nothing for any other.
    pub fn post_for_json(&mut self, path: &str, body: &serde_json::Value) -> Option<serde_json::Value> {
        let (status, answer) = self.post(path, body).ok()?;
        if status == 200 { serde_json::from_slice(&answer).ok() } else { None }
    }

    fn ask_once(&mut self, method: &str, path: &str, body: &[u8]) -> io::Result<(u16, Vec<u8>)> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.connect()?,
        };
        let content = if method == "GET" {
            "accept: text/plain\r\n".to_owned()
        } else {
            format!("content-type: application/json\r\naccept: application/json\r\ncontent-length: {}\r\n", body.len())
        };
        let head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n{}{content}\r\n", self.address.host_header(), self.headers);
        stream.write_all(&[head.as_bytes(), body].concat())?;
        stream.flush()?;
        let mut answer = AnswerParser::default();
        let mut got = Vec::new();
        let mut buffer = [0; 16 << 10];
        while !answer.done() {
            let length = stream.read(&mut buffer)?;
            if length == 0 {
                if answer.ends_with_connection() {
                    break;
                }
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            answer.feed(&buffer[..length], |_, piece| got.extend_from_slice(piece)).map_err(io::Error::other)?;
            if got.len() > LARGEST {
                return Err(io::Error::other("the answer is too large"));
            }
        }
        let head = answer.got.as_ref().ok_or(io::ErrorKind::InvalidData)?;
        if head.keep_alive && answer.done() {
            self.stream = Some(stream);
        }
        Ok((head.status, got))
    }

    fn connect(&self) -> io::Result<Box<dyn Duplex>> {
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for address in resolve(&self.address)? {
            match TcpStream::connect_timeout(&address, self.timeout.min(Duration::from_secs(10))) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    stream.set_read_timeout(Some(self.timeout))?;
                    stream.set_write_timeout(Some(self.timeout))?;
                    let Some(config) = &self.tls else { return Ok(Box::new(stream)) };
                    let name = ServerName::try_from(self.address.host.clone()).map_err(io::Error::other)?;
                    let tls = ClientConnection::new(config.clone(), name).map_err(io::Error::other)?;
                    return Ok(Box::new(StreamOwned::new(tls, stream)));
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}
