//! What is told of a load while it goes on: a snapshot twice a second, to whoever asked for it.

use dyno_measure::events::Progress;
use dyno_measure::records::{Records, Row};
use dyno_measure::report::Phase;

const TICK: i64 = 50_000_000;
const EVERY: i64 = 500_000_000;
/// Latencies that a snapshot's medians are taken over: the latest.
const LATEST: usize = 512;

/// Counts what happens, and tells.
pub struct Progressing {
    tell: Box<dyn FnMut(Progress)>,
    snapshot: Progress,
    began: Option<i64>,
    phase_began: i64,
    duration: Option<i64>,
    /// Requests or ns that are still to come after this phase, as shares of it, for the estimate.
    after: f64,
    next_look: i64,
    next_tell: i64,
    /// Requests of the phase that have ended, and how many it has.
    ended: u64,
    count: Option<u32>,
    events: u64,
    told_at: i64,
    told_events: u64,
    tokens: u64,
    events_of_ended: u64,
    ttft: Vec<f64>,
    tpot: Vec<f64>,
    latest: usize,
}

impl Progressing {
    /// Counts for a load of so many load points.
    pub fn new(load_points: u32, tell: Box<dyn FnMut(Progress)>) -> Self {
        Self {
            tell,
            snapshot: Progress { load_points, ..Progress::default() },
            began: None,
            phase_began: 0,
            duration: None,
            after: 0.0,
            next_look: 0,
            next_tell: 0,
            ended: 0,
            count: None,
            events: 0,
            told_at: 0,
            told_events: 0,
            tokens: 0,
            events_of_ended: 0,
            ttft: Vec::new(),
            tpot: Vec::new(),
            latest: 0,
        }
    }

    /// How many phases of this one's length are estimated to follow it.
    pub fn set_after(&mut self, phases: f64) {
        self.after = phases;
    }

    /// How many load points there are, or can be.
    pub fn set_points(&mut self, load_points: u32) {
        self.snapshot.load_points = load_points;
    }

    /// A phase begins. A warm-up's requests are no part of the snapshot's counts.
    pub fn begin_phase(&mut self, load_point: u32, phase: Phase, count: Option<u32>, duration: Option<i64>, now: i64) {
        let total = if phase == Phase::Measured { count.map(u64::from) } else { None };
        self.began.get_or_insert(now);
        self.phase_began = now;
        self.duration = duration;
        (self.ended, self.count) = (0, count);
        self.snapshot =
            Progress { load_point, load_points: self.snapshot.load_points, phase: Some(phase), total, ..Progress::default() };
        (self.told_at, self.told_events) = (now, self.events);
        (self.next_look, self.next_tell) = (now + TICK, now);
        self.ttft.clear();
        self.tpot.clear();
        self.latest = 0;
    }

    /// A request was issued.
    pub fn issued(&mut self) {
        self.snapshot.issued += u64::from(self.counts());
    }

    /// A snapshot counts measured requests only.
    fn counts(&self) -> bool {
        self.snapshot.phase == Some(Phase::Measured)
    }

    /// So many content events came.
    pub fn events(&mut self, count: u32) {
        self.events += u64::from(count);
    }

    /// A request has ended.
    pub fn ended(&mut self, row: &Row) {
        self.ended += 1;
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
        for (values, value) in [(&mut self.ttft, row.ttft_ms()), (&mut self.tpot, row.tpot_ms())] {
            let Some(value) = value else { continue };
            if values.len() < LATEST {
                values.push(value);
            } else {
                values[self.latest % LATEST] = value;
            }
        }
        self.latest += 1;
    }

    /// Whether it is time to look around.
    pub fn is_due(&mut self, now: i64) -> bool {
        let due = now >= self.next_look;
        if due {
            self.next_look = now + TICK;
        }
        due
    }

    /// Tells if it is time to.
    pub fn tell_if_due(&mut self, records: &Records, now: i64, in_flight: u32) -> bool {
        let due = now >= self.next_tell;
        if due {
            self.tell(records, now, in_flight);
        }
        due
    }

    pub fn tell(&mut self, _records: &Records, now: i64, in_flight: u32) {
        self.next_tell = now + EVERY;
        let per_event = if self.events_of_ended > 0 { self.tokens as f64 / self.events_of_ended as f64 } else { 1.0 };
        if now - self.told_at > EVERY / 2 {
            let rate = (self.events - self.told_events) as f64 / ((now - self.told_at) as f64 / 1e9);
            self.snapshot.output_tokens_per_s = Some(rate * per_event);
            (self.told_at, self.told_events) = (now, self.events);
        }
        self.snapshot.in_flight = u64::from(in_flight);
        self.snapshot.elapsed_ms = ((now - self.began.unwrap_or(now)) / 1_000_000) as u64;
        self.snapshot.ttft_ms = median(&self.ttft);
        self.snapshot.tpot_ms = median(&self.tpot);
        self.snapshot.eta_ms = self.estimate(now);
        (self.tell)(self.snapshot.clone());
    }

    fn estimate(&self, now: i64) -> Option<u64> {
        let took = (now - self.phase_began) as f64;
        let ended = self.ended;
        let (left, whole) = match (self.duration, self.count.map(u64::from)) {
            (Some(duration), _) => ((duration as f64 - took).max(0.0), duration as f64),
            (None, Some(total)) if ended > 0 => {
                let each = took / ended as f64;
                (each * total.saturating_sub(ended) as f64, each * total as f64)
            }
            _ => return None,
        };
        Some(((left + whole * self.after) / 1e6) as u64)
    }
}

fn median(values: &[f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    Some(dyno_measure::statistics::percentile::percentile(&sorted, 50.0))
}
