//! What one chunk of an OpenAI-compatible stream means, in every dialect that was seen: chat and text completions,
//! reasoning under two names, tool calls, refusals, usage alone or beside the finish reason, errors in the stream.

use super::json::{Malformed, Walk, unescape_into};

/// Token counts as the engine gives them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Input tokens.
    pub prompt: Option<u32>,
    /// Output tokens.
    pub completion: Option<u32>,
    /// Input tokens that were in the prefix cache.
    pub cached: Option<u32>,
    /// Output tokens that were reasoning.
    pub reasoning: Option<u32>,
}

/// What one chunk means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// It carries content, a refusal or tool-call text.
    pub output: bool,
    /// It carries reasoning.
    pub reasoning: bool,
    /// Why generation ended.
    pub finish: Option<&'a [u8]>,
    /// Token counts.
    pub usage: Option<Usage>,
    /// The error object, as it stands.
    pub error: Option<&'a [u8]>,
    /// It has something that only answers have: `choices` or, of embeddings, `data`.
    pub answer: bool,
    /// Where its text stands in the data, if that is one string of content and all that the chunk means.
    pub only_text: Option<(usize, usize)>,
    texts: u32,
}

impl<'a> Chunk<'a> {
    /// Whether it is a content event.
    pub fn content(&self) -> bool {
        self.output || self.reasoning
    }

    /// Reads a chunk. Text of content and reasoning is appended to `text` where somebody wants it.
    ///
    /// # Errors
    /// When it is not one JSON object.
    pub fn read(data: &'a [u8], mut text: Option<&mut Vec<u8>>) -> Result<Self, Malformed> {
        let mut chunk = Self::default();
        let mut says_error = false;
        let mut walk = Walk::new(data);
        walk.object(|walk, key| match key {
            b"choices" if walk.peek()? == b'[' => {
                chunk.answer = true;
                walk.array(|walk| chunk.choice(walk, &mut text))
            }
            b"usage" if walk.peek()? == b'{' => chunk.read_usage(walk),
            // Groq keeps the usage of streams in a field of its own
            b"x_groq" if walk.peek()? == b'{' => walk.object(|walk, key| match key {
                b"usage" if walk.peek()? == b'{' => chunk.read_usage(walk),
                b"error" => {
                    chunk.error = Some(walk.raw()?);
                    Ok(())
                }
                _ => walk.skip(),
            }),
            b"data" if walk.peek()? == b'[' => {
                chunk.answer = true;
                walk.skip()
            }
            b"error" => {
                let raw = walk.raw()?;
                if raw != b"null" && raw != b"false" {
                    chunk.error = Some(raw);
                }
                Ok(())
            }
            b"object" | b"type" => {
                says_error |= walk.string_or_skip()? == Some(b"error");
                Ok(())
            }
            _ => walk.skip(),
        })?;
        walk.end()?;
        if says_error && chunk.error.is_none() {
            chunk.error = Some(data);
        }
        let more =
            chunk.texts != 1 || chunk.reasoning || chunk.finish.is_some() || chunk.usage.is_some() || chunk.error.is_some();
        chunk.only_text = chunk.only_text.filter(|_| !more);
        Ok(chunk)
    }

    fn choice(&mut self, walk: &mut Walk<'a>, text: &mut Option<&mut Vec<u8>>) -> Result<(), Malformed> {
        if walk.peek()? != b'{' {
            return walk.skip();
        }
        walk.object(|walk, key| match key {
            b"delta" | b"message" if walk.peek()? == b'{' => walk.object(|walk, key| match key {
                b"content" => self.content_value(walk, text),
                b"reasoning_content" | b"reasoning" => {
                    let found = keep(walk.string_or_skip()?, text);
                    self.reasoning |= found;
                    Ok(())
                }
                b"refusal" => {
                    self.texts += 2;
                    let found = keep(walk.string_or_skip()?, text);
                    self.output |= found;
                    Ok(())
                }
                b"tool_calls" if walk.peek()? == b'[' => walk.array(|walk| {
                    if walk.peek()? != b'{' {
                        return walk.skip();
                    }
                    walk.object(|walk, key| if key == b"function" { self.function(walk, text) } else { walk.skip() })
                }),
                b"function_call" => self.function(walk, text),
                _ => walk.skip(),
            }),
            b"text" => {
                let raw = walk.string_or_skip()?;
                self.output |= keep(raw, text);
                self.texts += 1;
                self.only_text = raw.filter(|raw| !raw.is_empty()).map(|raw| walk.before(raw));
                Ok(())
            }
            b"finish_reason" => {
                if let Some(reason) = walk.string_or_skip()? {
                    self.finish = Some(reason);
                }
                Ok(())
            }
            _ => walk.skip(),
        })
    }

