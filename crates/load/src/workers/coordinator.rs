//! Leads the workers through the phases of a load, as if they were one event loop.

use std::collections::HashSet;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::WorkersError;
use super::clocks::WorkerClock;
use super::link::{Incoming, Link};
use super::protocol::{PhaseOrder, WorkerCommand, WorkerFacts, WorkerMessage, WorkerResult};
use super::records::MergedRecords;
use crate::client::clock;
use crate::client::phase::{PhaseEnd, PhasePlan};
use crate::client::stop::StopSignal;
use crate::event_sink::EventSink;
use crate::phase_driver::{PhaseDriver, PromptSupply};
use crate::progress::Progressing;
use dyno_measure::clock_offset::{ClockExchange, ClockOffset};
use dyno_measure::early_stop::{EarlyStop, ErrorLimit};
use dyno_measure::events::{LoadEventKind, Progress};
use dyno_measure::plan::{Part, Shard};
use dyno_measure::records::{Records, Row};

const SECOND: i64 = 1_000_000_000;
/// How long before it a phase is ordered, ns: workers have written their first prompts by then.
const LEAD: i64 = 300_000_000;
/// Exchanges by which two clocks are compared; the quickest counts.
const EXCHANGES: usize = 16;
/// Interval at which stop requests are checked.
const TICK: Duration = Duration::from_millis(50);
/// A worker that was asked to stop has done so after this, ns.
const STOPPING: i64 = 15 * SECOND;
/// Longest time for an answer of a worker that has nothing else to do, ns.
const ANSWER: i64 = 10 * SECOND;
/// Longest time for what a worker does after the load (it may count tokens for a minute), ns.
const FINISHING: i64 = 90 * SECOND;

pub(super) struct Worker {
    /// For people; it begins a sentence.
    pub name: String,
    pub part: Part,
    pub link: Link,
    pub clock: WorkerClock,
    pub facts: Option<WorkerFacts>,
    pub result: Option<WorkerResult>,
    /// Most that it began a phase late, ns.
    pub late: i64,
    progress: Progress,
    supply: PromptSupply,
    /// Of the phase or opening that goes on.
    ended: Option<PhaseEnd>,
    /// One past the highest number of its requests in the latest phase.
    used: u32,
    shard: Shard,
    /// When it answered last to a question for its time: received, answered, returned.
    clock_answer: Option<(i64, i64, i64)>,
    is_closed: bool,
    refused: Option<String>,
}

impl Worker {
    pub(super) fn new(name: String, part: Part, link: Link) -> Self {
        Self {
            name,
            part,
            link,
            clock: WorkerClock::default(),
            facts: None,
            result: None,
            late: 0,
            progress: Progress::default(),
            supply: PromptSupply::Endless,
            ended: None,
            used: 0,
            shard: Shard::open(part),
            clock_answer: None,
            is_closed: false,
            refused: None,
        }
    }
}

pub(super) struct Coordinator<'a> {
    pub workers: Vec<Worker>,
    pub merged: MergedRecords,
    incoming: Receiver<(usize, Incoming)>,
    progress: Progressing,
    emit: &'a EventSink,
    stop: &'a StopSignal,
    /// When the load ends at the latest, monotonic ns.
    deadline: Option<i64>,
    max_error_rate: Option<f64>,
    /// The coordinator's Unix times less its monotonic clock, ns.
    unix_offset: i64,
    early_stop: Option<EarlyStop>,
    errors: Option<ErrorLimit>,
    /// Number of the phase, from 1; and whether its verdict was told.
    phase: u64,
    is_decision_told: bool,
    /// Why the load ends before its time.
    cause: Option<PhaseEnd>,
    said: HashSet<String>,
}

/// What a coordinator works with beside its workers.
pub(super) struct CoordinatorSetting<'a> {
    pub emit: &'a EventSink,
    pub stop: &'a StopSignal,
    pub deadline: Option<i64>,
    pub max_error_rate: Option<f64>,
    pub unix_offset: i64,
}

