//! Maps values to positions: linear, logarithmic and percentile scales, and their ticks.

/// The kind of a scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ScaleKind {
    /// Equal steps for equal differences.
    Linear,
    /// Equal steps for equal ratios; values must be above 0.
    Log,
    /// Logarithmic with ticks at powers of two, for loads that double.
    Log2,
    /// Percentiles, 0 to below 100, stretched towards the tail: −log10(1 − p).
    Tail,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    pub kind: ScaleKind,
    /// Least and largest value.
    pub domain: (f64, f64),
    pub range: (f64, f64),
}

impl Scale {
    /// The pixel position of a value; values outside the domain are clamped.
    pub fn at(&self, value: f64) -> f64 {
        let [low, high, value] = [self.domain.0, self.domain.1, value].map(|v| self.stretch(v));
        let share = if high > low { ((value - low) / (high - low)).clamp(0.0, 1.0) } else { 0.5 };
        self.range.0 + share * (self.range.1 - self.range.0)
    }

    fn stretch(&self, value: f64) -> f64 {
        match self.kind {
            ScaleKind::Linear => value,
            ScaleKind::Log | ScaleKind::Log2 => value.max(f64::MIN_POSITIVE).log10(),
            ScaleKind::Tail => tail(value),
        }
    }

    /// The ticks, about `count` at most.
    pub fn ticks(&self, count: usize) -> Vec<f64> {
        match self.kind {
            ScaleKind::Linear => ticks(self.domain.0, self.domain.1, count),
            ScaleKind::Log => log_ticks(self.domain.0, self.domain.1, count),
            ScaleKind::Log2 => log2_ticks(self.domain.0, self.domain.1, count),
            ScaleKind::Tail => [0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999].into_iter().filter(|p| *p <= self.domain.1).collect(),
        }
    }
}

/// −log10(1 − p/100): 90, 99 and 99.9 are equally far apart.
pub fn tail(percentile: f64) -> f64 {
    -(1.0 - percentile.clamp(0.0, 99.999_999) / 100.0).log10()
}

/// Whether values this far apart are drawn on a logarithmic axis: the largest is more than 50 times the least.
pub fn wants_log(least: f64, largest: f64) -> bool {
    least > 0.0 && largest / least > 50.0
}

/// A step of 1, 2 or 5 times a power of ten that divides a span into at most `count` parts.
pub fn nice_step(span: f64, count: usize) -> f64 {
    if !(span.is_finite() && span > 0.0) {
        return 1.0;
    }
    let raw = span / count.max(1) as f64;
    let power = 10f64.powf(raw.log10().floor());
    // a tolerance for rounding, so that 0.1 + 0.2 does not need the next step
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= raw * (1.0 - 1e-9)).unwrap_or(10.0);
    factor * power
}

/// Round values from `low` to `high`, at most `count` steps.
pub fn ticks(low: f64, high: f64, count: usize) -> Vec<f64> {
    let step = nice_step(high - low, count);
    let first = (low / step - 1e-9).ceil();
    let last = (high / step + 1e-9).floor();
    if !(first.is_finite() && last.is_finite()) || last - first > 1000.0 {
        return Vec::new();
    }
    (0..=(last - first) as usize).map(|index| (first + index as f64) * step).collect()
}

/// Powers of ten, with 2 and 5 between them where there is room.
pub fn log_ticks(low: f64, high: f64, count: usize) -> Vec<f64> {
    if !(low > 0.0 && high > low) {
        return Vec::new();
    }
    let decades = (low.log10().floor() as i32)..=(high.log10().ceil() as i32);
    let with = |factors: &[f64]| -> Vec<f64> {
        decades
            .clone()
            .flat_map(|power| factors.iter().map(move |factor| factor * 10f64.powi(power)))
            .filter(|value| *value >= low * (1.0 - 1e-9) && *value <= high * (1.0 + 1e-9))
            .collect()
    };
    [&[1.0, 2.0, 5.0][..], &[1.0, 3.0], &[1.0]]
        .into_iter()
        .map(with)
        .find(|found| found.len() <= count + 1)
        .unwrap_or_else(|| with(&[1.0]).into_iter().step_by(2).collect())
}

/// Powers of two; every second, third … where they are too many.
pub fn log2_ticks(low: f64, high: f64, count: usize) -> Vec<f64> {
    if !(low > 0.0 && high > low) {
        return Vec::new();
    }
    let (first, last) = ((low.log2() - 1e-9).ceil() as i32, (high.log2() + 1e-9).floor() as i32);
    let powers: Vec<i32> = (first..=last).collect();
    let every = powers.len().div_ceil(count.max(1)).max(1);
    powers.into_iter().step_by(every).map(|power| 2f64.powi(power)).collect()
}