    /// `content` is a string, or a list of parts, some of which may be thoughts.
    fn content_value(&mut self, walk: &mut Walk<'a>, text: &mut Option<&mut Vec<u8>>) -> Result<(), Malformed> {
        match walk.peek()? {
            b'"' => {
                let raw = walk.string()?;
                self.output |= keep(Some(raw), text);
                self.texts += 1;
                self.only_text = (!raw.is_empty()).then(|| walk.before(raw));
                Ok(())
            }
            b'[' => walk.array(|walk| {
                if walk.peek()? != b'{' {
                    return walk.skip();
                }
                // not one plain text
                self.texts += 2;
                walk.object(|walk, key| match key {
                    b"text" => {
                        let found = keep(walk.string_or_skip()?, text);
                        self.output |= found;
                        Ok(())
                    }
                    b"thinking" => self.thinking(walk, text),
                    _ => walk.skip(),
                })
            }),
            _ => walk.skip(),
        }
    }

    fn thinking(&mut self, walk: &mut Walk<'a>, text: &mut Option<&mut Vec<u8>>) -> Result<(), Malformed> {
        match walk.peek()? {
            b'"' => {
                let found = keep(Some(walk.string()?), text);
                self.reasoning |= found;
                Ok(())
            }
            b'[' => walk.array(|walk| self.thinking(walk, text)),
            b'{' => walk.object(|walk, key| if key == b"text" { self.thinking(walk, text) } else { walk.skip() }),
            _ => walk.skip(),
        }
    }

    fn function(&mut self, walk: &mut Walk<'a>, text: &mut Option<&mut Vec<u8>>) -> Result<(), Malformed> {
        if walk.peek()? != b'{' {
            return walk.skip();
        }
        self.texts += 2;
        walk.object(|walk, key| match key {
            b"name" | b"arguments" => {
                let found = keep(walk.string_or_skip()?, text);
                self.output |= found;
                Ok(())
            }
            _ => walk.skip(),
        })
    }

    fn read_usage(&mut self, walk: &mut Walk<'a>) -> Result<(), Malformed> {
        let mut usage = Usage::default();
        walk.object(|walk, key| match key {
            b"prompt_tokens" => set(&mut usage.prompt, walk),
            b"completion_tokens" => set(&mut usage.completion, walk),
            b"prompt_tokens_details" if walk.peek()? == b'{' => {
                walk.object(|walk, key| if key == b"cached_tokens" { set(&mut usage.cached, walk) } else { walk.skip() })
            }
            b"completion_tokens_details" if walk.peek()? == b'{' => {
                walk.object(|walk, key| if key == b"reasoning_tokens" { set(&mut usage.reasoning, walk) } else { walk.skip() })
            }
            // DeepSeek's name for it
            b"prompt_cache_hit_tokens" => set(&mut usage.cached, walk),
            _ => walk.skip(),
        })?;
        self.usage = Some(usage);
        Ok(())
    }
}

fn set(place: &mut Option<u32>, walk: &mut Walk<'_>) -> Result<(), Malformed> {
    if let Some(number) = walk.number_or_skip()? {
        *place = Some(number);
    }
    Ok(())
}

/// Keeps a text where somebody wants it; says whether it holds anything.
fn keep(raw: Option<&[u8]>, text: &mut Option<&mut Vec<u8>>) -> bool {
    let Some(raw) = raw.filter(|raw| !raw.is_empty()) else { return false };
    if let Some(text) = text {
        unescape_into(raw, text);
    }
    true
}

/// The words of an error object, whatever its shape, in one line of at most 500 characters.
pub fn error_words(raw: &[u8]) -> String {
    let value: serde_json::Value = match serde_json::from_slice(raw) {
        Ok(value) => value,
        Err(_) => return tidy(&String::from_utf8_lossy(raw)),
    };
    let inner = value.get("error").filter(|inner| !inner.is_null()).unwrap_or(&value);
    let words = ["message", "detail", "error"].iter().find_map(|key| inner.get(key)).unwrap_or(inner);
    match words.as_str() {
        Some(words) => tidy(words),
        None => tidy(&words.to_string()),
    }
}

