//! What is asked: prompts of exact lengths or rows of datasets, and the request bodies around them.

mod dataset;
mod length_fit;
mod multi_turn;
mod synthetic;
mod trace;
mod words;

use std::io::Write;

use serde_json::{Map, Value, json};

pub use self::dataset::{Dataset, Row};
pub use self::length_fit::{Wanted, fit};
pub use self::multi_turn::Turns;
pub use self::synthetic::{Asked, Listed, Synthetic};
pub use self::trace::{Played, listed};
pub use dyno_measure::load::LengthSampler;

use dyno_measure::load::Endpoint;
use dyno_measure::plan::Plan;
use dyno_measure::plan::TokenLimitField;

/// Which prompt. Warm-up and measurement never share one, where there are enough. Of conversations, which conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PromptId {
    /// Whether it is of a warm-up.
    pub warmup: bool,
    /// Which of these, from 0, through all load points.
    pub number: u64,
}

/// Where prompts come from.
#[derive(Debug)]
pub enum Prompts {
    /// Made up.
    Synthetic(Synthetic),
    /// Out of datasets.
    Dataset(Dataset),
    /// Conversations out of datasets, turn by turn.
    Turns(Turns),
}

/// Writes requests.
#[derive(Debug)]
pub struct Requests {
    /// Where prompts come from.
    pub prompts: Prompts,
    endpoint: Endpoint,
    /// The body up to the prompt.
    before: Vec<u8>,
    /// The body after the output limit.
    after: Vec<u8>,
    limit: &'static str,
    asks_for_usage: bool,
}

impl Requests {
    /// Requests of a plan.
    pub fn new(plan: &Plan, prompts: Prompts) -> Self {
        let limit = match plan.token_limit {
            TokenLimitField::MaxTokens => "max_tokens",
            TokenLimitField::MaxCompletionTokens => "max_completion_tokens",
        };
        let prompt = match plan.endpoint {
            Endpoint::Chat => "messages",
            Endpoint::Completions => "prompt",
            Endpoint::Embeddings => "input",
        };
        let mut after = Map::new();
        if plan.endpoint != Endpoint::Embeddings {
            after.insert("stream".to_owned(), json!(true));
            if plan.ignore_eos {
                after.insert("ignore_eos".to_owned(), json!(true));
            }
        }
        after.extend(plan.extra_body.clone());
        let asks_for_usage = plan.endpoint != Endpoint::Embeddings && !after.contains_key("stream_options");
        let after = after.into_iter().fold(Vec::new(), |mut text, (key, value)| {
            let _ = write!(text, ",{}:{value}", Value::from(key));
            text
        });
        let before = format!("{{\"model\":{},\"{prompt}\":", Value::from(plan.model.as_str())).into_bytes();
        Self { prompts, endpoint: plan.endpoint, before, after, limit, asks_for_usage }
    }

    /// When a trace's requests arrive, ns after its begin; nothing without one.
    pub fn arrivals(&self) -> Option<Vec<i64>> {
        match &self.prompts {
            Prompts::Synthetic(synthetic) => match synthetic.asked() {
                Asked::Listed(rows) => Some(rows.iter().map(|row| row.at).collect()),
                Asked::Drawn { .. } => None,
            },
            Prompts::Dataset(_) | Prompts::Turns(_) => None,
        }
    }

    /// How many requests a phase of so many at most will send; a trace ends by itself.
    pub fn planned(&self, count: Option<u32>) -> Option<u32> {
        match self.arrivals() {
            Some(arrivals) => Some(u32::try_from(arrivals.len()).unwrap_or(u32::MAX).min(count.unwrap_or(u32::MAX))),
            None => count,
        }
    }

    /// Whether answers are needed to write what comes after them.
    pub fn needs_answers(&self) -> bool {
        matches!(self.prompts, Prompts::Turns(_))
    }

    /// A phase begins.
    pub fn begin_phase(&mut self) {
        if let Prompts::Turns(turns) = &mut self.prompts {
            turns.reset();
        }
    }

    /// Which prompt a lane sends next, where it would be `planned` by its number alone.
    pub fn next_prompt(&mut self, lane: usize, planned: PromptId) -> PromptId {
        match &mut self.prompts {
            Prompts::Turns(turns) => turns.next(lane, planned.warmup),
            Prompts::Synthetic(_) | Prompts::Dataset(_) => planned,
        }
    }

    /// A lane's request has ended, with this answer or badly.
    pub fn answered(&mut self, lane: usize, answer: Option<&[u8]>) {
        if let Prompts::Turns(turns) = &mut self.prompts {
            turns.answered(lane, answer);
        }
    }

