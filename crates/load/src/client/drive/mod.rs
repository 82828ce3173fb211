//! The event loop: sends requests when they are due, reads answers, and ends requests that time out.

mod irregular_answers;
mod issue;
mod outcome;
mod wire;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::time::TimeSpec;
use nix::sys::timer::{Expiration, TimerSetTimeFlags};
use nix::sys::timerfd::{ClockId, TimerFd, TimerFlags};

use self::irregular_answers::IrregularAnswers;
use super::clock::{self, Clock};
use super::connection::{ClientConnection, ConnectionStage};
use super::health::Health;
use super::phase::{PhaseEnd, PhasePlan, RequestLimits, ServerTarget};
use super::socket::Buffers;
use super::stop::StopSignal;
use super::wakeup_coalescing::WakeupCoalescing;
use crate::progress::Progressing;
use crate::records::RecordFile;
use crate::workers::Wishes;
use crate::workload::Requests;
use dyno_measure::arrivals::{Arrivals, PartArrivals};
use dyno_measure::early_stop::{EarlyStop, ErrorLimit};
use dyno_measure::plan::{Load, Part};
use dyno_measure::records::Records;

const SECOND: i64 = 1_000_000_000;
/// How often time-outs are checked and progress is emitted, ns.
const TICK: i64 = 50_000_000;

/// When the loop has not polled for so long, several events of one stream may be waiting in a socket, ns.
const LATE: i64 = 4_000_000;

/// How long servers get to accept new connections before the first request: in all, and per connection, ns.
const SETTLE: i64 = 100_000_000;
const SETTLE_EACH: i64 = 50_000;

/// How long the loop does not pause for after it began a connection, ns. A server farther away than that is slower than any pause.
const CONNECTS_WITHIN: i64 = 5_000_000;

/// How late the system may end a sleep; shorter pauses than this are not slept, ns.
const WAKE: i64 = 60_000;

/// Most events that one `epoll_wait` returns.
const AT_ONCE: usize = 1024;

const TIMER: u64 = u64::MAX;
const SIGNAL: u64 = u64::MAX - 1;

pub struct EventLoop<'a> {
    epoll: Epoll,
    timer: TimerFd,
    timer_at: i64,
    /// Until when the loop does not pause: a connection that is being made has a request to send.
    connects_until: i64,
    found: Vec<EpollEvent>,
    coalescing: WakeupCoalescing,
    all_seen_at: i64,
    stop: Option<&'a StopSignal>,
    connections: Vec<ClientConnection>,
    targets: Vec<ServerTarget>,
    buffers: Buffers,
    scratch: Vec<u8>,
    limits: RequestLimits,
    requests: &'a mut Requests,
    progress: &'a mut Progressing,
    file: Option<&'a mut RecordFile>,
    pub clock: Clock,
    /// Records of the requests that have ended.
    pub records: Records,
    /// Texts to be tokenized after the load, by the index of their record.
    pub texts: HashMap<usize, Vec<u8>>,
    /// Whether texts are kept, since there is a tokenizer.
    pub wants_texts: bool,
    pub health: Health,
    /// Requests that were going on when the load was stopped.
    pub abandoned: u64,
    /// Ends the load point once its verdict is certain; absent: all requests are sent.
    pub early_stop: Option<EarlyStop>,
    /// Of a worker: what is wished from outside.
    pub wishes: Option<Arc<Wishes>>,
    /// How long after its agreed moment the latest phase began, ns.
    pub late: i64,
    /// Number of answers that came compressed.
    pub compressed: u64,
    /// The first error of writing the record file or its sidecar.
    pub file_error: Option<io::Error>,
    /// How many requests were sent again after status 429, each time counted.
    pub retried: u64,
    /// Connections whose request is to be sent again, and when.
    refused: Vec<(i64, usize)>,
    pub irregular: IrregularAnswers,
    /// Ends the load once too many of the phase's requests have failed; absent: no limit.
    errors: Option<ErrorLimit>,
    usage_seen: bool,
    lanes: VecDeque<usize>,
    open_loop: bool,
    idle: Vec<Vec<usize>>,
    in_flight: u32,
    issued: u32,
}

