//! Figures as people read them: three significant digits, grouped integers, units. Absence is worded, never 0.

use leptos::prelude::*;

pub use crate::domain::workflow::fields::grouped;

/// A measured figure with three significant digits: `0.0123`, `12.3`, `1,230`.
pub fn figure(value: f64) -> String {
    if !value.is_finite() {
        return "not a number".to_owned();
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    let sign = if value < 0.0 { "\u{2212}" } else { "" };
    let size = value.abs();
    let mut exponent = size.log10().floor() as i32;
    // Rounding may carry into the next power of ten: 9.999 is 10.0.
    let unit = 10f64.powi(exponent - 2);
    if (size / unit).round() >= 1000.0 {
        exponent += 1;
    }
    let decimals = 2 - exponent;
    if decimals > 0 {
        let decimals = usize::try_from(decimals).unwrap_or(0).min(12);
        return format!("{sign}{size:.decimals$}");
    }
    let unit = 10f64.powi(-decimals);
    format!("{sign}{}", grouped(((size / unit).round() * unit).round() as u64))
}

/// A share of 0 to 1 as per cent: `4.2%`; a share that is not 0 never reads as `0%`.
pub fn percent(share: f64) -> String {
    format!("{}%", figure(share * 100.0))
}

/// Whether a share of failed requests, 0 to 1, asks for attention: over 1 %.
pub fn is_high(error_rate: f64) -> bool {
    error_rate > 0.01
}

/// Bytes in decimal units: `98.4 MB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if count < 1000 {
        return format!("{count} B");
    }
    let mut size = count as f64 / 1000.0;
    let mut unit = 0;
    while size >= 999.5 && unit + 1 < UNITS.len() {
        size /= 1000.0;
        unit += 1;
    }
    format!("{} {}", figure(size), UNITS[unit])
}

/// A large count in words' units: `135 million`, `7.62 billion`.
pub fn magnitude(count: u64) -> String {
    match count {
        0..1_000_000 => grouped(count),
        1_000_000..999_500_000 => format!("{} million", figure(count as f64 / 1e6)),
        _ => format!("{} billion", figure(count as f64 / 1e9)),
    }
}

/// A span of time as people say it: `350 ms`, `4.2 s`, `3 min 5 s`, `2 h 10 min`.
pub fn duration(ms: u64) -> String {
    if ms < 1000 {
        return format!("{ms} ms");
    }
    if ms < 60_000 {
        return format!("{} s", figure(ms as f64 / 1000.0));
    }
    let seconds = (ms + 500) / 1000;
    if seconds < 3600 {
        return match seconds % 60 {
            0 => format!("{} min", seconds / 60),
            rest => format!("{} min {rest} s", seconds / 60),
        };
    }
    match (seconds % 3600) / 60 {
        0 => format!("{} h", seconds / 3600),
        rest => format!("{} h {rest} min", seconds / 3600),
    }
}

/// A number with its noun: `1 request`, `1,280 requests`.
pub fn count(number: u64, singular: &str, plural: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { singular } else { plural })
}

/// What stands in place of a percentile whose sample count is under its floor.
pub fn few_samples(samples: u64, needed: u64) -> String {
    format!("not enough samples ({} of {})", grouped(samples), grouped(needed))
}

/// A figure with its unit, or words where there is none.
#[component]
pub fn Figure(
    /// The value.
    value: Option<f64>,
    /// `ms`, `tokens/s`, …; empty where the column's header has it.
    #[prop(optional, into)]
    unit: String,
    /// What is said when there is no value.
    #[prop(default = "not measured".to_owned(), into)]
    absent: String,
) -> impl IntoView {
    match value {
        Some(value) => view! {
            <span class="figure-value">
                {figure(value)}
                {(!unit.is_empty()).then(|| view! { <span class="figure-unit">{format!(" {unit}")}</span> })}
            </span>
        }
        .into_any(),
        None => view! { <span class="muted">{absent}</span> }.into_any(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_grouped_from_a_thousand() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }

    #[test]
    fn figures_have_three_significant_digits() {
        for (value, text) in [
            (0.0, "0"),
            (0.012_345, "0.0123"),
            (0.5, "0.500"),
            (9.999, "10.0"),
            (12.345, "12.3"),
            (99.96, "100"),
            (123.4, "123"),
            (999.6, "1,000"),
            (1234.5, "1,230"),
            (-4.2, "\u{2212}4.20"),
        ] {
            assert_eq!(figure(value), text, "{value}");
        }
        assert_eq!(figure(f64::NAN), "not a number");
    }

    #[test]
    fn sizes_and_spans_read_well() {
        assert_eq!(bytes(98_362_432), "98.4 MB");
        assert_eq!(bytes(999_900), "1.00 MB");
        assert_eq!(bytes(12), "12 B");
        assert_eq!(magnitude(134_515_008), "135 million");
        assert_eq!(duration(350), "350 ms");
        assert_eq!(duration(4_200), "4.20 s");
        assert_eq!(duration(185_000), "3 min 5 s");
        assert_eq!(duration(7_800_000), "2 h 10 min");
        assert_eq!(few_samples(87, 662), "not enough samples (87 of 662)");
        assert_eq!(count(1, "request", "requests"), "1 request");
    }
}
