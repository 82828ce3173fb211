//! Chunks of one stream are mostly alike but for their text. Where a chunk is the one before with another text in the same
//! place, it means the same with another text, and need not be walked through again.

/// Chunks unlike the one before, one after the other, after which a stream is taken for one that never repeats.
const UNLIKE: u8 = 8;

/// The chunk before: what stands around its text.
#[derive(Debug, Default)]
pub struct RepeatedChunk {
    before: Vec<u8>,
    after: Vec<u8>,
    unlike: u8,
}

impl RepeatedChunk {
    /// The text of a chunk, as it stands in JSON, if the chunk is else the same as the one kept.
    pub fn text_of<'a>(&self, data: &'a [u8]) -> Option<&'a [u8]> {
        if self.before.is_empty() {
            return None;
        }
        let text = data.strip_prefix(self.before.as_slice())?.strip_suffix(self.after.as_slice())?;
        // a quote would end the text before what is kept goes on, and a last backslash would swallow the kept one
        let plain = match memchr::memchr2(b'"', b'\\', text) {
            None => true,
            Some(at) => text[at] == b'\\' && is_string(&text[at..]),
        };
        plain.then_some(text)
    }

    /// Keeps a chunk whose only meaning is its text, at this range.
    pub fn keep(&mut self, data: &[u8], text: (usize, usize)) {
        if self.unlike >= UNLIKE {
            self.before.clear();
            return;
        }
        self.unlike += 1;
        self.before.clear();
        self.before.extend_from_slice(&data[..text.0]);
        self.after.clear();
        self.after.extend_from_slice(&data[text.1..]);
    }

    /// A chunk was like the one kept.
    pub fn found(&mut self) {
        self.unlike = 0;
    }

    /// Makes ready for another stream.
    pub fn clear(&mut self) {
        self.before.clear();
        self.unlike = 0;
    }
}

/// Whether bytes are the whole inside of a JSON string: each quote escaped, no escape cut off.
fn is_string(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(at) = memchr::memchr2(b'"', b'\\', rest) {
        if rest[at] == b'"' || at + 1 == rest.len() {
            return false;
        }
        rest = &rest[at + 2..];
    }
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::chunk::Chunk;
    use super::*;

    const OPEN: &str = r#"{"id":"x","choices":[{"index":0,"delta":{"content":""#;
    const CLOSE: &str = r#""},"finish_reason":null}]}"#;

    fn kept() -> RepeatedChunk {
        let data = format!("{OPEN}first{CLOSE}");
        let chunk = Chunk::read(data.as_bytes(), None).unwrap();
        let mut repeat = RepeatedChunk::default();
        repeat.keep(data.as_bytes(), chunk.only_text.unwrap());
        repeat
    }

    #[test]
    fn another_text_is_found() {
        for text in ["second", "", r#"say \"so\" \\"#, "日本", r"\n"] {
            let data = format!("{OPEN}{text}{CLOSE}");
            assert_eq!(kept().text_of(data.as_bytes()), Some(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn anything_else_is_not() {
        for data in [
            format!("{OPEN}a\",\"role\":\"b{CLOSE}"),
            format!("{OPEN}a\\{CLOSE}"),
            format!("{OPEN}a\"}},\"finish_reason\":\"stop\"}}]}}"),
            format!("{OPEN}a{CLOSE} "),
            CLOSE.to_owned(),
            String::new(),
        ] {
            assert_eq!(kept().text_of(data.as_bytes()), None, "{data}");
        }
    }

    #[test]
    fn only_chunks_of_one_text_are_kept() {
        for data in [
            r#"{"choices":[{"delta":{"content":"a"}},{"delta":{"content":"b"}}]}"#,
            r#"{"choices":[{"delta":{"content":"a","reasoning":"b"}}]}"#,
            r#"{"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}"#,
            r#"{"choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":1}}"#,
            r#"{"choices":[{"delta":{"reasoning":"a"}}]}"#,
            r#"{"choices":[{"delta":{"content":""}}]}"#,
        ] {
            assert_eq!(Chunk::read(data.as_bytes(), None).unwrap().only_text, None, "{data}");
        }
    }

    proptest! {
        #[test]
        fn it_means_what_a_walk_says(text in prop::collection::vec(prop::sample::select(b"\"\\{}[],:un0 a".to_vec()), 0..24)) {
            let data = [OPEN.as_bytes(), &text, CLOSE.as_bytes()].concat();
            if let Some(found) = kept().text_of(&data) {
                let walked = Chunk::read(&data, None).unwrap();
                let expected = (!found.is_empty()).then_some((OPEN.len(), OPEN.len() + found.len()));
                prop_assert_eq!(walked.only_text, expected);
                prop_assert!(walked.finish.is_none() && walked.usage.is_none() && walked.error.is_none() && !walked.reasoning);
            }
        }
    }
}
