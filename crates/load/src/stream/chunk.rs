//! Parses one chunk of an OpenAI-compatible stream in every dialect seen: chat and text completions, reasoning under its many
//! names, tool calls, refusals, usage alone or beside the finish reason, errors in the stream.

use super::json::{JsonReader, Malformed, unescape_into};
pub use super::usage::TokenUsage;
pub use super::words::{error_words, secrets_of, tidy};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// Carries content, a refusal or tool-call text.
    pub output: bool,
    pub reasoning: bool,
    pub finish: Option<&'a [u8]>,
    pub usage: Option<TokenUsage>,
    /// The error object, unparsed.
    pub error: Option<&'a [u8]>,
    /// Has a field that only answers have: `choices` or, for embeddings, `data`.
    pub answer: bool,
    /// Byte range of its text in the data, if the chunk holds nothing but one content string.
    pub only_text: Option<(usize, usize)>,
    /// Its content is in a whole `message` instead of a `delta`.
    pub message: bool,
    texts: u32,
}

/// Fields at the top level that mean an error if the chunk has no answer.
#[derive(Debug, Default)]
struct Suspicion {
    /// Its type is `error`, or it has a field that only errors have.
    says_so: bool,
    /// Has `detail`, FastAPI's field for errors.
    detail: bool,
    words: bool,
    /// Has a code, a status or an error type.
    code: bool,
}

impl<'a> Chunk<'a> {
    /// Whether the chunk is a content event: output or reasoning.
    pub fn content(&self) -> bool {
        self.output || self.reasoning
    }

    /// Parses a chunk. Text of content and reasoning is appended to `text`, if given.
    ///
    /// # Errors
    /// When the data is not a JSON object.
    pub fn read(data: &'a [u8], mut text: Option<&mut Vec<u8>>) -> Result<Self, Malformed> {
        let mut chunk = Self::default();
        let mut suspicion = Suspicion::default();
        let mut no_choice = false;
        let mut reader = JsonReader::new(data);
        if reader.peek()? == b'[' {
            return Self::read_list(reader);
        }
        reader.object(|reader, key| match key {
            b"choices" if reader.peek()? == b'[' => {
                (chunk.answer, no_choice) = (true, true);
                reader.array(|reader| {
                    no_choice = false;
                    chunk.choice(reader, &mut text)
                })
            }
            b"usage" if reader.peek()? == b'{' => chunk.read_usage(reader),
            // Groq sends the usage of streams in this field
            b"x_groq" if reader.peek()? == b'{' => reader.object(|reader, key| match key {
                b"usage" if reader.peek()? == b'{' => chunk.read_usage(reader),
                b"error" => chunk.read_error(reader),
                _ => reader.skip(),
            }),
            b"data" if reader.peek()? == b'[' => {
                chunk.answer = true;
                reader.skip()
            }
            b"error" => chunk.read_error(reader),
            b"object" | b"type" => {
                let kind = reader.string_or_skip()?.unwrap_or_default();
                suspicion.says_so |= kind == b"error";
                suspicion.code |= kind.ends_with(b"error") || kind.ends_with(b"Error");
                Ok(())
            }
            b"error_message" | b"error_type" | b"error_msg" | b"error_code" | b"errors" => {
                suspicion.says_so |= is_set(reader.raw()?);
                Ok(())
            }
            b"message" | b"msg" => {
                suspicion.words |= is_set(reader.raw()?);
                Ok(())
            }
            b"detail" => {
                suspicion.detail |= is_set(reader.raw()?);
                Ok(())
            }
            b"code" | b"status" | b"status_code" | b"statusCode" => {
                suspicion.code |= is_set(reader.raw()?);
                Ok(())
            }
            _ => reader.skip(),
        })?;
        reader.end()?;
        // an empty list of choices stands beside errors, too
        let bare = (!chunk.answer || no_choice) && chunk.usage.is_none();
        let is_error = suspicion.says_so || bare && (suspicion.detail || suspicion.words && suspicion.code);
        if is_error && chunk.error.is_none() {
            chunk.error = Some(data);
        }
        let more = chunk.message
            || chunk.texts != 1
            || chunk.reasoning
            || chunk.finish.is_some()
            || chunk.usage.is_some()
            || chunk.error.is_some();
        chunk.only_text = chunk.only_text.filter(|_| !more);
        Ok(chunk)
    }

    /// Reads a list, in which some servers put an error; anything else in one is not a chunk.
    fn read_list(mut reader: JsonReader<'a>) -> Result<Self, Malformed> {
        let mut found = Err(Malformed);
        reader.array(|reader| {
            let raw = reader.raw()?;
            if raw.starts_with(b"{")
                && let Ok(chunk) = Self::read(raw, None)
                && chunk.error.is_some()
            {
                found = Ok(chunk);
            }
            Ok(())
        })?;
        reader.end()?;
        found
    }

