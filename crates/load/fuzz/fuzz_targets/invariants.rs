//! What must hold for any bytes that a server may send, however they are cut. The fuzz target and the tests share it.

use dyno_load::stream::chunk::Chunk;
use dyno_load::stream::http::{AnswerParser, HttpError, ResponseHead};
use dyno_load::stream::inflate::{Encoding, Inflate};
use dyno_load::stream::sse::Sse;

/// What an answer came to: its head, its body, whether it is complete, and what was wrong.
type Answered = (Option<ResponseHead>, Vec<u8>, bool, Option<HttpError>);

/// Checks bytes in one piece, byte by byte, and cut at the given places.
///
/// # Panics
/// When something does not hold.
pub fn check(bytes: &[u8], cuts: &[usize]) {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    let pieces: Vec<&[u8]> = places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
    let single: Vec<&[u8]> = bytes.chunks(1).collect();

    let whole = answered(&[bytes]);
    assert_eq!(answered(&pieces), whole, "the cut changed the answer");
    assert_eq!(answered(&single), whole, "the cut changed the answer");
    assert!(whole.1.len() <= bytes.len(), "a body longer than what came");

    for stream in [bytes, &whole.1] {
        let events = events(&[stream]);
        assert!(events.iter().map(|(data, ..)| data.len()).sum::<usize>() <= stream.len(), "events longer than what came");
        for (data, ..) in &events {
            let mut text = Vec::new();
            if let Ok(chunk) = Chunk::read(data, Some(&mut text)) {
                // each character of text takes at least as many bytes in JSON
                assert!(text.len() <= data.len() && chunk == Chunk::read(data, None).unwrap_or_default());
            }
        }
        if stream.len() == bytes.len() {
            assert_eq!(self::events(&pieces), events, "the cut changed the events");
            assert_eq!(self::events(&single), events, "the cut changed the events");
        }
    }
    let _ = Chunk::read(bytes, None);
    for encoding in [Encoding::Gzip, Encoding::Deflate] {
        let whole = inflated(encoding, &[bytes]);
        if whole.is_some() {
            assert_eq!(inflated(encoding, &single), whole, "the cut changed what was unpacked");
        }
    }
}

fn answered(pieces: &[&[u8]]) -> Answered {
    let mut answer = AnswerParser::default();
    let mut body = Vec::new();
    let mut error = None;
    for piece in pieces {
        if let Err(wrong) = answer.feed(piece, |_, part| body.extend_from_slice(part)) {
            error = Some(wrong);
            break;
        }
    }
    (answer.got.clone(), body, answer.done(), error)
}

fn events(pieces: &[&[u8]]) -> Vec<(Vec<u8>, bool, bool)> {
    let mut sse = Sse::default();
    let mut all = Vec::new();
    for piece in pieces {
        if sse.feed(piece, |event| all.push((event.data.to_vec(), event.error, event.bare))).is_err() {
            return all;
        }
    }
    sse.finish(|event| all.push((event.data.to_vec(), event.error, event.bare)));
    all
}

fn inflated(encoding: Encoding, pieces: &[&[u8]]) -> Option<Vec<u8>> {
    let mut inflate = Inflate::new(encoding)?;
    let mut all = Vec::new();
    for piece in pieces {
        all.extend_from_slice(inflate.feed(piece).ok()?);
    }
    Some(all)
}
