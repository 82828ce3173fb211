//! Time: the monotonic clock, and the kernel's wall-clock stamps brought over to it.

use nix::time::{ClockId, clock_gettime};

/// Offsets that differ by less are taken for equal, ns.
const NOISE: i64 = 20_000;
/// A read that took longer tells nothing, ns.
const UNSURE: i64 = 200_000;
/// How often the offset follows the clocks, ns.
const ADOPT_EVERY: i64 = 100_000_000;

/// Nanoseconds of the monotonic clock.
pub fn now() -> i64 {
    read(ClockId::CLOCK_MONOTONIC)
}

/// Nanoseconds since 1970 of the wall clock.
pub fn wall() -> i64 {
    read(ClockId::CLOCK_REALTIME)
}

fn read(clock: ClockId) -> i64 {
    // both clocks exist on every Linux
    clock_gettime(clock).map_or(0, |time| time.tv_sec() * 1_000_000_000 + time.tv_nsec())
}

/// The relation of the two clocks.
#[derive(Debug)]
pub struct Clock {
    anchor_wall: i64,
    anchor_monotonic: i64,
    offset: i64,
    adopted_at: i64,
    /// The monotonic clock at the last read.
    read_at: i64,
    /// Largest change of the offset between two looks, ns.
    pub largest_jump: i64,
}

impl Clock {
    /// Takes the run's one anchor.
    pub fn start() -> Self {
        let ClockReading { monotonic, offset, .. } = read_both();
        Self {
            anchor_wall: monotonic + offset,
            anchor_monotonic: monotonic,
            offset,
            adopted_at: monotonic,
            read_at: monotonic,
            largest_jump: 0,
        }
    }

    /// Reads both clocks; gives the monotonic one. What differs from the offset in use by no more than a read is exact
    /// is adopted ten times a second only, so that equal stamps stay equal; what differs by more, at once.
    pub fn read(&mut self) -> i64 {
        let read = read_both();
        self.read_at = read.monotonic;
        if read.took > UNSURE {
            return read.monotonic;
        }
        let change = (read.offset - self.offset).abs();
        self.largest_jump = self.largest_jump.max(change);
        if change > NOISE || read.monotonic - self.adopted_at > ADOPT_EVERY {
            self.offset = read.offset;
            self.adopted_at = read.monotonic;
        }
        read.monotonic
    }

    /// A kernel stamp on the monotonic clock, by the offset of the last read. Never later than the present, whatever the
    /// wall clock does; only where it is later than the last read is the present read.
    pub fn from_wall(&mut self, stamp: i64) -> i64 {
        let at = stamp - self.offset;
        if at <= self.read_at {
            return at;
        }
        let now = self.read();
        (stamp - self.offset).min(now)
    }

    /// A monotonic time as Unix ns, by the run's anchor.
    pub fn unix(&self, monotonic: i64) -> i64 {
        self.anchor_wall + (monotonic - self.anchor_monotonic)
    }

    /// A Unix time on the monotonic clock, by the run's anchor.
    pub fn monotonic(&self, unix: i64) -> i64 {
        self.anchor_monotonic + (unix - self.anchor_wall)
    }
}

/// Both clocks at one moment.
#[derive(Debug, Clone, Copy)]
struct ClockReading {
    monotonic: i64,
    /// What the wall clock is ahead.
    offset: i64,
    /// How long the read took: the offset is no more exact than that.
    took: i64,
}

/// Looks at both clocks; again, when it was interrupted between them.
fn read_both() -> ClockReading {
    let mut best = ClockReading { monotonic: 0, offset: 0, took: i64::MAX };
    for _ in 0..4 {
        let before = now();
        let wall = wall();
        let after = now();
        let took = after - before;
        if took < best.took {
            best = ClockReading { monotonic: after, offset: wall - (before + took / 2), took };
        }
        if took < NOISE / 10 {
            break;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clocks_stay_together() {
        let mut clock = Clock::start();
        for _ in 0..1000 {
            clock.read();
        }
        assert!(clock.largest_jump < 1_000_000, "{}", clock.largest_jump);
        let at = now();
        assert_eq!(clock.monotonic(clock.unix(at)), at);
        let (before, at, after) = (wall(), now(), wall());
        assert!((before - UNSURE..=after + UNSURE).contains(&clock.unix(at)), "{before} {} {after}", clock.unix(at));
    }
}
