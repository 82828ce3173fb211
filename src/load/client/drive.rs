//! The event loop: sends what is due, reads what comes, ends what takes too long.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::time::TimeSpec;
use nix::sys::timer::{Expiration, TimerSetTimeFlags};
use nix::sys::timerfd::{ClockId, TimerFd, TimerFlags};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;

use super::clock::{self, Clock};
use super::connection::{Connection, Stage};
use super::exchange::Exchange;
use super::health::Health;
use super::link::{Buffers, Got, Link};
use super::outcome::Failure;
use super::pace::Arrivals;
use super::stop::Stop;
use crate::domain::report::{ErrorClass, Phase};
use crate::load::plan::Load;
use crate::load::progress::Progressing;
use crate::load::record::{RecordFile, Records, Row};
use crate::load::workload::{PromptId, Requests};

const SECOND: i64 = 1_000_000_000;
/// How often time-outs are looked for and progress is told, ns.
const TICK: i64 = 50_000_000;
/// Requests of each load point whose text is kept though the engine counts, to compare the counts.
const COMPARED: u32 = 32;

/// When the loop has not looked for so long, several events of one stream may be waiting, ns.
const LATE: i64 = 4_000_000;

const TIMER: u64 = u64::MAX;
const SIGNAL: u64 = u64::MAX - 1;

/// One server, its addresses known.
#[derive(Debug)]
pub struct Target {
    /// Index of its node in the records.
    pub node: u16,
    /// Its addresses; empty when the name did not resolve.
    pub addresses: Vec<SocketAddr>,
    /// Why the name did not resolve.
    pub dns_error: Option<String>,
    /// For https.
    pub tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    /// Everything of a request before its id.
    pub head: Vec<u8>,
    /// Which of the addresses is used.
    pub chosen: usize,
    /// Whether it has ever answered.
    pub answered: bool,
    /// Connection failures since it last answered.
    pub failures: u32,
    /// Time of the first of these, monotonic ns.
    pub failing_since: i64,
    /// When it is asked again, monotonic ns.
    pub next_probe: i64,
}

/// One phase of one load point.
#[derive(Debug, Clone)]
pub struct PhasePlan<'a> {
    /// Which load point.
    pub load_point: u32,
    /// Warm-up or measured.
    pub phase: Phase,
    /// When requests are sent.
    pub load: &'a Load,
    /// How many, at most.
    pub count: Option<u32>,
    /// Until when requests are sent, ns after the begin.
    pub duration: Option<i64>,
    /// Over how long a closed loop's first requests are spread, ns.
    pub ramp: i64,
    /// Seed of the arrivals.
    pub seed: u64,
    /// The first prompt.
    pub first_prompt: u64,
}

impl PhasePlan<'_> {
    /// The prompt of a request of this phase.
    fn prompt(&self, number: u32) -> PromptId {
        PromptId { warmup: self.phase == Phase::Warmup, number: self.first_prompt + u64::from(number) }
    }
}

/// How a phase ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// As planned.
    Done,
    /// Asked to stop, or out of time.
    Stopped(String),
    /// A server is gone.
    Gone(String),
}

/// Limits of one request, ns.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Longest wait between two events.
    pub stall: i64,
    /// Longest time in all.
    pub total: i64,
    /// When the load ends at the latest, monotonic.
    pub deadline: Option<i64>,
}

/// The client.
pub struct Driver<'a> {
    epoll: Epoll,
    timer: TimerFd,
    timer_at: i64,
    all_seen_at: i64,
    stop: Option<&'a Stop>,
    connections: Vec<Connection>,
    targets: Vec<Target>,
    buffers: Buffers,
    scratch: Vec<u8>,
    limits: Limits,
    requests: &'a mut Requests,
    progress: &'a mut Progressing,
    file: Option<&'a mut RecordFile>,
    /// The run's clock.
    pub clock: Clock,
    /// Everything that has ended.
    pub records: Records,
    /// Texts that a tokenizer has still to count, by row.
    pub texts: HashMap<usize, Vec<u8>>,
    /// Whether texts are wanted at all.
    pub wants_texts: bool,
    /// How the client does.
    pub health: Health,
    /// Requests that were going on when the load was stopped.
    pub abandoned: u64,
    /// What went wrong beside requests.
    pub file_error: Option<io::Error>,
    usage_seen: bool,
    lanes: VecDeque<usize>,
    open_loop: bool,
    idle: Vec<Vec<usize>>,
    in_flight: u32,
    issued: u32,
}

