//! A plan split over several workers. Everything goes to a worker by its number: stream and arrival `n` of the whole plan
//! belong to worker `n mod N`, and a closed loop's requests go round its streams. So each part follows from the plan alone, and all
//! parts together are the plan's own sequence: same arrivals, same prompts, same streams at the same endpoints.

use serde::{Deserialize, Serialize};

/// Most workers of a plan.
pub const MOST_WORKERS: u32 = 64;

/// One worker's part of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Shares")]
pub struct Part {
    index: u32,
    of: u32,
}

impl Part {
    pub const WHOLE: Self = Self { index: 0, of: 1 };

    /// Part `index`, from 0, of `of`; `None` where there is no such part.
    pub fn new(index: u32, of: u32) -> Option<Self> {
        (index < of).then_some(Self { index, of })
    }

    /// The parts of a plan with so many workers.
    pub fn all(workers: u32) -> impl Iterator<Item = Self> {
        (0..workers).map(move |index| Self { index, of: workers })
    }

    /// From 0.
    pub fn index(self) -> u32 {
        self.index
    }

    /// How many parts there are.
    pub fn of(self) -> u32 {
        self.of
    }

    /// How many of `count` things this part has.
    pub fn share(self, count: u32) -> u32 {
        count / self.of + u32::from(count % self.of > self.index)
    }

    /// The number in the whole plan of this part's thing number `own`, both from 0.
    pub fn number(self, own: u32) -> u32 {
        own.saturating_mul(self.of).saturating_add(self.index)
    }
}

/// A part's requests of a phase: they come in rounds, in each of which every stream has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    part: Part,
    round: u32,
}

impl Shard {
    /// Of a closed loop: each part has as many requests as its streams come to.
    pub fn closed(part: Part, concurrency: u32) -> Self {
        Self { part, round: concurrency.max(1) }
    }

    /// Of arrivals: one after the other.
    pub fn open(part: Part) -> Self {
        Self { part, round: part.of }
    }

    /// How many of `count` requests are the part's.
    pub fn share(self, count: u32) -> u32 {
        count / self.round * self.part.share(self.round) + self.part.share(count % self.round)
    }

    /// The number in the whole phase of the part's request number `own`, both from 0; of a part without streams, the first.
    pub fn number(self, own: u32) -> u32 {
        let streams = self.part.share(self.round).max(1);
        (own / streams).saturating_mul(self.round).saturating_add(self.part.number(own % streams))
    }

    /// The same the other way; `None` where that request is another part's.
    pub fn own(self, number: u64) -> Option<u64> {
        let (round, of, index) = (u64::from(self.round), u64::from(self.part.of), u64::from(self.part.index));
        let stream = number % round;
        (stream % of == index).then(|| number / round * u64::from(self.part.share(self.round)) + stream / of)
    }
}

#[derive(Deserialize)]
struct Shares {
    index: u32,
    of: u32,
}

impl TryFrom<Shares> for Part {
    type Error = &'static str;

    fn try_from(shares: Shares) -> Result<Self, Self::Error> {
        Self::new(shares.index, shares.of).ok_or("there is no such part")
    }
}

/// When a stream of a closed loop begins, ns after the loop's begin: its streams are spread evenly over the ramp, ns.
pub fn stream_start(ramp: i64, stream: u32, concurrency: u32) -> i64 {
    (ramp as f64 * f64::from(stream) / f64::from(concurrency.max(1))) as i64
}