impl<'a> Coordinator<'a> {
    pub(super) fn new(
        workers: Vec<Worker>,
        incoming: Receiver<(usize, Incoming)>,
        merged: MergedRecords,
        progress: Progressing,
        setting: &CoordinatorSetting<'a>,
    ) -> Self {
        let CoordinatorSetting { emit, stop, deadline, max_error_rate, unix_offset } = *setting;
        Self {
            workers,
            merged,
            incoming,
            progress,
            emit,
            stop,
            deadline,
            max_error_rate,
            unix_offset,
            early_stop: None,
            errors: None,
            phase: 0,
            is_decision_told: false,
            cause: None,
            said: HashSet::new(),
        }
    }

    /// Waits until all workers are ready.
    pub(super) fn wait_until_ready(&mut self, most: i64) -> Result<(), WorkersError> {
        let until = clock::now() + most;
        while let Some(place) = self.workers.iter().position(|worker| worker.facts.is_none()) {
            self.receive(TICK);
            if let Some(worker) = self.workers.iter().find(|worker| worker.refused.is_some() || worker.is_closed) {
                let name = worker.name.clone();
                return Err(match worker.refused.clone() {
                    Some(reason) => WorkersError::Refused { name, reason },
                    None => WorkersError::Lost { name },
                });
            }
            if self.stop.is_wished() {
                return Err(WorkersError::Stopped);
            }
            if clock::now() > until {
                return Err(WorkersError::NotReady { name: self.workers[place].name.clone() });
            }
        }
        Ok(())
    }

    /// Collects the workers' last messages, then ends them.
    pub(super) fn finish(&mut self) {
        // How far the clocks moved during the last phase is not known before.
        self.compare_clocks();
        self.say(&WorkerCommand::Finish);
        let until = clock::now() + FINISHING;
        while clock::now() < until && self.workers.iter().any(|worker| !worker.is_closed) {
            self.receive(TICK);
        }
    }

    pub(super) fn facts(&self) -> impl Iterator<Item = &WorkerFacts> {
        self.workers.iter().filter_map(|worker| worker.facts.as_ref())
    }

    fn say(&mut self, command: &WorkerCommand) {
        for worker in self.workers.iter_mut().filter(|worker| !worker.is_closed) {
            worker.link.say(command);
        }
    }

    /// Compares the clocks. Between phases, while nothing else is to be done.
    fn compare_clocks(&mut self) {
        for place in 0..self.workers.len() {
            let mut exchanges = Vec::new();
            while exchanges.len() < EXCHANGES && !self.workers[place].is_closed {
                let worker = &mut self.workers[place];
                worker.clock_answer = None;
                let asked = clock::now();
                worker.link.say(&WorkerCommand::Clock);
                while self.workers[place].clock_answer.is_none()
                    && !self.workers[place].is_closed
                    && clock::now() - asked < ANSWER
                {
                    self.receive(TICK);
                }
                let Some((received, answered, returned)) = self.workers[place].clock_answer else { break };
                exchanges.push(ClockExchange { asked, received, answered, returned });
            }
            if let Some(offset) = ClockOffset::best(exchanges) {
                self.workers[place].clock.set(offset);
            }
        }
    }

    /// Waits until every worker has carried out its message, or the load is to end.
    fn wait_for_all(&mut self) -> PhaseEnd {
        let mut stopping_since = None;
        while self.workers.iter().any(|worker| !worker.is_closed && worker.ended.is_none()) {
            self.receive(TICK);
            let now = clock::now();
            self.look_for_an_end(now);
            if self.cause.is_some() && stopping_since.is_none() {
                stopping_since = Some(now);
                if let Some(PhaseEnd::Stopped(reason) | PhaseEnd::Gone(reason)) = self.cause.clone() {
                    self.say(&WorkerCommand::Stop { reason });
                }
            }
            if stopping_since.is_some_and(|since| now - since > STOPPING) {
                // It is waited for no longer, now or at the end.
                self.workers.iter_mut().filter(|worker| worker.ended.is_none()).for_each(|worker| worker.is_closed = true);
            }
            self.tell(now, false);
        }
        self.look_for_an_end(clock::now());
        self.cause.clone().unwrap_or(PhaseEnd::Done)
    }

