//! An HTTP/1.1 answer, fed in any cut. Only what a streaming client needs: status, how the body ends, its type.

use super::inflate::Encoding;

/// Largest head that is held, bytes.
const LARGEST_HEAD: usize = 64 << 10;

/// The answer is not HTTP/1.1 as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// The head is none.
    #[error("the answer's head is not HTTP/1.1")]
    Head,
    /// Chunk sizes are wrong.
    #[error("the answer's chunked framing is broken")]
    Chunk,
    /// The body is in a form that was not asked for and can't be read.
    #[error("the answer is compressed in a way that was not asked for and can't be read")]
    Encoding,
    /// The server speaks another protocol's frames.
    #[error("the server speaks HTTP/2 only; requests are sent over HTTP/1.1")]
    Http2,
}

/// What the head says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResponseHead {
    pub status: u16,
    /// Whether the body is a stream of events.
    pub events: bool,
    /// Whether the connection can serve another request.
    pub keep_alive: bool,
    /// The `retry-after` header as it was sent: seconds or a date.
    pub retry_after: Option<String>,
    /// Where a redirect leads, without a query.
    pub location: Option<String>,
    /// How the body is packed.
    pub encoding: Encoding,
}

/// Whether a status says that the request was carried out.
pub fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum ParserState {
    #[default]
    Head,
    Length(u64),
    UntilClose,
    ChunkSize {
        size: u64,
        digits: u8,
    },
    ChunkExtension(u64),
    ChunkData(u64),
    ChunkEnd,
    Trailer {
        line_is_empty: bool,
    },
    Done,
}

/// An incremental parser of one answer.
#[derive(Debug, Default)]
pub struct AnswerParser {
    head: Vec<u8>,
    state: ParserState,
    /// What the head says, once it is complete.
    pub got: Option<ResponseHead>,
    /// Whether a byte has come.
    pub begun: bool,
}

impl AnswerParser {
    /// Whether the body is complete.
    pub fn done(&self) -> bool {
        self.state == ParserState::Done
    }

    /// Whether the body ends when the connection does.
    pub fn ends_with_connection(&self) -> bool {
        self.state == ParserState::UntilClose
    }

    /// Makes ready for another answer.
    pub fn reset(&mut self) {
        self.head.clear();
        self.state = ParserState::Head;
        self.got = None;
        self.begun = false;
    }

    /// Takes bytes in and hands out each piece of body; gives how many bytes it took (fewer than all only when the body
    /// is complete).
    ///
    /// # Errors
    /// When the bytes are not an answer.
    pub fn feed(&mut self, input: &[u8], mut on_body: impl FnMut(&ResponseHead, &[u8])) -> Result<usize, HttpError> {
        let mut at = 0;
        self.begun |= !input.is_empty();
        while at < input.len() && self.state != ParserState::Done {
            at += match self.state {
                ParserState::Head => self.feed_head(&input[at..])?,
                _ => self.feed_body(&input[at..], &mut on_body)?,
            };
        }
        Ok(at)
    }

    fn feed_head(&mut self, input: &[u8]) -> Result<usize, HttpError> {
        let held = self.head.len();
        let parsed = if held == 0 {
            parse_head(input)?
        } else {
            self.head.extend_from_slice(input);
            parse_head(&self.head)?
        };
        let Some((length, head, state)) = parsed else {
            if held == 0 {
                self.head.extend_from_slice(input);
            }
            return if self.head.len() > LARGEST_HEAD { Err(HttpError::Head) } else { Ok(input.len()) };
        };
        self.head.clear();
        // 100 Continue and its like come before the answer
        if head.status >= 200 {
            self.got = Some(head);
            self.state = state;
        }
        Ok(length - held)
    }