    fn choice(&mut self, reader: &mut JsonReader<'a>, text: &mut Option<&mut Vec<u8>>) -> Result<(), Malformed> {
        if reader.peek()? != b'{' {
            return reader.skip();
        }
        let (mut delta, mut message) = (false, None);
        reader.object(|reader, key| match key {
            b"delta" if reader.peek()? == b'{' => {
                delta = true;
                self.delta(reader, text)
            }
            b"message" if reader.peek()? == b'{' => {
                message = Some(reader.raw()?);
                Ok(())
            }
            b"error" => self.read_error(reader),
            // Moonshot sends usage inside the choice
            b"usage" if reader.peek()? == b'{' => self.read_usage(reader),
            b"text" => {
                let raw = reader.string_or_skip()?;
                self.output |= keep(raw, text);
                self.texts += 1;
                self.only_text = raw.filter(|raw| !raw.is_empty()).map(|raw| reader.before(raw));
                Ok(())
            }
            b"finish_reason" => {
                if let Some(reason) = reader.string_or_skip()?.filter(|reason| !reason.is_empty()) {
                    self.finish = Some(reason);
                }
                Ok(())
            }
            _ => reader.skip(),
        })?;
        // beside a `delta`, a `message` repeats the text
        if let Some(message) = message.filter(|_| !delta) {
            self.message = true;
            self.delta(&mut JsonReader::new(message), text)?;
        }
        Ok(())
    }

    fn delta(&mut self, reader: &mut JsonReader<'a>, text: &mut Option<&mut Vec<u8>>) -> Result<(), Malformed> {
        // the same reasoning is often sent under several names: it is read once
        let mut thought = false;
        reader.object(|reader, key| match key {
            b"content" => self.content_value(reader, text),
            b"reasoning_content" | b"reasoning" | b"reasoning_text" | b"reasoning_details" | b"thinking" | b"thinking_blocks" => {
                thought |= if thought { self.reasoning_value(reader, &mut None)? } else { self.reasoning_value(reader, text)? };
                Ok(())
            }
            b"refusal" => {
                self.texts += 2;
                let found = keep(reader.string_or_skip()?, text);
                self.output |= found;
                Ok(())
            }
            b"tool_calls" if reader.peek()? == b'[' => reader.array(|reader| {
                if reader.peek()? != b'{' {
                    return reader.skip();
                }
                reader.object(|reader, key| if key == b"function" { self.function(reader, text) } else { reader.skip() })
            }),
            b"function_call" => self.function(reader, text),
            b"error" => self.read_error(reader),
            _ => reader.skip(),
        })
    }

    fn read_error(&mut self, reader: &mut JsonReader<'a>) -> Result<(), Malformed> {
        let raw = reader.raw()?;
        if is_set(raw) {
            self.error = Some(raw);
        }
        Ok(())
    }

    /// `content` is a string, or a list of parts, some of which may be reasoning.
    fn content_value(&mut self, reader: &mut JsonReader<'a>, text: &mut Option<&mut Vec<u8>>) -> Result<(), Malformed> {
        match reader.peek()? {
            b'"' => {
                let raw = reader.string()?;
                self.output |= keep(Some(raw), text);
                self.texts += 1;
                self.only_text = (!raw.is_empty()).then(|| reader.before(raw));
                Ok(())
            }
            b'[' => reader.array(|reader| {
                if reader.peek()? != b'{' {
                    return reader.skip();
                }
                // more than one plain string: `only_text` stays unset
                self.texts += 2;
                reader.object(|reader, key| match key {
                    b"text" => {
                        let found = keep(reader.string_or_skip()?, text);
                        self.output |= found;
                        Ok(())
                    }
                    b"thinking" => self.reasoning_value(reader, text).map(|_| ()),
                    _ => reader.skip(),
                })
            }),
            _ => reader.skip(),
        }
    }

    /// Reads reasoning: a string, an object with the text in one of its fields, or a list of these. Returns whether there was
    /// text.
    fn reasoning_value(&mut self, reader: &mut JsonReader<'a>, text: &mut Option<&mut Vec<u8>>) -> Result<bool, Malformed> {
        let mut found = false;
        match reader.peek()? {
            b'"' => found = keep(Some(reader.string()?), text),
            b'[' => reader.array(|reader| {
                found |= self.reasoning_value(reader, text)?;
                Ok(())
            })?,
            b'{' => reader.object(|reader, key| match key {
                b"text" | b"summary" | b"thinking" | b"content" => {
                    found |= self.reasoning_value(reader, text)?;
                    Ok(())
                }
                _ => reader.skip(),
            })?,
            _ => reader.skip()?,
        }
        self.reasoning |= found;
        Ok(found)
    }

