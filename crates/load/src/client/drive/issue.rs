//! Which request is sent when, and on which connection.

use super::{EventLoop, SECOND};
use crate::client::clock;
use crate::client::connection::{ClientConnection, ConnectionStage};
use crate::client::exchange::Exchange;
use crate::client::phase::{PhaseEnd, PhasePlan};
use crate::workload::PromptId;
use dyno_measure::arrivals::PartArrivals;
use dyno_measure::early_stop::{EarlyStop, ErrorLimit};
use dyno_measure::plan::stream_start;
use dyno_measure::records::Row;
use dyno_measure::report::{ErrorClass, Phase};

/// Requests of each load point whose text is tokenized even though the engine reports counts, to compare the two.
const COMPARED: u32 = 32;

/// A server whose connections have failed for so long is taken to be gone, ns.
const GONE_AFTER: i64 = 6 * SECOND;

/// Pauses between connection attempts to a server that can't be reached, ns.
pub(super) const FIRST_PAUSE: i64 = 100_000_000;
const LONGEST_PAUSE: i64 = SECOND;

impl EventLoop<'_> {
    pub(super) fn run_closed(&mut self, plan: &PhasePlan<'_>, concurrency: u32, begin: i64) -> PhaseEnd {
        let lanes = plan.part.share(concurrency.min(plan.count.unwrap_or(u32::MAX))) as usize;
        let count = plan.count.map(|count| plan.shard().share(count));
        let mut started = 0;
        let start_of = |lane: usize| begin + stream_start(plan.ramp, plan.part.number(lane as u32), concurrency);
        let until = plan.duration.map_or(i64::MAX, |duration| begin + duration);
        loop {
            let now = clock::now();
            while started < lanes && start_of(started) <= now {
                self.lanes.push_back(started);
                started += 1;
            }
            let may_issue =
                |driver: &Self| clock::now() < until && count.is_none_or(|count| driver.issued < count) && !driver.is_decided();
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
            // a part without streams has nothing to do
            let over = lanes == 0 || !may_issue(self);
            if over && self.in_flight == 0 {
                return PhaseEnd::Done;
            }
            if let Some(words) = self.gone() {
                return PhaseEnd::Gone(words);
            }
            let mut wake = if started < lanes { start_of(started) } else { i64::MAX };
            // a request that failed at once has freed its lane again
            if !over && self.lanes.iter().any(|lane| self.may_ask_now(self.connections[*lane].target)) {
                wake = now;
            }
            if let Some(ending) = self.turn(wake) {
                return ending;
            }
        }
    }

    pub(super) fn run_open(&mut self, plan: &PhasePlan<'_>, mut arrivals: PartArrivals, cap: u32, begin: i64) -> PhaseEnd {
        for (place, connection) in self.connections.iter().enumerate() {
            if connection.stage == ConnectionStage::Idle {
                self.idle[connection.target].push(place);
            }
        }
        let cap = plan.part.share(cap);
        // the schedule starts 5 ms from now, so that the first send is not late
        let begin = begin + 5_000_000;
        loop {
            loop {
                if self.is_over(plan, &arrivals) {
                    if self.in_flight == 0 {
                        return PhaseEnd::Done;
                    }
                    break;
                }
                let planned = arrivals.peek();
                if begin + planned > clock::now() {
                    break;
                }
                self.arrive(plan, begin + planned, cap);
                arrivals.advance();
            }
            if let Some(words) = self.gone() {
                return PhaseEnd::Gone(words);
            }
            let over = self.is_over(plan, &arrivals);
            let wake = if over { i64::MAX } else { begin + arrivals.peek() };
            if let Some(ending) = self.turn(wake) {
                return ending;
            }
        }
    }

    /// Whether an open loop sends no further request: the number or the duration is reached, no arrival is left, or the early
    /// stop has decided the load point.
    fn is_over(&self, plan: &PhasePlan<'_>, arrivals: &PartArrivals) -> bool {
        self.is_decided()
            || arrivals.peek() == i64::MAX
            || plan.count.is_some_and(|count| arrivals.number() >= count)
            || plan.duration.is_some_and(|duration| arrivals.peek() >= duration)
    }

    /// Whether the early stop has decided the load point.
    fn is_decided(&self) -> bool {
        self.early_stop.as_ref().is_some_and(EarlyStop::is_over) || self.wishes.as_ref().is_some_and(|wishes| wishes.is_decided())
    }

    /// An arrival of an open loop: takes an idle connection, else opens one, or counts as dropped when `cap` requests are in
    /// flight.
    pub(super) fn arrive(&mut self, plan: &PhasePlan<'_>, scheduled: i64, cap: u32) {
        let number = plan.shard().number(self.issued);
        let target = number as usize % self.targets.len();
        if self.in_flight >= cap {
            let mut row = self.new_row(plan, target, plan.prompt(number));
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
            if self.connections[place].stage == ConnectionStage::Idle {
                break Some(place);
            }
        };
        let free = place.or_else(|| {
            self.connections
                .iter()
                .position(|one| one.target == target && one.stage == ConnectionStage::Closed && one.exchange.is_none())
        });
        let place = free.unwrap_or_else(|| {
            self.connections.push(ClientConnection::new(target));
            self.connections.len() - 1
        });
        self.issue(place, plan, Some(scheduled));
    }

    pub(super) fn new_row(&self, plan: &PhasePlan<'_>, target: usize, prompt: PromptId) -> Row {
        let (input, output) = self.requests.lengths(prompt);
        Row {
            requested_input: input,
            requested_output: output,
            ..Row::new(plan.load_point, plan.phase, plan.shard().number(self.issued), self.targets[target].node)
        }
    }

    /// Gives a connection its next request, which is sent now or as soon as the connection is open.
    pub(super) fn issue(&mut self, place: usize, plan: &PhasePlan<'_>, scheduled: Option<i64>) {
        let number = plan.shard().number(self.issued);
        let prompt = self.requests.next_prompt(place, plan.prompt(number));
        let mut row = self.new_row(plan, self.connections[place].target, prompt);
        row.scheduled = scheduled;
        let counts = self.usage_seen && self.irregular.doubted == 0;
        let keeps_text = self.wants_texts && (!counts || plan.phase == Phase::Measured && number < COMPARED);
        self.issued += 1;
        self.in_flight += 1;
        self.progress.issued();
        self.progress.in_flight_is(self.in_flight, clock::now());
        let exchange = Exchange { keeps_answer: self.requests.needs_answers(), ..Exchange::new(row, prompt, keeps_text) };
        self.connections[place].exchange = Some(exchange);
        match self.connections[place].stage {
            ConnectionStage::Idle => self.send(place),
            ConnectionStage::Closed => self.connect(place),
            ConnectionStage::Connecting | ConnectionStage::Busy => {}
        }
    }

    /// Whether a request may go to this server now. While its connections fail, one attempt at a time is made, after pauses
    /// that double up to a second.
    pub(super) fn may_ask(&mut self, target: usize) -> bool {
        let allowed = self.may_ask_now(target);
        let target = &mut self.targets[target];
        if allowed && target.failures > 0 {
            target.pause = (target.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
            target.next_probe = clock::now() + target.pause;
        }
        allowed
    }

    pub(super) fn may_ask_now(&self, target: usize) -> bool {
        let target = &self.targets[target];
        target.failures == 0 || clock::now() >= target.next_probe
    }

    /// Why the load must end: too many errors, or a server that has been unreachable for [`GONE_AFTER`].
    pub(super) fn gone(&self) -> Option<String> {
        if let Some(reason) = self.errors.as_ref().and_then(ErrorLimit::exceeded) {
            return Some(reason);
        }
        let now = clock::now();
        let gone = self.targets.iter().find(|target| target.failures >= 3 && now - target.failing_since > GONE_AFTER)?;
        let node = self.records.nodes.get(usize::from(gone.node)).map_or("", String::as_str);
        Some(if gone.answered {
            format!("The server of {node} stopped answering: connections fail.")
        } else {
            format!("The server of {node} can't be reached.")
        })
    }
}
