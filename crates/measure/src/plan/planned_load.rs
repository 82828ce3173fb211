//! One load point of a plan: when its requests are sent, and how many.

use serde::{Deserialize, Serialize};

use crate::load::{ArrivalProcess, LoadSpec, OfferedLoad};

/// Most warm-up requests of a trace: enough to open connections and warm the engine up.
const TRACE_WARMUP: u32 = 16;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedLoad {
    /// When requests are sent.
    pub load: Load,
    /// Requests before the measurement; absent: as many as are in flight (with a rate: a second's worth).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warmup_requests: Option<u32>,
    /// Requests to measure; absent, and no duration either: ten times the concurrency, at least 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_requests: Option<u32>,
    /// Or how long requests are sent, seconds; those then in flight are awaited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_s: Option<f64>,
}

impl PlannedLoad {
    /// A closed loop with every default.
    pub fn closed(concurrency: u32) -> Self {
        Self { load: Load::Closed { concurrency }, warmup_requests: None, num_requests: None, duration_s: None }
    }

    /// Raises the number of requests to `requests`, where neither a number nor a duration is set.
    #[must_use]
    pub fn with_at_least(mut self, requests: u64) -> Self {
        if self.num_requests.is_none() && self.duration_s.is_none() {
            let least = u32::try_from(requests).unwrap_or(u32::MAX);
            self.num_requests = self.requests().map(|requests| requests.max(least));
        }
        self
    }

    /// Requests in flight, or per second; NaN for a trace, which has no single load.
    pub fn at(&self) -> f64 {
        self.load.offered().map_or(f64::NAN, OfferedLoad::value)
    }

    /// Most requests in flight.
    pub fn cap(&self) -> u32 {
        match self.load {
            Load::Closed { concurrency } => concurrency,
            Load::Rate { max_in_flight, .. } | Load::Trace { max_in_flight, .. } => max_in_flight,
        }
    }

    /// Number of requests to measure; `None` where the load ends by time or with its trace.
    pub fn requests(&self) -> Option<u32> {
        match (self.num_requests, self.duration_s) {
            (Some(number), _) => Some(number),
            (None, Some(_)) => None,
            (None, None) => self.load.offered().map(|load| LoadSpec::default_requests(load.scale())),
        }
    }

    /// Number of streams of a closed loop: no more than it has requests.
    pub fn closed_streams(&self, concurrency: u32) -> u32 {
        concurrency.min(self.requests().unwrap_or(u32::MAX).max(self.warmup()))
    }

    /// Number of warm-up requests.
    pub fn warmup(&self) -> u32 {
        self.warmup_requests.unwrap_or_else(|| match self.load {
            Load::Closed { concurrency } => concurrency,
            Load::Rate { rate, max_in_flight, .. } => (rate.ceil() as u32).clamp(1, max_in_flight.max(1)),
            Load::Trace { max_in_flight, .. } => max_in_flight.min(TRACE_WARMUP),
        })
    }
}

/// When requests are sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Load {
    /// As soon as one ends, the next is sent.
    Closed { concurrency: u32 },
    /// On an absolute schedule, whether or not earlier ones have ended.
    Rate {
        rate: f64,
        /// How the gaps are drawn.
        #[serde(default)]
        process: ArrivalProcess,
        /// Shape of the gamma distribution; 1 is Poisson.
        #[serde(default = "unit")]
        burstiness: f64,
        /// Most requests in flight; arrivals over it are dropped and counted.
        #[serde(default = "default_cap")]
        max_in_flight: u32,
    },
    /// At the arrivals of the workload's trace, on an absolute schedule.
    Trace {
        /// How many times as fast as it was recorded.
        #[serde(default = "unit")]
        time_scale: f64,
        /// Most requests in flight; arrivals over it are dropped and counted.
        #[serde(default = "default_cap")]
        max_in_flight: u32,
    },
}

impl Load {
    /// The offered load; `None` for a trace, which has no single load.
    pub fn offered(&self) -> Option<OfferedLoad> {
        match *self {
            Self::Closed { concurrency } => Some(OfferedLoad::Concurrency { concurrency }),
            Self::Rate { rate, .. } => Some(OfferedLoad::Rate { rate }),
            Self::Trace { .. } => None,
        }
    }

    /// Whether requests are sent on a schedule.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Rate { .. } | Self::Trace { .. })
    }
}

fn unit() -> f64 {
    1.0
}

fn default_cap() -> u32 {
    1024
}