    /// Whether answers are embeddings, in one piece.
    pub fn is_embeddings(&self) -> bool {
        self.endpoint == Endpoint::Embeddings
    }

    /// Whether requests ask for usage.
    pub fn asks_for_usage(&self) -> bool {
        self.asks_for_usage
    }

    /// From now on requests don't ask for usage.
    pub fn leave_out_usage_option(&mut self) {
        self.asks_for_usage = false;
    }

    /// Input and output lengths asked for.
    pub fn lengths(&self, prompt: PromptId) -> (Option<u32>, Option<u32>) {
        let (input, output) = match &self.prompts {
            Prompts::Synthetic(synthetic) => (Some(synthetic.input_of(prompt)), synthetic.output_of(prompt)),
            Prompts::Dataset(dataset) => (None, dataset.row(prompt).output_limit),
            Prompts::Turns(turns) => (None, turns.output_limit(prompt)),
        };
        (input, (!self.is_embeddings()).then_some(output))
    }

    /// Appends a request: the head up to its id, the id, the rest.
    pub fn write(&self, head: &[u8], id: &str, prompt: PromptId, out: &mut Vec<u8>) {
        out.extend_from_slice(head);
        out.extend_from_slice(id.as_bytes());
        // the length is filled in afterwards: white space before a value is allowed
        out.extend_from_slice(b"\r\ncontent-length:           0\r\n\r\n");
        let body = out.len();
        self.write_body(prompt, out);
        let length = format!("{:>10}", out.len() - body);
        out[body - 4 - 10..body - 4].copy_from_slice(length.as_bytes());
    }

    fn write_body(&self, prompt: PromptId, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.before);
        match &self.prompts {
            Prompts::Synthetic(synthetic) => {
                let (open, close): (&[u8], &[u8]) = match self.endpoint {
                    Endpoint::Chat => (b"[{\"role\":\"user\",\"content\":\"", b"\"}]"),
                    _ => (b"\"", b"\""),
                };
                out.extend_from_slice(open);
                // words are plain letters: nothing in them needs escaping
                synthetic.write(prompt, out);
                out.extend_from_slice(close);
            }
            Prompts::Dataset(dataset) => dataset.write(prompt, self.endpoint, out),
            Prompts::Turns(turns) => turns.write(prompt, out),
        }
        if let (_, Some(limit)) = self.lengths(prompt) {
            let _ = write!(out, ",\"{}\":{limit}", self.limit);
        }
        out.extend_from_slice(&self.after);
        if self.asks_for_usage {
            out.extend_from_slice(b",\"stream_options\":{\"include_usage\":true}");
        }
        out.push(b'}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(endpoint: &str) -> Plan {
        serde_json::from_value(json!({
            "endpoints": [], "model": "a \"b\"", "endpoint": endpoint, "ignore_eos": true, "extra_body": {"temperature": 0.5},
            "token_limit": "max_completion_tokens",
            "workload": {"kind": "synthetic", "input_tokens": 8, "output_tokens": 4}, "load_points": []
        }))
        .unwrap()
    }

    fn written(endpoint: &str) -> (String, Value) {
        let asked = Asked::Drawn { input: LengthSampler::new(None, 8, 1), output: LengthSampler::new(None, 4, 1) };
        let requests = Requests::new(&plan(endpoint), Prompts::Synthetic(Synthetic::new(vec!["one", "two"], asked, 0.0, 1)));
        let mut out = Vec::new();
        requests.write(b"POST /x HTTP/1.1\r\nx-request-id: ", "id-7", PromptId { warmup: false, number: 0 }, &mut out);
        let text = String::from_utf8(out).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let length: usize = head.rsplit(':').next().unwrap().trim().parse().unwrap();
        assert_eq!(length, body.len());
        (head.to_owned(), serde_json::from_str(body).unwrap())
    }

    #[test]
    fn bodies_of_each_endpoint() {
        let (head, chat) = written("chat");
        assert!(head.contains("x-request-id: id-7\r\n"));
        assert_eq!(chat["model"], "a \"b\"");
        assert_eq!(chat["messages"][0]["content"].as_str().unwrap().split(' ').count(), 8);
        assert_eq!(
            (&chat["max_completion_tokens"], &chat["ignore_eos"], &chat["temperature"]),
            (&json!(4), &json!(true), &json!(0.5))
        );
        assert_eq!(chat["stream_options"]["include_usage"], true);
        assert!(written("completions").1["prompt"].is_string());
        let embeddings = written("embeddings").1;
        assert!(
            embeddings["input"].is_string()
                && embeddings.get("stream").is_none()
                && embeddings.get("max_completion_tokens").is_none()
        );
    }
}
