//! A reader over the JSON of one event, borrowing, without building a tree.

/// Deepest nesting that is followed.
const DEEPEST: u32 = 128;

/// The text is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not JSON")]
pub struct Malformed;

type JsonResult<T = ()> = Result<T, Malformed>;

/// A place in a JSON text.
#[derive(Debug)]
pub struct JsonReader<'a> {
    text: &'a [u8],
    at: usize,
    depth: u32,
}

impl<'a> JsonReader<'a> {
    /// Begins at the start of a text.
    pub fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, depth: 0 }
    }

    /// The next byte that is no white space.
    pub fn peek(&mut self) -> JsonResult<u8> {
        while let Some(byte) = self.text.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Ok(*byte);
            }
            self.at += 1;
        }
        Err(Malformed)
    }

    /// Checks that nothing but white space is left.
    pub fn end(&mut self) -> JsonResult {
        if self.peek().is_ok() { Err(Malformed) } else { Ok(()) }
    }

    fn expect(&mut self, byte: u8) -> JsonResult {
        if self.peek()? == byte {
            self.at += 1;
            Ok(())
        } else {
            Err(Malformed)
        }
    }

    /// Reads an object, handing each key to `member`, which must read or skip the value.
    pub fn object(&mut self, mut member: impl FnMut(&mut Self, &'a [u8]) -> JsonResult) -> JsonResult {
        self.enter(b'{')?;
        if self.peek()? != b'}' {
            loop {
                let key = self.string()?;
                self.expect(b':')?;
                member(self, key)?;
                match self.peek()? {
                    b',' => self.at += 1,
                    b'}' => break,
                    _ => return Err(Malformed),
                }
            }
        }
        self.leave();
        Ok(())
    }

    /// Reads an array; `element` must read or skip each value.
    pub fn array(&mut self, mut element: impl FnMut(&mut Self) -> JsonResult) -> JsonResult {
        self.enter(b'[')?;
        if self.peek()? != b']' {
            loop {
                element(self)?;
                match self.peek()? {
                    b',' => self.at += 1,
                    b']' => break,
                    _ => return Err(Malformed),
                }
            }
        }
        self.leave();
        Ok(())
    }

    fn enter(&mut self, byte: u8) -> JsonResult {
        self.expect(byte)?;
        self.depth += 1;
        if self.depth > DEEPEST { Err(Malformed) } else { Ok(()) }
    }

    fn leave(&mut self) {
        self.at += 1;
        self.depth -= 1;
    }

    /// Reads a string and gives it as it stands, escapes and all, without the quotes.
    pub fn string(&mut self) -> JsonResult<&'a [u8]> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            let rest = self.text.get(self.at..).ok_or(Malformed)?;
            self.at += memchr::memchr2(b'"', b'\\', rest).ok_or(Malformed)?;
            if self.text[self.at] == b'"' {
                let raw = &self.text[start..self.at];
                self.at += 1;
                return Ok(raw);
            }
            self.at += 2;
        }
    }

    /// Where the string that was just read stands, without its quotes.
    pub fn before(&self, raw: &[u8]) -> (usize, usize) {
        let end = self.at.saturating_sub(1);
        (end.saturating_sub(raw.len()), end)
    }

    /// Reads a string, or passes over anything else.
    pub fn string_or_skip(&mut self) -> JsonResult<Option<&'a [u8]>> {
        if self.peek()? == b'"' { self.string().map(Some) } else { self.skip().map(|()| None) }
    }

    /// Reads a whole number of at most 32 bits, however it is written (`8`, `8.0`, `8e0`), or passes over anything else.
    pub fn number_or_skip(&mut self) -> JsonResult<Option<u32>> {
        let digits = std::str::from_utf8(self.raw()?).unwrap_or_default();
        let whole = |number: &f64| number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(number);
        Ok(digits.parse().ok().or_else(|| digits.parse::<f64>().ok().filter(whole).map(|number| number as u32)))
    }

    /// Passes over a value and gives it as it stands.
    pub fn raw(&mut self) -> JsonResult<&'a [u8]> {
        self.peek()?;
        let start = self.at;
        self.skip()?;
        Ok(&self.text[start..self.at])
    }

    /// Passes over a value.
    pub fn skip(&mut self) -> JsonResult {
        match self.peek()? {
            b'"' => self.string().map(|_| ()),
            b'{' => self.object(|reader, _| reader.skip()),
            b'[' => self.array(JsonReader::skip),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            b'-' | b'0'..=b'9' => {
                while self.text.get(self.at).is_some_and(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')) {
                    self.at += 1;
                }
                Ok(())
            }
            _ => Err(Malformed),
        }
    }

    fn word(&mut self, word: &[u8]) -> JsonResult {
        if self.text[self.at..].starts_with(word) {
            self.at += word.len();
            Ok(())
        } else {
            Err(Malformed)
        }
    }
}

