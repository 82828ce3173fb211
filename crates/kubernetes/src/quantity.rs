//! Kubernetes quantities (`250m`, `16Gi`, `1e3`), as the API reference defines them.

/// The value in units, or none where it is not a quantity.
pub fn value(text: &str) -> Option<f64> {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '+' | '-'))).unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (number, factor) = match suffix {
        "" => (number.to_owned(), 1.0),
        "n" => (number.to_owned(), 1e-9),
        "u" => (number.to_owned(), 1e-6),
        "m" => (number.to_owned(), 1e-3),
        "k" => (number.to_owned(), 1e3),
        "M" => (number.to_owned(), 1e6),
        "G" => (number.to_owned(), 1e9),
        "T" => (number.to_owned(), 1e12),
        "P" => (number.to_owned(), 1e15),
        "E" => (number.to_owned(), 1e18),
        "Ki" => (number.to_owned(), 1024.0),
        "Mi" => (number.to_owned(), 1024.0_f64.powi(2)),
        "Gi" => (number.to_owned(), 1024.0_f64.powi(3)),
        "Ti" => (number.to_owned(), 1024.0_f64.powi(4)),
        "Pi" => (number.to_owned(), 1024.0_f64.powi(5)),
        "Ei" => (number.to_owned(), 1024.0_f64.powi(6)),
        _ if suffix.starts_with(['e', 'E']) => (text.to_owned(), 1.0),
        _ => return None,
    };
    number.parse::<f64>().ok().map(|number| number * factor).filter(|value| value.is_finite())
}

/// As a whole number of units, rounded down; nothing below zero.
pub fn whole(text: &str) -> Option<u64> {
    value(text).filter(|value| *value >= 0.0).map(|value| value as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quantities_are_read() {
        for (text, expected) in [
            ("2", 2.0),
            ("250m", 0.25),
            ("16Gi", 16.0 * 1024.0 * 1024.0 * 1024.0),
            ("1e3", 1000.0),
            ("12E2", 1200.0),
            ("1E", 1e18),
            ("1.5k", 1500.0),
            ("100n", 1e-7),
        ] {
            let read = value(text).unwrap();
            assert!((read - expected).abs() <= expected * 1e-12, "{text}: {read}");
        }
        for text in ["", "abc", "1x", "Gi", "1.2.3", "1e999"] {
            assert_eq!(value(text), None, "{text}");
        }
        assert_eq!((whole("1900m"), whole("-1")), (Some(1), None));
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "\\PC{0,20}") {
            let _ = value(&text);
        }
    }
}
