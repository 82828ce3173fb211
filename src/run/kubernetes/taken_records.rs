//! How far the request records of a load that goes on were taken over.

use dyno_pod::client::SpoolPosition;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::run::executor::RecordPortion;
use dyno_measure::sidecar::Sidecar;

/// Between two portions, of about a megabyte: often enough that little is lost, and rare enough that the load is not disturbed. What a
/// load writes faster than that is taken over after its end.
const PACE: SignedDuration = SignedDuration::from_secs(5);

/// How far the records of a load that goes on were taken over.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct TakenRecords {
    pub place: SpoolPosition,
    /// How many they are.
    pub count: u64,
    /// When the last portion was asked for.
    pub asked: Option<Timestamp>,
    /// What stood beside them.
    pub sidecar: Sidecar,
}

impl TakenRecords {
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        // A clock that was put back is no reason to wait longer.
        self.asked.is_none_or(|asked| !(SignedDuration::ZERO..PACE).contains(&now.duration_since(asked)))
    }

    /// Notes a portion that ends at a place.
    pub(super) fn add(&mut self, portion: &RecordPortion, place: SpoolPosition) {
        if portion.is_anew {
            self.count = 0;
        }
        self.count += portion.records.len() as u64;
        self.place = place;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_portion_is_due_each_five_seconds() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert!(TakenRecords::default().is_due(at(100)));
        let taken = TakenRecords { asked: Some(at(100)), ..TakenRecords::default() };
        assert!(!taken.is_due(at(104)));
        assert!(taken.is_due(at(105)));
        assert!(taken.is_due(at(90)), "the clock was put back");
    }

    #[test]
    fn records_that_were_written_anew_are_counted_anew() {
        let record = || serde_json::from_str(r#"{"id":"a-0m0","node":"n","load_point":0,"phase":"measured"}"#).unwrap();
        let portion = |count, is_anew| RecordPortion { records: std::iter::repeat_with(record).take(count).collect(), is_anew };
        let place = |file: &str| SpoolPosition { offset: 9, file: file.to_owned() };
        let mut taken = TakenRecords::default();
        taken.add(&portion(3, false), place("a"));
        taken.add(&portion(2, false), place("a"));
        assert_eq!(taken.count, 5);
        taken.add(&portion(4, true), place("b"));
        assert_eq!((taken.count, taken.place.file.as_str()), (4, "b"));
    }
}
