//! The workload: requests with their lengths and arrivals.

use dyno_measure::arrivals::Arrivals;
use dyno_measure::load::ArrivalProcess;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

/// Requests per user of a closed loop whose number of requests is not known.
pub const REQUESTS_PER_USER: u32 = 10;

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Seconds from the beginning; unused in a closed loop.
    pub arrival: f64,
    pub input: u32,
    pub output: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SimulatedLoad {
    /// A fixed number of users, each sending its next request when the last has ended.
    Closed {
        concurrency: u32,
        /// Seconds over which the users begin, one by one; 0: all at once.
        ramp: f64,
    },
    /// Requests come at their arrival times; one that would exceed the cap of requests in flight is dropped.
    Open { max_in_flight: Option<u32> },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SimulatedWorkload {
    pub requests: Vec<Request>,
    pub load: SimulatedLoad,
    /// Requests at the beginning that are sent but not counted.
    pub warmup: usize,
    /// Seconds from the beginning after which nothing is sent any more.
    pub until: Option<f64>,
}

/// Token counts of requests.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TokenLengths {
    pub input: u32,
    pub output: u32,
    /// Lengths are uniform between this share of the length and the length; 1: all equal.
    pub least_share: f64,
}

impl TokenLengths {
    pub fn fixed(input: u32, output: u32) -> Self {
        Self { input, output, least_share: 1.0 }
    }
}

/// A schedule of requests per second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    pub rate: f64,
    pub process: ArrivalProcess,
    /// Shape of the gamma distribution: below 1 burstier than Poisson.
    pub burstiness: f64,
}

impl Rate {
    pub fn poisson(rate: f64) -> Self {
        Self { rate, process: ArrivalProcess::Poisson, burstiness: 1.0 }
    }
}

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{field} is {value}, which can't be")]
pub struct InvalidLoad {
    pub field: &'static str,
    pub value: f64,
}

impl SimulatedWorkload {
    /// The most requests in flight at once, where the load itself says so: in a closed loop, and where all come at once.
    pub fn in_flight(&self) -> Option<u32> {
        let requests = self.requests.len() as u32;
        match self.load {
            SimulatedLoad::Closed { concurrency, .. } => Some(concurrency.min(requests)),
            SimulatedLoad::Open { max_in_flight } => self
                .requests
                .iter()
                .all(|request| request.arrival <= 0.0)
                .then(|| max_in_flight.map_or(requests, |cap| cap.min(requests))),
        }
    }

    pub fn closed(count: usize, lengths: TokenLengths, concurrency: u32, seed: u64) -> Self {
        Self {
            requests: requests(count, lengths, seed),
            load: SimulatedLoad::Closed { concurrency: concurrency.max(1), ramp: 0.0 },
            warmup: 0,
            until: None,
        }
    }

    /// All at once.
    pub fn burst(count: usize, lengths: TokenLengths, seed: u64) -> Self {
        Self {
            requests: requests(count, lengths, seed),
            load: SimulatedLoad::Open { max_in_flight: None },
            warmup: 0,
            until: None,
        }
    }

    pub fn open(
        count: usize,
        lengths: TokenLengths,
        rate: Rate,
        max_in_flight: Option<u32>,
        seed: u64,
    ) -> Result<Self, InvalidLoad> {
        for (field, value) in [("rate", rate.rate), ("burstiness", rate.burstiness)] {
            if !(value.is_finite() && value > 0.0) {
                return Err(InvalidLoad { field, value });
            }
        }
        let mut requests = requests(count, lengths, seed);
        let mut arrivals = Arrivals::new(rate.rate, rate.process, rate.burstiness, seed);
        for request in &mut requests {
            request.arrival = arrivals.peek() as f64 / 1e9;
            arrivals.advance();
        }
        Ok(Self { requests, load: SimulatedLoad::Open { max_in_flight }, warmup: 0, until: None })
    }
}

fn requests(count: usize, lengths: TokenLengths, seed: u64) -> Vec<Request> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let share = lengths.least_share.clamp(0.0, 1.0);
    let mut draw = |longest: u32| {
        let longest = longest.max(1);
        let shortest = ((f64::from(longest) * share) as u32).clamp(1, longest);
        if shortest == longest { longest } else { shortest + random.next_u32() % (longest - shortest + 1) }
    };
    (0..count).map(|_| Request { arrival: 0.0, input: draw(lengths.input), output: draw(lengths.output) }).collect()
}
