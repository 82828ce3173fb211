//! The result of a simulated replica.

use serde::Serialize;

use crate::step::StepTime;

/// One finished request; times in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Sample {
    /// Its index in the workload.
    pub request: u32,
    pub sent: f64,
    pub first_token: f64,
    pub end: f64,
    pub input: u32,
    pub output: u32,
}

impl Sample {
    pub fn ttft(&self) -> f64 {
        self.first_token - self.sent
    }

    pub fn latency(&self) -> f64 {
        self.end - self.sent
    }

    /// `None` with a single output token.
    pub fn tpot(&self) -> Option<f64> {
        (self.output > 1).then(|| (self.end - self.first_token) / f64::from(self.output - 1))
    }
}

/// Gaps between tokens over a stretch of steps, growing evenly from `first` to `last` seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct GapRun {
    pub first: f64,
    pub last: f64,
    pub count: u64,
}

/// Gaps that end with one step, grouped by their begin: few groups, since most sequences got their last token together.
#[derive(Default)]
pub(super) struct StepGaps(Vec<(f64, u64)>);

impl StepGaps {
    pub(super) fn add(&mut self, begin: f64) {
        match self.0.iter_mut().rev().find(|group| group.0.total_cmp(&begin).is_eq()) {
            Some(group) => group.1 += 1,
            None => self.0.push((begin, 1)),
        }
    }

    pub(super) fn end_at(self, end: f64, gaps: &mut Vec<GapRun>) {
        gaps.extend(self.0.into_iter().map(|(begin, count)| GapRun { first: end - begin, last: end - begin, count }));
    }
}

#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ReplicaRun {
    /// In the order of their ends.
    pub samples: Vec<Sample>,
    pub gaps: Vec<GapRun>,
    pub time: StepTime,
    pub steps: u64,
    pub preemptions: u64,
    /// Requests over the cap of requests in flight.
    pub dropped: u32,
    /// Requests longer than the whole cache.
    pub too_long: u32,
    /// Largest share of the KV cache in use.
    pub kv_share: f64,
    /// Whether the workload had too few requests to last until its end.
    pub ran_out: bool,
    /// Sequences that were looked at, over all steps and stretches: what the simulation itself took.
    pub work: u64,
}

/// Whether stretches of pure decoding are summed in closed form or computed step by step; both give the same result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stretches {
    Summed,
    Walked,
}
