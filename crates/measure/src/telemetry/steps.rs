//! Readings as steps over time, put together to a bounded number of them, and figures of a window.

use super::report::{ClockLimitShare, TelemetryPoint, TimeWindow};
use super::{ClockLimit, Levels, Quantity};

/// A reading this many paces after the one before it stands for one pace alone: what was between is not known.
const GAP_PACES: f64 = 2.5;

/// A reading of a node or a device, on the load point's time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TimedReading<'a> {
    pub at_ms: f64,
    pub pace_ms: f64,
    pub levels: Levels,
    pub energy_j: Option<f64>,
    pub clock_limits: Option<&'a [ClockLimit]>,
}

/// A reading with the time that it stands for, which ends with it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TelemetryStep<'a> {
    pub begin_ms: f64,
    pub reading: TimedReading<'a>,
}

impl TelemetryStep<'_> {
    fn span(&self) -> f64 {
        self.reading.at_ms - self.begin_ms
    }

    /// The time that it has in common with a window.
    fn overlap(&self, window: TimeWindow) -> f64 {
        (self.reading.at_ms.min(window.end_ms) - self.begin_ms.max(window.begin_ms)).max(0.0)
    }
}

/// Whether so much time without a reading is a gap.
pub(super) fn is_gap(ms: f64, pace_ms: f64) -> bool {
    ms > GAP_PACES * pace_ms
}

