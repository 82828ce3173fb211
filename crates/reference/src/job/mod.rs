//! One request from its receipt to the last byte of its answer.

mod plain;
mod stream;

use super::{
    ask::{Api, Ask},
    clock::{monotonic_ns, unix_ns},
    config::{HeadTime, RolePosition},
    events::{Chunks, UsageCounts},
    faults::Fault,
    metrics::RequestEnd,
    plan::{AnswerPlan, ContextExceeded},
    shared::EngineState,
    truth::{TruthEvent, TruthKind, TruthRecord},
    wire::{AnswerHead, Framer, Io, Sent, write_head},
};

/// No time at all: nothing is due.
pub const NEVER: u64 = u64::MAX;

/// Facts of a request that come from its connection.
#[derive(Debug)]
pub struct RequestOrigin {
    pub serial: u64,
    pub connection: u64,
    pub path: String,
    pub request_id: Option<String>,
    pub received_mono_ns: u64,
    pub received_unix_ns: u64,
    /// Close the connection after the answer; and say so in its head.
    pub close: bool,
    pub announce_close: bool,
    pub keep_alive: Option<(u64, u32)>,
    pub accepts_gzip: bool,
}

/// What is to be done with the connection after a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterTurn {
    /// Another turn at this monotonic time.
    Wake(u64),
    /// The answer is complete and the connection stays.
    Done,
    /// The connection is closed, in order or with a reset.
    Close,
    Reset,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum JobAction {
    Write,
    Hold,
    Nothing,
}

/// A request that is being answered.
pub struct Job {
    origin: RequestOrigin,
    ask: Ask,
    plan: AnswerPlan,
    fault: Option<Fault>,
    fault_struck: bool,
    id: String,
    created_s: u64,
    chunks: Chunks,
    framer: Framer,
    head_sent: bool,
    role_sent: bool,
    admitted_ns: u64,
    cached_tokens: u32,
    next_event: u32,
    due_ns: u64,
    ping_ns: u64,
    /// Events that wait to go out with a later one.
    held: Vec<u8>,
    held_events: u32,
    first_ns: u64,
    last_ns: u64,
    tokens_made: u32,
    ended: Option<AfterTurn>,
    /// The stream ended as it should.
    complete: bool,
    truth: Vec<TruthEvent>,
    /// Events from here on are not wholly written.
    unstamped: usize,
}

impl Job {
    pub fn new(shared: &EngineState, ask: Ask, fault: Option<Fault>, origin: RequestOrigin) -> Result<Self, ContextExceeded> {
        let config = &shared.config;
        let serial = origin.serial;
        let plan = AnswerPlan::new(config, &ask, serial, fault == Some(Fault::Empty))?;
        let prefix = if ask.api == Api::Chat { "chatcmpl" } else { "cmpl" };
        let id = format!("{prefix}-simulated-{serial:08x}");
        let created_s = origin.received_unix_ns / 1_000_000_000;
        let chunks = Chunks::new(ask.api, config.shape.dialect, &id, created_s, &config.model, ask.include_usage);
        let ping_ns = match config.shape.ping_every {
            Some(every) if ask.stream => origin.received_mono_ns + every.as_nanos() as u64,
            _ => NEVER,
        };
        let truth_capacity = if shared.truth.is_on() { plan.events as usize + 6 } else { 0 };
        Ok(Self {
            framer: Framer::new(config.wire.framing, config.wire.gzip && origin.accepts_gzip && ask.stream, config.seed, serial),
            origin,
            ask,
            plan,
            fault,
            fault_struck: false,
            id,
            created_s,
            chunks,
            head_sent: false,
            role_sent: false,
            admitted_ns: 0,
            cached_tokens: 0,
            next_event: 0,
            due_ns: NEVER,
            ping_ns,
            held: Vec::new(),
            held_events: 0,
            first_ns: 0,
            last_ns: 0,
            tokens_made: 0,
            ended: None,
            complete: false,
            truth: Vec::with_capacity(truth_capacity),
            unstamped: 0,
        })
    }

    pub fn received_ns(&self) -> u64 {
        self.origin.received_mono_ns
    }

    pub fn is_admitted(&self) -> bool {
        self.admitted_ns > 0
    }

    /// Whether this request is never to be answered.
    pub fn hangs(&self) -> bool {
        self.fault == Some(Fault::Hang)
    }

    /// Marks the fault as struck before any answer.
    pub fn strike_at_once(&mut self) {
        self.fault_struck = true;
        self.ended = Some(AfterTurn::Close);
    }

