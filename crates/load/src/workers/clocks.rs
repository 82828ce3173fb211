//! How far the workers' clocks are ahead of the coordinator's, and the records' way from one to the other.

use std::collections::HashMap;

use dyno_measure::clock_offset::ClockOffset;
use dyno_measure::report::{Phase, RequestRecord};

/// What is known of a worker's clock.
#[derive(Debug, Default)]
pub(super) struct WorkerClock {
    /// Its records' Unix times less the coordinator's, but for the monotonic clocks' offset, ns.
    unix: i64,
    latest: ClockOffset,
    first: Option<ClockOffset>,
    /// Its offset in each phase.
    phases: HashMap<(u32, Phase), i64>,
}

impl WorkerClock {
    /// Its records' times are its monotonic clock and `unix_offset`; the coordinator's own are its clock and `own`.
    pub(super) fn set_unix(&mut self, unix_offset: i64, own: i64) {
        self.unix = unix_offset - own;
    }

    pub(super) fn set(&mut self, offset: ClockOffset) {
        self.latest = offset;
        self.first.get_or_insert(offset);
    }

    /// How far its wall clock was ahead of the coordinator's when they were compared last. Monotonic clocks begin with their
    /// machines: how far they are apart tells a reader nothing.
    pub(super) fn wall(&self) -> ClockOffset {
        ClockOffset { offset_ns: self.unix + self.latest.offset_ns, ..self.latest }
    }

    pub(super) fn drift(&self) -> i64 {
        self.latest.offset_ns - self.first.map_or(0, |first| first.offset_ns)
    }

    pub(super) fn begin_phase(&mut self, load_point: u32, phase: Phase) {
        self.phases.insert((load_point, phase), self.latest.offset_ns);
    }

    /// A moment of the coordinator's monotonic clock on the worker's.
    pub(super) fn to_worker(&self, at: i64) -> i64 {
        at + self.latest.offset_ns
    }

    /// Moves a record's times onto the coordinator's clock, by the offset of its phase.
    pub(super) fn take_over(&self, record: &mut RequestRecord) {
        let offset = self.phases.get(&(record.load_point, record.phase)).copied().unwrap_or(self.latest.offset_ns);
        record.shift(-(self.unix + offset));
    }
}

#[cfg(test)]
mod tests {
    use dyno_measure::records::{GapsBuf, Records, Row};

    use super::*;

    #[test]
    fn times_come_back_to_the_coordinators_clock() {
        let mut clock = WorkerClock::default();
        // the worker booted 7 s earlier, and its wall clock is a second ahead
        clock.set_unix(1_000_000_000_000 + 1_000_000_000 - 7_000_000_000, 1_000_000_000_000);
        clock.set(ClockOffset { offset_ns: 7_000_000_000, uncertainty_ns: 5 });
        clock.begin_phase(0, Phase::Measured);
        assert_eq!(clock.to_worker(5), 7_000_000_005);
        let mut records = Records { nodes: vec!["n".to_owned()], id_prefix: "p".to_owned(), ..Records::default() };
        let sent = 7_000_000_005 + 1_000_000_000_000 + 1_000_000_000 - 7_000_000_000;
        records.push(Row { sent: Some(sent), ..Row::new(0, Phase::Measured, 0, 0) }, &GapsBuf::default(), None);
        // the offset moved since: what was measured before is by the one of its phase
        clock.set(ClockOffset { offset_ns: 7_000_000_100, uncertainty_ns: 5 });
        let mut record = records.record(0);
        clock.take_over(&mut record);
        assert_eq!(record.sent_unix_ns, Some(1_000_000_000_005));
        assert_eq!(clock.drift(), 100);
        assert_eq!(clock.wall(), ClockOffset { offset_ns: 1_000_000_100, uncertainty_ns: 5 }, "what a reader understands");
    }
}