/// Steps of readings, which are sorted by time; one told twice counts once.
pub(super) fn steps(readings: Vec<TimedReading<'_>>) -> Vec<TelemetryStep<'_>> {
    let mut steps: Vec<TelemetryStep<'_>> = Vec::with_capacity(readings.len());
    for reading in readings {
        let since = steps.last().map(|last| reading.at_ms - last.reading.at_ms);
        if since.is_some_and(|since| since <= 0.0) {
            continue;
        }
        let span = since.filter(|since| !is_gap(*since, reading.pace_ms)).unwrap_or(reading.pace_ms);
        steps.push(TelemetryStep { begin_ms: reading.at_ms - span, reading });
    }
    steps
}

/// The time within `from..until` that no step covers, where it is longer than a gap.
pub(super) fn gaps(steps: &[TelemetryStep<'_>], pace_ms: f64, from: f64, until: f64) -> Vec<(f64, f64)> {
    let mut gaps = Vec::new();
    let mut covered = from;
    let ends = steps.iter().map(|step| (step.begin_ms, step.reading.at_ms)).chain([(until, until)]);
    for (begin, end) in ends {
        let begin = begin.min(until);
        // the last reading of a load point comes up to a pace after its end, or never
        if is_gap(begin - covered, pace_ms) {
            gaps.push((covered, begin));
        }
        covered = covered.max(end);
    }
    gaps
}

/// Mean by time, and maximum, of each quantity over a window.
pub(super) fn figures(steps: &[TelemetryStep<'_>], window: TimeWindow) -> (Levels, Levels) {
    let (mut mean, mut max) = (Levels::default(), Levels::default());
    for quantity in Quantity::ALL {
        let inside = steps.iter().filter_map(|step| {
            let time = step.overlap(window);
            Some((step.reading.levels.get(quantity)?, time)).filter(|_| time > 0.0)
        });
        let (sum, time, most) = inside
            .fold((0.0, 0.0, f64::MIN), |(sum, all, most), (value, time)| (sum + value * time, all + time, most.max(value)));
        if time > 0.0 {
            mean.set(quantity, Some(sum / time));
            max.set(quantity, Some(most));
        }
    }
    (mean, max)
}

/// Difference of the energy counter between the first and the last reading within a window, J, and the time between them, ms.
/// Nothing where they cover less than half of the window, or where the counter fell: then it was reset.
pub(super) fn energy(steps: &[TelemetryStep<'_>], window: TimeWindow) -> Option<(f64, f64)> {
    let inside = |at: f64| at >= window.begin_ms && at <= window.end_ms;
    let readings = steps.iter().map(|step| &step.reading).filter(|reading| inside(reading.at_ms));
    let counter: Vec<(f64, f64)> = readings.filter_map(|reading| Some((reading.at_ms, reading.energy_j?))).collect();
    let (first, last) = (counter.first()?, counter.last()?);
    let time = last.0 - first.0;
    let is_reset = counter.windows(2).any(|pair| pair[1].1 < pair[0].1);
    (!is_reset && time > 0.0 && time >= (window.end_ms - window.begin_ms) / 2.0).then_some((last.1 - first.1, time))
}

/// For which share of a window clocks were limited, by reason; absent where no reading in it says whether they were.
pub(super) fn clock_limits(steps: &[TelemetryStep<'_>], window: TimeWindow) -> Option<Vec<ClockLimitShare>> {
    let mut known = 0.0;
    let mut limited: Vec<(ClockLimit, f64)> = Vec::new();
    for step in steps {
        let (time, Some(limits)) = (step.overlap(window), step.reading.clock_limits) else { continue };
        known += time;
        for limit in limits.iter().filter(|limit| **limit != ClockLimit::Idle) {
            match limited.iter_mut().find(|(own, _)| own == limit) {
                Some((_, all)) => *all += time,
                None => limited.push((*limit, time)),
            }
        }
    }
    limited.sort_by_key(|(reason, _)| *reason);
    let shares = limited.into_iter().map(|(reason, time)| ClockLimitShare { reason, share: time / known });
    (known > 0.0).then(|| shares.filter(|limit| limit.share > 0.0).collect())
}

/// The steps that reach into `from..until`, about so many at most: where they are more, neighbours are put
/// together, and not over a gap unless gaps alone are more than that.
pub(super) fn series(steps: &[TelemetryStep<'_>], from: f64, until: f64, most: usize) -> Vec<TelemetryPoint> {
    let inside: Vec<&TelemetryStep<'_>> = steps
        .iter()
        .filter(|step| step.reading.at_ms > from && step.begin_ms < until && !step.reading.levels.is_empty())
        .collect();
    let each = inside.len().div_ceil(most.max(1)).max(1);
    let stretches = inside.chunk_by(|a, b| (b.begin_ms - a.reading.at_ms).abs() < 1e-6);
    let points: Vec<TelemetryPoint> = stretches.flat_map(|stretch| stretch.chunks(each).map(together)).collect();
    // a source that comes and goes all the time: bounded all the same
    if points.len() > 2 * most { inside.chunks(each).map(together).collect() } else { points }
}

fn together(steps: &[&TelemetryStep<'_>]) -> TelemetryPoint {
    let (first, last) = (steps[0], steps[steps.len() - 1]);
    // no finer than anything was read
    let rounded = |ms: f64| (ms * 10.0).round() / 10.0;
    let (t_ms, span_ms) = (rounded(last.reading.at_ms), rounded(last.reading.at_ms - first.begin_ms));
    let mut point = TelemetryPoint { t_ms, span_ms, ..TelemetryPoint::default() };
    if steps.len() == 1 {
        point.levels = first.reading.levels;
        return point;
    }
    let (mut min, mut max) = (Levels::default(), Levels::default());
    for quantity in Quantity::ALL {
        let known = steps.iter().filter_map(|step| Some((step.reading.levels.get(quantity)?, step.span())));
        let (sum, time, least, most) = known.fold((0.0, 0.0, f64::MAX, f64::MIN), |(sum, all, least, most), (value, time)| {
            (sum + value * time, all + time, least.min(value), most.max(value))
        });
        if time > 0.0 {
            point.levels.set(quantity, Some(sum / time));
            min.set(quantity, Some(least));
            max.set(quantity, Some(most));
        }
    }
    (point.min, point.max) = (Some(min), Some(max));
    point
}
