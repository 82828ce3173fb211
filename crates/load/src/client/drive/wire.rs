//! What the client does with its sockets: connecting, sending and reading.

use std::io;

use nix::sys::epoll::{EpollEvent, EpollFlags};

use super::issue::FIRST_PAUSE;
use super::{CONNECTS_WITHIN, EventLoop};
use crate::client::clock;
use crate::client::connection::{ClientConnection, ConnectionStage};
use crate::client::failure::Failure;
use crate::client::socket::{BUFFER, ReadOutcome, Socket};
use dyno_measure::records::Records;
use dyno_measure::report::ErrorClass;

/// The epoll events of a socket: readable, writable, closed by the peer; edge-triggered.
fn watched() -> EpollFlags {
    EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLET
}

/// A TLS error in words, with the remedy where the certificate is not trusted.
fn tls_words(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(_) => format!(
            "{error} (the server's certificate is not trusted: name the one that signed it by --ca or SSL_CERT_FILE, or take any by --insecure)"
        ),
        _ => error.to_string(),
    }
}

impl EventLoop<'_> {
    /// Begins to connect. When that fails at once, the request that waits for the connection fails too.
    pub(super) fn connect(&mut self, place: usize) {
        let connection = &mut self.connections[place];
        let target = &self.targets[connection.target];
        connection.close();
        let Some(address) = target.addresses.get(target.chosen) else {
            let words = target.dns_error.clone().unwrap_or_default();
            self.connect_failed(place, ErrorClass::Dns, &words);
            return;
        };
        let opened = Socket::open(*address, target.tls.as_ref().map(|(config, name)| (config, name)));
        let registered = opened.and_then(|link| {
            self.epoll.add(&link, EpollEvent::new(watched(), place as u64))?;
            Ok(link)
        });
        match registered {
            Ok(link) => {
                connection.link = Some(link);
                connection.stage = ConnectionStage::Connecting;
                connection.since = clock::now();
                connection.awaits_write = true;
                self.connects_until = connection.since + CONNECTS_WITHIN;
            }
            Err(error) => self.connect_failed(place, ErrorClass::Connect, &error.to_string()),
        }
    }

    /// Counts a connection failure of a server, which delays the next attempt.
    pub(super) fn did_not_answer(&mut self, place: usize) {
        let target = &mut self.targets[self.connections[place].target];
        let now = clock::now();
        if target.failures == 0 {
            target.failing_since = now;
            target.pause = FIRST_PAUSE;
            target.next_probe = now + FIRST_PAUSE;
        }
        target.failures += 1;
    }

    pub(super) fn connect_failed(&mut self, place: usize, class: ErrorClass, words: &str) {
        self.did_not_answer(place);
        let target = &mut self.targets[self.connections[place].target];
        // tries the name's next address: some may not answer
        if !target.answered && !target.addresses.is_empty() {
            target.chosen = (target.chosen + 1) % target.addresses.len();
        }
        self.connections[place].close();
        self.fail(place, Failure::new(class, words));
    }

    /// Ends the connection's request with this failure.
    pub(super) fn fail(&mut self, place: usize, failure: Failure) {
        if let Some(exchange) = &mut self.connections[place].exchange {
            exchange.failure = Some(failure);
            self.finish(place, clock::now());
        }
    }

    /// Sends the request of an open connection.
    pub(super) fn send(&mut self, place: usize) {
        let connection = &mut self.connections[place];
        connection.expect_answer();
        let Some(exchange) = &mut connection.exchange else { return };
        let target = &self.targets[connection.target];
        let row = &exchange.row;
        let id = Records::id(&self.records.id_prefix, row.load_point, row.phase, row.number);
        self.scratch.clear();
        self.requests.write(&target.head, &id, exchange.prompt, &mut self.scratch);
        connection.stage = ConnectionStage::Busy;
        let Some(link) = &mut connection.link else { return };
        exchange.asked_for_usage = self.requests.asks_for_usage();
        let written = link.write(&self.scratch);
        let sent = written.as_ref().map_or_else(|_| clock::now(), |(_, at)| *at);
        exchange.row.sent = Some(sent);
        exchange.last_activity = sent;
        exchange.sent_limit = self.requests.limit();
        match written {
            Ok((taken, _)) => {
                connection.awaits_write = taken < self.scratch.len() || link.wants_write();
                connection.unsent.extend_from_slice(&self.scratch[taken..]);
            }
            Err(error) => self.lost(place, Some(&error), sent),
        }
    }

    pub(super) fn on_ready(&mut self, place: usize, flags: EpollFlags, late: bool, rested: bool) {
        let Some(connection) = self.connections.get_mut(place) else { return };
        match connection.stage {
            ConnectionStage::Closed => return,
            ConnectionStage::Connecting => self.on_connecting(place),
            ConnectionStage::Idle | ConnectionStage::Busy if connection.awaits_write && flags.contains(EpollFlags::EPOLLOUT) => {
                self.on_writable(place);
            }
            ConnectionStage::Idle | ConnectionStage::Busy => {}
        }
        let open = matches!(self.connections[place].stage, ConnectionStage::Idle | ConnectionStage::Busy);
        let ends = flags.intersects(EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR);
        if open && (ends || flags.contains(EpollFlags::EPOLLIN)) {
            // The time of the first event is TTFT: events that came with it are read one by one.
            let connection = &self.connections[place];
            let first = rested && connection.exchange.as_ref().is_some_and(|exchange| exchange.row.first.is_none());
            self.on_readable(place, late || first, ends);
        }
    }

    pub(super) fn on_connecting(&mut self, place: usize) {
        let Some(link) = &mut self.connections[place].link else { return };
        if let Err(error) = link.connected() {
            self.connect_failed(place, ErrorClass::Connect, &error.to_string());
            return;
        }
        if !link.is_ready() {
            let flushed = link.flush();
            let problem = loop {
                break match link.read(&mut self.buffers, &mut self.clock, BUFFER) {
                    ReadOutcome::Bytes(_, _, true) if !link.is_ready() => continue,
                    ReadOutcome::Tls(rustls::Error::AlertReceived(rustls::AlertDescription::NoApplicationProtocol)) => {
                        Some("the server speaks HTTP/2 only; requests are sent over HTTP/1.1".to_owned())
                    }
                    ReadOutcome::Tls(error) => Some(tls_words(&error)),
                    ReadOutcome::Broken(error) => Some(error.to_string()),
                    ReadOutcome::Closed => Some("the connection was closed during the TLS handshake".to_owned()),
                    ReadOutcome::Bytes(..) | ReadOutcome::Nothing => flushed.err().map(|error| error.to_string()),
                };
            };
            if let Some(words) = problem {
                self.connect_failed(place, ErrorClass::Tls, &words);
                return;
            }
        }
        let Some(link) = &mut self.connections[place].link else { return };
        let _ = link.flush();
        let (ready, wants_write) = (link.is_ready(), link.wants_write());
        self.connections[place].awaits_write = wants_write;
        if ready {
            self.connections[place].stage = ConnectionStage::Idle;
            if self.connections[place].exchange.is_some() {
                self.send(place);
            } else if self.open_loop {
                let target = self.connections[place].target;
                self.idle[target].push(place);
            }
        }
    }

    pub(super) fn on_writable(&mut self, place: usize) {
        let connection = &mut self.connections[place];
        let Some(link) = &mut connection.link else { return };
        let written =
            link.flush().and_then(|()| if connection.unsent.is_empty() { Ok((0, 0)) } else { link.write(&connection.unsent) });
        match written {
            Ok((taken, _)) => {
                connection.unsent.drain(..taken);
                if connection.unsent.is_empty() {
                    connection.unsent = Vec::new();
                }
                connection.awaits_write = !connection.unsent.is_empty() || link.wants_write();
            }
            Err(error) => self.lost(place, Some(&error), clock::now()),
        }
    }

    /// Reads until the socket is empty, as edge-triggered epoll requires; after the peer has closed, up to the end of the
    /// stream.
    pub(super) fn on_readable(&mut self, place: usize, apart: bool, ends: bool) {
        if apart {
            self.read_apart(place);
        }
        while let Some(more) = self.read_once(place, BUFFER)
            && (more || ends)
        {}
    }

    /// For a late loop: several events may wait, and one read returns the stamp of the last only. They are read one by one
    /// until a read returns the last packet's stamp; everything after that came with it.
    fn read_apart(&mut self, place: usize) {
        let mut ahead = std::mem::take(&mut self.buffers.ahead);
        if let Some(link) = &self.connections[place].link {
            self.buffers.ahead = ahead;
            link.look_ahead(&mut self.buffers);
            ahead = std::mem::take(&mut self.buffers.ahead);
        }
        let last = self.buffers.ahead_stamp;
        let mut at = 0;
        while at < ahead.len() {
            let Some(link) = &self.connections[place].link else { break };
            let piece = if self.buffers.stamp == last && at > 0 { ahead.len() - at } else { link.first_piece(&ahead[at..]) };
            if self.read_once(place, piece).is_none() {
                break;
            }
            at += piece;
        }
        self.buffers.ahead = ahead;
    }

    /// Reads once, at most `most` bytes. Returns whether more may wait; `None` when nothing was there or the connection has
    /// ended.
    pub(super) fn read_once(&mut self, place: usize, most: usize) -> Option<bool> {
        let embeddings = self.requests.is_embeddings();
        let connection = &mut self.connections[place];
        let link =
            connection.link.as_mut().filter(|_| matches!(connection.stage, ConnectionStage::Idle | ConnectionStage::Busy))?;
        match link.read(&mut self.buffers, &mut self.clock, most) {
            ReadOutcome::Nothing => {}
            ReadOutcome::Bytes(bytes, at, more) => {
                if bytes.is_empty() {
                    return Some(more);
                }
                if connection.stage == ConnectionStage::Idle {
                    // bytes without a request: the connection can't be used for another
                    connection.close();
                    return None;
                }
                let target = &mut self.targets[connection.target];
                (target.answered, target.failures) = (true, 0);
                let counts = |connection: &ClientConnection| {
                    connection.exchange.as_ref().map_or((0, 0), |exchange| (exchange.row.events, exchange.row.coalesced))
                };
                let before = counts(connection);
                let over = connection.on_bytes(bytes, at, embeddings);
                let after = counts(connection);
                self.progress.events(after.0 - before.0);
                self.coalescing.events(after.0 - before.0, after.1 - before.1);
                if over {
                    self.finish(place, at);
                }
                return Some(more);
            }
            ReadOutcome::Closed => self.lost(place, None, clock::now()),
            ReadOutcome::Broken(error) => self.lost(place, Some(&error), clock::now()),
            ReadOutcome::Tls(error) => self.lost(place, Some(&io::Error::other(error.to_string())), clock::now()),
        }
        None
    }
}
