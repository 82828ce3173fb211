//! The two clocks that a truth log needs. Both are read with `clock_gettime`, some 20 ns each.

use nix::time::{ClockId, clock_gettime};

/// Nanoseconds of `CLOCK_MONOTONIC`: every interval and every due time comes from it.
pub fn monotonic_ns() -> u64 {
    read(ClockId::CLOCK_MONOTONIC)
}

/// Nanoseconds of `CLOCK_REALTIME` since the Unix epoch: what a kernel receive stamp is compared with.
pub fn unix_ns() -> u64 {
    read(ClockId::CLOCK_REALTIME)
}

fn read(clock: ClockId) -> u64 {
    // neither clock can fail on Linux; a zero would stand out in any log
    clock_gettime(clock).map_or(0, |t| t.tv_sec() as u64 * 1_000_000_000 + t.tv_nsec() as u64)
}
