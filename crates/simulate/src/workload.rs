//! What is asked of the engine: requests with their lengths, and when they come.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rand_distr::{Distribution, Exp, Gamma};
use serde::{Deserialize, Serialize};

/// One request.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Seconds from the beginning; of no meaning in a closed loop.
    pub arrival: f64,
    pub input: u32,
    pub output: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Load {
    /// So many users, each sending the next request when the last has ended.
    Closed {
        concurrency: u32,
        /// Seconds over which the users begin, one by one; 0: all at once.
        ramp: f64,
    },
    /// Requests come at their arrival times; one that would exceed the cap of requests in flight is dropped.
    Open { max_in_flight: Option<u32> },
}

#[derive(Debug, Clone, PartialEq)]
pub struct Workload {
    pub requests: Vec<Request>,
    pub load: Load,
    /// Requests at the beginning that are sent but not counted.
    pub warmup: usize,
}

/// Token counts of requests.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Lengths {
    pub input: u32,
    pub output: u32,
    /// Each length lies evenly between this share of it and the whole; 1: all alike.
    pub least_share: f64,
}

impl Lengths {
    pub fn fixed(input: u32, output: u32) -> Self {
        Self { input, output, least_share: 1.0 }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "process", rename_all = "snake_case")]
pub enum Arrivals {
    Constant {
        rate: f64,
    },
    Poisson {
        rate: f64,
    },
    /// Burstiness is the shape: below 1 more bursty than Poisson, above 1 more even.
    Gamma {
        rate: f64,
        burstiness: f64,
    },
}

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{field} is {value}, which can't be")]
pub struct InvalidLoad {
    pub field: &'static str,
    pub value: f64,
}

impl Workload {
    pub fn closed(count: usize, lengths: Lengths, concurrency: u32, seed: u64) -> Self {
        Self {
            requests: requests(count, lengths, seed),
            load: Load::Closed { concurrency: concurrency.max(1), ramp: 0.0 },
            warmup: 0,
        }
    }

    /// All at once.
    pub fn burst(count: usize, lengths: Lengths, seed: u64) -> Self {
        Self { requests: requests(count, lengths, seed), load: Load::Open { max_in_flight: None }, warmup: 0 }
    }

    pub fn open(
        count: usize,
        lengths: Lengths,
        arrivals: Arrivals,
        max_in_flight: Option<u32>,
        seed: u64,
    ) -> Result<Self, InvalidLoad> {
        let mut requests = requests(count, lengths, seed);
        // A stream of its own: lengths stay the same whatever the arrivals are.
        let mut random = ChaCha8Rng::seed_from_u64(seed ^ 0x9e37_79b9_7f4a_7c15);
        let mut clock = 0.0;
        for request in &mut requests {
            request.arrival = clock;
            clock += gap(arrivals, &mut random)?;
        }
        Ok(Self { requests, load: Load::Open { max_in_flight }, warmup: 0 })
    }
}

fn positive(field: &'static str, value: f64) -> Result<f64, InvalidLoad> {
    if value.is_finite() && value > 0.0 { Ok(value) } else { Err(InvalidLoad { field, value }) }
}

fn gap(arrivals: Arrivals, random: &mut ChaCha8Rng) -> Result<f64, InvalidLoad> {
    match arrivals {
        Arrivals::Constant { rate } => Ok(1.0 / positive("rate", rate)?),
        Arrivals::Poisson { rate } => {
            let process = Exp::new(positive("rate", rate)?).map_err(|_| InvalidLoad { field: "rate", value: rate })?;
            Ok(process.sample(random))
        }
        Arrivals::Gamma { rate, burstiness } => {
            let shape = positive("burstiness", burstiness)?;
            let scale = 1.0 / (positive("rate", rate)? * shape);
            let process = Gamma::new(shape, scale).map_err(|_| InvalidLoad { field: "burstiness", value: burstiness })?;
            Ok(process.sample(random))
        }
    }
}

fn requests(count: usize, lengths: Lengths, seed: u64) -> Vec<Request> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let share = lengths.least_share.clamp(0.0, 1.0);
    let mut draw = |longest: u32| {
        let longest = longest.max(1);
        let shortest = ((f64::from(longest) * share) as u32).clamp(1, longest);
        if shortest == longest { longest } else { shortest + random.next_u32() % (longest - shortest + 1) }
    };
    (0..count).map(|_| Request { arrival: 0.0, input: draw(lengths.input), output: draw(lengths.output) }).collect()
}
