//! Time: the monotonic clock, and the kernel's wall-clock stamps brought over to it.

use nix::time::{ClockId, clock_gettime};

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
    /// Largest change of the offset between two looks, ns.
    pub largest_jump: i64,
}

impl Clock {
    /// Takes the run's one anchor.
    pub fn start() -> Self {
        let (monotonic, offset) = look();
        Self { anchor_wall: monotonic + offset, anchor_monotonic: monotonic, offset, largest_jump: 0 }
    }

    /// Looks at both clocks; gives the monotonic one.
    pub fn look(&mut self) -> i64 {
        let (monotonic, offset) = look();
        self.largest_jump = self.largest_jump.max((offset - self.offset).abs());
        self.offset = offset;
        monotonic
    }

    /// A kernel stamp on the monotonic clock, by the offset of the last look.
    pub fn from_wall(&self, stamp: i64) -> i64 {
        stamp - self.offset
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

/// The monotonic clock, and what the wall clock is ahead of it. A look that was interrupted between the clocks is taken
/// again.
fn look() -> (i64, i64) {
    let mut best = (0, 0, i64::MAX);
    for _ in 0..4 {
        let before = now();
        let wall = wall();
        let after = now();
        if after - before < best.2 {
            best = (after, wall - (before + (after - before) / 2), after - before);
        }
        if best.2 < 20_000 {
            break;
        }
    }
    (best.0, best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clocks_stay_together() {
        let mut clock = Clock::start();
        for _ in 0..1000 {
            clock.look();
        }
        assert!(clock.largest_jump < 1_000_000, "{}", clock.largest_jump);
        let at = now();
        assert_eq!(clock.monotonic(clock.unix(at)), at);
        assert!((clock.unix(at) - wall()).abs() < 50_000_000);
    }
}
