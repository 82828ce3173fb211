//! The JSON of stream events and whole answers in each dialect, and their form as server-sent events.

use super::{
    ask::Api,
    config::{Dialect, EventFormat, LineEnd, RoleContent},
};

/// The mark in every answer that says what made it.
pub const FINGERPRINT: &str = "dyno-reference-engine";

/// Counts for a usage object.
#[derive(Debug, Clone, Copy, Default)]
pub struct UsageCounts {
    pub prompt: u32,
    pub cached: u32,
    pub completion: u32,
    pub reasoning: u32,
    /// For llama.cpp's `timings`.
    pub prompt_ms: f64,
    pub predicted_ms: f64,
}

impl UsageCounts {
    fn json(&self) -> String {
        let Self { prompt, cached, completion, reasoning, .. } = self;
        let total = prompt + completion;
        let reasoning = if *reasoning > 0 {
            format!(",\"completion_tokens_details\":{{\"reasoning_tokens\":{reasoning}}}")
        } else {
            String::new()
        };
        format!(
            "{{\"prompt_tokens\":{prompt},\"total_tokens\":{total},\"completion_tokens\":{completion},\
             \"prompt_tokens_details\":{{\"cached_tokens\":{cached}}}{reasoning}}}"
        )
    }

    /// The usage member of a last chunk, with a leading comma.
    fn members(&self, dialect: Dialect) -> String {
        let usage = self.json();
        if dialect != Dialect::LlamaCpp {
            return format!(",\"usage\":{usage}");
        }
        let Self { prompt, cached, completion, prompt_ms, predicted_ms, .. } = self;
        format!(
            ",\"usage\":{usage},\"timings\":{{\"cache_n\":{cached},\"prompt_n\":{},\"prompt_ms\":{prompt_ms:.3},\
             \"predicted_n\":{completion},\"predicted_ms\":{predicted_ms:.3}}}",
            prompt - cached
        )
    }
}

/// The parts of a stream's chunks that are the same in all of them.
#[derive(Debug)]
pub struct Chunks {
    api: Api,
    dialect: Dialect,
    /// Up to where the dialect's first varying part begins.
    open: String,
    /// The members that come after `choices`, with a leading comma.
    close: String,
    /// As `close`, in a chunk without usage: some dialects then say `"usage":null`.
    close_without_usage: String,
    /// `open` of a chunk without choices.
    open_bare: String,
}

impl Chunks {
    pub fn new(api: Api, dialect: Dialect, id: &str, created_s: u64, model: &str, include_usage: bool) -> Self {
        let object = if api == Api::Chat { "chat.completion.chunk" } else { "text_completion" };
        let model = quoted(model);
        let facts = format!(
            "\"id\":\"{id}\",\"object\":\"{object}\",\"created\":{created_s},\"model\":{model},\"system_fingerprint\":\"{FINGERPRINT}\""
        );
        let delta = if api == Api::Chat { "\"delta\":{" } else { "" };
        let (open, open_bare, close) = if dialect == Dialect::LlamaCpp {
            ("{\"choices\":[{\"finish_reason\":".to_owned(), "{\"choices\":[".to_owned(), format!(",{facts}"))
        } else {
            (format!("{{{facts},\"choices\":[{{\"index\":0,{delta}"), format!("{{{facts},\"choices\":["), String::new())
        };
        let null = if include_usage && dialect == Dialect::OpenAi { ",\"usage\":null" } else { "" };
        Self { api, dialect, open, close_without_usage: format!("{close}{null}"), close, open_bare }
    }

    /// A chunk with one choice; `delta` is the inside of the delta (or the `text` member of a completion).
    pub fn write(&self, out: &mut Vec<u8>, delta: &[u8], finish: Option<&str>, usage: Option<&UsageCounts>) {
        self.write_with(out, finish, usage, |out| out.extend_from_slice(delta));
    }

