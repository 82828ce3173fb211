//! One replica, step by step: continuous batching with chunked prefill and paged KV cache, as vLLM schedules. Stretches in which
//! nothing but decoding happens are summed in closed form.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::EngineSettings;
use super::run::{GapRun, ReplicaRun, Sample, StepGaps, Stretches};
use super::sequences::{Cache, Sequence, add_work};
use crate::limits::Limits;
use crate::profile::Efficiency;
use crate::scenario::SimulationError;
use crate::step::{StepModel, StepWork};
use crate::workload::{Request, SimulatedLoad, SimulatedWorkload};

/// Arrival at the engine, ordered by time, then by number.
#[derive(Debug, PartialEq)]
struct QueuedArrival(f64, u32);

impl Eq for QueuedArrival {}

impl PartialOrd for QueuedArrival {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for QueuedArrival {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0).then(self.1.cmp(&other.1))
    }
}

struct Replica<'a> {
    requests: &'a [Request],
    load: SimulatedLoad,
    until: Option<f64>,
    steps: &'a StepModel,
    settings: &'a EngineSettings,
    api: f64,
    api_per_token: f64,
    tokenizer_free: f64,
    clock: f64,
    cache: Cache,
    arriving: BinaryHeap<Reverse<QueuedArrival>>,
    waiting: VecDeque<Sequence>,
    running: Vec<Sequence>,
    /// Whether the planned step preempted a sequence: waiting ones may be admitted again with the next.
    preempted: bool,
    /// Steps for which prompts have waited to be batched; `None`: none waits.
    batch_waited: Option<u32>,
    /// Index of the next request that a closed loop's user sends.
    next: usize,
    in_flight: u32,
    /// Sent and first token of each request.
    times: Vec<(f64, f64)>,
    /// Gaps of earlier requests don't count.
    counted_from: u32,
    run: ReplicaRun,
}

/// Runs a workload on one replica whose KV cache holds `kv_tokens`.
///
/// # Errors
/// When it takes more than the limits allow, or is stopped.
pub fn simulate_replica(
    workload: &SimulatedWorkload,
    steps: &StepModel,
    settings: &EngineSettings,
    efficiency: &Efficiency,
    kv_tokens: u64,
    stretches: Stretches,
    limits: &Limits,
) -> Result<ReplicaRun, SimulationError> {
    let mut replica = Replica {
        requests: &workload.requests,
        load: workload.load,
        until: workload.until,
        steps,
        settings,
        api: efficiency.api_ms * 1e-3,
        api_per_token: efficiency.api_us_per_token * 1e-6,
        tokenizer_free: 0.0,
        clock: 0.0,
        cache: Cache::new(kv_tokens, settings),
        arriving: BinaryHeap::new(),
        waiting: VecDeque::new(),
        running: Vec::new(),
        preempted: false,
        batch_waited: None,
        next: 0,
        in_flight: 0,
        times: vec![(f64::NAN, f64::NAN); workload.requests.len()],
        counted_from: workload.warmup as u32,
        run: ReplicaRun { samples: Vec::with_capacity(workload.requests.len()), ..ReplicaRun::default() },
    };
    replica.start();
    replica.go_on(stretches, limits)?;
    let total = replica.cache.total.max(1);
    replica.run.kv_share = replica.cache.most_used as f64 / total as f64;
    Ok(replica.run)
}

