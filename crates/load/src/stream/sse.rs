//! Server-sent events, fed in any cut: `\n`, `\r\n` and `\r` end lines, `data` may take several lines, comments and
//! unknown fields are passed over.

/// Longest line or event that is held, bytes: beyond it the stream is malformed.
const LONGEST: usize = 64 << 20;

/// Buffers above this size are given back between streams.
const KEPT: usize = 16 << 10;

/// One event, as borrowed from the parser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SseEvent<'a> {
    /// The data lines, joined by `\n`.
    pub data: &'a [u8],
    /// Whether its type, or the field that carried it, is `error`.
    pub error: bool,
    /// Whether it is no event at all but text that stands between events, as JSON or HTML would.
    pub bare: bool,
}

/// The stream holds a line or event beyond any use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event of more than 64 MiB")]
pub struct EventTooLong;

#[derive(Debug, Default)]
pub struct Sse {
    /// A line whose end has not come yet.
    line: Vec<u8>,
    /// Data of the event whose end has not come yet.
    data: Vec<u8>,
    has_data: bool,
    error: bool,
    bare: bool,
    /// The last byte was `\r`: a `\n` that follows belongs to it.
    after_cr: bool,
    /// Whether the first line has been seen (a byte order mark may stand before it).
    begun: bool,
}