    /// The same, with the delta written in its place.
    pub fn write_with(
        &self,
        out: &mut Vec<u8>,
        finish: Option<&str>,
        usage: Option<&UsageCounts>,
        delta: impl FnOnce(&mut Vec<u8>),
    ) {
        let chat = self.api == Api::Chat;
        let reason = |out: &mut Vec<u8>| match finish {
            None => out.extend_from_slice(b"null"),
            Some(reason) => {
                out.push(b'"');
                out.extend_from_slice(reason.as_bytes());
                out.push(b'"');
            }
        };
        out.extend_from_slice(self.open.as_bytes());
        if self.dialect == Dialect::LlamaCpp {
            reason(out);
            out.extend_from_slice(if chat { b",\"index\":0,\"delta\":{" } else { b",\"index\":0," });
            delta(out);
        } else {
            delta(out);
            out.extend_from_slice(if chat {
                b"},\"logprobs\":null,\"finish_reason\":"
            } else {
                b",\"logprobs\":null,\"finish_reason\":"
            });
            reason(out);
        }
        out.extend_from_slice(if chat && self.dialect == Dialect::LlamaCpp { b"}}]" } else { b"}]" });
        self.end(out, usage);
    }

    /// The chunk that has nothing but the usage.
    pub fn write_usage(&self, out: &mut Vec<u8>, usage: &UsageCounts) {
        out.extend_from_slice(self.open_bare.as_bytes());
        out.push(b']');
        self.end(out, Some(usage));
    }

    fn end(&self, out: &mut Vec<u8>, usage: Option<&UsageCounts>) {
        match usage {
            None => out.extend_from_slice(self.close_without_usage.as_bytes()),
            Some(usage) => {
                out.extend_from_slice(self.close.as_bytes());
                out.extend_from_slice(usage.members(self.dialect).as_bytes());
            }
        }
        out.push(b'}');
    }
}

/// What a whole (not streamed) answer says.
#[derive(Debug)]
pub struct WholeAnswer<'a> {
    pub id: &'a str,
    pub created_s: u64,
    pub model: &'a str,
    /// Inside of a JSON string, escaped.
    pub content: &'a str,
    pub reasoning: &'a str,
    /// Name (plain) and arguments (escaped twice) of a tool call.
    pub tool: Option<(&'a str, &'a str)>,
    pub finish: &'a str,
}

/// The body of a whole answer.
pub fn whole(api: Api, dialect: Dialect, answer: &WholeAnswer<'_>, usage: &UsageCounts) -> String {
    let WholeAnswer { id, created_s, content, finish, .. } = answer;
    let model = quoted(answer.model);
    let usage = usage.members(dialect);
    let (object, choice) = if api == Api::Chat {
        let reasoning =
            if answer.reasoning.is_empty() { String::new() } else { format!(",\"reasoning_content\":\"{}\"", answer.reasoning) };
        let message = match answer.tool {
            None => format!("\"content\":\"{content}\"{reasoning}"),
            Some((name, arguments)) => format!(
                "\"content\":null{reasoning},\"tool_calls\":[{{\"id\":\"call_{id}\",\"type\":\"function\",\
                 \"function\":{{\"name\":{},\"arguments\":\"{arguments}\"}}}}]",
                quoted(name)
            ),
        };
        ("chat.completion", format!("\"message\":{{\"role\":\"assistant\",{message}}}"))
    } else {
        ("text_completion", format!("\"text\":\"{content}\""))
    };
    format!(
        "{{\"id\":\"{id}\",\"object\":\"{object}\",\"created\":{created_s},\"model\":{model},\"system_fingerprint\":\"{FINGERPRINT}\",\
         \"choices\":[{{\"index\":0,{choice},\"logprobs\":null,\"finish_reason\":\"{finish}\"}}]{usage}}}"
    )
}

/// The inside of a role chunk's delta.
pub fn role_delta(content: RoleContent) -> &'static [u8] {
    match content {
        RoleContent::Null => b"\"role\":\"assistant\",\"content\":null",
        RoleContent::Empty => b"\"role\":\"assistant\",\"content\":\"\"",
        RoleContent::Absent => b"\"role\":\"assistant\"",
    }
}

/// An error body in the dialect's own form.
pub fn error(dialect: Dialect, status: u16, kind: &str, message: &str) -> String {
    let message = quoted(message);
    match dialect {
        Dialect::Vllm => {
            format!("{{\"error\":{{\"message\":{message},\"type\":\"{kind}\",\"param\":null,\"code\":{status}}}}}")
        }
        Dialect::LlamaCpp => format!("{{\"error\":{{\"code\":{status},\"message\":{message},\"type\":\"{kind}\"}}}}"),
        Dialect::Tgi => format!("{{\"error\":{message},\"error_type\":\"{kind}\"}}"),
        Dialect::OpenAi => {
            format!("{{\"error\":{{\"message\":{message},\"type\":\"{kind}\",\"param\":null,\"code\":null}}}}")
        }
    }
}