    /// Writes what comes before any token.
    pub fn begin(&mut self, io: &mut Io, shared: &mut EngineState) {
        if !self.ask.stream || self.hangs() {
            return;
        }
        let early_role = shared.config.shape.role == RolePosition::Early && self.ask.api == Api::Chat;
        if shared.config.shape.head == HeadTime::WithFirst && !early_role {
            return;
        }
        let mut out = std::mem::take(&mut shared.out);
        out.clear();
        let now = self.origin.received_mono_ns;
        self.stream_head(shared, now, &mut out);
        if early_role {
            self.role(shared, now, &mut out);
        }
        self.write(io, &out);
        shared.out = out;
    }

    /// Leaves the queue at `now` and starts to produce.
    pub fn admit(&mut self, shared: &mut EngineState, now: u64) {
        let blocks = std::mem::take(&mut self.ask.prefix);
        self.cached_tokens = (shared.prefixes.look_up(&blocks) * 16).min(self.ask.prompt_tokens.saturating_sub(1));
        self.admitted_ns = now;
        let metrics = &mut shared.metrics;
        metrics.running += 1;
        metrics.prompt_tokens += u64::from(self.ask.prompt_tokens);
        metrics.cached_tokens += u64::from(self.cached_tokens);
        metrics.kv_tokens += u64::from(self.ask.prompt_tokens);
        metrics.queue.observe_ns(now.saturating_sub(self.origin.received_mono_ns));
        let config = &shared.config;
        let (seed, serial, running) = (config.seed, self.origin.serial, shared.metrics.running);
        let prompt = self.ask.prompt_tokens - self.cached_tokens;
        let mut wait = config.timing.first_ns(seed, serial, prompt, running);
        if self.plan.hidden > 0 {
            wait += config.timing.gap_ns(seed, serial, u32::MAX, self.plan.hidden, running);
            self.count_tokens(shared, self.plan.hidden);
        }
        self.due_ns = shared.config.timing.on_grid(now + wait);
    }

    /// Does what is due.
    pub fn turn(&mut self, io: &mut Io, shared: &mut EngineState) -> AfterTurn {
        if self.ended.is_none() && !io.is_blocked() {
            let now = monotonic_ns();
            if self.ping_ns <= now {
                self.ping(io, shared);
            }
            if self.due_ns <= now && !io.is_blocked() && self.ended.is_none() {
                self.produce(io, shared, now);
            }
        }
        match self.ended {
            Some(end) if !io.is_blocked() || end == AfterTurn::Reset => end,
            _ if io.is_blocked() => AfterTurn::Wake(NEVER),
            _ => AfterTurn::Wake(self.due_ns.min(self.ping_ns)),
        }
    }

    /// Goes on with bytes that the socket did not take before.
    pub fn flush(&mut self, io: &mut Io) {
        let unstamped = &mut self.truth[self.unstamped..];
        match io.flush(|| stamp(unstamped)) {
            Sent::All => self.unstamped = self.truth.len(),
            Sent::Blocked => {}
            Sent::Gone => {
                self.complete = false;
                self.ended = Some(AfterTurn::Close);
            }
        }
    }

    /// Takes the request out of the counters and gives its record, however it ended.
    pub fn release(self, shared: &mut EngineState) {
        let ending = match (self.complete, self.ended) {
            (true, _) if self.plan.finish == "length" => RequestEnd::Length,
            (true, _) => RequestEnd::Stop,
            (false, Some(_)) if self.fault_struck => RequestEnd::Error,
            (false, _) => RequestEnd::Abort,
        };
        let metrics = &mut shared.metrics;
        metrics.ended(ending);
        if self.is_admitted() {
            metrics.running -= 1;
            metrics.kv_tokens -= u64::from(self.ask.prompt_tokens) + u64::from(self.tokens_made);
        }
        if self.complete && self.last_ns > 0 {
            metrics.e2e.observe_ns(self.last_ns.saturating_sub(self.origin.received_mono_ns));
            metrics.prompt_length.observe(f64::from(self.ask.prompt_tokens));
            metrics.generation_length.observe(f64::from(self.tokens_made));
            if self.tokens_made > 1 {
                metrics.tpot.observe_ns((self.last_ns - self.first_ns) / u64::from(self.tokens_made - 1));
            }
        }
        let busy = metrics.running > 0;
        if shared.truth.is_on() {
            let record = TruthRecord {
                request_id: self.origin.request_id,
                serial: self.origin.serial,
                connection: self.origin.connection,
                path: self.origin.path,
                received_mono_ns: self.origin.received_mono_ns,
                received_unix_ns: self.origin.received_unix_ns,
                admitted_mono_ns: self.admitted_ns,
                prompt_tokens: self.ask.prompt_tokens,
                cached_tokens: self.cached_tokens,
                output_tokens: self.tokens_made,
                ending: match ending {
                    RequestEnd::Stop => "stop",
                    RequestEnd::Length => "length",
                    RequestEnd::Abort => "abort",
                    RequestEnd::Error => "error",
                },
                fault: self.fault.map(|fault| fault.to_string()),
                events: self.truth,
            };
            shared.truth.take(record, busy);
        }
    }