/// Appends a string as it stands in JSON to a text, escapes resolved. What no escape can mean is left out.
pub fn unescape_into(raw: &[u8], text: &mut Vec<u8>) {
    let mut rest = raw;
    while let Some(back_slash) = memchr::memchr(b'\\', rest) {
        text.extend_from_slice(&rest[..back_slash]);
        let escaped = &rest[back_slash + 1..];
        let plain = match escaped.first() {
            Some(b'n') => b'\n',
            Some(b't') => b'\t',
            Some(b'r') => b'\r',
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'u') => {
                rest = unescape_unicode(&escaped[1..], text);
                continue;
            }
            Some(other) => *other,
            None => return,
        };
        text.push(plain);
        rest = &escaped[1..];
    }
    text.extend_from_slice(rest);
}

/// Reads the digits after `\u`, and those of a second half after it; gives what follows.
fn unescape_unicode<'a>(digits: &'a [u8], text: &mut Vec<u8>) -> &'a [u8] {
    let unit = |digits: &[u8]| {
        digits.get(..4).and_then(|four| std::str::from_utf8(four).ok()).and_then(|four| u32::from_str_radix(four, 16).ok())
    };
    let Some(first) = unit(digits) else { return digits };
    let mut rest = &digits[4..];
    let mut code = first;
    if (0xD800..0xDC00).contains(&first)
        && let Some(second) = rest.strip_prefix(b"\\u").and_then(unit)
        && (0xDC00..0xE000).contains(&second)
    {
        code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
        rest = &rest[6..];
    }
    let letter = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    text.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
    rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_not_json_is_refused() {
        for text in ["", "{", "{\"a\"}", "{\"a\":}", "[1,", "\"abc", "tru", "{\"a\":1} x", "\"\\"] {
            let mut reader = JsonReader::new(text.as_bytes());
            assert!(reader.skip().and_then(|()| reader.end()).is_err(), "{text}");
        }
        assert!(JsonReader::new("[".repeat(100_000).as_bytes()).skip().is_err());
    }

    #[test]
    fn whole_numbers_are_read_however_they_are_written() {
        for (text, number) in [
            ("8", Some(8)),
            ("8.0", Some(8)),
            ("1.2e1", Some(12)),
            ("8.5", None),
            ("-1", None),
            ("1e30", None),
            ("\"8\"", None),
            ("null", None),
        ] {
            assert_eq!(JsonReader::new(text.as_bytes()).number_or_skip().unwrap(), number, "{text}");
        }
    }

    proptest! {
        #[test]
        fn strings_come_back(text in any::<String>()) {
            let json = serde_json::to_string(&text).unwrap();
            let mut reader = JsonReader::new(json.as_bytes());
            let mut back = Vec::new();
            unescape_into(reader.string().unwrap(), &mut back);
            prop_assert_eq!(String::from_utf8(back).unwrap(), text);
            prop_assert!(reader.end().is_ok());
        }

        #[test]
        fn nothing_makes_it_panic(bytes in prop::collection::vec(prop::sample::select(br#"{}[]",:\u0123d8efnalstr -"#.to_vec()), 0..64)) {
            let mut reader = JsonReader::new(&bytes);
            let _ = reader.skip();
            unescape_into(&bytes, &mut Vec::new());
        }
    }
}
