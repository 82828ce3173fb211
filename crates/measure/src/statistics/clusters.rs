//! Arrival clusters: events that many streams get from one engine step count as one observation.

/// Events closer than this to the first of their cluster belong to it, ns.
const WIDTH: i64 = 5_000_000;

/// Number of clusters of content events. All events of a cluster lie within 5 ms of its first, so that a steady trickle makes a
/// cluster every 5 ms and not a single one. Sorts the times.
pub fn count(times: &mut [i64]) -> u64 {
    times.sort_unstable();
    let mut clusters = 0;
    let mut begin = i64::MIN;
    for time in times {
        if clusters == 0 || *time - begin >= WIDTH {
            clusters += 1;
            begin = *time;
        }
    }
    clusters
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn steps_of_an_engine() {
        let ms = 1_000_000;
        assert_eq!(count(&mut []), 0);
        assert_eq!(count(&mut [0, ms, 2 * ms, 20 * ms, 21 * ms, 40 * ms]), 3);
        // exactly 5 ms apart are two
        assert_eq!(count(&mut [5 * ms, 0]), 2);
        let mut trickle: Vec<i64> = (0..1000).map(|i| i * ms).collect();
        assert_eq!(count(&mut trickle), 200);
    }
}