impl<'a> EventLoop<'a> {
    /// # Errors
    /// When the system gives no epoll instance or timer.
    pub fn new(
        targets: Vec<ServerTarget>,
        limits: RequestLimits,
        clock: Clock,
        records: Records,
        requests: &'a mut Requests,
        progress: &'a mut Progressing,
        file: Option<&'a mut RecordFile>,
    ) -> io::Result<Self> {
        // the default timer slack of 50 µs would make short waits end late
        let _ = nix::sys::prctl::set_timerslack(1_000);
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK)?;
        epoll.add(&timer, EpollEvent::new(EpollFlags::EPOLLIN, TIMER))?;
        Ok(Self {
            epoll,
            timer,
            timer_at: 0,
            connects_until: 0,
            found: vec![EpollEvent::empty(); AT_ONCE],
            coalescing: WakeupCoalescing::default(),
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
            compressed: 0,
            file_error: None,
            retried: 0,
            refused: Vec::new(),
            early_stop: None,
            wishes: None,
            late: 0,
            irregular: IrregularAnswers::default(),
            errors: None,
            usage_seen: false,
            lanes: VecDeque::new(),
            open_loop: false,
            in_flight: 0,
            issued: 0,
        })
    }

    /// Ends the load when the stop signal comes.
    ///
    /// # Errors
    /// When the signal can't be polled.
    pub fn end_with(&mut self, stop: &'a StopSignal) -> io::Result<()> {
        self.epoll.add(stop, EpollEvent::new(EpollFlags::EPOLLIN, SIGNAL))?;
        self.stop = Some(stop);
        Ok(())
    }

    /// How many requests the latest phase has issued.
    pub fn issued(&self) -> u32 {
        self.issued
    }

    /// Prompts and request options, which may be changed between phases.
    pub fn requests(&mut self) -> &mut Requests {
        self.requests
    }

    pub fn progress(&mut self) -> &mut Progressing {
        self.progress
    }

    /// Reads so far, and how many of them came without the kernel's receive stamp.
    pub fn reads(&self) -> (u64, u64) {
        (self.buffers.reads, self.buffers.unstamped)
    }

    /// Opens this part's connections of `count`, spread evenly over the targets, and waits until they are open or have failed.
    pub fn open(&mut self, count: u32, part: Part) -> PhaseEnd {
        let count = part.share(count);
        while self.connections.len() < count as usize {
            let target = part.number(self.connections.len() as u32) as usize % self.targets.len();
            self.connections.push(ClientConnection::new(target));
        }
        let places: Vec<usize> = (0..count as usize).collect();
        let fresh = self.connections[..places.len()].iter().filter(|one| one.stage == ConnectionStage::Closed).count();
        let until = clock::now() + (10 * SECOND).min(self.limits.total);
        // in groups, since a server's listen queue is short
        for group in places.chunks(256) {
            for place in group {
                if self.connections[*place].stage == ConnectionStage::Closed {
                    self.connect(*place);
                }
            }
            while clock::now() < until && group.iter().any(|place| self.connections[*place].stage == ConnectionStage::Connecting)
            {
                if let Some(ending) = self.turn(i64::MAX) {
                    return ending;
                }
            }
        }
        self.settle(fresh)
    }

    /// A connection is established before the server has accepted it; a request sent then would wait for that. So the loop
    /// waits a while after opening `fresh` connections.
    fn settle(&mut self, fresh: usize) -> PhaseEnd {
        if fresh == 0 {
            return PhaseEnd::Done;
        }
        let until = clock::now() + SETTLE + SETTLE_EACH * fresh as i64;
        while clock::now() < until {
            if let Some(ending) = self.turn(until) {
                return ending;
            }
        }
        PhaseEnd::Done
    }

    /// Sends and measures the requests of a phase, to its end.
    pub fn run(&mut self, plan: &PhasePlan<'_>) -> PhaseEnd {
        self.requests.begin_phase(plan.prompt(0), plan.count, plan.part, plan.shard());
        while let Some(begin) = plan.begin.filter(|begin| clock::now() < *begin) {
            if let Some(ending) = self.turn(begin) {
                return ending;
            }
        }
        let begin = plan.begin.unwrap_or_else(clock::now);
        self.late = clock::now() - begin;
        self.health.begin_phase();
        self.issued = 0;
        self.errors = self.limits.max_error_rate.map(ErrorLimit::new);
        self.lanes.clear();
        self.open_loop = plan.load.is_open();
        self.idle.iter_mut().for_each(Vec::clear);
        self.coalescing.forget(begin);
        self.progress.begin_phase(plan, begin);
        let ending = match plan.load {
            Load::Closed { concurrency } => self.run_closed(plan, *concurrency, begin),
            Load::Rate { rate, process, burstiness, max_in_flight } => {
                let arrivals = PartArrivals::new(Arrivals::new(*rate, *process, *burstiness, plan.seed), plan.part);
                self.run_open(plan, arrivals, *max_in_flight, begin)
            }
            Load::Trace { max_in_flight, .. } => {
                let arrivals = PartArrivals::new(Arrivals::listed(self.requests.arrivals().unwrap_or_default()), plan.part);
                self.run_open(plan, arrivals, *max_in_flight, begin)
            }
        };
        if ending != PhaseEnd::Done {
            self.abandon();
        }
        self.health.end_phase();
        self.requests.end_phase();
        self.flush_file();
        self.progress.emit(clock::now());
        ending
    }

    /// Waits once, until `until` or a tick at most, and handles what came. Returns how the phase ends when the load must stop.
    fn turn(&mut self, until: i64) -> Option<PhaseEnd> {
        let until = self.refused.iter().fold(until, |until, (due, _)| until.min(*due));
        let mut now = clock::now();
        let pause = self.coalescing.length().min(until - now - WAKE);
        let rested = pause >= WAKE && now >= self.connects_until;
        if rested {
            std::thread::sleep(Duration::from_nanos(pause as u64));
            now = clock::now();
        }
        let timeout = if until <= now {
            EpollTimeout::ZERO
        } else if until - now >= TICK {
            EpollTimeout::from((TICK / 1_000_000) as u8)
        } else {
            // epoll time-outs have a resolution of a millisecond, the timer one of a microsecond
            if self.timer_at != until {
                let at = TimeSpec::new(until / SECOND, until % SECOND);
                if self.timer.set(Expiration::OneShot(at), TimerSetTimeFlags::TFD_TIMER_ABSTIME).is_ok() {
                    self.timer_at = until;
                }
            }
            EpollTimeout::from((TICK / 1_000_000) as u8)
        };
        let mut found = std::mem::take(&mut self.found);
        let count = self.epoll.wait(&mut found, timeout).unwrap_or(0);
        let woken = self.clock.read();
        // what is ready now came after the last time that the loop saw all ready sockets
        let late = woken - self.all_seen_at > LATE;
        if count < found.len() {
            self.all_seen_at = woken;
        }
        let mut ending = None;
        for event in &found[..count] {
            match event.data() {
                TIMER => {
                    let _ = self.timer.wait();
                }
                SIGNAL => {
                    if self.stop.is_some_and(StopSignal::is_wished) {
                        ending = Some(PhaseEnd::Stopped("Stopped before its end.".to_owned()));
                    }
                }
                place => self.on_ready(place as usize, event.events(), late, rested),
            }
        }
        self.found = found;
        let now = clock::now();
        self.send_refused(now);
        if self.progress.is_due(now) {
            self.on_tick(now);
            if self.limits.deadline.is_some_and(|deadline| now >= deadline) {
                ending = Some(PhaseEnd::Stopped("Its time was up before its end.".to_owned()));
            }
            if let Some(reason) = self.wishes.as_ref().and_then(|wishes| wishes.stopped()) {
                ending = Some(PhaseEnd::Stopped(reason));
            }
        }
        self.health.turn(clock::now() - woken);
        ending
    }
}
