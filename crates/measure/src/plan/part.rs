//! A plan split over several workers. Everything is dealt out by its number, as cards are: stream, request and arrival `n` of the
//! whole plan belong to worker `n mod N`. So each part follows from the plan alone, and all parts together are the plan's own
//! sequence: same arrivals, same prompts, same streams at the same endpoints.

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
    /// The whole plan.
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
