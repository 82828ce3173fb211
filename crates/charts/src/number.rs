//! Numbers on axes, and times in words that charts and the live page need beside those of `components::number`.

use dyno_measure::words::{grouped, span as duration};

/// A tick's label: as short as the value allows.
pub fn tick(value: f64) -> String {
    if value.abs() >= 1000.0 && value.fract() == 0.0 {
        let sign = if value < 0.0 { "\u{2212}" } else { "" };
        return format!("{sign}{}", grouped(value.abs() as u64));
    }
    // Steps are 1, 2 or 5 times a power of ten, so a few decimals hold them exactly.
    let text = format!("{value:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.replace('-', "\u{2212}") }
}

/// A moment on a time axis, seconds with two decimals at most.
pub fn second(value: f64) -> String {
    tick((value * 100.0).round() / 100.0)
}

/// A span of seconds in words.
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
