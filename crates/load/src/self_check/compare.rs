//! Compares what the client measured with what the engine logged. Pure.

use std::collections::HashMap;

use serde::Deserialize;

use dyno_measure::records::{Records, ms};
use dyno_measure::report::Phase;
use dyno_measure::statistics::percentile::percentile;
use dyno_measure::validity::ClientError;

/// What the engine logged of one request, monotonic ns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Truth {
    /// When the engine's kernel had received all of the request.
    arrived: i64,
    /// When each content event was written.
    written: Vec<i64>,
}

/// A line of the engine's truth log; only the fields needed here.
#[derive(Deserialize)]
struct TruthTimes<'a> {
    request_id: Option<&'a str>,
    received_mono_ns: u64,
    kinds: &'a str,
    mono_ns: Vec<u64>,
}

/// Reads a truth log by request id; malformed lines are skipped.
pub(super) fn read_truth(log: &[u8]) -> HashMap<String, Truth> {
    let lines = log.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<TruthTimes<'_>>(line).ok());
    lines
        .filter_map(|line| {
            let content = line.kinds.bytes().zip(&line.mono_ns).filter(|(kind, _)| *kind == b'c');
            let written = content.map(|(_, at)| at.cast_signed()).collect();
            let arrived = line.received_mono_ns.cast_signed();
            Some((line.request_id?.to_owned(), Truth { arrived, written }))
        })
        .collect()
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ComparedTiming {
    /// Requests that could be compared.
    pub requests: u64,
    /// Requests for which the client counted another number of content events than were written.
    pub wrong: u64,
    pub ttft: Option<ClientError>,
    pub itl: Option<ClientError>,
}

/// Compares every measured request that succeeded.
pub(super) fn compare(records: &Records, truth: &HashMap<String, Truth>) -> ComparedTiming {
    let mut compared = ComparedTiming::default();
    let (mut ttft, mut itl) = (Vec::new(), Vec::new());
    for (index, row) in records.rows.iter().enumerate().filter(|(_, row)| row.phase == Phase::Measured && row.succeeded()) {
        let id = Records::id(&records.id_prefix, row.load_point, row.phase, row.number);
        let (Some(truth), Some((sent, first))) = (truth.get(&id), row.sent.zip(row.first)) else { continue };
        if truth.written.len() != row.events as usize {
            compared.wrong += 1;
            continue;
        }
        compared.requests += 1;
        ttft.push(ms((first - sent) - (truth.written[0] - truth.arrived)).abs());
        let gaps = records.gaps.of(index).map(u64::cast_signed);
        itl.extend(gaps.zip(truth.written.windows(2)).map(|(gap, pair)| ms(gap - (pair[1] - pair[0])).abs()));
    }
    (compared.ttft, compared.itl) = (figures(ttft), figures(itl));
    compared
}

fn figures(mut errors: Vec<f64>) -> Option<ClientError> {
    errors.sort_unstable_by(f64::total_cmp);
    let max = *errors.last()?;
    Some(ClientError { p50: percentile(&errors, 50.0), p99: percentile(&errors, 99.0), max, n: errors.len() as u64 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use dyno_measure::records::{GapsBuf, Row};
    use dyno_measure::report::ErrorClass;

    const MS: i64 = 1_000_000;

    fn row(records: &mut Records, number: u32, sent: i64, events: &[i64]) {
        let mut gaps = GapsBuf::default();
        events.windows(2).for_each(|pair| gaps.push((pair[1] - pair[0]).cast_unsigned()));
        let row = Row {
            sent: Some(sent),
            first: events.first().copied(),
            last: events.last().copied(),
            events: events.len() as u32,
            ..Row::new(0, Phase::Measured, number, 0)
        };
        records.push(row, &gaps, None);
    }

    #[test]
    fn errors_are_those_of_the_intervals() {
        let mut records = Records { id_prefix: "a".to_owned(), ..Records::default() };
        // the client's times have another origin: only intervals are compared
        row(&mut records, 0, 1_000 * MS, &[1_101 * MS, 1_112 * MS, 1_120 * MS]);
        row(&mut records, 1, 1_000 * MS, &[1_100 * MS]);
        row(&mut records, 2, 1_000 * MS, &[1_100 * MS]);
        records.rows[2].error = Some(ErrorClass::Stalled);
        let line = |id: &str, kinds: &str, at: &[i64]| {
            let at: Vec<i64> = at.iter().map(|at| at * MS).collect();
            format!(r#"{{"request_id":"{id}","received_mono_ns":10000000,"kinds":"{kinds}","mono_ns":{at:?},"more":1}}"#)
        };
        let log =
            [line("a-0m0", "hrccfcud", &[15, 20, 110, 120, 121, 130, 131, 132]), line("a-0m1", "c", &[10]), "cut {".to_owned()];
        let truth = read_truth(log.join("\n").as_bytes());
        assert_eq!(truth["a-0m0"], Truth { arrived: 10 * MS, written: vec![110 * MS, 120 * MS, 130 * MS] });
        let compared = compare(&records, &truth);
        assert_eq!((compared.requests, compared.wrong), (2, 0));
        // TTFT: 101 ms measured against 100 ms, and 100 ms against 0
        let ttft = compared.ttft.unwrap();
        assert_eq!((ttft.p50, ttft.max, ttft.n), (50.5, 100.0, 2));
        // gaps: 11 and 8 ms measured against 10 and 10 ms
        let itl = compared.itl.unwrap();
        assert_eq!((itl.p50, itl.max, itl.n), (1.5, 2.0, 2));
    }

    #[test]
    fn an_event_too_many_or_too_few_is_wrong() {
        let mut records = Records { id_prefix: "a".to_owned(), ..Records::default() };
        row(&mut records, 0, 0, &[MS, 2 * MS]);
        let truth = HashMap::from([("a-0m0".to_owned(), Truth { arrived: 0, written: vec![MS] })]);
        let compared = compare(&records, &truth);
        assert_eq!((compared.requests, compared.wrong, compared.ttft), (0, 1, None));
    }
}
