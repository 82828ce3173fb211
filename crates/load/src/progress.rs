//! Live progress: a snapshot twice a second, for the event sink.

use std::collections::VecDeque;

use crate::client::phase::PhasePlan;
use crate::duration_estimate::{MeasuredThroughput, PhaseExtent};
use dyno_measure::events::Progress;
use dyno_measure::live_figures::{FinishedLoadPoint, Latencies, Percentiles, Upcoming};
use dyno_measure::plan::Load;
use dyno_measure::records::Row;
use dyno_measure::report::Phase;
use dyno_measure::statistics::histogram::LatencyHistogram;

const SECOND: i64 = 1_000_000_000;
const TICK: i64 = SECOND / 20;
const EVERY: i64 = SECOND / 2;
/// Window of the current figures (requests in flight, tokens per second), ns.
const MOMENT: i64 = SECOND;
/// Window of the recent latencies, ns.
const RECENT: i64 = 10 * SECOND;

/// Counts what happens and emits snapshots.
pub struct Progressing {
    emit_snapshot: Box<dyn FnMut(Progress)>,
    snapshot: Progress,
    began: Option<i64>,
    phase_began: i64,
    /// The current phase; absent before the first.
    work: Option<PhaseExtent>,
    /// The phases after it, known or estimated.
    later: Vec<PhaseExtent>,
    throughput: MeasuredThroughput,
    next_look: i64,
    next_tell: i64,
    /// Requests of the phase that have ended; and of those that succeeded, the sum of the E2E latencies (ms) and the number.
    ended: u64,
    e2el_ms: (f64, u64),
    events: u64,
    in_flight: u32,
    in_flight_since: i64,
    /// Integral of the requests in flight over time, ns.
    area: f64,
    /// Counts at the snapshots of the last [`MOMENT`], the oldest first.
    marks: VecDeque<ProgressMark>,
    tokens: u64,
    events_of_ended: u64,
    so_far: Histograms,
    recent: Histograms,
    /// Time slots of `recent`: the latencies between two snapshots, with the time of the first.
    slots: VecDeque<(i64, Histograms)>,
}

#[derive(Debug, Clone, Copy)]
struct ProgressMark {
    at: i64,
    area: f64,
    events: u64,
}

#[derive(Debug, Default)]
struct Histograms {
    ttft: LatencyHistogram,
    tpot: LatencyHistogram,
}

impl Histograms {
    fn add(&mut self, row: &Row) {
        if let Some(ms) = row.ttft_ms() {
            self.ttft.add(ms);
        }
        if let Some(ms) = row.tpot_ms() {
            self.tpot.add(ms);
        }
    }

    fn subtract(&mut self, other: &Self) {
        self.ttft.subtract(&other.ttft);
        self.tpot.subtract(&other.tpot);
    }

    fn clear(&mut self) {
        self.ttft.clear();
        self.tpot.clear();
    }

    fn latencies(&self) -> Latencies {
        Latencies { ttft_ms: Percentiles::from(&self.ttft), tpot_ms: Percentiles::from(&self.tpot) }
    }
}

impl Progressing {
    pub fn new(load_points: u32, emit_snapshot: Box<dyn FnMut(Progress)>) -> Self {
        Self {
            emit_snapshot,
            snapshot: Progress { load_points, ..Progress::default() },
            began: None,
            phase_began: 0,
            work: None,
            later: Vec::new(),
            throughput: MeasuredThroughput::default(),
            next_look: 0,
            next_tell: 0,
            ended: 0,
            e2el_ms: (0.0, 0),
            events: 0,
            in_flight: 0,
            in_flight_since: 0,
            area: 0.0,
            marks: VecDeque::new(),
            tokens: 0,
            events_of_ended: 0,
            so_far: Histograms::default(),
            recent: Histograms::default(),
            slots: VecDeque::new(),
        }
    }

    /// Sets the phases after the one that begins next, for the time estimate.
    pub fn set_later(&mut self, later: Vec<PhaseExtent>) {
        self.later = later;
    }

    /// Sets the number of load points (at most, for a search) and the loads after the next one, as shown to people.
    pub fn set_next(&mut self, load_points: u32, next: Option<Upcoming>) {
        self.snapshot.load_points = load_points;
        self.snapshot.next = next;
    }

