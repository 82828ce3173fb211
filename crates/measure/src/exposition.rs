//! Prometheus' text format, as engines and exporters answer it: name, labels and value of each sample.

/// One sample; what stands in it is borrowed from the text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exposed<'a> {
    pub name: &'a str,
    /// What stands between the braces.
    labels: &'a str,
    pub value: f64,
}

/// The samples of a text; comments and malformed lines are passed over.
pub fn samples(text: &str) -> impl Iterator<Item = Exposed<'_>> {
    text.lines().filter_map(sample)
}

fn sample(line: &str) -> Option<Exposed<'_>> {
    let line = line.trim();
    if line.starts_with('#') {
        return None;
    }
    let end = line.find(|c: char| c == '{' || c.is_ascii_whitespace())?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = "";
    if let Some(inside) = rest.strip_prefix('{') {
        let close = end_of_quotable(inside, '}')?;
        labels = &inside[..close];
        rest = &inside[close + 1..];
    }
    let value = rest.split_ascii_whitespace().next()?.parse().ok()?;
    Some(Exposed { name, labels, value })
}

/// Where a character stands outside of quotes.
fn end_of_quotable(text: &str, wanted: char) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    text.char_indices().find_map(|(at, c)| {
        let found = !quoted && c == wanted;
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        found.then_some(at)
    })
}

impl Exposed<'_> {
    /// A label's value; absent where there is no such label, or an empty one, which means the same.
    pub fn label(&self, name: &str) -> Option<String> {
        let mut rest = self.labels;
        while let Some((own, after)) = rest.split_once('=') {
            let value = after.trim_start().strip_prefix('"')?;
            let close = end_of_value(value)?;
            if own.trim() == name {
                return Some(unescaped(&value[..close])).filter(|value| !value.is_empty());
            }
            rest = value[close + 1..].trim_start().trim_start_matches(',');
        }
        None
    }
}

fn end_of_value(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, c)| match c {
        _ if escaped => {
            escaped = false;
            None
        }
        '\\' => {
            escaped = true;
            None
        }
        '"' => Some(at),
        _ => None,
    })
}

fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match (c, if c == '\\' { characters.next() } else { None }) {
            ('\\', Some('n')) => plain.push('\n'),
            ('\\', Some(other)) => plain.push(other),
            (c, _) => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_labels_and_values_are_read() {
        let text =
            "# HELP a x\na{model=\"x}\\\"y, 9\",gpu=\"0\",empty=\"\"} 3.5 1700000000000\nplain 1e3\nnonsense\nb{} NaN\nc{open=\"";
        let found: Vec<Exposed<'_>> = samples(text).collect();
        assert_eq!(found.iter().map(|sample| sample.name).collect::<Vec<_>>(), ["a", "plain", "b"]);
        assert_eq!((found[0].value, found[1].value), (3.5, 1000.0));
        assert_eq!(found[0].label("model").as_deref(), Some("x}\"y, 9"));
        assert_eq!(found[0].label("gpu").as_deref(), Some("0"));
        assert_eq!((found[0].label("empty"), found[0].label("none"), found[1].label("gpu")), (None, None, None));
        assert!(found[2].value.is_nan());
    }
}