    /// Takes up what ends the load, or only the phase, before its time.
    fn look_for_an_end(&mut self, now: i64) {
        if self.early_stop.as_ref().is_some_and(EarlyStop::is_over) && !self.is_decision_told {
            self.is_decision_told = true;
            self.say(&WorkerCommand::Decide { phase: self.phase });
        }
        if self.cause.is_some() {
            return;
        }
        let reported = self.workers.iter().find_map(|worker| match worker.ended.as_ref()? {
            PhaseEnd::Done => None,
            // It was not asked to by the load: somebody ended it there.
            PhaseEnd::Stopped(reason) => Some(PhaseEnd::Stopped(format!("{}: {reason}", worker.name))),
            gone @ PhaseEnd::Gone(_) => Some(gone.clone()),
        });
        self.cause = if self.stop.is_wished() {
            Some(PhaseEnd::Stopped("Stopped before its end.".to_owned()))
        } else if self.deadline.is_some_and(|deadline| now >= deadline) {
            Some(PhaseEnd::Stopped("Its time was up before its end.".to_owned()))
        } else if let Some(reason) = self.errors.as_ref().and_then(ErrorLimit::exceeded) {
            Some(PhaseEnd::Gone(reason))
        } else if let Some(reported) = reported {
            Some(reported)
        } else {
            self.workers.iter_mut().find(|worker| worker.is_closed).map(|worker| {
                let why = match (&worker.refused, worker.link.exit()) {
                    (Some(reason), _) => format!(": {reason}"),
                    (None, Some(exit)) => format!(" ({exit})."),
                    (None, None) => ", or the way to it.".to_owned(),
                };
                PhaseEnd::Gone(format!("{} was lost before the load's end{why}", worker.name))
            })
        };
    }

    fn tell(&mut self, now: i64, at_once: bool) {
        let workers: Vec<Progress> = self.workers.iter().map(|worker| worker.progress.clone()).collect();
        if at_once {
            self.progress.emit_merged(now, &workers);
        } else if !self.progress.emit_merged_if_due(now, &workers) {
            return;
        }
        self.merged.flush();
    }

    /// Takes what comes next, if anything does in that time.
    fn receive(&mut self, wait: Duration) {
        match self.incoming.recv_timeout(wait) {
            Ok((place, incoming)) => self.take(place, incoming),
            Err(RecvTimeoutError::Timeout) => {}
            // All workers have closed their connection; each has sent its reason.
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(wait),
        }
    }

    fn take(&mut self, place: usize, incoming: Incoming) {
        let worker = &mut self.workers[place];
        match incoming {
            Incoming::Closed => worker.is_closed = true,
            Incoming::Records(portion) => {
                let (progress, early_stop, errors) = (&mut self.progress, &mut self.early_stop, &mut self.errors);
                self.merged.take(place, &worker.clock, &portion, |row: &Row| {
                    // what a worker has counted anew after the load was told before
                    if worker.ended.is_some() {
                        return;
                    }
                    progress.ended(row);
                    if let Some(early_stop) = early_stop {
                        early_stop.count(row);
                    }
                    if let Some(errors) = errors {
                        errors.count(row);
                    }
                });
            }
            Incoming::Message(message, at) => self.understand(place, message, at),
        }
    }

