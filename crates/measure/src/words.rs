//! Wording of numbers, units and durations. Pages, logs, command line and report all use these functions, so that they agree.
//! An absent figure is worded by its caller, never as 0.

/// Whether a character is invisible or changes the reading direction, so that two names look alike or one reads as another
/// (Unicode TR 36, "Bidirectional Text Spoofing"; CVE-2021-42574): Unicode's default-ignorable code points, those that show nothing
/// though they are none, noncharacters, and those for private use, which look as each font likes. What [`changes_its_neighbour`] is
/// allowed.
pub fn is_invisible(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}' | '\u{200b}' | '\u{200e}'
            | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e00ff}'
            | '\u{e01f0}'..='\u{e0fff}' | '\u{fdd0}'..='\u{fdef}' | '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}')
        || u32::from(letter) & 0xfffe == 0xfffe
}

/// Whether a character shows nothing itself and changes the look of what it stands beside: joiners and variation selectors. Scripts
/// and emoji need them.
pub fn changes_its_neighbour(letter: char) -> bool {
    matches!(letter,
        '\u{200c}' | '\u{200d}' | '\u{180b}'..='\u{180d}' | '\u{180f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// Whether a text shows nothing: it has only spaces and what changes the look of others.
pub fn is_blank(text: &str) -> bool {
    text.chars().all(|letter| letter.is_whitespace() || changes_its_neighbour(letter))
}

/// A text that somebody else chose as part of a line: without what can't be seen, spaces joined, so many characters at most.
pub fn one_line(text: &str, most: usize) -> String {
    let mut line = String::new();
    let mut left = most;
    let mut is_apart = false;
    for letter in text.chars() {
        if letter.is_whitespace() {
            is_apart = !line.is_empty();
        } else if !is_invisible(letter) {
            let length = 1 + usize::from(is_apart);
            if length > left {
                break;
            }
            left -= length;
            line.extend(is_apart.then_some(' '));
            line.push(letter);
            is_apart = false;
        }
    }
    line
}

/// A number with its thousands grouped: `9,216`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A number with its noun, whose plural ends in s: `1 request`, `1,280 requests`.
pub fn count(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(number), if number == 1 { "" } else { "s" })
}

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

/// A configured number, unrounded: `450`, `1,280`, `2.5`.
pub fn plain(number: f64) -> String {
    if number.fract() == 0.0 { grouped(number as u64) } else { number.to_string() }
}

/// An offered load beside measured figures: exact where whole, else with three significant digits.
pub fn load(load: f64) -> String {
    if load.fract() == 0.0 { grouped(load as u64) } else { figure(load) }
}

/// A share of 0 to 1 as a percentage: `4.20 %`; a share other than 0 never reads `0 %`.
pub fn percent(share: f64) -> String {
    format!("{} %", figure(share * 100.0))
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

/// What the memory of a device that serves holds, in bytes, and what a replica's KV cache has room for; `length` names the requests' length.
pub fn serving_memory([usable, weights, reserve, cache]: [f64; 4], tokens: u64, requests: u64, length: &str) -> String {
    let of = |size: f64| bytes(size.max(0.0) as u64);
    format!(
        "of {} usable on each device, weights take {}, the engine {} and the KV cache {}. A replica's cache holds {}: {} of {length} at \
         once.",
        of(usable),
        of(weights),
        of(reserve),
        of(cache),
        count(tokens, "token"),
        count(requests, "request"),
    )
}

/// A large count: `135 million`, `7.62 billion`.
pub fn magnitude(count: u64) -> String {
    match count {
        0..1_000_000 => grouped(count),
        1_000_000..999_500_000 => format!("{} million", figure(count as f64 / 1e6)),
        _ => format!("{} billion", figure(count as f64 / 1e9)),
    }
}

/// A measured duration, ms: `350 ms`, `4.20 s`, `3 min 5 s`, `2 h 10 min`.
pub fn span(ms: u64) -> String {
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

/// An approximate duration, seconds: `45 seconds`, `4 minutes`, `2.5 hours`.
pub fn about(seconds: f64) -> String {
    let seconds = seconds.max(1.0);
    if seconds < 90.0 {
        count(seconds.round() as u64, "second")
    } else if seconds < 5_400.0 {
        count((seconds / 60.0).round() as u64, "minute")
    } else {
        let hours = (seconds / 360.0).round() / 10.0;
        format!("{} hours", plain(hours))
    }
}

/// Shown instead of a percentile with fewer samples than its floor.
pub fn few_samples(samples: u64, needed: u64) -> String {
    format!("not enough samples ({} of {})", grouped(samples), grouped(needed))
}

/// Words joined with "and": `nodes, credential and confirmation`.
pub fn join<W: AsRef<str>>(words: &[W]) -> String {
    joined(words, "and")
}

/// Words joined with "or": `chat, completions or embeddings`.
pub fn one_of<W: AsRef<str>>(words: &[W]) -> String {
    joined(words, "or")
}

fn joined<W: AsRef<str>>(words: &[W], by: &str) -> String {
    match words {
        [] => String::new(),
        [only] => only.as_ref().to_owned(),
        [most @ .., last] => {
            let most: Vec<&str> = most.iter().map(AsRef::as_ref).collect();
            format!("{} {by} {}", most.join(", "), last.as_ref())
        }
    }
}

/// With a capital letter at its beginning.
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_show_what_they_are() {
        for odd in ["a\u{202e}b", "a\u{200b}", "\u{feff}a", "a\u{2066}b", "a\nb", "a\u{7}", "\u{3164}", "\u{2800}", "a\u{115f}"] {
            assert!(odd.chars().any(is_invisible), "{odd:?}");
        }
        // Default-ignorable, noncharacters, private use.
        let more = [
            '\u{17b4}',
            '\u{2065}',
            '\u{fff0}',
            '\u{1d173}',
            '\u{e0020}',
            '\u{ffff}',
            '\u{fdd0}',
            '\u{2fffe}',
            '\u{e000}',
            '\u{10fffd}',
        ];
        for odd in more {
            assert!(is_invisible(odd), "{odd:?}");
        }
        for good in ["Grüße", "नमस्ते\u{200d}", "تجربة", "👩\u{200d}💻", "a-b (c)", "名前", "한국어", "❤\u{fe0f}", "葛\u{e0100}"]
        {
            assert!(!good.chars().any(is_invisible) && !is_blank(good), "{good:?}");
        }
        for blank in ["", " ", "\u{200d}", "\u{200c} \u{fe0f}", "\u{3000}", "\u{e0100}"] {
            assert!(is_blank(blank), "{blank:?}");
        }
    }

    #[test]
    fn others_texts_become_one_short_line() {
        assert_eq!(one_line(" v1.33\r\n \u{202e}x\u{1b}[31m\u{200b}\u{2028}y ", 100), "v1.33 x[31m y");
        assert_eq!([one_line("ab cd", 4), one_line("ab cd", 3), one_line("äöü", 2)], ["ab c", "ab", "äö"]);
        assert_eq!(one_line("\u{7}\n", 9), "");
    }

    #[test]
    fn integers_are_grouped_from_a_thousand() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(
            [count(0, "request"), count(1, "request"), count(1_280, "request")],
            ["0 requests", "1 request", "1,280 requests"]
        );
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
        assert_eq!((plain(1280.0), plain(2.5), load(2.5)), ("1,280".into(), "2.5".into(), "2.50".into()));
    }

    #[test]
    fn sizes_and_spans_read_well() {
        assert_eq!([bytes(98_362_432), bytes(999_900), bytes(12)], ["98.4 MB", "1.00 MB", "12 B"]);
        assert_eq!(magnitude(134_515_008), "135 million");
        assert_eq!(
            [350, 4_200, 12_340, 185_000, 250_000, 7_800_000].map(span),
            ["350 ms", "4.20 s", "12.3 s", "3 min 5 s", "4 min 10 s", "2 h 10 min"]
        );
        assert_eq!([0.2, 45.0, 240.0, 9_000.0].map(about), ["1 second", "45 seconds", "4 minutes", "2.5 hours"]);
        assert_eq!([0.042, 0.5, 0.0].map(percent), ["4.20 %", "50.0 %", "0 %"]);
        assert_eq!(few_samples(87, 662), "not enough samples (87 of 662)");
    }

    #[test]
    fn lists_end_in_a_word() {
        assert_eq!([join(&["a"]), join(&["a", "b", "c"]), one_of(&["a", "b"])], ["a", "a, b and c", "a or b"]);
        assert_eq!((capital("ramp"), capital("")), ("Ramp".to_owned(), String::new()));
    }
}
