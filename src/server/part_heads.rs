//! A limit for what the multipart parser keeps until it understands it: the text before the first part, and the head of each
//! part. The parser has none of its own.

use axum::http::{HeaderMap, header};
use memchr::memmem;

/// Longest text before the first part, and longest head of a part, bytes.
pub(super) const LONGEST_HEAD: usize = 16 << 10;

/// The head of a part is longer than [`LONGEST_HEAD`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the head of a part is longer than {LONGEST_HEAD} bytes")]
pub(super) struct HeadTooLong;

/// Where in a form the next byte is; as the parser (multer) takes it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FormPosition {
    BeforeFirst,
    AfterBoundary,
    Head,
    Content,
    End,
}

/// Follows a form's bytes as they come.
pub(super) struct PartHeads {
    /// A line break and the boundary with its hyphens.
    delimiter: Vec<u8>,
    place: FormPosition,
    /// Bytes of the present head before those in `kept`.
    length: usize,
    /// Bytes that the next ones may complete.
    kept: Vec<u8>,
}

impl PartHeads {
    /// For a form with the boundary that its content type names; absent where it names none.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let boundary = multer::parse_boundary(headers.get(header::CONTENT_TYPE)?.to_str().ok()?).ok()?;
        let delimiter = format!("\r\n--{boundary}").into_bytes();
        Some(Self { delimiter, place: FormPosition::BeforeFirst, length: 0, kept: Vec::new() })
    }

    /// Takes the next bytes.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<(), HeadTooLong> {
        if self.kept.is_empty() {
            return self.follow(bytes);
        }
        let mut joined = std::mem::take(&mut self.kept);
        joined.extend_from_slice(bytes);
        self.follow(&joined)
    }

    fn follow(&mut self, mut rest: &[u8]) -> Result<(), HeadTooLong> {
        loop {
            let (found, longest_begun) = match self.place {
                FormPosition::End => return Ok(()),
                FormPosition::BeforeFirst => (end_of(rest, &self.delimiter[2..]), self.delimiter.len() - 3),
                FormPosition::AfterBoundary => (after_boundary(rest), 1),
                FormPosition::Head => (end_of(rest, b"\r\n\r\n"), 3),
                FormPosition::Content => (end_of(rest, &self.delimiter), self.delimiter.len() - 1),
            };
            let Some(end) = found else {
                let begun = rest.len() - rest.len().min(longest_begun);
                return self.keep(rest, begun);
            };
            if self.place != FormPosition::Content && self.length + end > LONGEST_HEAD {
                return Err(HeadTooLong);
            }
            let taken = &rest[..end];
            (self.place, self.length) = match self.place {
                FormPosition::BeforeFirst | FormPosition::Content => (FormPosition::AfterBoundary, 0),
                FormPosition::AfterBoundary if taken.ends_with(b"\r\n") => (FormPosition::Head, self.length + end),
                // the parser stops here, at the end of the form or because it is wrong
                FormPosition::AfterBoundary | FormPosition::End => (FormPosition::End, 0),
                FormPosition::Head => (FormPosition::Content, 0),
            };
            rest = &rest[end..];
        }
    }

    /// Keeps what may be the beginning of what is looked for.
    fn keep(&mut self, rest: &[u8], begun: usize) -> Result<(), HeadTooLong> {
        if self.place == FormPosition::Content {
            let begun = memchr::memchr(b'\r', &rest[begun..]).map_or(rest.len(), |at| begun + at);
            self.kept = rest[begun..].to_vec();
            return Ok(());
        }
        self.length += begun;
        self.kept = rest[begun..].to_vec();
        if self.length + self.kept.len() > LONGEST_HEAD { Err(HeadTooLong) } else { Ok(()) }
    }
}

fn end_of(bytes: &[u8], what: &[u8]) -> Option<usize> {
    memmem::find(bytes, what).map(|at| at + what.len())
}

/// Where the two characters after a boundary and its spaces end.
fn after_boundary(bytes: &[u8]) -> Option<usize> {
    let spaces = bytes.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    (bytes.len() >= spaces + 2).then_some(spaces + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heads() -> PartHeads {
        let headers = [(header::CONTENT_TYPE, "multipart/form-data; boundary=\"B-1\"".parse().unwrap())].into_iter().collect();
        PartHeads::of(&headers).unwrap()
    }

    /// In pieces of this length; a form is taken alike however it is cut.
    fn taken(form: &[u8], piece: usize) -> Result<(), HeadTooLong> {
        let mut heads = heads();
        form.chunks(piece).try_for_each(|piece| heads.take(piece))
    }

    #[test]
    fn heads_and_what_comes_before_them_are_limited_and_contents_not() {
        let long = "x".repeat(3 * LONGEST_HEAD);
        let breaks = "\r\n--B-\r\n".repeat(LONGEST_HEAD);
        let head = "Content-Disposition: form-data; name=\"a\"";
        for (form, is_good) in [
            (format!("--B-1\r\n{head}\r\n\r\n{long}\r\n--B-1\r\n{head}\r\n\r\n{breaks}\r\n--B-1--\r\n{long}"), true),
            (format!("text before\r\n--B-1 \t\r\n{head}\r\n\r\n\r\n--B-1--"), true),
            (format!("--B-1\r\n{head}; x={}\r\n\r\nv\r\n--B-1--", &long[..LONGEST_HEAD / 2]), true),
            (format!("--B-1\r\n{head}; x={long}\r\n\r\nv\r\n--B-1--"), false),
            (format!("--B-1\r\n{head}\r\n\r\nv\r\n--B-1\r\n{head}; x={long}"), false),
            // a part without a head: the parser takes what follows for one
            (format!("--B-1\r\n\r\n{long}"), false),
            (format!("--B-1{}", " ".repeat(3 * LONGEST_HEAD)), false),
            (format!("{long}--B-1\r\n{head}\r\n\r\nv"), false),
            (long.clone(), false),
        ] {
            for piece in [1, 3, 1000, usize::MAX] {
                assert_eq!(taken(form.as_bytes(), piece).is_ok(), is_good, "{piece}: {}", &form[..60]);
            }
        }
    }

    #[test]
    fn little_is_kept_between_two_pieces() {
        let mut heads = heads();
        heads.take(b"--B-1\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n").unwrap();
        for piece in [&b"text"[..], b"\r\n", b"\r\n--B", b"\r\r\r\r\r\r\r\r\r\r\r\r"] {
            heads.take(piece).unwrap();
            assert!(heads.kept.len() < heads.delimiter.len(), "{:?}", heads.kept);
        }
    }
}
