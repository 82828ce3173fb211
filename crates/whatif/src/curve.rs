//! Throughput against latency: a point for each load.

use dyno_simulate::outcome::Outcome;

/// Means, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct WhatIfPoint {
    pub concurrency: u32,
    pub ttft: f64,
    /// Absent where requests have a single output token.
    pub tpot: Option<f64>,
    pub e2el: f64,
    /// Output tokens per second, of all devices.
    pub throughput: f64,
}

impl WhatIfPoint {
    /// Nothing where no request was answered.
    pub fn of(concurrency: u32, outcome: &Outcome) -> Option<Self> {
        Some(Self {
            concurrency,
            ttft: outcome.ttft_ms?.mean,
            tpot: outcome.tpot_ms.map(|tpot| tpot.mean),
            e2el: outcome.e2el_ms?.mean,
            throughput: outcome.output_throughput,
        })
    }
}

/// The points of one layout, by rising load.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LayoutCurve {
    pub tensor_parallel: u32,
    pub points: Vec<WhatIfPoint>,
}

impl LayoutCurve {
    pub fn add(&mut self, point: WhatIfPoint) {
        let place = self.points.partition_point(|other| other.concurrency < point.concurrency);
        self.points.insert(place, point);
    }
}