    /// Begins a phase. Requests of a warm-up are not counted in snapshots.
    pub fn begin_phase(&mut self, plan: &PhasePlan<'_>, now: i64) {
        let total = if plan.phase == Phase::Measured { plan.count.map(u64::from) } else { None };
        self.began.get_or_insert(now);
        self.phase_began = now;
        self.work = Some(PhaseExtent {
            load: plan.load.clone(),
            requests: plan.count.map(u64::from),
            duration_s: plan.duration.map(|duration| duration as f64 / 1e9),
        });
        (self.ended, self.e2el_ms) = (0, (0.0, 0));
        self.snapshot = Progress {
            load_point: plan.load_point,
            load_points: self.snapshot.load_points,
            phase: Some(plan.phase),
            total,
            load: plan.load.offered(),
            finished: std::mem::take(&mut self.snapshot.finished),
            next: self.snapshot.next.take(),
            ..Progress::default()
        };
        self.in_flight_is(0, now);
        self.marks.clear();
        self.mark(now);
        (self.next_look, self.next_tell) = (now + TICK, now);
        self.so_far.clear();
        self.recent.clear();
        self.slots.clear();
        self.slots.push_back((now, Histograms::default()));
    }

    pub fn issued(&mut self) {
        self.snapshot.issued += u64::from(self.counts());
    }

    /// Sets the number of requests in flight from now on.
    pub fn in_flight_is(&mut self, count: u32, now: i64) {
        self.area += f64::from(self.in_flight) * (now - self.in_flight_since).max(0) as f64;
        (self.in_flight, self.in_flight_since) = (count, now);
    }

    /// Whether the current phase is counted in snapshots: only measurements are.
    fn counts(&self) -> bool {
        self.snapshot.phase == Some(Phase::Measured)
    }

    pub fn events(&mut self, count: u32) {
        self.events += u64::from(count);
    }

    /// Counts a request that has ended.
    pub fn ended(&mut self, row: &Row) {
        self.ended += 1;
        if let Some(ms) = row.e2el_ms() {
            self.e2el_ms = (self.e2el_ms.0 + ms, self.e2el_ms.1 + 1);
        }
        if !self.counts() {
            return;
        }
        if !row.succeeded() {
            self.snapshot.failed += 1;
            return;
        }
        self.snapshot.completed += 1;
        if row.streamed {
            self.tokens += u64::from(row.output.unwrap_or(row.events));
            self.events_of_ended += u64::from(row.events);
        }
        self.so_far.add(row);
        self.recent.add(row);
        if let Some((_, slot)) = self.slots.back_mut() {
            slot.add(row);
        }
    }

    /// Adds the figures of a finished load point, and emits them at once.
    pub fn finish_load_point(&mut self, finished: FinishedLoadPoint, now: i64) {
        self.snapshot.finished.push(finished);
        self.emit(now);
    }

    /// Whether time-outs are to be checked.
    pub fn is_due(&mut self, now: i64) -> bool {
        let due = now >= self.next_look;
        if due {
            self.next_look = now + TICK;
        }
        due
    }

    /// Emits a snapshot if one is due; returns whether.
    pub fn emit_if_due(&mut self, now: i64) -> bool {
        let due = now >= self.next_tell;
        if due {
            self.emit(now);
        }
        due
    }

    /// Emits a snapshot if one is due, of a load that several workers put on: what they count themselves is theirs, what is known by
    /// requests that ended is of all of them together.
    /// Returns whether.
    pub fn emit_merged_if_due(&mut self, now: i64, workers: &[Progress]) -> bool {
        let due = now >= self.next_tell;
        if due {
            self.emit_merged(now, workers);
        }
        due
    }

    pub fn emit_merged(&mut self, now: i64, workers: &[Progress]) {
        self.update(now);
        let sum = |of: fn(&Progress) -> Option<f64>| {
            workers.iter().filter_map(of).fold(None, |sum: Option<f64>, value| Some(sum.unwrap_or(0.0) + value))
        };
        self.snapshot.issued = workers.iter().map(|worker| worker.issued).sum();
        self.snapshot.in_flight = workers.iter().map(|worker| worker.in_flight).sum();
        self.snapshot.mean_in_flight = sum(|worker| worker.mean_in_flight);
        self.snapshot.output_tokens_per_s = sum(|worker| worker.output_tokens_per_s);
        (self.emit_snapshot)(self.snapshot.clone());
    }

