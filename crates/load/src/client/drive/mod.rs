//! The event loop: sends what is due, reads what comes, ends what takes too long.

mod irregular_answers;
mod issue;
mod outcome;
mod wire;

use std::collections::{HashMap, VecDeque};
use std::io;
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
use crate::workload::Requests;
use dyno_measure::arrivals::Arrivals;
use dyno_measure::early_stop::EarlyStop;
use dyno_measure::plan::Load;
use dyno_measure::records::Records;

const SECOND: i64 = 1_000_000_000;
/// How often time-outs are looked for and progress is told, ns.
const TICK: i64 = 50_000_000;

/// When the loop has not looked for so long, several events of one stream may be waiting, ns.
const LATE: i64 = 4_000_000;

/// How long servers are given to take up fresh connections before the first request: in all, and for each, ns.
const SETTLE: i64 = 100_000_000;
const SETTLE_EACH: i64 = 50_000;

/// How late a sleep may end, and the shortest that is worth it, ns.
const WAKE: i64 = 60_000;

/// Sockets that one wait tells of at most.
const AT_ONCE: usize = 1024;

const TIMER: u64 = u64::MAX;
const SIGNAL: u64 = u64::MAX - 1;

pub struct EventLoop<'a> {
    epoll: Epoll,
    timer: TimerFd,
    timer_at: i64,
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
    /// When the load point needs no more requests; absent: when all are sent.
    pub early_stop: Option<EarlyStop>,
    /// Answers that came compressed.
    pub compressed: u64,
    /// What went wrong beside requests.
    pub file_error: Option<io::Error>,
    /// How many requests were sent again after status 429, each time counted.
    pub retried: u64,
    /// Connections whose request is to be sent again, and when.
    refused: Vec<(i64, usize)>,
    /// What was irregular about answers that ended well.
    pub irregular: IrregularAnswers,
    /// Measured requests of this phase that have ended, and how many of them badly.
    ended: u32,
    failed: u32,
    /// Why the load is not worth going on with.
    hopeless: Option<String>,
    usage_seen: bool,
    lanes: VecDeque<usize>,
    open_loop: bool,
    idle: Vec<Vec<usize>>,
    in_flight: u32,
    issued: u32,
}

impl<'a> EventLoop<'a> {
    /// Makes a client.
    ///
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
        // these waits are short: they are to end when they should
        let _ = nix::sys::prctl::set_timerslack(1_000);
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK)?;
        epoll.add(&timer, EpollEvent::new(EpollFlags::EPOLLIN, TIMER))?;
        Ok(Self {
            epoll,
            timer,
            timer_at: 0,
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
            irregular: IrregularAnswers::default(),
            ended: 0,
            failed: 0,
            hopeless: None,
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
    pub fn end_with(&mut self, stop: &'a StopSignal) -> io::Result<()> {
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
    pub fn open(&mut self, count: u32) -> PhaseEnd {
        while self.connections.len() < count as usize {
            let target = self.connections.len() % self.targets.len();
            self.connections.push(ClientConnection::new(target));
        }
        let places: Vec<usize> = (0..count as usize).collect();
        let fresh = self.connections[..places.len()].iter().filter(|one| one.stage == ConnectionStage::Closed).count();
        let until = clock::now() + (10 * SECOND).min(self.limits.total);
        // a listening queue is short: not all at once
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

    /// A connection stands before the server has taken it up: until that is done, requests would wait for it.
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

    /// Carries out a phase.
    pub fn run(&mut self, plan: &PhasePlan<'_>) -> PhaseEnd {
        self.requests.begin_phase(plan.prompt(0), plan.count);
        let begin = clock::now();
        self.health.begin_phase();
        (self.issued, self.ended, self.failed) = (0, 0, 0);
        self.lanes.clear();
        self.open_loop = plan.load.is_open();
        self.idle.iter_mut().for_each(Vec::clear);
        self.coalescing.forget(begin);
        self.progress.begin_phase(plan, begin);
        let ending = match plan.load {
            Load::Closed { concurrency } => self.run_closed(plan, *concurrency, begin),
            Load::Rate { rate, process, burstiness, max_in_flight } => {
                let arrivals = Arrivals::new(*rate, *process, *burstiness, plan.seed);
                self.run_open(plan, arrivals, *max_in_flight, begin)
            }
            Load::Trace { max_in_flight, .. } => {
                let arrivals = Arrivals::listed(self.requests.arrivals().unwrap_or_default());
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

    /// One wait, at most until a time and never longer than a tick, and all that it brings. Gives an ending when the load
    /// must stop.
    fn turn(&mut self, until: i64) -> Option<PhaseEnd> {
        let until = self.refused.iter().fold(until, |until, (due, _)| until.min(*due));
        let mut now = clock::now();
        let pause = self.coalescing.length().min(until - now - WAKE);
        let rested = pause >= WAKE;
        if rested {
            std::thread::sleep(Duration::from_nanos(pause as u64));
            now = clock::now();
        }
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
        let mut found = std::mem::take(&mut self.found);
        let count = self.epoll.wait(&mut found, timeout).unwrap_or(0);
        let woken = self.clock.read();
        // what is ready now has been waiting since the loop last saw all that was ready, at most
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
            self.look_around(now);
            if self.limits.deadline.is_some_and(|deadline| now >= deadline) {
                ending = Some(PhaseEnd::Stopped("Its time was up before its end.".to_owned()));
            }
        }
        self.health.turn(clock::now() - woken);
        ending
    }
}
