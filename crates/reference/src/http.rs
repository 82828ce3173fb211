//! Reading requests: a pure function from the bytes received so far to a request, at any cut.

use std::borrow::Cow;

/// Largest head and largest body that are read.
const MAX_HEAD: usize = 64 * 1024;
const MAX_BODY: usize = 64 * 1024 * 1024;
const MAX_HEADERS: usize = 64;

/// A request with all of its body.
#[derive(Debug, PartialEq, Eq)]
#[allow(clippy::struct_field_names, reason = "it is the header's name")]
pub struct HttpRequest<'a> {
    pub method: &'a str,
    /// Without the query.
    pub path: &'a str,
    pub keep_alive: bool,
    pub request_id: Option<&'a str>,
    pub authorization: Option<&'a str>,
    pub accepts_gzip: bool,
    /// `x-dyno-fault`: a fault asked for by a test.
    pub fault: Option<&'a str>,
    pub body: Cow<'a, [u8]>,
}

/// What the bytes received so far amount to.
#[derive(Debug, PartialEq, Eq)]
pub enum ParsedRequest<'a> {
    /// More bytes are needed, at least `need` in all; `expects_continue` if the client waits for leave to send its body.
    Partial {
        need: usize,
        expects_continue: bool,
    },
    /// No request: the connection cannot go on.
    Bad {
        status: u16,
        message: &'static str,
    },
    Whole {
        request: HttpRequest<'a>,
        consumed: usize,
    },
}

#[derive(Clone, Copy)]
enum BodyFraming {
    Length(usize),
    Chunked,
}

/// Reads one request from the start of `bytes`.
pub fn parse(bytes: &[u8]) -> ParsedRequest<'_> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Request::new(&mut headers);
    let head_len = match head.parse(bytes) {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) if bytes.len() > MAX_HEAD => return bad(431, "request head is too large"),
        Ok(httparse::Status::Partial) => return ParsedRequest::Partial { need: bytes.len() + 1, expects_continue: false },
        Err(httparse::Error::TooManyHeaders) => return bad(431, "request has too many headers"),
        Err(_) => return bad(400, "request head is malformed"),
    };
    let target = head.path.unwrap_or("/");
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    let mut request = HttpRequest {
        method: head.method.unwrap_or(""),
        path,
        keep_alive: head.version == Some(1),
        request_id: None,
        authorization: None,
        accepts_gzip: false,
        fault: None,
        body: Cow::Borrowed(&[]),
    };
    let mut body = BodyFraming::Length(0);
    let mut expects_continue = false;
    for header in head.headers.iter() {
        let Ok(value) = std::str::from_utf8(header.value) else { continue };
        let value = value.trim();
        match header.name {
            name if name.eq_ignore_ascii_case("content-length") => match value.parse::<usize>() {
                Ok(length) if matches!(body, BodyFraming::Length(_)) => body = BodyFraming::Length(length),
                Ok(_) => {}
                Err(_) => return bad(400, "content-length is no number"),
            },
            name if name.eq_ignore_ascii_case("transfer-encoding") => {
                if !value.eq_ignore_ascii_case("chunked") {
                    return bad(501, "transfer encoding is not known");
                }
                body = BodyFraming::Chunked;
            }
            name if name.eq_ignore_ascii_case("connection") => {
                let has = |token: &str| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(token));
                request.keep_alive = (request.keep_alive || has("keep-alive")) && !has("close");
            }
            name if name.eq_ignore_ascii_case("expect") => expects_continue = value.eq_ignore_ascii_case("100-continue"),
            name if name.eq_ignore_ascii_case("x-request-id") => request.request_id = Some(value),
            name if name.eq_ignore_ascii_case("authorization") => request.authorization = Some(value),
            name if name.eq_ignore_ascii_case("accept-encoding") => {
                request.accepts_gzip = value.split(',').any(|coding| coding.trim().eq_ignore_ascii_case("gzip"));
            }
            name if name.eq_ignore_ascii_case("x-dyno-fault") => request.fault = Some(value),
            _ => {}
        }
    }
    let rest = &bytes[head_len..];
    match body {
        BodyFraming::Length(length) if length > MAX_BODY => bad(413, "request body is too large"),
        BodyFraming::Length(length) if rest.len() < length => {
            ParsedRequest::Partial { need: head_len + length, expects_continue: expects_continue && rest.is_empty() }
        }
        BodyFraming::Length(length) => {
            request.body = Cow::Borrowed(&rest[..length]);
            ParsedRequest::Whole { request, consumed: head_len + length }
        }
        BodyFraming::Chunked => match dechunk(rest) {
            Dechunked::Partial if rest.len() > MAX_BODY => bad(413, "request body is too large"),
            Dechunked::Partial => {
                ParsedRequest::Partial { need: bytes.len() + 1, expects_continue: expects_continue && rest.is_empty() }
            }
            Dechunked::Bad => bad(400, "chunked body is malformed"),
            Dechunked::Whole { data, consumed } => {
                request.body = Cow::Owned(data);
                ParsedRequest::Whole { request, consumed: head_len + consumed }
            }
        },
    }
}