    fn understand(&mut self, place: usize, message: WorkerMessage, at: i64) {
        let worker = &mut self.workers[place];
        match message {
            WorkerMessage::Event { kind: LoadEventKind::Progress(progress) } => worker.progress = *progress,
            WorkerMessage::Event { kind: kind @ LoadEventKind::Prepared { .. } } if place == 0 => (self.emit)(kind),
            WorkerMessage::Event { kind: LoadEventKind::Log { level, line } } => {
                if self.said.insert(line.clone()) {
                    (self.emit)(LoadEventKind::Log { level, line });
                }
            }
            WorkerMessage::Event { .. } | WorkerMessage::Records { .. } => {}
            WorkerMessage::Ready(facts) => {
                worker.clock.set_unix(facts.unix_offset, self.unix_offset);
                worker.supply = facts.supply;
                worker.facts = Some(facts);
            }
            WorkerMessage::Clock { received, answered } => worker.clock_answer = Some((received, answered, at)),
            WorkerMessage::Opened { ending } => worker.ended = Some(ending),
            WorkerMessage::Ended(result) => {
                worker.used = result.issued.checked_sub(1).map_or(0, |last| worker.shard.number(last) + 1);
                worker.supply = result.supply;
                worker.late = worker.late.max(result.late);
                worker.progress.in_flight = 0;
                worker.progress.mean_in_flight = None;
                worker.progress.output_tokens_per_s = None;
                worker.ended = Some(result.ending);
            }
            WorkerMessage::Finished(result) => worker.result = Some(*result),
            WorkerMessage::Refused { reason } => worker.refused = Some(reason),
        }
    }
}

impl PhaseDriver for Coordinator<'_> {
    fn open(&mut self, connections: u32) -> PhaseEnd {
        self.workers.iter_mut().for_each(|worker| worker.ended = None);
        self.say(&WorkerCommand::Open { connections });
        self.wait_for_all()
    }

    fn run(&mut self, phase: &PhasePlan<'_>) -> PhaseEnd {
        self.compare_clocks();
        self.phase += 1;
        self.is_decision_told = false;
        self.errors = self.max_error_rate.map(ErrorLimit::new);
        let begin = clock::now() + LEAD;
        self.progress.begin_phase(phase, begin);
        for worker in &mut self.workers {
            worker.ended = None;
            worker.used = 0;
            worker.shard = PhasePlan { part: worker.part, ..phase.clone() }.shard();
            worker.progress = Progress::default();
            worker.clock.begin_phase(phase.load_point, phase.phase);
            let order = PhaseOrder {
                number: self.phase,
                load_point: phase.load_point,
                phase: phase.phase,
                load: phase.load.clone(),
                count: phase.count,
                duration_ns: phase.duration,
                ramp_ns: phase.ramp,
                seed: phase.seed,
                first_prompt: phase.first_prompt,
                begin: worker.clock.to_worker(begin),
            };
            worker.link.say(&WorkerCommand::Run(order));
        }
        let ending = self.wait_for_all();
        self.tell(clock::now(), true);
        ending
    }

    /// Numbers are dealt out, so that the highest that was used counts.
    fn used(&self) -> u32 {
        self.workers.iter().map(|worker| worker.used).max().unwrap_or(0)
    }

    fn planned(&mut self, count: Option<u32>) -> Option<u32> {
        match self.facts().find_map(|facts| facts.trace) {
            Some(trace) => Some(trace.min(count.unwrap_or(u32::MAX))),
            None => count,
        }
    }

    fn records(&self) -> &Records {
        &self.merged.records
    }

    fn progress(&mut self) -> &mut Progressing {
        &mut self.progress
    }

    fn set_early_stop(&mut self, early_stop: Option<EarlyStop>) {
        self.early_stop = early_stop;
    }

    fn is_decided(&self) -> bool {
        self.early_stop.as_ref().is_some_and(EarlyStop::is_over)
    }

    fn supply(&mut self) -> PromptSupply {
        let together = |one: PromptSupply, other: PromptSupply| match (one, other) {
            (PromptSupply::Conversations { begun, all }, PromptSupply::Conversations { begun: more, .. }) => {
                PromptSupply::Conversations { begun: begun + more, all }
            }
            (one, _) => one,
        };
        self.workers.iter().map(|worker| worker.supply).reduce(together).unwrap_or(PromptSupply::Endless)
    }

    fn shift_prompts(&mut self, tokens: i64) -> bool {
        let can = self.supply() == PromptSupply::Endless;
        if can {
            self.say(&WorkerCommand::ShiftPrompts { tokens });
        }
        can
    }

    fn file_failed(&mut self, error: io::Error) {
        self.merged.error.get_or_insert(error);
    }
}
