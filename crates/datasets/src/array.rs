//! Splits a JSON array into its elements as a stream, so that a large file is never in memory as a whole.

use std::io::BufRead;

/// Why reading the array stopped.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ArrayError {
    /// An element is longer than the limit.
    TooLong,
    /// The file ends within the array.
    NotClosed,
    /// Something follows after the array.
    TextAfter,
    /// The file could not be read.
    Io(std::io::ErrorKind),
}

/// An iterator over the raw elements; whether each is valid JSON is for the caller to check.
pub(super) struct Elements<R> {
    source: R,
    limit: usize,
    line: u64,
    state: ArrayState,
    /// Whether data may follow after the closing bracket.
    is_within: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ArrayState {
    Within,
    /// The closing bracket was read.
    Closed,
    Done,
}

/// An element's line and text; or an error with its line, after which the iterator ends.
pub(super) type Element = Result<(u64, Vec<u8>), (u64, ArrayError)>;

/// Tracks nesting and strings while scanning JSON.
#[derive(Default)]
pub(super) struct Scan {
    depth: u32,
    pub(super) in_string: bool,
    escaped: bool,
}

impl Scan {
    /// Whether the position is outside strings, arrays and objects.
    pub(super) fn is_outside(&self) -> bool {
        self.depth == 0 && !self.in_string
    }

    /// Advances over a byte; returns whether it ends an element of the outer array.
    pub(super) fn ends(&mut self, byte: u8) -> bool {
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return false;
        }
        match byte {
            b'"' => self.in_string = true,
            b'[' | b'{' => self.depth += 1,
            b',' | b']' if self.depth == 0 => return true,
            b']' | b'}' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        false
    }
}

impl<R: BufRead> Elements<R> {
    /// Reads from a source whose opening bracket has been consumed, at this line.
    pub(super) fn new(source: R, line: u64, limit: usize) -> Self {
        Self { source, limit, line, state: ArrayState::Within, is_within: false }
    }

    /// As `new`, for a nested array: what follows it is left unread.
    pub(super) fn within(source: R, line: u64, limit: usize) -> Self {
        Self { is_within: true, ..Self::new(source, line, limit) }
    }

    pub(super) fn line(&self) -> u64 {
        self.line
    }

    fn byte(&mut self) -> Result<Option<u8>, ArrayError> {
        let buffer = self.source.fill_buf().map_err(|error| ArrayError::Io(error.kind()))?;
        let byte = buffer.first().copied();
        if byte.is_some() {
            self.source.consume(1);
        }
        self.line += u64::from(byte == Some(b'\n'));
        Ok(byte)
    }

    fn failed(&mut self, line: u64, error: ArrayError) -> Element {
        self.state = ArrayState::Done;
        Err((line, error))
    }

    /// Checks that nothing follows.
    fn end(&mut self) -> Option<Element> {
        self.state = ArrayState::Done;
        if self.is_within {
            return None;
        }
        loop {
            match self.byte() {
                Ok(None) => return None,
                Ok(Some(byte)) if byte.is_ascii_whitespace() => {}
                Ok(Some(_)) => return Some(self.failed(self.line, ArrayError::TextAfter)),
                Err(error) => return Some(self.failed(self.line, error)),
            }
        }
    }

    fn element(&mut self) -> Option<Element> {
        let mut scan = Scan::default();
        let mut text = Vec::new();
        let mut started_at = self.line;
        loop {
            let byte = match self.byte() {
                Ok(Some(byte)) => byte,
                Ok(None) => return Some(self.failed(self.line, ArrayError::NotClosed)),
                Err(error) => return Some(self.failed(self.line, error)),
            };
            if scan.ends(byte) {
                if byte == b']' {
                    self.state = ArrayState::Closed;
                }
                return if byte == b']' && text.is_empty() { self.end() } else { Some(Ok((started_at, text))) };
            }
            if text.is_empty() {
                started_at = self.line;
                if byte.is_ascii_whitespace() {
                    continue;
                }
            }
            if text.len() >= self.limit {
                return Some(self.failed(started_at, ArrayError::TooLong));
            }
            text.push(byte);
        }
    }
}

impl<R: BufRead> Iterator for Elements<R> {
    type Item = Element;

    fn next(&mut self) -> Option<Element> {
        match self.state {
            ArrayState::Within => self.element(),
            ArrayState::Closed => self.end(),
            ArrayState::Done => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<Result<(u64, String), (u64, ArrayError)>> {
        Elements::new(text.as_bytes(), 1, 40)
            .map(|item| item.map(|(line, text)| (line, String::from_utf8(text).unwrap())))
            .collect()
    }

    #[test]
    fn elements_are_cut_at_their_commas() {
        let cut = cut(" {\"a\": [1, 2]},\n\n {\"b\": \"],{\\\"\"} , 3\n]\n");
        let expected = [(1, "{\"a\": [1, 2]}"), (3, "{\"b\": \"],{\\\"\"} "), (3, "3\n")];
        assert_eq!(cut.into_iter().map(Result::unwrap).collect::<Vec<_>>(), expected.map(|(line, text)| (line, text.to_owned())));
    }

    #[test]
    fn an_array_that_does_not_end_well() {
        assert_eq!(cut("]"), []);
        assert_eq!(cut("1"), [Err((1, ArrayError::NotClosed))]);
        assert_eq!(cut("1,\n"), [Ok((1, "1".to_owned())), Err((2, ArrayError::NotClosed))]);
        assert_eq!(cut("] x"), [Err((1, ArrayError::TextAfter))]);
        assert_eq!(cut("1]\nx"), [Ok((1, "1".to_owned())), Err((2, ArrayError::TextAfter))]);
        assert_eq!(cut(&"1".repeat(50)), [Err((1, ArrayError::TooLong))]);
    }
}
