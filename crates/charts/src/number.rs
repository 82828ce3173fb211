//! Numbers on axes, and durations for charts and the live page, in addition to `components::number`.

use dyno_measure::words::{grouped, span as duration};

/// The label of a tick, as short as possible.
pub fn tick(value: f64) -> String {
    if value.abs() >= 1000.0 && value.fract() == 0.0 {
        let sign = if value < 0.0 { "\u{2212}" } else { "" };
        return format!("{sign}{}", grouped(value.abs() as u64));
    }
    // steps are 1, 2 or 5 times a power of ten, so a few decimals are exact
    let text = format!("{value:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.replace('-', "\u{2212}") }
}

/// A time on the axis, in seconds with at most two decimals.
pub fn second(value: f64) -> String {
    tick((value * 100.0).round() / 100.0)
}

/// A duration in words.
pub fn span(seconds: f64) -> String {
    duration((seconds.max(0.0) * 1000.0).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_short() {
        assert_eq!(tick(0.1 + 0.2), "0.3");
        assert_eq!(tick(2000.0), "2,000");
        assert_eq!(tick(50.0), "50");
        assert_eq!(tick(-0.0), "0");
        assert_eq!(tick(-20.0), "\u{2212}20");
        assert_eq!(second(1234.5678), "1234.57");
    }

    #[test]
    fn spans_are_words() {
        assert_eq!(span(130.0), "2 min 10 s");
    }
}