fn bad(status: u16, message: &'static str) -> ParsedRequest<'static> {
    ParsedRequest::Bad { status, message }
}

enum Dechunked {
    Partial,
    Bad,
    Whole { data: Vec<u8>, consumed: usize },
}

fn dechunk(bytes: &[u8]) -> Dechunked {
    let mut data = Vec::new();
    let mut at = 0;
    loop {
        let (size_len, size) = match httparse::parse_chunk_size(&bytes[at..]) {
            Ok(httparse::Status::Complete(found)) => found,
            Ok(httparse::Status::Partial) => return Dechunked::Partial,
            Err(_) => return Dechunked::Bad,
        };
        at += size_len;
        if size == 0 {
            return trailers(&bytes[at..]).map_or(Dechunked::Partial, |len| Dechunked::Whole { data, consumed: at + len });
        }
        if size > MAX_BODY as u64 {
            return Dechunked::Bad;
        }
        let end = at + size as usize;
        match bytes.get(end..end + 2) {
            None => return Dechunked::Partial,
            Some(b"\r\n") => data.extend_from_slice(&bytes[at..end]),
            Some(_) => return Dechunked::Bad,
        }
        at = end + 2;
    }
}

/// Length of the trailers with the empty line that ends them.
fn trailers(bytes: &[u8]) -> Option<usize> {
    if bytes.starts_with(b"\r\n") {
        return Some(2);
    }
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(bytes: &[u8]) -> (String, Vec<u8>, usize) {
        match parse(bytes) {
            ParsedRequest::Whole { request, consumed } => (request.path.to_owned(), request.body.into_owned(), consumed),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn reads_what_it_needs_from_the_head() {
        let bytes = b"POST /v1/x?y=1 HTTP/1.1\r\nHost: a\r\nX-Request-Id: r1\r\nConnection: Close\r\nx-dyno-fault: cut\r\nContent-Length: 2\r\n\r\n{}GET";
        let ParsedRequest::Whole { request, consumed } = parse(bytes) else { panic!() };
        assert_eq!((request.path, request.request_id, request.fault), ("/v1/x", Some("r1"), Some("cut")));
        assert!(!request.keep_alive);
        assert_eq!(&bytes[consumed..], b"GET");
    }

    #[test]
    fn refuses_what_is_no_request() {
        assert!(matches!(parse(b"\x16\x03\x01\x02\x00"), ParsedRequest::Bad { status: 400, .. }));
        assert!(matches!(parse(b"POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n"), ParsedRequest::Bad { status: 400, .. }));
        assert!(matches!(parse(b"POST / HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n"), ParsedRequest::Bad { status: 501, .. }));
        assert!(matches!(
            parse(b"POST / HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n"),
            ParsedRequest::Bad { status: 413, .. }
        ));
        assert!(matches!(
            parse(b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2\r\nabc\r\n"),
            ParsedRequest::Bad { status: 400, .. }
        ));
    }

    proptest! {
        #[test]
        fn any_cut_is_partial_and_the_whole_is_the_same(
            body in proptest::collection::vec(any::<u8>(), 0..400),
            sizes in proptest::collection::vec(1_usize..40, 1..8),
            chunked in any::<bool>(),
            tail in proptest::collection::vec(any::<u8>(), 0..20),
        ) {
            let mut bytes = b"POST /v1/completions HTTP/1.1\r\nHost: h\r\n".to_vec();
            if chunked {
                bytes.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
                let mut rest = body.as_slice();
                for size in sizes.iter().cycle() {
                    if rest.is_empty() { break }
                    let (now, later) = rest.split_at((*size).min(rest.len()));
                    bytes.extend_from_slice(format!("{:X};e=1\r\n", now.len()).as_bytes());
                    bytes.extend_from_slice(now);
                    bytes.extend_from_slice(b"\r\n");
                    rest = later;
                }
                bytes.extend_from_slice(b"0\r\nT: 1\r\n\r\n");
            } else {
                bytes.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
                bytes.extend_from_slice(&body);
            }
            let end = bytes.len();
            bytes.extend_from_slice(&tail);
            for cut in 0..end {
                match parse(&bytes[..cut]) {
                    ParsedRequest::Partial { need, .. } => prop_assert!(need > cut && need <= end),
                    other => prop_assert!(false, "{other:?} at {cut}"),
                }
            }
            let (path, read, consumed) = whole(&bytes);
            prop_assert_eq!(path, "/v1/completions");
            prop_assert_eq!(read, body);
            prop_assert_eq!(consumed, end);
        }

        #[test]
        fn any_bytes_end_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes);
            let mut chunked = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
            chunked.extend_from_slice(&bytes);
            let _ = parse(&chunked);
        }
    }
}