    fn feed_body(&mut self, input: &[u8], on_body: &mut impl FnMut(&ResponseHead, &[u8])) -> Result<usize, HttpError> {
        let Some(head) = &self.got else { return Err(HttpError::Head) };
        if let ParserState::ChunkSize { digits: 0, .. } = self.state
            && let Some((length, size)) = whole_size(input)
        {
            self.state = after_size(size);
            return Ok(length);
        }
        let first = input[0];
        let (taken, next) = match self.state {
            ParserState::Length(left) | ParserState::ChunkData(left) => {
                let taken = input.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                on_body(head, &input[..taken]);
                let left = left - taken as u64;
                let next = match self.state {
                    ParserState::Length(_) if left == 0 => ParserState::Done,
                    ParserState::Length(_) => ParserState::Length(left),
                    _ if left == 0 => ParserState::ChunkEnd,
                    _ => ParserState::ChunkData(left),
                };
                (taken, next)
            }
            ParserState::UntilClose => {
                on_body(head, input);
                (input.len(), ParserState::UntilClose)
            }
            ParserState::ChunkEnd if input.starts_with(b"\r\n") => (2, ParserState::ChunkSize { size: 0, digits: 0 }),
            ParserState::ChunkSize { size, digits } => match (first, char::from(first).to_digit(16)) {
                (_, Some(digit)) if digits < 15 => {
                    (1, ParserState::ChunkSize { size: size << 4 | u64::from(digit), digits: digits + 1 })
                }
                (b';' | b' ' | b'\t' | b'\r', _) if digits > 0 => (1, ParserState::ChunkExtension(size)),
                (b'\n', _) if digits > 0 => (1, after_size(size)),
                _ => return Err(HttpError::Chunk),
            },
            ParserState::ChunkExtension(size) => match memchr::memchr(b'\n', input) {
                Some(end) => (end + 1, after_size(size)),
                None => (input.len(), ParserState::ChunkExtension(size)),
            },
            ParserState::ChunkEnd => match first {
                b'\r' => (1, ParserState::ChunkEnd),
                b'\n' => (1, ParserState::ChunkSize { size: 0, digits: 0 }),
                _ => return Err(HttpError::Chunk),
            },
            ParserState::Trailer { line_is_empty } => match first {
                b'\n' if line_is_empty => (1, ParserState::Done),
                b'\n' => (1, ParserState::Trailer { line_is_empty: true }),
                b'\r' => (1, ParserState::Trailer { line_is_empty }),
                _ => (1, ParserState::Trailer { line_is_empty: false }),
            },
            ParserState::Head | ParserState::Done => (0, self.state),
        };
        self.state = next;
        Ok(taken)
    }
}

fn after_size(size: u64) -> ParserState {
    if size == 0 { ParserState::Trailer { line_is_empty: true } } else { ParserState::ChunkData(size) }
}

/// Length and meaning of a line that holds a chunk's size and nothing else.
fn whole_size(input: &[u8]) -> Option<(usize, u64)> {
    let digits = input.iter().take(9).position(|byte| *byte == b'\r').filter(|digits| *digits > 0)?;
    if input.get(digits + 1) != Some(&b'\n') {
        return None;
    }
    let size = input[..digits].iter().try_fold(0, |size, byte| Some(size << 4 | u64::from(char::from(*byte).to_digit(16)?)))?;
    Some((digits + 2, size))
}

