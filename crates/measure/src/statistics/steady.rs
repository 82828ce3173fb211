//! The steady-state window: the time in which the offered load was reached.

use super::concurrency::Step;

const SECOND: i64 = 1_000_000_000;
/// Dips up to this length are change-overs from one request to the next, ns.
const CHANGE_OVER: i64 = 50_000_000;

/// The window of a closed loop: the longest time with at least 95 % of the target in flight (ignoring change-overs of up to 50
/// ms), if it lasts at least 10 s and a tenth of the run.
pub fn closed(steps: &[Step], target: u32, begin: i64, end: i64) -> Option<(i64, i64)> {
    let threshold = 0.95 * f64::from(target);
    let mut best: Option<(i64, i64)> = None;
    let mut open: Option<(i64, i64)> = None;
    for (i, step) in steps.iter().enumerate() {
        let until = steps.get(i + 1).map_or(end, |next| next.at);
        if (step.in_flight as f64) < threshold {
            continue;
        }
        open = match open {
            Some((start, last)) if step.at - last <= CHANGE_OVER => Some((start, until)),
            _ => Some((step.at, until)),
        };
        if let Some(window) = open
            && best.is_none_or(|best| window.1 - window.0 > best.1 - best.0)
        {
            best = Some(window);
        }
    }
    best.filter(|window| window.1 - window.0 >= (10 * SECOND).max((end - begin) / 10))
}

/// The window of an open loop: from the end of the first request (ramp) to the last send (drain), if it lasts at least 10 s and
/// a tenth of the run.
pub fn open(first_end: i64, last_send: i64, begin: i64, end: i64) -> Option<(i64, i64)> {
    (last_send - first_end >= (10 * SECOND).max((end - begin) / 10)).then_some((first_end, last_send))
}

#[cfg(test)]
mod tests {
    use super::super::concurrency::steps;
    use super::*;

    #[test]
    fn ramp_and_drain_are_cut_off() {
        // four in flight from 3 s to 33 s, with change-overs of 1 ms
        let mut intervals = Vec::new();
        for lane in 0..4_i64 {
            let mut at = lane * SECOND;
            for _ in 0..30 + 3 - lane {
                intervals.push((at, at + SECOND - 1_000_000));
                at += SECOND;
            }
        }
        let line = steps(intervals.into_iter());
        let (begin, end) = closed(&line, 4, 0, 33 * SECOND).unwrap();
        assert_eq!(begin, 3 * SECOND);
        assert_eq!(end, 33 * SECOND - 1_000_000);
        assert_eq!(closed(&line, 5, 0, 33 * SECOND), None);
        // a run that is too short has no window
        assert_eq!(closed(&steps([(0, 9 * SECOND)].into_iter()), 1, 0, 9 * SECOND), None);
    }
}
