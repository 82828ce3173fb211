//! How many workers a load can be put on by, and how many it should be.

use super::check::PlanError;
use super::{Load, MOST_WORKERS, PlannedLoad};

/// Streams that one worker carries: the benchmark of the client has so many of one process, and finds its error small beside
/// what it measures. The self-check covers little more (10,000), and a process's open files are a limit of their own.
pub const STREAMS_OF_ONE_WORKER: u32 = 9_500;
/// Requests per second that one worker sends: the benchmark's open loop, of which the self-check covers as many streams as it
/// has at most, each with a request of ten seconds.
pub const RATE_OF_ONE_WORKER: f64 = 1_000.0;

/// For how long a request is in flight at a rate, as the self-check takes it, seconds.
const SECONDS_IN_FLIGHT: f64 = 10.0;

/// What one worker carries at most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WorkerCapacity {
    pub streams: u32,
    /// Requests per second.
    pub rate: f64,
}

impl WorkerCapacity {
    /// As the benchmark of the client found it.
    pub const BENCHMARK: Self = Self { streams: STREAMS_OF_ONE_WORKER, rate: RATE_OF_ONE_WORKER };

    /// Of one that a self-check found in time with so many streams.
    pub fn of(streams: u32) -> Self {
        Self { streams: streams.max(STREAMS_OF_ONE_WORKER), ..Self::BENCHMARK }
    }

    /// Of one that a self-check found late with so many streams: fewer.
    pub fn below(streams: u32) -> Self {
        let streams = (streams.saturating_sub(1)).clamp(1, STREAMS_OF_ONE_WORKER);
        Self { streams, rate: f64::from(streams) / SECONDS_IN_FLIGHT }
    }
}

/// Most requests in flight, by which the workers are limited. A closed loop with fewer streams than workers leaves some of them
/// idle, which is as good; at a rate, a worker that may have nothing in flight would drop its arrivals.
fn in_flight(points: &[PlannedLoad]) -> Option<u32> {
    let open = points.iter().filter(|point| point.load.is_open()).map(PlannedLoad::cap).min();
    open.or_else(|| points.iter().map(PlannedLoad::cap).max())
}

/// Whether so many workers can share the load points.
///
/// # Errors
/// There are too many of them, of all loads or of this one.
pub fn check_workers(workers: u32, points: &[PlannedLoad]) -> Result<(), PlanError> {
    if !(1..=MOST_WORKERS).contains(&workers) {
        return Err(PlanError::Workers);
    }
    match in_flight(points).filter(|in_flight| *in_flight < workers) {
        Some(in_flight) => Err(PlanError::MoreWorkersThanStreams { workers, in_flight }),
        None => Ok(()),
    }
}

/// How many workers carry the load points, each no more than `one`; 1 where the load is not known before, as
/// that of a trace.
pub fn suggested_workers(points: &[PlannedLoad], one: WorkerCapacity) -> u32 {
    let of = |point: &PlannedLoad| match point.load {
        Load::Closed { concurrency } => point.closed_streams(concurrency).div_ceil(one.streams.max(1)),
        Load::Rate { rate, .. } => (rate / one.rate).ceil() as u32,
        Load::Trace { .. } => 1,
    };
    let wanted = points.iter().map(of).max().unwrap_or(1);
    wanted.min(in_flight(points).unwrap_or(1)).clamp(1, MOST_WORKERS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::ArrivalProcess;

    fn rate(rate: f64, max_in_flight: u32) -> PlannedLoad {
        let load = Load::Rate { rate, process: ArrivalProcess::default(), burstiness: 1.0, max_in_flight };
        PlannedLoad { load, ..PlannedLoad::closed(1) }
    }

    #[test]
    fn as_many_as_the_load_needs_and_can_have() {
        let closed = PlannedLoad::closed;
        for (points, workers) in [
            (vec![], 1),
            (vec![closed(9_500)], 1),
            (vec![closed(9_501)], 2),
            (vec![closed(16), closed(40_000), closed(4)], 5),
            (vec![rate(1_000.0, 5_000)], 1),
            (vec![rate(1_000.1, 5_000)], 2),
            (vec![rate(8.0, 5_000), rate(4_500.0, 5_000)], 5),
            (vec![rate(4_500.0, 3)], 3),
            (vec![rate(1_000_000.0, 100_000)], MOST_WORKERS),
            // no more streams than requests
            (vec![PlannedLoad { num_requests: Some(500), warmup_requests: Some(0), ..closed(20_000) }], 1),
        ] {
            assert_eq!(suggested_workers(&points, WorkerCapacity::BENCHMARK), workers, "{points:?}");
            assert_eq!(check_workers(workers, &points), Ok(()), "{points:?}");
        }
    }

    #[test]
    fn a_self_check_says_more_than_the_benchmark() {
        let wanted = |points: &[PlannedLoad], one| suggested_workers(points, one);
        let closed = |streams| [PlannedLoad::closed(streams)];
        let late = WorkerCapacity::below(400);
        assert_eq!([wanted(&closed(399), late), wanted(&closed(400), late), wanted(&closed(800), late)], [1, 2, 3]);
        assert_eq!(wanted(&[rate(40.0, 5_000)], late), 2, "as many in flight, if a request takes ten seconds");
        assert_eq!(wanted(&closed(10_000), WorkerCapacity::of(10_000)), 1);
        assert_eq!(wanted(&closed(9_501), WorkerCapacity::of(64)), 2, "of more than was checked, the benchmark says it");
        assert_eq!(wanted(&closed(10_000), WorkerCapacity::below(10_000)), 2);
        assert_eq!(wanted(&closed(2), WorkerCapacity::below(1)), 2);
    }

    #[test]
    fn the_smallest_cap_of_rates_and_the_largest_concurrency_limit_them() {
        let refused = |workers, in_flight| Err(PlanError::MoreWorkersThanStreams { workers, in_flight });
        assert_eq!(check_workers(3, &[rate(5.0, 2), rate(5.0, 8)]), refused(3, 2));
        assert_eq!(check_workers(8, &[PlannedLoad::closed(2), PlannedLoad::closed(8)]), Ok(()));
        assert_eq!(check_workers(9, &[PlannedLoad::closed(2), PlannedLoad::closed(8)]), refused(9, 8));
        assert_eq!(check_workers(0, &[PlannedLoad::closed(8)]), Err(PlanError::Workers));
        assert_eq!(check_workers(65, &[PlannedLoad::closed(100)]), Err(PlanError::Workers));
    }
}
