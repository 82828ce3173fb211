//! The workers' records as those of one load, as they come.

use std::io;

use super::clocks::WorkerClock;
use crate::records::{RecordFile, WorkerRecords};
use dyno_measure::records::{GapsBuf, Records, Row};
use dyno_measure::report::RequestRecord;

pub(super) struct MergedRecords {
    pub records: Records,
    /// Which worker each is of.
    of: Vec<usize>,
    file: Option<RecordFile>,
    /// The first error of writing the file.
    pub error: Option<io::Error>,
}

impl MergedRecords {
    pub(super) fn new(records: Records, file: Option<RecordFile>) -> Self {
        Self { records, of: Vec::new(), file, error: None }
    }

    /// Takes a portion over; `each` sees every row that is new.
    pub(super) fn take(&mut self, worker: usize, clock: &WorkerClock, portion: &WorkerRecords, mut each: impl FnMut(&Row)) {
        if portion.replaces {
            let others: Vec<usize> = (0..self.of.len()).filter(|index| self.of[*index] != worker).collect();
            self.records = self.records.picked(&others);
            self.of.retain(|of| *of != worker);
            return;
        }
        let mut gaps = portion.gaps.as_slice();
        for line in portion.lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let Ok(mut record) = serde_json::from_slice::<RequestRecord>(line) else { break };
            clock.take_over(&mut record);
            let own_gaps = GapsBuf::read_from(&mut gaps).unwrap_or_default();
            if let Some(file) = &mut self.file
                && let Err(error) = file.append(&record, &own_gaps)
            {
                self.error.get_or_insert(error);
            }
            self.records.push_record(record, &own_gaps);
            self.of.push(worker);
            if let Some(row) = self.records.rows.last() {
                each(row);
            }
        }
    }

    pub(super) fn flush(&mut self) {
        if let Some(Err(error)) = self.file.as_mut().map(RecordFile::flush) {
            self.error.get_or_insert(error);
        }
    }

    /// How many records are a worker's.
    pub(super) fn count(&self, worker: usize) -> u64 {
        self.of.iter().filter(|of| **of == worker).count() as u64
    }

    /// All records in the order in which their requests were sent, in the file as well.
    pub(super) fn in_order(mut self) -> io::Result<Records> {
        let records = self.records.by_send_time();
        if let Some(file) = self.file.take() {
            file.rewrite(&records)?;
        }
        Ok(records)
    }
}
