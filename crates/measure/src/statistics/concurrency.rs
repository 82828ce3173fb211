//! Requests in flight over time, by an exact sweep line over half-open intervals.

/// The number of requests in flight from `at` until the next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// ns.
    pub at: i64,
    pub in_flight: u64,
}

/// The steps of intervals `[start, end)`. Where one ends as another starts there is no step; empty intervals are ignored.
pub fn steps(intervals: impl Iterator<Item = (i64, i64)>) -> Vec<Step> {
    let mut changes: Vec<(i64, i64)> =
        intervals.filter(|(start, end)| start < end).flat_map(|(start, end)| [(start, 1), (end, -1)]).collect();
    changes.sort_unstable();
    let mut steps: Vec<Step> = Vec::new();
    let mut in_flight = 0_i64;
    let mut i = 0;
    while i < changes.len() {
        let at = changes[i].0;
        let before = in_flight;
        while i < changes.len() && changes[i].0 == at {
            in_flight += changes[i].1;
            i += 1;
        }
        if in_flight != before {
            steps.push(Step { at, in_flight: in_flight.unsigned_abs() });
        }
    }
    steps
}

/// Mean number in flight between two times.
pub fn mean(steps: &[Step], begin: i64, end: i64) -> Option<f64> {
    if end <= begin {
        return None;
    }
    let mut area = 0.0;
    for (i, step) in steps.iter().enumerate() {
        let until = steps.get(i + 1).map_or(end, |next| next.at).min(end);
        let from = step.at.max(begin);
        if until > from {
            area += (until - from) as f64 * step.in_flight as f64;
        }
    }
    Some(area / (end - begin) as f64)
}

/// Most in flight at once.
pub fn peak(steps: &[Step]) -> Option<u64> {
    steps.iter().map(|step| step.in_flight).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_open_intervals() {
        // an end and a start at 10 do not overlap
        let line = steps([(0, 10), (10, 20), (5, 10), (7, 7)].into_iter());
        assert_eq!(peak(&line), Some(2));
        assert_eq!(line.iter().map(|step| (step.at, step.in_flight)).collect::<Vec<_>>(), [(0, 1), (5, 2), (10, 1), (20, 0)]);
        assert_eq!(mean(&line, 0, 20), Some(1.25));
        assert_eq!(mean(&line, 5, 10), Some(2.0));
        assert_eq!(mean(&line, 20, 20), None);
    }
}