/// Length of the head, what it says, and how the body goes on; nothing when it is not complete.
fn parse_head(bytes: &[u8]) -> Result<Option<(usize, ResponseHead, ParserState)>, HttpError> {
    // no HTTP/1 begins with a zero byte; an HTTP/2 frame does: three bytes of length, then SETTINGS or GOAWAY
    if bytes.first() == Some(&0) {
        return match bytes.get(3) {
            None => Ok(None),
            Some(4 | 7) => Err(HttpError::Http2),
            Some(_) => Err(HttpError::Head),
        };
    }
    let mut headers = [httparse::EMPTY_HEADER; 96];
    let mut parsed = httparse::Response::new(&mut headers);
    let length = match parsed.parse(bytes) {
        // the same limit, however the head is cut
        Ok(httparse::Status::Complete(length)) if length <= LARGEST_HEAD => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Ok(httparse::Status::Complete(_)) | Err(_) => return Err(HttpError::Head),
    };
    let status = parsed.code.ok_or(HttpError::Head)?;
    let mut head = ResponseHead { status, keep_alive: parsed.version == Some(1), ..ResponseHead::default() };
    let (mut chunked, mut content_length) = (false, None);
    for header in parsed.headers.iter() {
        let value = std::str::from_utf8(header.value).unwrap_or_default().trim();
        let has = |word: &str| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(word));
        if header.name.eq_ignore_ascii_case("transfer-encoding") {
            chunked = has("chunked");
        } else if header.name.eq_ignore_ascii_case("content-length") {
            content_length = Some(value.parse::<u64>().map_err(|_| HttpError::Head)?);
        } else if header.name.eq_ignore_ascii_case("content-type") {
            head.events = value.get(..17).is_some_and(|kind| kind.eq_ignore_ascii_case("text/event-stream"));
        } else if header.name.eq_ignore_ascii_case("connection") {
            head.keep_alive = if has("close") { false } else { head.keep_alive || has("keep-alive") };
        } else if header.name.eq_ignore_ascii_case("retry-after") {
            head.retry_after = Some(value.chars().take(64).collect());
        } else if header.name.eq_ignore_ascii_case("location") {
            head.location = value.split(['?', '#']).next().map(|location| location.chars().take(300).collect());
        } else if header.name.eq_ignore_ascii_case("content-encoding") {
            head.encoding = Encoding::parse(value).ok_or(HttpError::Encoding)?;
        }
    }
    let state = if matches!(status, 204 | 304) || content_length == Some(0) && !chunked {
        ParserState::Done
    } else if chunked {
        ParserState::ChunkSize { size: 0, digits: 0 }
    } else if let Some(length) = content_length {
        ParserState::Length(length)
    } else {
        head.keep_alive = false;
        ParserState::UntilClose
    };
    Ok(Some((length, head, state)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn body_of(parts: &[&[u8]]) -> Result<(Option<ResponseHead>, Vec<u8>, bool), HttpError> {
        let mut answer = AnswerParser::default();
        let mut body = Vec::new();
        for part in parts {
            answer.feed(part, |_, piece| body.extend_from_slice(piece))?;
        }
        Ok((answer.got.clone(), body, answer.done()))
    }

    #[test]
    fn bodies_of_every_kind() {
        let (head, body, done) = body_of(&[b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2 \nde\n0\r\nTrailer: 1\r\n\r\nHTTP"]).unwrap();
        assert_eq!((head.unwrap().events, body.as_slice(), done), (true, &b"abcde"[..], true));
        let (head, body, done) = body_of(&[b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 429 Too Many\r\nretry-after: 7\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno"]).unwrap();
        let head = head.unwrap();
        assert_eq!(
            (head.status, head.keep_alive, head.retry_after.as_deref(), body.as_slice(), done),
            (429, false, Some("7"), &b"no"[..], true)
        );
        let (head, body, done) = body_of(&[b"HTTP/1.0 200 OK\n\nall"]).unwrap();
        assert_eq!((head.unwrap().keep_alive, body.as_slice(), done), (false, &b"all"[..], false));
    }

    #[test]
    fn broken_framing_is_named() {
        assert_eq!(body_of(&[b"SSH-2.0-x\r\n\r\n"]), Err(HttpError::Head));
        for framing in ["x\r\n", "3\r\nabcd", "\r\n\r\n", "ffffffffffffffffff\r\n"] {
            let stream = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{framing}");
            assert_eq!(body_of(&[stream.as_bytes()]), Err(HttpError::Chunk), "{framing}");
        }
        assert_eq!(body_of(&[b"HTTP/1.1 200 OK\r\ncontent-encoding: br\r\n\r\n"]), Err(HttpError::Encoding));
        let (head, ..) = body_of(&[b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"]).unwrap();
        assert_eq!(head.unwrap().encoding, Encoding::Gzip);
    }

    #[test]
    fn http_2_is_named() {
        let settings = [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 100];
        assert_eq!(body_of(&[&settings]), Err(HttpError::Http2));
        assert_eq!(body_of(&[&settings[..2], &settings[2..]]), Err(HttpError::Http2));
        assert_eq!(body_of(&[&[0, 1, 2, 3, 4]]), Err(HttpError::Head));
    }

    #[test]
    fn oddities_of_chunks_are_taken() {
        let stream = "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n000A;name=\"a;b\"\r\n0123456789\r\nA ;x\r\n0123456789\r\n1\na\n0;last\r\nA: 1\r\nB: 2\r\n\r\n";
        let single: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
        let (_, body, done) = body_of(&single).unwrap();
        assert_eq!((body.as_slice(), done), (&b"01234567890123456789a"[..], true));
    }

    proptest! {
        #[test]
        fn the_cut_does_not_matter(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..8), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12)) {
            let mut stream = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
            for piece in &pieces {
                stream.extend_from_slice(format!("{:X}\r\n", piece.len()).as_bytes());
                stream.extend_from_slice(piece);
                stream.extend_from_slice(b"\r\n");
            }
            stream.extend_from_slice(b"0\r\n\r\n");
            let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            places.extend([0, stream.len()]);
            places.sort_unstable();
            let parts: Vec<&[u8]> = places.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
            let (_, body, done) = body_of(&parts).unwrap();
            prop_assert_eq!(body, pieces.concat());
            prop_assert!(done);
        }
    }
}
