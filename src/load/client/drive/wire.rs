//! Connecting, sending, reading.

use std::io;
use std::os::fd::AsFd;

use nix::sys::epoll::{EpollEvent, EpollFlags};

use super::Driver;
use crate::domain::report::ErrorClass;
use crate::load::client::clock;
use crate::load::client::connection::Stage;
use crate::load::client::link::{Got, Link};
use crate::load::client::outcome::Failure;
use crate::load::record::Records;

impl Driver<'_> {
    /// Begins to connect. Where that fails at once, the request that waits for it has failed.
    pub(super) fn connect(&mut self, place: usize) {
        let connection = &mut self.connections[place];
        let target = &self.targets[connection.target];
        connection.close();
        let Some(address) = target.addresses.get(target.chosen) else {
            let words = target.dns_error.clone().unwrap_or_default();
            self.connect_failed(place, ErrorClass::Dns, &words);
            return;
        };
        let opened = Link::open(*address, target.tls.as_ref().map(|(config, name)| (config, name)));
        let registered = opened.and_then(|link| {
            self.epoll.add(&link, EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT, place as u64))?;
            Ok(link)
        });
        match registered {
            Ok(link) => {
                connection.link = Some(link);
                connection.stage = Stage::Connecting;
                connection.since = clock::now();
                connection.awaits_write = true;
            }
            Err(error) => self.connect_failed(place, ErrorClass::Connect, &error.to_string()),
        }
    }

    pub(super) fn connect_failed(&mut self, place: usize, class: ErrorClass, words: &str) {
        let target = &mut self.targets[self.connections[place].target];
        let now = clock::now();
        if target.failures == 0 {
            target.failing_since = now;
        }
        target.failures += 1;
        // a name may have several addresses, not all of which answer
        if !target.answered && !target.addresses.is_empty() {
            target.chosen = (target.chosen + 1) % target.addresses.len();
        }
        self.connections[place].close();
        self.fail(place, Failure::new(class, words));
    }

    /// Ends a request that has not got anywhere.
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
        connection.stage = Stage::Busy;
        let Some(link) = &mut connection.link else { return };
        let sent = clock::now();
        exchange.row.sent = Some(sent);
        exchange.last_activity = sent;
        exchange.asked_for_usage = self.requests.asks_for_usage();
        match link.write(&self.scratch) {
            Ok(taken) => {
                let pending = taken < self.scratch.len() || link.wants_write();
                connection.unsent.extend_from_slice(&self.scratch[taken..]);
                self.watch(place, pending);
            }
            Err(error) => self.lost(place, Some(&error), sent),
        }
    }

    /// Has the loop tell when the socket takes more, or not.
    pub(super) fn watch(&mut self, place: usize, write: bool) {
        let connection = &mut self.connections[place];
        if connection.awaits_write == write {
            return;
        }
        connection.awaits_write = write;
        let flags = if write { EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT } else { EpollFlags::EPOLLIN };
        if let Some(link) = &connection.link {
            let _ = self.epoll.modify(link.as_fd(), &mut EpollEvent::new(flags, place as u64));
        }
    }

    pub(super) fn on_ready(&mut self, place: usize, flags: EpollFlags, late: bool) {
        let Some(connection) = self.connections.get_mut(place) else { return };
        match connection.stage {
            Stage::Closed => {}
            Stage::Connecting => self.on_connecting(place),
            Stage::Idle | Stage::Busy => {
                if flags.contains(EpollFlags::EPOLLOUT) {
                    self.on_writable(place);
                }
                if flags.intersects(EpollFlags::EPOLLIN | EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR) {
                    self.on_readable(place, late);
                }
            }
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
            let got = link.read(&mut self.buffers, &mut self.clock, false);
            let problem = match got {
                Got::Tls(rustls::Error::AlertReceived(rustls::AlertDescription::NoApplicationProtocol)) => {
                    Some("the server speaks HTTP/2 only; requests are sent over HTTP/1.1".to_owned())
                }
                Got::Tls(error) => Some(error.to_string()),
                Got::Broken(error) => Some(error.to_string()),
                Got::Closed => Some("the connection was closed during the TLS handshake".to_owned()),
                Got::Bytes(..) | Got::Nothing => flushed.err().map(|error| error.to_string()),
            };
            if let Some(words) = problem {
                self.connect_failed(place, ErrorClass::Tls, &words);
                return;
            }
        }
        let Some(link) = &mut self.connections[place].link else { return };
        let _ = link.flush();
        let (ready, wants_write) = (link.is_ready(), link.wants_write());
        self.watch(place, wants_write);
        if ready {
            self.connections[place].stage = Stage::Idle;
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
            link.flush().and_then(|()| if connection.unsent.is_empty() { Ok(0) } else { link.write(&connection.unsent) });
        match written {
            Ok(taken) => {
                connection.unsent.drain(..taken);
                if connection.unsent.is_empty() {
                    connection.unsent = Vec::new();
                }
                let pending = !connection.unsent.is_empty() || link.wants_write();
                self.watch(place, pending);
            }
            Err(error) => self.lost(place, Some(&error), clock::now()),
        }
    }

    /// Reads what is there. When the loop comes late, several events may wait: they are read one by one, as long as their
    /// times differ.
    pub(super) fn on_readable(&mut self, place: usize, late: bool) {
        let mut one_by_one = late;
        let mut last_time = 0;
        while let Some(time) = self.read_once(place, one_by_one) {
            one_by_one = time != last_time;
            last_time = time;
        }
    }

    /// Reads once. Gives the time of what was read, if more is known to wait.
    pub(super) fn read_once(&mut self, place: usize, one_by_one: bool) -> Option<i64> {
        let embeddings = self.requests.is_embeddings();
        let connection = &mut self.connections[place];
        let link = connection.link.as_mut()?;
        match link.read(&mut self.buffers, &mut self.clock, one_by_one) {
            Got::Nothing => {}
            Got::Bytes(bytes, at, more) => {
                if bytes.is_empty() {
                    return more.then_some(at);
                }
                if connection.stage == Stage::Idle {
                    // bytes that nobody asked for: not a connection to go on with
                    connection.close();
                    return None;
                }
                let target = &mut self.targets[connection.target];
                (target.answered, target.failures) = (true, 0);
                let before = connection.exchange.as_ref().map_or(0, |exchange| exchange.row.events);
                let over = connection.on_bytes(bytes, at, embeddings);
                let after = connection.exchange.as_ref().map_or(0, |exchange| exchange.row.events);
                self.progress.events(after - before);
                if over {
                    self.finish(place, at);
                } else if more {
                    return Some(at);
                }
            }
            Got::Closed => self.lost(place, None, clock::now()),
            Got::Broken(error) => self.lost(place, Some(&error), clock::now()),
            Got::Tls(error) => self.lost(place, Some(&io::Error::other(error.to_string())), clock::now()),
        }
        None
    }
}