    pub fn emit(&mut self, now: i64) {
        self.update(now);
        (self.emit_snapshot)(self.snapshot.clone());
    }

    fn update(&mut self, now: i64) {
        self.next_tell = now + EVERY;
        self.in_flight_is(self.in_flight, now);
        let per_event = if self.events_of_ended > 0 { self.tokens as f64 / self.events_of_ended as f64 } else { 1.0 };
        if let Some(mark) = self.marks.front().filter(|mark| now - mark.at > EVERY / 2) {
            let passed = (now - mark.at) as f64;
            self.snapshot.output_tokens_per_s = Some((self.events - mark.events) as f64 / (passed / 1e9) * per_event);
            self.snapshot.mean_in_flight = Some((self.area - mark.area) / passed);
        }
        self.mark(now);
        self.rotate_slots(now);
        self.snapshot.in_flight = u64::from(self.in_flight);
        self.snapshot.elapsed_ms = ((now - self.began.unwrap_or(now)) / 1_000_000) as u64;
        if self.counts() {
            self.snapshot.ttft_ms = self.so_far.ttft.percentile(50.0);
            self.snapshot.tpot_ms = self.so_far.tpot.percentile(50.0);
            self.snapshot.so_far = Some(self.so_far.latencies());
            self.snapshot.recent = Some(self.recent.latencies());
        }
        self.snapshot.eta_ms = self.estimate(now).map(|seconds| (seconds * 1e3) as u64);
    }

    /// Notes the current counts and drops those that will be out of the window at the next snapshot, except the newest of them.
    fn mark(&mut self, now: i64) {
        self.marks.push_back(ProgressMark { at: now, area: self.area, events: self.events });
        while self.marks.get(1).is_some_and(|second| now + EVERY - second.at >= MOMENT - EVERY / 4) {
            self.marks.pop_front();
        }
    }

    /// Begins a new latency slot and drops those that are no longer recent.
    fn rotate_slots(&mut self, now: i64) {
        while self.slots.front().is_some_and(|(at, _)| now - at > RECENT) {
            if let Some((_, old)) = self.slots.pop_front() {
                self.recent.subtract(&old);
            }
        }
        if self.slots.back().is_none_or(|(at, _)| now - at >= EVERY) {
            self.slots.push_back((now, Histograms::default()));
        }
    }

    /// Estimated seconds until the plan ends.
    fn estimate(&mut self, now: i64) -> Option<f64> {
        let work = self.work.as_ref()?;
        let took = (now - self.phase_began) as f64 / 1e9;
        if let Load::Closed { concurrency } = work.load {
            let concurrency = f64::from(concurrency);
            let (sum, ended_well) = self.e2el_ms;
            if self.ended as f64 >= 2.0 * concurrency && took > 0.0 {
                self.throughput.record(concurrency, self.ended as f64 / took);
            } else if ended_well > 0 {
                // The first requests of a closed loop end together: their latency says more about throughput than their number.
                self.throughput.record(concurrency, concurrency / (sum / ended_well as f64 / 1e3));
            }
        }
        let left = match (work.duration_s, work.requests, &work.load) {
            (None, Some(requests), Load::Closed { .. }) => {
                PhaseExtent { requests: Some(requests.saturating_sub(self.ended)), ..work.clone() }.seconds(&self.throughput)?
            }
            (None, Some(requests), Load::Trace { .. }) => {
                let each = (self.ended > 0).then(|| took / self.ended as f64)?;
                each * requests.saturating_sub(self.ended) as f64
            }
            _ => (work.seconds(&self.throughput)? - took).max(0.0),
        };
        let later: f64 = self.later.iter().map(|work| work.seconds(&self.throughput)).sum::<Option<f64>>()?;
        Some(left + later)
    }
}

#[cfg(test)]
mod tests;