/// One line, control characters out, at most 500 characters.
pub fn tidy(words: &str) -> String {
    let line: String = words.chars().map(|c| if c.is_control() { ' ' } else { c }).take(500).collect();
    line.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(data: &str) -> (Chunk<'_>, String) {
        let mut text = Vec::new();
        let chunk = Chunk::read(data.as_bytes(), Some(&mut text)).unwrap();
        (chunk, String::from_utf8(text).unwrap())
    }

    #[test]
    fn what_is_no_content_event() {
        for data in [
            r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":null}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#,
            r#"{"choices":[{"index":0,"delta":{},"finish_reason":null}]}"#,
            r#"{"choices":[],"usage":{"prompt_tokens":37,"completion_tokens":8}}"#,
            r#"{"choices":[{"delta":{"tool_calls":[]}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"x","function":{"arguments":""}}]}}]}"#,
            r#"{"choices":[{"text":"","finish_reason":null}]}"#,
        ] {
            let (chunk, text) = read(data);
            assert!(!chunk.content() && text.is_empty() && chunk.error.is_none(), "{data}");
        }
    }

    #[test]
    fn content_in_every_dialect() {
        for (data, output, reasoning, text) in [
            (r#"{"choices":[{"delta":{"content":" \u00c9\ud83d\ude00\n"}}]}"#, true, false, " É😀\n"),
            (r#"{"choices":[{"delta":{"content":null,"reasoning_content":"hm"}}]}"#, false, true, "hm"),
            (r#"{"choices":[{"delta":{"reasoning":"hm","content":""}}]}"#, false, true, "hm"),
            (r#"{"choices":[{"delta":{"refusal":"no"}}]}"#, true, false, "no"),
            (
                r#"{"choices":[{"delta":{"tool_calls":[{"function":{"name":"f","arguments":"{\"a\":"}}]}}]}"#,
                true,
                false,
                "f{\"a\":",
            ),
            (r#"{"choices":[{"text":" genetic"}]}"#, true, false, " genetic"),
            (r#"{"choices":[{"delta":{"content":[{"type":"text","text":"a"}]}}]}"#, true, false, "a"),
            (
                r#"{"choices":[{"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"b"}]}]}}]}"#,
                false,
                true,
                "b",
            ),
            (r#"{"choices":[{"message":{"role":"assistant","content":"whole"},"finish_reason":"stop"}]}"#, true, false, "whole"),
        ] {
            let (chunk, got) = read(data);
            assert_eq!((chunk.output, chunk.reasoning, got.as_str()), (output, reasoning, text), "{data}");
        }
    }

    #[test]
    fn the_end_of_a_stream() {
        let (chunk, _) = read(
            r#"{"choices":[{"delta":{"content":"x"},"finish_reason":"length"}],"usage":{"prompt_tokens":4,"completion_tokens":5,
                "prompt_tokens_details":{"cached_tokens":3},"completion_tokens_details":{"reasoning_tokens":2}}}"#,
        );
        assert!(chunk.output);
        assert_eq!(chunk.finish, Some(&b"length"[..]));
        assert_eq!(chunk.usage, Some(Usage { prompt: Some(4), completion: Some(5), cached: Some(3), reasoning: Some(2) }));
        assert_eq!(read(r#"{"choices":[],"usage":null}"#).0.usage, None);
        assert_eq!(read(r#"{"choices":[],"x_groq":{"id":"r","usage":{"prompt_tokens":1}}}"#).0.usage.unwrap().prompt, Some(1));
    }

    #[test]
    fn errors_in_every_shape() {
        for (data, words) in [
            (r#"{"error":{"message":"too long","code":400}}"#, "too long"),
            (r#"{"error":"overloaded"}"#, "overloaded"),
            (r#"{"object":"error","message":"bad","code":40001}"#, "bad"),
            (r#"{"type":"error","error":{"type":"overloaded_error","message":"later"}}"#, "later"),
            (r#"{"detail":"Not Found","error":{"detail":"gone"}}"#, "gone"),
        ] {
            assert_eq!(error_words(read(data).0.error.unwrap()), words);
        }
        assert!(read(r#"{"choices":[],"error":null}"#).0.error.is_none());
    }

    #[test]
    fn what_is_no_json_object_is_malformed() {
        for data in ["{\"choices\":[{\"delta\":{\"content\":\"x\"}}", "[1]", "hello", "{\"choices\":[]}{}"] {
            assert!(Chunk::read(data.as_bytes(), None).is_err(), "{data}");
        }
    }
}
