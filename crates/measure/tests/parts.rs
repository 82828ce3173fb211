//! A plan split over workers and put together again is the plan's own sequence.

use dyno_measure::arrivals::{Arrivals, PartArrivals};
use dyno_measure::load::ArrivalProcess;
use dyno_measure::plan::{Part, Shard, stream_start};
use dyno_measure::records::{GapsBuf, Records, Row};
use dyno_measure::report::{ErrorClass, Phase};
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Kind {
    Rate(ArrivalProcess, f64),
    /// Gaps of a trace, ns; equal arrivals among them.
    Trace(Vec<u16>),
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Rate(ArrivalProcess::Constant, 1.0)),
        Just(Kind::Rate(ArrivalProcess::Poisson, 1.0)),
        (0.1_f64..4.0).prop_map(|burstiness| Kind::Rate(ArrivalProcess::Gamma, burstiness)),
        prop::collection::vec(0_u16..3, 0..200).prop_map(Kind::Trace),
    ]
}

fn arrivals(kind: &Kind, seed: u64) -> Arrivals {
    match kind {
        Kind::Rate(process, burstiness) => Arrivals::new(50.0, *process, *burstiness, seed),
        Kind::Trace(gaps) => Arrivals::listed(
            gaps.iter()
                .scan(0_i64, |at, gap| {
                    *at += i64::from(*gap);
                    Some(*at)
                })
                .collect(),
        ),
    }
}

/// Number and time of a part's arrivals: up to a number of all, and before a time.
fn schedule(kind: &Kind, seed: u64, part: Part, count: u32, until: i64) -> Vec<(u32, i64)> {
    let mut arrivals = PartArrivals::new(arrivals(kind, seed), part);
    let mut all = Vec::new();
    while arrivals.number() < count && arrivals.peek() < until {
        all.push((arrivals.number(), arrivals.peek()));
        arrivals.advance();
    }
    all
}

proptest! {
    #[test]
    fn the_arrivals_of_all_parts_are_those_of_the_plan(
        kind in kinds(), seed: u64, workers in 1_u32..=64, count in 0_u32..300, until_s in 0.0_f64..8.0,
    ) {
        for (count, until) in [(count, i64::MAX), (300, (until_s * 1e9) as i64)] {
            let whole = schedule(&kind, seed, Part::WHOLE, count, until);
            let mut merged: Vec<(u32, i64)> =
                Part::all(workers).flat_map(|part| schedule(&kind, seed, part, count, until)).collect();
            merged.sort_unstable();
            prop_assert_eq!(merged, whole);
        }
    }

    /// Streams with their begin, endpoint and first request, and the requests that they share.
    #[test]
    fn the_streams_and_requests_of_all_parts_are_those_of_the_plan(
        concurrency in 1_u32..300, count in 1_u32..600, ramp in 0_i64..2_000_000_000, endpoints in 1_u32..9, workers in 1_u32..=64,
    ) {
        let streams = |part: Part| {
            let own = part.share(concurrency.min(count));
            (0..own).map(move |stream| {
                let stream = part.number(stream);
                (stream, stream_start(ramp, stream, concurrency), stream % endpoints)
            })
        };
        let mut merged: Vec<_> = Part::all(workers).flat_map(streams).collect();
        merged.sort_unstable();
        prop_assert_eq!(merged, streams(Part::WHOLE).collect::<Vec<_>>());
        let mut requests: Vec<u32> =
            Part::all(workers).flat_map(|part| {
                let shard = Shard::closed(part, concurrency);
                (0..shard.share(count)).map(move |own| shard.number(own))
            }).collect();
        requests.sort_unstable();
        prop_assert_eq!(requests, (0..count).collect::<Vec<_>>());
        for part in Part::all(workers) {
            let (shard, streams) = (Shard::closed(part, concurrency), part.share(concurrency));
            // as many as its streams come to, and none where it has none
            let (least, most) = (count / concurrency * streams, count.div_ceil(concurrency) * streams);
            prop_assert!((least..=most).contains(&shard.share(count)));
            for own in 0..shard.share(count) {
                prop_assert_eq!(shard.own(u64::from(shard.number(own))), Some(u64::from(own)));
                prop_assert_eq!(Shard::open(part).number(own), part.number(own));
            }
            let mut others = Part::all(workers).filter(|other| *other != part).map(|other| Shard::closed(other, concurrency));
            prop_assert!(shard.share(count) == 0 || others.all(|other| other.own(u64::from(shard.number(0))).is_none()));
        }
    }

    /// Records of workers whose clocks differ, in the order in which they came, become those of one worker.
    #[test]
    fn records_put_together_are_those_of_one_worker(
        rows in prop::collection::vec((0_i64..1_000, prop::option::of(1_i64..500), prop::collection::vec(0_u64..9, 0..4)), 0..60),
        offsets in prop::collection::vec(-1_000_000_i64..1_000_000, 1..8),
    ) {
        let mut whole = Records { nodes: vec!["a".to_owned()], id_prefix: "p".to_owned(), ..Records::default() };
        for (number, (sent, took, gaps)) in (0_u32..).zip(&rows) {
            let mut buffer = GapsBuf::default();
            gaps.iter().for_each(|gap| buffer.push(*gap));
            let dropped = took.is_none();
            let row = Row {
                scheduled: Some(*sent), sent: (!dropped).then_some(*sent), first: took.map(|took| sent + took),
                first_output: took.map(|took| sent + took), last: took.map(|took| sent + took), ended: took.map(|took| sent + took),
                error: dropped.then_some(ErrorClass::Dropped), coalesced: gaps.iter().filter(|gap| **gap == 0).count() as u32,
                ..Row::new(0, Phase::Measured, number, 0)
            };
            whole.push(row, &buffer, dropped.then(|| format!("error {number}")));
        }
        let whole = whole.by_send_time();
        let workers = offsets.len();
        let mut merged = Records { nodes: vec!["a".to_owned()], id_prefix: "p".to_owned(), ..Records::default() };
        for (worker, offset) in offsets.iter().enumerate() {
            for index in (0..whole.rows.len()).rev().filter(|index| whole.rows[*index].number as usize % workers == worker) {
                let mut record = whole.record(index);
                record.shift(*offset);
                record.shift(-offset);
                merged.push_record(record, &whole.gaps.buf_of(index));
            }
        }
        let merged = merged.by_send_time();
        for index in 0..whole.rows.len() {
            prop_assert_eq!(merged.record(index), whole.record(index));
            prop_assert_eq!(merged.gaps.of(index).collect::<Vec<_>>(), whole.gaps.of(index).collect::<Vec<_>>());
        }
        prop_assert_eq!(merged.rows.len(), rows.len());
    }
}
