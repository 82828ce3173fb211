//! JSON objects that span lines: pretty-printed rows, or one object with the rows in a nested list.

use std::io::BufRead;

use super::array::{Elements, Scan};
use super::fields::is_row;
use super::parsed::{ParsedRow, from_element, parsed};
use super::read_error::ReadError;

/// Fields whose list holds rows, whatever its length. In an object no longer than a row, a list under any name is considered.
static LISTS: [&str; 17] = [
    "data",
    "rows",
    "queries",
    "samples",
    "examples",
    "instances",
    "records",
    "items",
    "dataset",
    "prompts",
    "questions",
    "requests",
    "train",
    "test",
    "validation",
    "entries",
    "results",
];
/// Most lists of an object that are considered.
const MAX_LISTS: usize = 100;
/// Longest name of a field.
const MAX_NAME_BYTES: usize = 64 << 10;

/// The position of a list in the text of an object.
struct ListPosition {
    from: usize,
    line: u64,
}

struct Objects<'a, R> {
    source: R,
    line: u64,
    limit: usize,
    row: &'a mut dyn FnMut(ParsedRow) -> bool,
}

/// Whether there is more to read.
type GoOn = Result<bool, ReadError>;

/// Passes on the rows of a sequence of objects.
pub(super) fn each_row<R: BufRead>(source: R, line: u64, limit: usize, row: &mut dyn FnMut(ParsedRow) -> bool) {
    let mut objects = Objects { source, line, limit, row };
    loop {
        match objects.object() {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                let line = objects.line;
                (objects.row)((line, Err(error)));
                return;
            }
        }
    }
}

impl<R: BufRead> Objects<'_, R> {
    fn peek(&mut self) -> Result<Option<u8>, ReadError> {
        Ok(self.source.fill_buf()?.first().copied())
    }

    fn consume(&mut self, byte: u8) {
        self.source.consume(1);
        self.line += u64::from(byte == b'\n');
    }

    /// Peeks at the next byte that is not white space.
    fn next_mark(&mut self) -> Result<Option<u8>, ReadError> {
        while let Some(byte) = self.peek()? {
            if !byte.is_ascii_whitespace() {
                return Ok(Some(byte));
            }
            self.consume(byte);
        }
        Ok(None)
    }

    fn object(&mut self) -> GoOn {
        // objects may be separated by commas
        let mut mark = self.next_mark()?;
        while mark == Some(b',') {
            self.consume(b',');
            mark = self.next_mark()?;
        }
        match mark {
            None => return Ok(false),
            Some(b'{') => self.consume(b'{'),
            Some(_) => return Err(ReadError::ObjectExpected),
        }
        let (line, mut text, mut lists, mut handed_on) = (self.line, vec![b'{'], Vec::new(), false);
        loop {
            let mark = self.next_mark()?.ok_or(ReadError::ObjectNotClosed)?;
            match mark {
                b'"' => {
                    let name = self.name()?;
                    if self.next_mark()? != Some(b':') {
                        return Err(ReadError::ColonExpected);
                    }
                    self.consume(b':');
                    let is_list = self.next_mark()? == Some(b'[');
                    if is_list && serde_json::from_slice::<String>(&name).is_ok_and(|name| LISTS.contains(&name.as_str())) {
                        handed_on = true;
                        if !self.list() {
                            return Ok(false);
                        }
                        self.keep(&mut text, &name);
                        self.keep(&mut text, b":[]");
                        continue;
                    }
                    self.keep(&mut text, &name);
                    self.keep(&mut text, b":");
                    if is_list && lists.len() < MAX_LISTS {
                        lists.push(ListPosition { from: text.len(), line: self.line });
                    }
                    self.value(&mut text)?;
                }
                b',' | b'}' => {
                    self.consume(mark);
                    self.keep(&mut text, &[mark]);
                    if mark == b'}' {
                        break;
                    }
                }
                _ => return Err(ReadError::NameExpected),
            }
        }
        if text.len() > self.limit {
            let error = ReadError::ObjectTooLong { limit: self.limit, lists: &LISTS[..4] };
            return Ok((self.row)((line, Err(error))));
        }
        Ok(handed_on || self.hand_on(line, &text, &lists))
    }

    /// Adds to an object's text; of one that is longer than the limit, which is refused at its end, no more is kept.
    fn keep(&self, text: &mut Vec<u8>, more: &[u8]) {
        if text.len() <= self.limit {
            text.extend_from_slice(more);
        }
    }

    /// A field's name with its quotes.
    fn name(&mut self) -> Result<Vec<u8>, ReadError> {
        let mut name = Vec::new();
        let mut scan = Scan::default();
        while let Some(byte) = self.peek()? {
            self.consume(byte);
            name.push(byte);
            scan.ends(byte);
            if !scan.in_string {
                return Ok(name);
            }
            if name.len() > MAX_NAME_BYTES {
                return Err(ReadError::NameTooLong);
            }
        }
        Err(ReadError::ObjectNotClosed)
    }

    /// Copies a value; the byte after it stays unread.
    fn value(&mut self, text: &mut Vec<u8>) -> Result<(), ReadError> {
        let mut scan = Scan::default();
        while let Some(byte) = self.peek()? {
            if scan.is_outside() && matches!(byte, b',' | b'}' | b']') {
                return Ok(());
            }
            self.consume(byte);
            scan.ends(byte);
            self.keep(text, &[byte]);
        }
        Err(ReadError::ObjectNotClosed)
    }

    /// Passes on the rows of a list; its bracket is next.
    fn list(&mut self) -> bool {
        self.consume(b'[');
        let mut elements = Elements::within(&mut self.source, self.line, self.limit);
        for element in &mut elements {
            let broken = element.is_err();
            if !(self.row)(from_element(element, self.limit)) || broken {
                return false;
            }
        }
        self.line = elements.line();
        true
    }

    /// Passes an object on as a row or, where it is not one, the rows of its longest list.
    fn hand_on(&mut self, line: u64, text: &[u8], lists: &[ListPosition]) -> bool {
        let value = parsed(text);
        if value.as_ref().is_ok_and(|value| !is_row(&value.value)) {
            let counted = lists.iter().filter_map(|list| Some((list, count_rows(list.elements(text, self.limit)?)?)));
            let longest = counted.max_by_key(|(_, count)| *count).and_then(|(list, _)| list.elements(text, self.limit));
            if let Some(mut rows) = longest {
                return rows.all(|row| (self.row)(from_element(row, self.limit)));
            }
        }
        (self.row)((line, value))
    }
}

impl ListPosition {
    fn elements<'t>(&self, text: &'t [u8], limit: usize) -> Option<Elements<&'t [u8]>> {
        Some(Elements::within(text.get(self.from + 1..)?, self.line, limit))
    }
}

/// Number of elements of a list, if all are objects or all are strings. They are parsed again as rows: keeping short ones would
/// take many times the memory of their text.
fn count_rows(elements: Elements<&[u8]>) -> Option<u64> {
    let (mut count, mut kind) = (0, None);
    for element in elements {
        let (_, text) = element.ok()?;
        let mark = text.first().copied().filter(|mark| matches!(mark, b'{' | b'"'))?;
        if *kind.get_or_insert(mark) != mark {
            return None;
        }
        count += 1;
    }
    (count > 0).then_some(count)
}