impl Sse {
    /// Takes bytes in and hands out each event that they complete.
    ///
    /// # Errors
    /// When a line or event grows beyond 64 MiB.
    pub fn feed(&mut self, input: &[u8], mut on_event: impl FnMut(SseEvent<'_>)) -> Result<(), EventTooLong> {
        let mut at = 0;
        while at < input.len() {
            if std::mem::take(&mut self.after_cr) && input[at] == b'\n' {
                at += 1;
                continue;
            }
            let Some(length) = memchr::memchr2(b'\n', b'\r', &input[at..]) else {
                if self.line.len() + input.len() - at > LONGEST {
                    return Err(EventTooLong);
                }
                self.line.extend_from_slice(&input[at..]);
                return Ok(());
            };
            let end = at + length;
            // the usual event: one line of data and the blank line, all there
            if !self.has_data
                && !self.error
                && self.begun
                && self.line.is_empty()
                && input[end..].starts_with(b"\n\n")
                && let Some(data) = input[at..end].strip_prefix(b"data:")
            {
                on_event(SseEvent { data: data.strip_prefix(b" ").unwrap_or(data), error: false, bare: false });
                at = end + 2;
                continue;
            }
            self.after_cr = input[end] == b'\r';
            if self.line.is_empty() {
                self.take_line(&input[at..end], &mut on_event)?;
            } else {
                let mut line = std::mem::take(&mut self.line);
                line.extend_from_slice(&input[at..end]);
                self.take_line(&line, &mut on_event)?;
                line.clear();
                self.line = line;
            }
            at = end + 1;
        }
        Ok(())
    }

    /// The stream has ended: hands out what the last event holds, though no blank line came after it. Whoever asks has
    /// to judge whether it is whole.
    pub fn finish(&mut self, mut on_event: impl FnMut(SseEvent<'_>)) {
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() {
            let _ = self.take_line(&line, &mut on_event);
        }
        self.dispatch(&mut on_event);
    }

    /// Makes ready for another stream.
    pub fn reset(&mut self) {
        for buffer in [&mut self.line, &mut self.data] {
            buffer.clear();
            if buffer.capacity() > KEPT {
                buffer.shrink_to(KEPT);
            }
        }
        (self.has_data, self.error, self.bare, self.after_cr, self.begun) = (false, false, false, false, false);
    }

    fn take_line(&mut self, line: &[u8], on_event: &mut impl FnMut(SseEvent<'_>)) -> Result<(), EventTooLong> {
        let line = if self.begun { line } else { line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line) };
        self.begun = true;
        if line.is_empty() {
            self.dispatch(on_event);
            return Ok(());
        }
        if self.bare {
            if !is_field(line) {
                return self.append(line);
            }
            self.dispatch(on_event);
        } else if !self.has_data && !self.error && matches!(line[0], b'{' | b'[' | b'<') {
            self.bare = true;
            return self.append(line);
        }
        let (field, value) = match memchr::memchr(b':', line) {
            Some(colon) => {
                let value = &line[colon + 1..];
                (&line[..colon], value.strip_prefix(b" ").unwrap_or(value))
            }
            None => (line, &line[line.len()..]),
        };
        match field {
            b"data" => self.append(value),
            // llama.cpp once sent its errors as a field of that name
            b"error" => {
                self.error = true;
                self.append(value)
            }
            b"event" => {
                self.error |= value == b"error";
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn append(&mut self, value: &[u8]) -> Result<(), EventTooLong> {
        if self.data.len() + value.len() > LONGEST {
            return Err(EventTooLong);
        }
        if self.has_data {
            self.data.push(b'\n');
        }
        self.has_data = true;
        self.data.extend_from_slice(value);
        Ok(())
    }

    fn dispatch(&mut self, on_event: &mut impl FnMut(SseEvent<'_>)) {
        // an event that is said to be an error is one though it says no more
        if self.has_data || self.error {
            on_event(SseEvent { data: &self.data, error: self.error, bare: self.bare });
        }
        self.data.clear();
        (self.has_data, self.error, self.bare) = (false, false, false);
    }
}

/// Whether a line is one of an event, or a comment.
fn is_field(line: &[u8]) -> bool {
    [&b":"[..], b"data:", b"event:", b"error:", b"id:", b"retry:"].iter().any(|field| line.starts_with(field))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn events_of(parts: &[&[u8]]) -> Vec<(Vec<u8>, bool)> {
        let mut sse = Sse::default();
        let mut events = Vec::new();
        for part in parts {
            sse.feed(part, |event| events.push((event.data.to_vec(), event.error))).unwrap();
        }
        events
    }

    #[test]
    fn every_line_end_is_known() {
        for stream in
            ["data: a\n\ndata: b\n\n", "data: a\r\n\r\ndata: b\r\n\r\n", "data: a\r\rdata: b\r\r", "data:a\r\n\ndata:b\n\r\n"]
        {
            let events = events_of(&[stream.as_bytes()]);
            assert_eq!(events, [(b"a".to_vec(), false), (b"b".to_vec(), false)], "{stream:?}");
        }
    }

    #[test]
    fn lines_of_data_are_joined_and_the_rest_is_passed_over() {
        let events = events_of(&[
            b"\xEF\xBB\xBF: ping\n\nid: 7\ndata: {\ndata:  1}\nretry: 5\nother\n\ndata\n\nevent: error\ndata: x\n\n",
        ]);
        assert_eq!(events, [(b"{\n 1}".to_vec(), false), (Vec::new(), false), (b"x".to_vec(), true)]);
    }

    #[test]
    fn text_between_events_is_handed_out_as_what_it_is() {
        let mut sse = Sse::default();
        let mut events = Vec::new();
        let stream = b"data: a\n\n{\n \"error\": 1\n}\ndata: b\n\n<html>\n<p>\n\nevent: error\n\nodd\n\n";
        sse.feed(stream, |event| events.push((String::from_utf8(event.data.to_vec()).unwrap(), event.error, event.bare)))
            .unwrap();
        let of = |data: &str, error, bare| (data.to_owned(), error, bare);
        assert_eq!(
            events,
            [
                of("a", false, false),
                of("{\n \"error\": 1\n}", false, true),
                of("b", false, false),
                of("<html>\n<p>", false, true),
                of("", true, false)
            ]
        );
    }

    #[test]
    fn the_last_event_may_lack_its_blank_line() {
        let mut sse = Sse::default();
        sse.feed(b"data: [DONE]", |_| panic!("not yet")).unwrap();
        let mut last = Vec::new();
        sse.finish(|event| last = event.data.to_vec());
        assert_eq!(last, b"[DONE]");
    }

    #[test]
    fn a_megabyte_in_one_event() {
        let mut stream = b"data: ".to_vec();
        stream.resize(1 << 20, b'x');
        stream.extend_from_slice(b"\n\n");
        let parts: Vec<&[u8]> = stream.chunks(1460).collect();
        assert_eq!(events_of(&parts)[0].0.len(), (1 << 20) - 6);
    }

    proptest! {
        #[test]
        fn the_cut_does_not_matter(
            lines in prop::collection::vec(("(data: ?|: |event: error|id: |\\{|<|)[ -~é]{0,12}", 0..3_usize), 0..24),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let mut stream = Vec::new();
            for (line, end) in &lines {
                stream.extend_from_slice(line.as_bytes());
                stream.extend_from_slice([&b"\n"[..], b"\r\n", b"\r"][*end]);
            }
            let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            places.extend([0, stream.len()]);
            places.sort_unstable();
            let parts: Vec<&[u8]> = places.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
            let single: Vec<&[u8]> = stream.chunks(1).collect();
            let whole = events_of(&[&stream]);
            prop_assert_eq!(&events_of(&parts), &whole);
            prop_assert_eq!(&events_of(&single), &whole);
        }
    }
}