    fn produce(&mut self, io: &mut Io, shared: &mut EngineState, now: u64) {
        let mut out = std::mem::take(&mut shared.out);
        out.clear();
        out.append(&mut self.held);
        let step = loop {
            let step =
                if self.ask.stream { self.stream_step(shared, now, &mut out) } else { self.plain_step(shared, now, &mut out) };
            if step != JobAction::Hold || self.due_ns > now {
                break step;
            }
        };
        match step {
            JobAction::Write => {
                self.held_events = 0;
                self.write(io, &out);
            }
            JobAction::Hold => self.held.extend_from_slice(&out),
            JobAction::Nothing => {}
        }
        shared.out = out;
    }

    /// The middle fault that is due before this event, once.
    fn strikes(&mut self, event: u32) -> Option<Fault> {
        let fault = self.fault.filter(|fault| fault.is_in_the_middle() && !self.fault_struck)?;
        if event != self.plan.events / 2 {
            return None;
        }
        self.fault_struck = true;
        Some(fault)
    }

    fn last_turn(&self) -> AfterTurn {
        if self.origin.close { AfterTurn::Close } else { AfterTurn::Done }
    }

    fn note(&mut self, shared: &EngineState, kind: TruthKind, due: u64) {
        if shared.truth.is_on() {
            self.truth.push(TruthEvent { kind, tokens: 0, due_mono_ns: due, mono_ns: 0, unix_ns: 0 });
        }
    }

    fn head(&self, status: u16, content_type: &str, length: Option<usize>, chunked: bool, out: &mut Vec<u8>) {
        let head = AnswerHead {
            status,
            content_type,
            length,
            chunked,
            gzip: self.framer.is_gzip(),
            close: self.origin.announce_close || (length.is_none() && !chunked),
            retry_after_s: None,
            request_id: self.origin.request_id.as_deref(),
            keep_alive: self.origin.keep_alive,
        };
        write_head(&head, out);
    }

    /// The usage so far, with `coming` tokens that are just being written.
    fn usage(&self, shared: &EngineState, coming: u32) -> UsageCounts {
        let ms = |from: u64, to: u64| to.saturating_sub(from) as f64 / 1e6;
        let first = if self.first_ns > 0 { self.first_ns } else { self.due_ns };
        UsageCounts {
            prompt: self.ask.prompt_tokens,
            cached: self.cached_tokens,
            completion: self.tokens_made + coming,
            reasoning: (self.plan.hidden + self.plan.reasoning).min(self.tokens_made + coming),
            prompt_ms: ms(self.admitted_ns, first),
            predicted_ms: ms(first, self.last_ns).min(ms(shared.started_mono_ns, self.due_ns)),
        }
    }

    /// Counts the tokens of an event that was just made at `now`.
    fn made(&mut self, shared: &mut EngineState, now: u64, tokens: u32) {
        if self.first_ns == 0 {
            self.first_ns = now;
            shared.metrics.ttft.observe_ns(now.saturating_sub(self.origin.received_mono_ns));
        } else {
            shared.metrics.itl.observe_ns(now.saturating_sub(self.last_ns));
        }
        self.last_ns = now;
        self.count_tokens(shared, tokens);
    }

    fn count_tokens(&mut self, shared: &mut EngineState, tokens: u32) {
        self.tokens_made += tokens;
        shared.metrics.generation_tokens += u64::from(tokens);
        shared.metrics.kv_tokens += u64::from(tokens);
    }

    fn plan_next(&mut self, shared: &EngineState) {
        self.next_event += 1;
        self.due_ns = self.due_after(shared, self.plan.len(self.next_event));
    }

    fn due_after(&self, shared: &EngineState, tokens: u32) -> u64 {
        let config = &shared.config;
        let gap = config.timing.gap_ns(config.seed, self.origin.serial, self.next_event, tokens, shared.metrics.running);
        config.timing.on_grid(self.due_ns + gap)
    }

    fn write(&mut self, io: &mut Io, out: &[u8]) {
        let unstamped = &mut self.truth[self.unstamped..];
        match io.send(out, || stamp(unstamped)) {
            Sent::All => self.unstamped = self.truth.len(),
            Sent::Blocked => {}
            Sent::Gone => {
                self.complete = false;
                self.ended = Some(AfterTurn::Close);
            }
        }
    }
}

/// Stamps events with the present; called immediately before a `write`. Without a truth log there are no events here.
fn stamp(events: &mut [TruthEvent]) {
    if events.is_empty() {
        return;
    }
    let (mono_ns, unix_ns) = (monotonic_ns(), unix_ns());
    for event in events {
        event.mono_ns = mono_ns;
        event.unix_ns = unix_ns;
    }
}
