//! Which request is sent when, and on which connection.

use super::{EventLoop, SECOND};
use crate::client::clock;
use crate::client::connection::{ClientConnection, ConnectionStage};
use crate::client::exchange::Exchange;
use crate::client::phase::{PhaseEnd, PhasePlan};
use crate::workload::PromptId;
use dyno_measure::arrivals::Arrivals;
use dyno_measure::early_stop::EarlyStop;
use dyno_measure::records::Row;
use dyno_measure::report::{ErrorClass, Phase};

/// Requests of each load point whose text is kept though the engine counts, to compare the counts.
const COMPARED: u32 = 32;

/// For how long a server's connections must fail before it is taken to be gone, ns.
const GONE_AFTER: i64 = 6 * SECOND;

/// Pauses before a server that can't be reached is asked again, ns.
pub(super) const FIRST_PAUSE: i64 = 100_000_000;
const LONGEST_PAUSE: i64 = SECOND;

impl EventLoop<'_> {
    pub(super) fn run_closed(&mut self, plan: &PhasePlan<'_>, concurrency: u32, begin: i64) -> PhaseEnd {
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
            let may_issue = |driver: &Self| {
                clock::now() < until && plan.count.is_none_or(|count| driver.issued < count) && !driver.is_decided()
            };
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
                return PhaseEnd::Done;
            }
            if let Some(words) = self.gone() {
                return PhaseEnd::Gone(words);
            }
            let mut wake = if started < lanes { start_of(started) } else { i64::MAX };
            // a request that failed at once has left its lane free
            if !over && self.lanes.iter().any(|lane| self.may_ask_now(self.connections[*lane].target)) {
                wake = now;
            }
            if let Some(ending) = self.turn(wake) {
                return ending;
            }
        }
    }

    pub(super) fn run_open(&mut self, plan: &PhasePlan<'_>, mut arrivals: Arrivals, cap: u32, begin: i64) -> PhaseEnd {
        for (place, connection) in self.connections.iter().enumerate() {
            if connection.stage == ConnectionStage::Idle {
                self.idle[connection.target].push(place);
            }
        }
        // a little ahead, so that the first send is not late
        let begin = begin + 5_000_000;
        loop {
            loop {
                let planned = arrivals.peek();
                if self.is_over(plan, planned) {
                    if self.in_flight == 0 {
                        return PhaseEnd::Done;
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
                return PhaseEnd::Gone(words);
            }
            let over = self.is_over(plan, arrivals.peek());
            let wake = if over { i64::MAX } else { begin + arrivals.peek() };
            if let Some(ending) = self.turn(wake) {
                return ending;
            }
        }
    }

    /// Whether an open loop sends no more: by number, by time, since no arrival is left, or since the load point is decided.
    fn is_over(&self, plan: &PhasePlan<'_>, planned: i64) -> bool {
        self.is_decided()
            || planned == i64::MAX
            || plan.count.is_some_and(|count| self.issued >= count)
            || plan.duration.is_some_and(|duration| planned >= duration)
    }

    /// Whether the load point is decided.
    fn is_decided(&self) -> bool {
        self.early_stop.as_ref().is_some_and(EarlyStop::is_over)
    }

    /// An arrival of an open loop: on an idle connection, on a new one, or dropped.
    pub(super) fn arrive(&mut self, plan: &PhasePlan<'_>, scheduled: i64, cap: u32) {
        let target = self.issued as usize % self.targets.len();
        if self.in_flight >= cap {
            let mut row = self.new_row(plan, target, plan.prompt(self.issued));
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
            ..Row::new(plan.load_point, plan.phase, self.issued, self.targets[target].node)
        }
    }

    /// Gives a connection its next request; it is sent now, or as soon as the connection stands.
    pub(super) fn issue(&mut self, place: usize, plan: &PhasePlan<'_>, scheduled: Option<i64>) {
        let prompt = self.requests.next_prompt(place, plan.prompt(self.issued));
        let mut row = self.new_row(plan, self.connections[place].target, prompt);
        row.scheduled = scheduled;
        let counts = self.usage_seen && self.irregular.doubted == 0;
        let keeps_text = self.wants_texts && (!counts || plan.phase == Phase::Measured && self.issued < COMPARED);
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

    /// A server that can't be reached is asked by one request at a time, after pauses that grow.
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

    /// Whether a server is gone for good.
    pub(super) fn gone(&self) -> Option<String> {
        if self.hopeless.is_some() {
            return self.hopeless.clone();
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