impl Replica<'_> {
    fn start(&mut self) {
        match self.load {
            SimulatedLoad::Closed { concurrency, ramp } => {
                for user in 0..concurrency {
                    self.send_next(ramp * f64::from(user) / f64::from(concurrency));
                }
            }
            SimulatedLoad::Open { .. } => {
                for index in 0..self.requests.len() {
                    let at = self.requests[index].arrival;
                    if self.is_over(at) {
                        return;
                    }
                    self.send(index, at);
                }
                self.run.ran_out = self.until.is_some();
            }
        }
    }

    fn is_over(&self, at: f64) -> bool {
        self.until.is_some_and(|until| at >= until)
    }

    fn send_next(&mut self, at: f64) {
        if self.is_over(at) {
            return;
        }
        if self.next < self.requests.len() {
            self.next += 1;
            self.send(self.next - 1, at);
        } else {
            self.run.ran_out = self.until.is_some();
        }
    }

    fn send(&mut self, index: usize, at: f64) {
        self.times[index].0 = at;
        // Tokenisation is one thread: requests sent together reach the engine one after another.
        let begins = (at + self.api).max(self.tokenizer_free);
        let reaches = begins + self.api_per_token * f64::from(self.requests[index].input);
        self.tokenizer_free = reaches;
        self.arriving.push(Reverse(QueuedArrival(reaches, index as u32)));
    }

    /// Queues the requests that have reached the engine.
    fn receive(&mut self) {
        while let Some(Reverse(QueuedArrival(at, index))) = self.arriving.peek()
            && *at <= self.clock
        {
            let index = *index;
            self.arriving.pop();
            let request = self.requests[index as usize];
            if let SimulatedLoad::Open { max_in_flight: Some(cap) } = self.load
                && self.in_flight >= cap
            {
                self.run.dropped += 1;
                continue;
            }
            let sequence = Sequence {
                request: index,
                context: request.input.max(1),
                cached: 0,
                remaining: request.output.max(1),
                scheduled: 0,
                last_token: None,
            };
            if self.cache.blocks(sequence.longest()) > self.cache.total {
                self.run.too_long += 1;
                if matches!(self.load, SimulatedLoad::Closed { .. }) {
                    self.send_next(self.clock);
                }
                continue;
            }
            self.in_flight += 1;
            self.waiting.push_back(sequence);
        }
    }

    fn go_on(&mut self, stretches: Stretches, limits: &Limits) -> Result<(), SimulationError> {
        loop {
            self.receive();
            self.run.work += 1 + self.running.len() as u64;
            limits.check(self.run.work, self.run.gaps.len())?;
            if self.running.is_empty() && self.waiting.is_empty() {
                let Some(Reverse(QueuedArrival(at, _))) = self.arriving.peek() else { return Ok(()) };
                self.clock = self.clock.max(*at);
                continue;
            }
            let work = self.plan();
            if work.prefills == 0 && stretches == Stretches::Summed {
                self.stretch(&work);
            } else {
                self.step(&work);
            }
        }
    }

    /// Schedules one step: what runs first, then what waits.
    fn plan(&mut self) -> StepWork {
        let mut budget = self.settings.max_batched_tokens;
        self.preempted = false;
        for sequence in &mut self.running {
            sequence.scheduled = 0;
        }
        if self.settings.mixed_steps {
            self.schedule_running(&mut budget, |_| true);
        } else {
            self.schedule_running(&mut budget, |sequence| sequence.missing() > 1);
        }
        if !self.preempted && !self.waits_for_batch(budget) {
            self.admit(&mut budget);
        }
        if !self.settings.mixed_steps && budget == self.settings.max_batched_tokens {
            self.schedule_running(&mut budget, |_| true);
        }
        let mut work = StepWork::default();
        for sequence in &self.running {
            add_work(&mut work, sequence, self.steps.window());
        }
        work
    }

    /// Schedules the tokens of running sequences; when the cache is full, the newest are preempted.
    fn schedule_running(&mut self, budget: &mut u32, chosen: impl Fn(&Sequence) -> bool) {
        let mut index = 0;
        while index < self.running.len() {
            let sequence = self.running[index];
            if *budget == 0 {
                break;
            }
            if !chosen(&sequence) || sequence.scheduled > 0 {
                index += 1;
                continue;
            }
            let tokens = sequence.missing().min(*budget);
            if self.cache.grow(&sequence, tokens) {
                self.running[index].scheduled = tokens;
                *budget -= tokens;
                index += 1;
                continue;
            }
            self.preempted = true;
            // Never empty here: `index` is below its length.
            let Some(newest) = self.running.pop() else { break };
            *budget += newest.scheduled;
            self.cache.free_scheduled(&newest);
            self.run.preemptions += 1;
            self.waiting.push_front(Sequence { cached: 0, scheduled: 0, ..newest });
        }
    }

    /// Whether prompts that could be admitted wait to be batched with others.
    fn waits_for_batch(&mut self, budget: u32) -> bool {
        let most = self.settings.max_batched_tokens;
        let could_run = self.settings.batch_wait_steps > 0
            && budget < most
            && self.running.len() < self.settings.max_sequences as usize
            && self.waiting.front().is_some_and(|first| self.cache.has_room(first, first.missing().min(budget)));
        if !could_run {
            self.batch_waited = None;
            return false;
        }
        let waited = self.batch_waited.unwrap_or(0);
        let wanted = self.waiting.iter().map(|sequence| u64::from(sequence.missing())).sum::<u64>() + u64::from(most - budget);
        let waits = waited < self.settings.batch_wait_steps && (wanted as f64) < self.settings.batch_wait_share * f64::from(most);
        self.batch_waited = waits.then_some(waited + 1);
        waits
    }

    fn admit(&mut self, budget: &mut u32) {
        while *budget > 0 && self.running.len() < self.settings.max_sequences as usize {
            let Some(first) = self.waiting.front() else { break };
            // a prompt longer than a step is split all the same
            let missing = first.missing();
            if self.settings.whole_prompts && missing > *budget && missing <= self.settings.max_batched_tokens {
                break;
            }
            let tokens = first.missing().min(*budget);
            if !self.cache.admit(first, tokens) {
                break;
            }
            let Some(mut sequence) = self.waiting.pop_front() else { break };
            sequence.scheduled = tokens;
            *budget -= tokens;
            self.running.push(sequence);
        }
    }

    /// Executes the planned step.
    fn step(&mut self, work: &StepWork) {
        let time = self.steps.time(work);
        let seconds = time.total();
        self.run.time.add(&time, 1.0);
        self.run.steps += 1;
        self.clock += seconds;
        let mut gaps = StepGaps::default();
        let mut ended = false;
        for sequence in &mut self.running {
            if sequence.scheduled == 0 {
                continue;
            }
            sequence.cached += sequence.scheduled;
            if sequence.cached == sequence.context {
                match sequence.last_token {
                    Some(last) if sequence.request >= self.counted_from => gaps.add(last),
                    Some(_) => {}
                    None => self.times[sequence.request as usize].1 = self.clock,
                }
                sequence.last_token = Some(self.clock);
                sequence.context += 1;
                sequence.remaining -= 1;
                ended |= sequence.remaining == 0;
            }
        }
        gaps.end_at(self.clock, &mut self.run.gaps);
        if ended {
            self.finish();
        }
    }

    /// Executes the planned decoding step and all that follow until a sequence ends, a request arrives, a block is missing or a
    /// context outgrows the window.
    fn stretch(&mut self, work: &StepWork) {
        let first = self.steps.time(work);
        let (full, windowed) = self.steps.context_slope();
        let window = self.steps.window().unwrap_or(0);
        let inside = self.running.iter().filter(|sequence| sequence.context < window).count() as f64;
        let slope = if self.steps.window().is_some() {
            full * f64::from(work.decodes) + windowed * inside
        } else {
            (full + windowed) * f64::from(work.decodes)
        };
        // not all run if there are more sequences than tokens per step
        let all = work.decodes as usize == self.running.len();
        let seconds = first.total();
        let mut most = if all { self.running.iter().map(|sequence| sequence.remaining).min().unwrap_or(1) } else { 1 };
        for sequence in self.running.iter().filter(|sequence| sequence.context < window) {
            most = most.min(window - sequence.context);
        }
        if let Some(Reverse(QueuedArrival(at, _))) = self.arriving.peek() {
            most = most.min(steps_until(*at - self.clock, seconds, slope));
        }
        if self.preempted || self.batch_waited.is_some() || (!self.settings.mixed_steps && !self.waiting.is_empty()) {
            most = 1;
        }
        // the planned step has its blocks already; the following ones need more
        let steps = if most > 1 { 1 + self.steps_with_room(most - 1) } else { 1 };
        let last = seconds + slope * f64::from(steps - 1);
        let count = f64::from(steps);
        self.run.time.add(&first, count);
        self.run.time.decode_attention += slope * count * (count - 1.0) / 2.0;
        self.run.steps += u64::from(steps);
        let first_token = self.clock + seconds;
        self.clock += count * (seconds + last) / 2.0;
        let mut gaps = StepGaps::default();
        let mut counted = 0;
        let mut ended = false;
        for sequence in self.running.iter_mut().filter(|sequence| sequence.scheduled > 0) {
            sequence.cached += steps;
            sequence.context += steps;
            sequence.remaining -= steps;
            ended |= sequence.remaining == 0;
            let counts = sequence.request >= self.counted_from;
            counted += u64::from(counts);
            match sequence.last_token {
                Some(last) if counts => gaps.add(last),
                Some(_) => {}
                // A prompt of one token looks like decoding.
                None => self.times[sequence.request as usize].1 = first_token,
            }
            sequence.last_token = Some(self.clock);
        }
        gaps.end_at(first_token, &mut self.run.gaps);
        if steps > 1 && counted > 0 {
            self.run.gaps.push(GapRun { first: seconds + slope, last, count: counted * u64::from(steps - 1) });
        }
        if ended {
            self.finish();
        }
    }

    /// Further steps after the planned one for which the cache has room; takes the blocks.
    fn steps_with_room(&mut self, most: u32) -> u32 {
        for sequence in &mut self.running {
            sequence.cached += 1;
        }
        let steps = self.cache.steps(&self.running, most);
        self.cache.advance(&self.running, steps);
        for sequence in &mut self.running {
            sequence.cached -= 1;
        }
        steps
    }

    fn finish(&mut self) {
        let mut index = 0;
        let mut freed = 0;
        while index < self.running.len() {
            let sequence = self.running[index];
            if sequence.remaining > 0 {
                index += 1;
                continue;
            }
            // keeps the order, since the newest is preempted first
            self.running.remove(index);
            self.cache.free(&sequence);
            freed += 1;
            let (sent, first_token) = self.times[sequence.request as usize];
            let request = self.requests[sequence.request as usize];
            self.run.samples.push(Sample {
                request: sequence.request,
                sent,
                first_token,
                end: self.clock,
                input: request.input,
                output: request.output.max(1),
            });
        }
        self.in_flight -= freed;
        if matches!(self.load, SimulatedLoad::Closed { .. }) {
            for _ in 0..freed {
                self.send_next(self.clock);
            }
        }
    }
}

/// The least number of steps that reach `seconds`, where each takes `slope` longer than the one before.
fn steps_until(seconds: f64, first: f64, slope: f64) -> u32 {
    if seconds <= first {
        return 1;
    }
    let steps = if slope > 0.0 {
        let half = first - slope / 2.0;
        ((half * half + 2.0 * slope * seconds).sqrt() - half) / slope
    } else {
        seconds / first
    };
    // tolerance for rounding
    ((steps - 1e-9).ceil().max(1.0)) as u32
}
