//! How long the loop may sleep before it reads its sockets, so that one wake-up serves many events.
//!
//! The kernel stamps what it receives, so a read that comes later measures the same time. What a pause costs is that the next
//! request of a closed loop is sent so much later: it is kept far below the pace of the streams and below a thousandth or two
//! of a request.

/// Longest pause, ns.
const LONGEST: i64 = 1_000_000;
/// Shorter ones save nothing, ns. One of this length is taken at any pace of the streams: events that it lets come together
/// are measured wrong by less than it.
const SHORTEST: i64 = 80_000;
/// A pause's part of the mean time between two events of one stream: two of them hardly ever wait together.
const OF_A_GAP: i64 = 40;
/// A pause's part of the mean time of a request.
const OF_A_REQUEST: i64 = 500;
/// Fewer events in a pause are not worth one.
const WORTH: i64 = 2;

/// What came since the last update, and what follows from it.
#[derive(Debug, Default)]
pub struct WakeupCoalescing {
    since: i64,
    events: i64,
    coalesced: i64,
    ended: i64,
    length: i64,
    /// Events came together in one read because of long pauses: there are no more of those.
    given_up: bool,
}

impl WakeupCoalescing {
    /// So many content events came, so many of them together with the one before.
    pub fn events(&mut self, events: u32, coalesced: u32) {
        self.events += i64::from(events);
        self.coalesced += i64::from(coalesced);
    }

    /// A request has ended.
    pub fn ended(&mut self) {
        self.ended += 1;
    }

    /// How long it may be, ns; 0 for none.
    pub fn length(&self) -> i64 {
        self.length
    }

    /// Another phase begins: nothing is known of its pace.
    pub fn forget(&mut self, now: i64) {
        *self = Self { since: now, given_up: self.given_up, ..Self::default() };
    }

    /// Looks at what came since the last look, with so many requests in flight.
    pub fn update(&mut self, now: i64, in_flight: u32) {
        let passed = now - self.since;
        let gap = passed * i64::from(in_flight) / self.events.max(1);
        let request = passed * i64::from(in_flight) / self.ended.max(1);
        self.given_up |= self.length > SHORTEST && self.coalesced * 100 > self.events;
        let by_pace = if self.given_up { 0 } else { (gap / OF_A_GAP).min(LONGEST) };
        let length = by_pace.max(SHORTEST).min(request / OF_A_REQUEST);
        let worth = length * self.events > WORTH * passed;
        let length = if length >= SHORTEST && worth { length } else { 0 };
        *self = Self { since: now, length, given_up: self.given_up, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: i64 = 50_000_000;

    fn after(in_flight: u32, events: u32, coalesced: u32, ended: u32) -> WakeupCoalescing {
        let mut coalescing = WakeupCoalescing { length: LONGEST, ..WakeupCoalescing::default() };
        coalescing.events(events, coalesced);
        (0..ended).for_each(|_| coalescing.ended());
        coalescing.update(TICK, in_flight);
        coalescing
    }

    #[test]
    fn many_slow_streams_are_served_together() {
        assert_eq!(after(4000, 4000, 0, 54).length(), LONGEST);
        assert_eq!(after(256, 640, 0, 8).length(), 500_000);
    }

    #[test]
    fn fast_streams_allow_a_short_one() {
        assert_eq!(after(64, 20_000, 9_000, 40).length(), SHORTEST);
    }

    #[test]
    fn short_requests_and_few_events_allow_none() {
        assert_eq!(after(64, 20_000, 0, 700).length(), 0);
        assert_eq!(after(256, 640, 0, 640).length(), 0);
        assert_eq!(after(8, 20, 0, 0).length(), 0);
        assert_eq!(after(100, 0, 0, 0).length(), 0);
    }

    #[test]
    fn events_that_come_together_end_long_ones() {
        let mut coalescing = after(4000, 4000, 41, 54);
        assert_eq!(coalescing.length(), SHORTEST);
        coalescing.events(4000, 0);
        coalescing.update(2 * TICK, 4000);
        assert_eq!(coalescing.length(), SHORTEST);
    }
}