/// The upper end of an axis from 0: the next round step above the value, so that a live axis grows in steps.
pub fn nice_top(largest: f64) -> f64 {
    if !(largest.is_finite() && largest > 0.0) {
        return 1.0;
    }
    let power = 10f64.powf(largest.log10().floor());
    [1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|top| *top >= largest * (1.0 - 1e-9))
        .unwrap_or(10.0 * power)
}

/// Bounds for values on a logarithmic axis: widened to 1, 2 or 5 times a power of ten.
pub fn nice_log_bounds(least: f64, largest: f64) -> (f64, f64) {
    let power = |value: f64| 10f64.powf(value.log10().floor());
    let low = power(least);
    let high = power(largest);
    let floor = [5.0, 2.0].into_iter().map(|factor| factor * low).find(|bound| *bound <= least * (1.0 + 1e-9)).unwrap_or(low);
    let top = [1.0, 2.0, 5.0].into_iter().map(|factor| factor * high).find(|bound| *bound >= largest * (1.0 - 1e-9));
    (floor, top.unwrap_or(10.0 * high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_one_two_or_five() {
        assert_eq!(nice_step(100.0, 5), 20.0);
        assert_eq!(nice_step(7.0, 5), 2.0);
        assert_eq!(nice_step(0.0, 5), 1.0);
        assert!((nice_step(0.3, 6) - 0.05).abs() < 1e-12);
    }

    #[test]
    fn ticks_stay_inside_and_are_round() {
        assert_eq!(ticks(0.0, 100.0, 5), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        assert_eq!(ticks(-3.0, 12.0, 5), [0.0, 5.0, 10.0]);
        assert_eq!(ticks(3.0, 3.0, 5), [3.0]);
        assert!(ticks(f64::NAN, 1.0, 5).is_empty());
    }

    #[test]
    fn log_ticks_thin_out_over_many_decades() {
        assert_eq!(log_ticks(1.0, 10.0, 6), [1.0, 2.0, 5.0, 10.0]);
        assert_eq!(log_ticks(1.0, 1000.0, 6), [1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0]);
        assert_eq!(log_ticks(1.0, 1e5, 6), [1.0, 10.0, 100.0, 1000.0, 1e4, 1e5]);
        assert!(log_ticks(0.0, 10.0, 6).is_empty());
    }

    #[test]
    fn doubling_loads_are_marked_at_powers_of_two() {
        assert_eq!(log2_ticks(0.9, 17.0, 8), [1.0, 2.0, 4.0, 8.0, 16.0]);
        assert_eq!(log2_ticks(1.0, 512.0, 5), [1.0, 4.0, 16.0, 64.0, 256.0]);
        assert_eq!(log2_ticks(0.2, 2.0, 8), [0.25, 0.5, 1.0, 2.0]);
        assert!(log2_ticks(0.0, 2.0, 8).is_empty());
    }

    #[test]
    fn tail_puts_equal_steps_between_nines() {
        assert_eq!(tail(0.0), 0.0);
        assert!((tail(90.0) - 1.0).abs() < 1e-12);
        assert!((tail(99.0) - 2.0).abs() < 1e-9);
        assert!((tail(99.9) - 3.0).abs() < 1e-9);
        assert!(tail(100.0).is_finite());
    }

    #[test]
    fn positions_follow_the_kind() {
        let scale = |kind, domain| Scale { kind, domain, range: (0.0, 300.0) };
        assert_eq!(scale(ScaleKind::Linear, (0.0, 10.0)).at(5.0), 150.0);
        assert!((scale(ScaleKind::Log, (1.0, 1000.0)).at(10.0) - 100.0).abs() < 1e-9);
        assert!((scale(ScaleKind::Tail, (0.0, 99.9)).at(99.0) - 200.0).abs() < 1e-6);
        assert_eq!(scale(ScaleKind::Linear, (0.0, 10.0)).at(12.0), 300.0);
        assert_eq!(Scale { kind: ScaleKind::Linear, domain: (0.0, 1.0), range: (200.0, 0.0) }.at(0.0), 200.0);
    }

    #[test]
    fn a_log_axis_needs_a_ratio_over_fifty() {
        assert!(wants_log(1.0, 51.0));
        assert!(!wants_log(1.0, 50.0));
        assert!(!wants_log(0.0, 50.0));
    }

    #[test]
    fn tops_grow_in_steps() {
        assert_eq!(nice_top(0.0), 1.0);
        assert_eq!(nice_top(101.0), 150.0);
        assert_eq!(nice_top(99.0), 100.0);
        assert_eq!(nice_top(100.0), 100.0);
        assert_eq!(nice_log_bounds(23.0, 1800.0), (20.0, 2000.0));
    }
}
