//! Records of several workers as those of one load.

use super::Records;
use crate::report::RequestRecord;

impl RequestRecord {
    /// Moves every time by so many ns, onto another clock. What was measured between them stays as it is.
    pub fn shift(&mut self, by: i64) {
        let times = [
            &mut self.scheduled_unix_ns,
            &mut self.sent_unix_ns,
            &mut self.first_content_unix_ns,
            &mut self.last_content_unix_ns,
            &mut self.ended_unix_ns,
        ];
        for time in times.into_iter().flatten() {
            *time += by;
        }
    }
}

impl Records {
    /// In the order in which the requests were sent; one that never was, by when it was to be. Requests of one moment are in the order of
    /// their numbers.
    #[must_use]
    pub fn by_send_time(mut self) -> Self {
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        order.sort_by_key(|index| {
            let row = &self.rows[*index];
            (row.sent.or(row.scheduled).or(row.ended), row.load_point, row.number)
        });
        self.picked(&order)
    }

    /// These rows alone, in this order.
    #[must_use]
    pub fn picked(&mut self, order: &[usize]) -> Self {
        let (nodes, id_prefix) = (self.nodes.clone(), self.id_prefix.clone());
        let mut picked = Self { nodes, id_prefix, lacks_gaps: self.lacks_gaps, ..Self::default() };
        for index in order {
            let error = self.errors.remove(index);
            picked.push(self.rows[*index].clone(), &self.gaps.buf_of(*index), error);
        }
        picked
    }
}