fn line_end(shape: &EventFormat) -> &'static [u8] {
    if shape.line_end == LineEnd::Crlf { b"\r\n" } else { b"\n" }
}

fn field(shape: &EventFormat) -> &'static [u8] {
    if shape.data_space { b"data: " } else { b"data:" }
}

/// What stands before the data of an event of one line, and after it.
pub fn begin_event(shape: &EventFormat, out: &mut Vec<u8>) {
    out.extend_from_slice(field(shape));
}

/// See `begin_event`.
pub fn end_event(shape: &EventFormat, out: &mut Vec<u8>) {
    out.extend_from_slice(line_end(shape));
    out.extend_from_slice(line_end(shape));
}

/// Puts `data` into an event of the shape's form.
pub fn as_event(shape: &EventFormat, data: &[u8], out: &mut Vec<u8>) {
    let (end, field) = (line_end(shape), field(shape));
    out.extend_from_slice(field);
    if shape.multi_line {
        // A line end is white space between two members, where JSON allows it: `,"` is never inside one of our strings,
        // since quotes in them are escaped.
        let mut rest = data;
        while let Some(at) = memchr::memmem::find(rest, b",\"") {
            out.extend_from_slice(&rest[..=at]);
            out.extend_from_slice(end);
            out.extend_from_slice(field);
            rest = &rest[at + 1..];
        }
        out.extend_from_slice(rest);
    } else {
        out.extend_from_slice(data);
    }
    out.extend_from_slice(end);
    out.extend_from_slice(end);
}

/// A comment line, which means nothing.
pub fn as_ping(shape: &EventFormat, out: &mut Vec<u8>) {
    out.extend_from_slice(if shape.line_end == LineEnd::Crlf { b": ping\r\n\r\n" } else { b": ping\n\n" });
}

/// A JSON string with its quotes.
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn every_chunk_is_valid_json_in_every_dialect() {
        let usage = UsageCounts { prompt: 5, cached: 1, completion: 3, reasoning: 1, ..UsageCounts::default() };
        for dialect in [Dialect::Vllm, Dialect::LlamaCpp, Dialect::Tgi, Dialect::OpenAi] {
            for (api, delta) in [(Api::Chat, &b"\"content\":\"x\""[..]), (Api::Completions, b"\"text\":\"x\"")] {
                let chunks = Chunks::new(api, dialect, "id-1", 7, "m\"x", true);
                let mut bytes = Vec::new();
                chunks.write(&mut bytes, delta, None, None);
                let chunk: Value = serde_json::from_slice(&bytes).unwrap();
                let choice = &chunk["choices"][0];
                assert_eq!(if api == Api::Chat { &choice["delta"]["content"] } else { &choice["text"] }, "x");
                assert_eq!(choice["finish_reason"], Value::Null);
                assert_eq!(chunk["model"], "m\"x");
                assert_eq!(chunk["system_fingerprint"], FINGERPRINT);

                bytes.clear();
                chunks.write(&mut bytes, delta, Some("stop"), Some(&usage));
                let chunk: Value = serde_json::from_slice(&bytes).unwrap();
                assert_eq!(chunk["choices"][0]["finish_reason"], "stop");
                assert_eq!(chunk["usage"]["completion_tokens"], 3);

                bytes.clear();
                chunks.write_usage(&mut bytes, &usage);
                let chunk: Value = serde_json::from_slice(&bytes).unwrap();
                assert_eq!(chunk["choices"], Value::Array(Vec::new()));
                assert_eq!(chunk["usage"]["prompt_tokens_details"]["cached_tokens"], 1);
                assert_eq!(chunk["timings"].is_object(), dialect == Dialect::LlamaCpp);
            }
            serde_json::from_str::<Value>(&error(dialect, 400, "bad", "a \"b\"")).unwrap();
        }
    }

    #[test]
    fn several_data_lines_join_to_the_same_json() {
        let shape = EventFormat { multi_line: true, line_end: LineEnd::Crlf, ..EventFormat::of(Dialect::Vllm) };
        let mut out = Vec::new();
        as_event(&shape, br#"{"a":"x\",\"y","b":[1,"c"]}"#, &mut out);
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.trim_end().split("\r\n").map(|line| line.strip_prefix("data: ").unwrap()).collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(serde_json::from_str::<Value>(&lines.join("\n")).unwrap()["b"][1], "c");
    }
}