impl<'a> Driver<'a> {
    /// Makes a client.
    ///
    /// # Errors
    /// When the system gives no epoll instance or timer.
    pub fn new(
        targets: Vec<Target>,
        limits: Limits,
        clock: Clock,
        records: Records,
        requests: &'a mut Requests,
        progress: &'a mut Progressing,
        file: Option<&'a mut RecordFile>,
    ) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK)?;
        epoll.add(&timer, EpollEvent::new(EpollFlags::EPOLLIN, TIMER))?;
        Ok(Self {
            epoll,
            timer,
            timer_at: 0,
            all_seen_at: 0,
            stop: None,
            connections: Vec::new(),
            idle: vec![Vec::new(); targets.len()],
            targets,
            buffers: Buffers::default(),
            scratch: Vec::new(),
            limits,
            requests,
            progress,
            file,
            clock,
            records,
            texts: HashMap::new(),
            wants_texts: false,
            health: Health::start(),
            abandoned: 0,
            file_error: None,
            usage_seen: false,
            lanes: VecDeque::new(),
            open_loop: false,
            in_flight: 0,
            issued: 0,
        })
    }

    /// Ends the load when somebody wishes it.
    ///
    /// # Errors
    /// When the wish can't be waited for.
    pub fn end_with(&mut self, stop: &'a Stop) -> io::Result<()> {
        self.epoll.add(stop, EpollEvent::new(EpollFlags::EPOLLIN, SIGNAL))?;
        self.stop = Some(stop);
        Ok(())
    }

    /// How many requests the latest phase has issued.
    pub fn issued(&self) -> u32 {
        self.issued
    }

    /// Prompts and options, to be adjusted between phases.
    pub fn requests(&mut self) -> &mut Requests {
        self.requests
    }

    /// Progress, to be told what follows.
    pub fn progress(&mut self) -> &mut Progressing {
        self.progress
    }

    /// Reads so far, and how many of them came without the kernel's receive stamp.
    pub fn reads(&self) -> (u64, u64) {
        (self.buffers.reads, self.buffers.unstamped)
    }

    /// Opens connections until there are so many, spread evenly over the targets, and waits until they stand or have failed.
    pub fn open(&mut self, count: u32) -> Ending {
        while self.connections.len() < count as usize {
            let target = self.connections.len() % self.targets.len();
            self.connections.push(Connection::new(target));
        }
        let places: Vec<usize> = (0..count as usize).collect();
        let until = clock::now() + (10 * SECOND).min(self.limits.total);
        // a listening queue is short: not all at once
        for group in places.chunks(256) {
            for place in group {
                if self.connections[*place].stage == Stage::Closed {
                    self.connect(*place);
                }
            }
            while clock::now() < until && group.iter().any(|place| self.connections[*place].stage == Stage::Connecting) {
                if let Some(ending) = self.turn(clock::now() + TICK) {
                    return ending;
                }
            }
        }
        Ending::Done
    }

    /// Carries out a phase.
    pub fn run(&mut self, plan: &PhasePlan<'_>) -> Ending {
        let begin = clock::now();
        self.issued = 0;
        self.lanes.clear();
        self.open_loop = matches!(plan.load, Load::Rate { .. });
        self.idle.iter_mut().for_each(Vec::clear);
        self.progress.begin_phase(plan.load_point, plan.phase, plan.count, plan.duration, begin);
        let ending = match plan.load {
            Load::Closed { concurrency } => self.run_closed(plan, *concurrency, begin),
            Load::Rate { rate, process, burstiness, max_in_flight } => {
                let arrivals = Arrivals::new(*rate, *process, *burstiness, plan.seed);
                self.run_open(plan, arrivals, *max_in_flight, begin)
            }
        };
        if ending != Ending::Done {
            self.abandon();
        }
        self.flush_file();
        self.progress.tell(&self.records, clock::now(), self.in_flight);
        ending
    }

    fn run_closed(&mut self, plan: &PhasePlan<'_>, concurrency: u32, begin: i64) -> Ending {
        let lanes = concurrency.min(plan.count.unwrap_or(u32::MAX)) as usize;
        let mut started = 0;
        let start_of = |lane: usize| begin + (plan.ramp as f64 * lane as f64 / f64::from(concurrency.max(1))) as i64;
        let until = plan.duration.map_or(i64::MAX, |duration| begin + duration);
        loop {
            let now = clock::now();
            while started < lanes && start_of(started) <= now {
                self.lanes.push_back(started);
                started += 1;
            }
            let may_issue = |driver: &Self| clock::now() < until && plan.count.is_none_or(|count| driver.issued < count);
            let mut waiting = self.lanes.len();
            while waiting > 0 && may_issue(self) {
                waiting -= 1;
                let Some(lane) = self.lanes.pop_front() else { break };
                if self.may_ask(self.connections[lane].target) {
                    self.issue(lane, plan, None);
                } else {
                    self.lanes.push_back(lane);
                }
            }
            let over = !may_issue(self);
            if over && self.in_flight == 0 {
                return Ending::Done;
            }
            if let Some(words) = self.gone() {
                return Ending::Gone(words);
            }
            let mut wake = clock::now() + TICK;
            if started < lanes {
                wake = wake.min(start_of(started));
            }
            // a request that failed at once has left its lane free
            if !over && self.lanes.iter().any(|lane| self.may_ask_now(self.connections[*lane].target)) {
                wake = now;
            }
            if let Some(ending) = self.turn(wake) {
                return ending;
            }
        }
    }

    fn run_open(&mut self, plan: &PhasePlan<'_>, mut arrivals: Arrivals, cap: u32, begin: i64) -> Ending {
        for (place, connection) in self.connections.iter().enumerate() {
            if connection.stage == Stage::Idle {
                self.idle[connection.target].push(place);
            }
        }
        // a little ahead, so that the first send is not late
        let begin = begin + 5_000_000;
        loop {
            loop {
                let planned = arrivals.peek();
                let over = plan.count.is_some_and(|count| self.issued >= count)
                    || plan.duration.is_some_and(|duration| planned >= duration);
                if over {
                    if self.in_flight == 0 {
                        return Ending::Done;
                    }
                    break;
                }
                if begin + planned > clock::now() {
                    break;
                }
                self.arrive(plan, begin + planned, cap);
                arrivals.advance();
            }
            if let Some(words) = self.gone() {
                return Ending::Gone(words);
            }
            let over = plan.count.is_some_and(|count| self.issued >= count)
                || plan.duration.is_some_and(|duration| arrivals.peek() >= duration);
            let tick = clock::now() + TICK;
            let wake = if over { tick } else { tick.min(begin + arrivals.peek()) };
            if let Some(ending) = self.turn(wake) {
                return ending;
            }
        }
    }

    /// An arrival of an open loop: on an idle connection, on a new one, or dropped.
    fn arrive(&mut self, plan: &PhasePlan<'_>, scheduled: i64, cap: u32) {
        let target = self.issued as usize % self.targets.len();
        if self.in_flight >= cap {
            let mut row = self.new_row(plan, target);
            row.scheduled = Some(scheduled);
            row.error = Some(ErrorClass::Dropped);
            self.issued += 1;
            self.progress.issued();
            let words = format!("{cap} requests were in flight already");
            self.keep(row, None, Some(words));
            return;
        }
        let place = loop {
            let Some(place) = self.idle[target].pop() else { break None };
            if self.connections[place].stage == Stage::Idle {
                break Some(place);
            }
        };
        let free = place.or_else(|| {
            self.connections.iter().position(|one| one.target == target && one.stage == Stage::Closed && one.exchange.is_none())
        });
        let place = free.unwrap_or_else(|| {
            self.connections.push(Connection::new(target));
            self.connections.len() - 1
        });
        self.issue(place, plan, Some(scheduled));
    }

    fn new_row(&self, plan: &PhasePlan<'_>, target: usize) -> Row {
        let (input, output) = self.requests.lengths(plan.prompt(self.issued));
        Row {
            requested_input: input,
            requested_output: output,
            ..Row::new(plan.load_point, plan.phase, self.issued, self.targets[target].node)
        }
    }

    /// Gives a connection its next request; it is sent now, or as soon as the connection stands.
    fn issue(&mut self, place: usize, plan: &PhasePlan<'_>, scheduled: Option<i64>) {
        let mut row = self.new_row(plan, self.connections[place].target);
        row.scheduled = scheduled;
        let prompt = plan.prompt(self.issued);
        let keeps_text = self.wants_texts && (!self.usage_seen || plan.phase == Phase::Measured && self.issued < COMPARED);
        self.issued += 1;
        self.in_flight += 1;
        self.progress.issued();
        self.connections[place].exchange = Some(Exchange::new(row, prompt, keeps_text));
        match self.connections[place].stage {
            Stage::Idle => self.send(place),
            Stage::Closed => self.connect(place),
            Stage::Connecting | Stage::Busy => {}
        }
    }

    /// Begins to connect. Where that fails at once, the request that waits for it has failed.
    fn connect(&mut self, place: usize) {
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

    fn connect_failed(&mut self, place: usize, class: ErrorClass, words: &str) {
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
    fn fail(&mut self, place: usize, failure: Failure) {
        if let Some(exchange) = &mut self.connections[place].exchange {
            exchange.failure = Some(failure);
            self.finish(place, clock::now());
        }
    }

    /// A server that had answered and now refuses is asked every 200 ms only.
    fn may_ask(&mut self, target: usize) -> bool {
        let allowed = self.may_ask_now(target);
        let target = &mut self.targets[target];
        if allowed && target.answered && target.failures >= 3 {
            target.next_probe = clock::now() + 200_000_000;
        }
        allowed
    }

    fn may_ask_now(&self, target: usize) -> bool {
        let target = &self.targets[target];
        !target.answered || target.failures < 3 || clock::now() >= target.next_probe
    }

    /// Whether a server is gone for good.
    fn gone(&self) -> Option<String> {
        let now = clock::now();
        let gone = self.targets.iter().find(|target| {
            let long = now - target.failing_since > 3 * SECOND;
            target.failures > 10_000 || target.failures >= 20 && long || target.answered && target.failures >= 3 && long
        })?;
        let node = self.records.nodes.get(usize::from(gone.node)).map_or("", String::as_str);
        Some(if gone.answered {
            format!("The server of {node} stopped answering: connections fail.")
        } else {
            format!("The server of {node} can't be reached.")
        })
    }

    /// Sends the request of an open connection.
    fn send(&mut self, place: usize) {
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
    fn watch(&mut self, place: usize, write: bool) {
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

    /// One wait, at most until a time, and all that it brings. Gives an ending when the load must stop.
    fn turn(&mut self, until: i64) -> Option<Ending> {
        let mut events = [EpollEvent::empty(); 1024];
        let now = clock::now();
        let timeout = if until <= now {
            EpollTimeout::ZERO
        } else if until - now >= TICK {
            EpollTimeout::from((TICK / 1_000_000) as u8)
        } else {
            // epoll counts in milliseconds: a timer wakes to the microsecond
            if self.timer_at != until {
                let at = TimeSpec::new(until / SECOND, until % SECOND);
                if self.timer.set(Expiration::OneShot(at), TimerSetTimeFlags::TFD_TIMER_ABSTIME).is_ok() {
                    self.timer_at = until;
                }
            }
            EpollTimeout::from((TICK / 1_000_000) as u8)
        };
        let count = self.epoll.wait(&mut events, timeout).unwrap_or(0);
        let woken = clock::now();
        // what is ready now has been waiting since the loop last saw all that was ready, at most
        let late = woken - self.all_seen_at > LATE;
        if count < events.len() {
            self.all_seen_at = woken;
        }
        let mut ending = None;
        for event in &events[..count] {
            match event.data() {
                TIMER => {
                    let _ = self.timer.wait();
                }
                SIGNAL => {
                    if self.stop.is_some_and(Stop::is_wished) {
                        ending = Some(Ending::Stopped("Stopped before its end.".to_owned()));
                    }
                }
                place => self.on_ready(place as usize, event.events(), late),
            }
        }
        let now = clock::now();
        if self.progress.is_due(now) {
            self.look_around(now);
            if self.limits.deadline.is_some_and(|deadline| now >= deadline) {
                ending = Some(Ending::Stopped("Its time was up before its end.".to_owned()));
            }
        }
        self.health.turn(clock::now() - woken);
        ending
    }

    fn on_ready(&mut self, place: usize, flags: EpollFlags, late: bool) {
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

    fn on_connecting(&mut self, place: usize) {
        let Some(link) = &mut self.connections[place].link else { return };
        if let Err(error) = link.connected() {
            self.connect_failed(place, ErrorClass::Connect, &error.to_string());
            return;
        }
        if !link.is_ready() {
            let flushed = link.flush();
            let got = link.read(&mut self.buffers, &mut self.clock, false);
            let problem = match got {
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

    fn on_writable(&mut self, place: usize) {
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
    fn on_readable(&mut self, place: usize, late: bool) {
        let mut one_by_one = late;
        let mut last_time = 0;
        while let Some(time) = self.read_once(place, one_by_one) {
            one_by_one = time != last_time;
            last_time = time;
        }
    }

    /// Reads once. Gives the time of what was read, if more is known to wait.
    fn read_once(&mut self, place: usize, one_by_one: bool) -> Option<i64> {
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

    /// A connection has ended.
    fn lost(&mut self, place: usize, broken: Option<&io::Error>, at: i64) {
        let embeddings = self.requests.is_embeddings();
        let connection = &mut self.connections[place];
        if connection.stage == Stage::Idle {
            // closed between requests: no error, connected anew when it is needed
            if connection.served > 0 {
                self.health.reconnects += 1;
            }
            connection.close();
            return;
        }
        let reused = connection.served > 0;
        let answered = connection.answered();
        if let Some(exchange) = &mut connection.exchange
            && reused
            && !answered
            && !exchange.tried_again
        {
            exchange.tried_again = true;
            self.health.reconnects += 1;
            self.connect(place);
            return;
        }
        connection.on_end(broken, at, embeddings);
        connection.close();
        self.finish(place, at);
    }

    /// A request is over: keeps its record, frees its lane.
    fn finish(&mut self, place: usize, at: i64) {
        let connection = &mut self.connections[place];
        if let Some(exchange) = &connection.exchange
            && exchange.asked_for_usage
            && connection.refuses_usage_option()
        {
            // asked again, without what the server does not know
            self.requests.leave_out_usage_option();
            let mut again = Exchange::new(exchange.row.clone(), exchange.prompt, exchange.keeps_text);
            again.row.status = None;
            connection.exchange = Some(again);
            if connection.reusable() {
                self.send(place);
            } else {
                self.connect(place);
            }
            return;
        }
        let Some(exchange) = connection.exchange.take() else { return };
        self.usage_seen |= exchange.row.source == Some(crate::domain::report::TokenSource::Usage);
        let closed_loop = exchange.row.scheduled.is_none();
        let mut row = exchange.row;
        row.ended = Some(at);
        row.error = exchange.failure.as_ref().map(|failure| failure.class);
        let row_was_answered = row.status.is_some();
        if connection.stage != Stage::Closed {
            if row.error.is_none_or(|class| class == ErrorClass::HttpStatus || class == ErrorClass::NoContent)
                && connection.reusable()
            {
                connection.stage = Stage::Idle;
                connection.served += 1;
                if !closed_loop {
                    self.idle[connection.target].push(place);
                }
            } else {
                connection.close();
            }
        }
        self.in_flight -= 1;
        let text = (exchange.keeps_text && row.error.is_none()).then(|| std::mem::take(&mut self.connections[place].kept().text));
        self.keep(row, Some(place), exchange.failure.map(|failure| failure.words));
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            self.texts.insert(self.records.rows.len() - 1, text);
        }
        if closed_loop {
            self.lanes.push_back(place);
        } else if self.connections[place].stage == Stage::Closed && row_was_answered {
            // ready for the next arrival
            self.connect(place);
        }
    }

    /// Keeps a record, its times brought to Unix ns.
    fn keep(&mut self, mut row: Row, place: Option<usize>, error: Option<String>) {
        let clock = &self.clock;
        for time in [&mut row.scheduled, &mut row.sent, &mut row.first, &mut row.first_output, &mut row.last, &mut row.ended] {
            *time = time.map(|at| clock.unix(at));
        }
        self.progress.ended(&row);
        let none = crate::load::record::GapsBuf::default();
        let gaps = place.map_or(&none, |place| &self.connections[place].kept_ref().gaps);
        let index = self.records.push(row, gaps, error);
        if let Some(file) = &mut self.file
            && let Err(error) = file.append(&self.records.record(index), gaps)
        {
            self.file_error.get_or_insert(error);
        }
    }

    fn flush_file(&mut self) {
        if let Some(file) = &mut self.file
            && let Err(error) = file.flush()
        {
            self.file_error.get_or_insert(error);
        }
    }

    /// Time-outs, progress, the record file.
    fn look_around(&mut self, now: i64) {
        self.clock.look();
        let Limits { stall, total, .. } = self.limits;
        for place in 0..self.connections.len() {
            let connection = &self.connections[place];
            if connection.stage == Stage::Connecting && now - connection.since > stall.min(total).min(30 * SECOND) {
                self.connect_failed(place, ErrorClass::Connect, "no connection within the time-out");
                continue;
            }
            let (Some(exchange), Stage::Busy) = (&connection.exchange, connection.stage) else { continue };
            let waited = now - exchange.last_activity;
            let in_all = now - exchange.row.sent.unwrap_or(now);
            let failure = if exchange.lingers_until.is_some_and(|until| now > until) {
                None
            } else if in_all > total {
                Some(Failure::new(ErrorClass::Timeout, format!("not over after {} s", total / SECOND)))
            } else if waited > stall {
                Some(Failure::new(ErrorClass::Stalled, format!("no event for {:.1} s", waited as f64 / 1e9)))
            } else {
                continue;
            };
            self.end_by_time(place, failure, now);
        }
        if self.progress.tell_if_due(&self.records, now, self.in_flight) {
            self.flush_file();
        }
    }

    fn end_by_time(&mut self, place: usize, failure: Option<Failure>, now: i64) {
        let embeddings = self.requests.is_embeddings();
        let connection = &mut self.connections[place];
        if let (Some(exchange), Some(failure)) = (&mut connection.exchange, failure) {
            exchange.failure.get_or_insert(failure);
        }
        if connection.answered() {
            connection.conclude(now, embeddings);
        }
        connection.close();
        self.finish(place, now);
    }

    /// Leaves what is going on.
    fn abandon(&mut self) {
        for connection in &mut self.connections {
            if connection.exchange.take().is_some() {
                self.abandoned += 1;
                connection.close();
            }
        }
        self.in_flight = 0;
    }
}