    fn function(&mut self, reader: &mut JsonReader<'a>, text: &mut Option<&mut Vec<u8>>) -> Result<(), Malformed> {
        if reader.peek()? != b'{' {
            return reader.skip();
        }
        self.texts += 2;
        reader.object(|reader, key| match key {
            b"name" | b"arguments" => {
                let found = keep(reader.string_or_skip()?, text);
                self.output |= found;
                Ok(())
            }
            _ => reader.skip(),
        })
    }

    fn read_usage(&mut self, reader: &mut JsonReader<'a>) -> Result<(), Malformed> {
        let usage = TokenUsage::read(reader)?;
        self.usage.get_or_insert_default().merge(usage);
        Ok(())
    }
}

/// Whether a value is not one of the spellings of "none".
fn is_set(raw: &[u8]) -> bool {
    !matches!(raw, b"null" | b"false" | b"\"\"" | b"{}" | b"[]" | b"0" | b"200")
}

/// Appends a string to `text`, if given; returns whether the string is not empty.
fn keep(raw: Option<&[u8]>, text: &mut Option<&mut Vec<u8>>) -> bool {
    let Some(raw) = raw.filter(|raw| !raw.is_empty()) else { return false };
    if let Some(text) = text {
        unescape_into(raw, text);
    }
    true
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
            (r#"{"choices":[{"message":{"content":"the whole"},"delta":{"content":"whole"}}]}"#, true, false, "whole"),
            (r#"{"choices":[{"delta":{"reasoning_details":[{"type":"reasoning.text","text":"a"}]}}]}"#, false, true, "a"),
            (r#"{"choices":[{"delta":{"reasoning_details":[{"summary":"b"}],"reasoning":"b"}}]}"#, false, true, "b"),
            (r#"{"choices":[{"delta":{"reasoning":{"content":"c"},"content":"d"}}]}"#, true, true, "cd"),
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
        assert_eq!(chunk.usage, Some(TokenUsage { prompt: Some(4), completion: Some(5), cached: Some(3), reasoning: Some(2) }));
        assert_eq!(read(r#"{"choices":[],"usage":null}"#).0.usage, None);
        let null_choices = read(r#"{"choices":null,"usage":{"input_tokens":4.0,"output_tokens":5}}"#).0;
        assert_eq!((null_choices.usage.unwrap().prompt, null_choices.usage.unwrap().completion), (Some(4), Some(5)));
        assert_eq!(read(r#"{"choices":[{"delta":{},"finish_reason":"","usage":{"prompt_tokens":4}}]}"#).0.finish, None);
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
            (r#"{"choices":[{"delta":{"content":""},"error":{"code":502,"message":"lost"}}]}"#, "lost"),
            (r#"{"choices":null,"error_type":"Bad","error_message":"too long","code":400}"#, "too long"),
            (r#"{"choices":[],"error_type":"Bad"}"#, "Bad"),
            (r#"{"detail":[{"msg":"field required"}]}"#, "field required"),
            (r#"{"message":"down","code":"overloaded"}"#, "down"),
            (r#"{"message":"down","type":"InternalServerError"}"#, "down"),
            (r#"{"errors":[{"message":"one"}]}"#, "one"),
            (r#"{"choices":[],"message":"out of memory","code":500}"#, "out of memory"),
            (r#"{"choices":[],"detail":"gone"}"#, "gone"),
            (r#"[{"error":{"code":503,"message":"overloaded","status":"UNAVAILABLE"}}]"#, "overloaded"),
        ] {
            assert_eq!(error_words(read(data).0.error.unwrap()), words);
        }
        for data in [
            r#"{"choices":[],"error":null}"#,
            r#"{"choices":[{"delta":{"content":"x"},"error":{}}],"error":"","code":0}"#,
            r#"{"choices":[{"delta":{"content":"x"}}],"message":"ok","status":"in_progress"}"#,
            r#"{"type":"ping"}"#,
            r#"{"choices":[],"usage":{"prompt_tokens":1},"message":"ok","code":200}"#,
            r#"{"choices":[],"prompt_filter_results":[{"prompt_index":0}],"object":""}"#,
        ] {
            assert!(read(data).0.error.is_none(), "{data}");
        }
    }

    #[test]
    fn what_is_no_json_object_is_malformed() {
        for data in [
            "{\"choices\":[{\"delta\":{\"content\":\"x\"}}",
            "[1]",
            "[{\"choices\":[]}]",
            "[[{\"error\":1}]]",
            "hello",
            "{\"choices\":[]}{}",
        ] {
            assert!(Chunk::read(data.as_bytes(), None).is_err(), "{data}");
        }
    }
}
