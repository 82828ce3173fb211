//! Numbers as people read them: three significant digits, grouped whole numbers from 1,000 on.

/// A figure with three significant digits; whole and grouped from 1,000 on.
pub fn figure(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        return "no figure".to_owned();
    }
    if size >= 999.5 {
        return grouped_signed(value.round() as i64);
    }
    if size == 0.0 {
        return "0".to_owned();
    }
    let digits = (2 - size.log10().floor() as i32).clamp(0, 6) as usize;
    // 9.996 rounds to 10.00: one digit less keeps it at three.
    let digits = if digits > 0 && (size * 10f64.powi(digits as i32)).round() >= 1000.0 { digits - 1 } else { digits };
    format!("{value:.digits$}")
}

/// A tick's label: as short as the value allows.
pub fn tick(value: f64) -> String {
    if value.abs() >= 1000.0 && value.fract() == 0.0 {
        return grouped_signed(value as i64);
    }
    // Steps are 1, 2 or 5 times a power of ten, so a few decimals hold them exactly.
    let text = format!("{value:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// A count, grouped: `1,280`.
pub fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn grouped_signed(value: i64) -> String {
    let sign = if value < 0 { "−" } else { "" };
    format!("{sign}{}", grouped(value.unsigned_abs()))
}

/// A share as percent with three significant digits, without the sign: `0.0781` becomes `7.81`.
pub fn percent(share: f64) -> String {
    figure(share * 100.0)
}

/// A span in words: `2 minutes`, `41 s`, `1 h 20 min`.
pub fn span(seconds: f64) -> String {
    let seconds = seconds.max(0.0);
    if seconds < 10.0 {
        return format!("{} s", figure(seconds));
    }
    let whole = seconds.round() as u64;
    match whole {
        0..=119 => format!("{whole} s"),
        120..=7199 => {
            let (minutes, rest) = (whole / 60, whole % 60);
            if rest == 0 || minutes >= 10 { format!("{minutes} min") } else { format!("{minutes} min {rest} s") }
        }
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// About how long something will still take, in words.
pub fn remaining(milliseconds: u64) -> String {
    let seconds = milliseconds.div_ceil(1000);
    match seconds {
        0..=4 => "a few seconds left".to_owned(),
        5..=89 => format!("{} seconds left", seconds.div_ceil(5) * 5),
        90..=5399 => {
            let minutes = (seconds + 30) / 60;
            format!("{minutes} minutes left")
        }
        _ => format!("{} h {} min left", seconds / 3600, seconds % 3600 / 60),
    }
}

/// Bytes in words.
pub fn bytes(value: u64) -> String {
    let value = value as f64;
    match value {
        v if v >= 1e9 => format!("{} GB", figure(v / 1e9)),
        v if v >= 1e6 => format!("{} MB", figure(v / 1e6)),
        v if v >= 1e3 => format!("{} kB", figure(v / 1e3)),
        v => format!("{v} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_significant_digits() {
        let cases = [
            (0.0, "0"),
            (0.012_345, "0.0123"),
            (1.234, "1.23"),
            (9.996, "10.0"),
            (12.34, "12.3"),
            (123.4, "123"),
            (999.4, "999"),
            (999.7, "1,000"),
            (1234.5, "1,235"),
            (1_234_567.0, "1,234,567"),
            (-5.5, "-5.50"),
        ];
        for (value, text) in cases {
            assert_eq!(figure(value), text, "{value}");
        }
    }

    #[test]
    fn ticks_are_short() {
        assert_eq!(tick(0.1 + 0.2), "0.3");
        assert_eq!(tick(2000.0), "2,000");
        assert_eq!(tick(50.0), "50");
        assert_eq!(tick(-0.0), "0");
    }

    #[test]
    fn counts_are_grouped() {
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1280), "1,280");
        assert_eq!(grouped(1_000_000), "1,000,000");
    }

    #[test]
    fn spans_are_words() {
        assert_eq!(span(4.21), "4.21 s");
        assert_eq!(span(64.0), "64 s");
        assert_eq!(span(130.0), "2 min 10 s");
        assert_eq!(span(8000.0), "2 h 13 min");
        assert_eq!(remaining(1_000), "a few seconds left");
        assert_eq!(remaining(61_000), "65 seconds left");
        assert_eq!(remaining(120_000), "2 minutes left");
        assert_eq!(bytes(1_536), "1.54 kB");
    }
}
