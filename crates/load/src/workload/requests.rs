//! The request bodies around the prompts.

use std::io::Write;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::dataset::PromptDataset;
use super::multi_turn::Turns;
use super::prompt_id::PromptId;
use super::synthetic::{Asked, Synthetic};
use super::write_ahead::WriteAhead;
use dyno_measure::load::Endpoint;
use dyno_measure::plan::{Part, Plan, Shard, TokenLimitField};

/// Where prompts come from.
#[derive(Debug)]
pub enum Prompts {
    Synthetic(Arc<Synthetic>),
    Dataset(Arc<PromptDataset>),
    /// Conversations of datasets, sent turn by turn.
    Turns(Turns),
}

/// Appends the value of a request's prompt field.
type WritePrompt = Box<dyn Fn(PromptId, &mut Vec<u8>) + Send>;

impl Prompts {
    /// The function that writes prompts ahead; `None` for short prompts, which are not worth a thread, and for conversations,
    /// whose later turns are not known.
    fn writer(&self, endpoint: Endpoint) -> Option<WritePrompt> {
        match self {
            Self::Synthetic(synthetic) if synthetic.asked().longest() >= LONG_TOKENS => {
                let synthetic = synthetic.clone();
                Some(Box::new(move |prompt, out| write_synthetic(&synthetic, endpoint, prompt, out)))
            }
            Self::Dataset(dataset) if dataset.longest_bytes() >= LONG_BYTES => {
                let dataset = dataset.clone();
                Some(Box::new(move |prompt, out| dataset.write(prompt, endpoint, out)))
            }
            _ => None,
        }
    }
}

/// Prompts are written ahead from this length on; writing a shorter one takes a few microseconds.
const LONG_TOKENS: u32 = 512;
const LONG_BYTES: usize = 4 << 10;

fn write_synthetic(synthetic: &Synthetic, endpoint: Endpoint, prompt: PromptId, out: &mut Vec<u8>) {
    let (open, close): (&[u8], &[u8]) = match endpoint {
        Endpoint::Chat => (b"[{\"role\":\"user\",\"content\":\"", b"\"}]"),
        _ => (b"\"", b"\""),
    };
    out.extend_from_slice(open);
    // words are plain letters and need no JSON escapes
    synthetic.write(prompt, out);
    out.extend_from_slice(close);
}

#[derive(Debug)]
pub struct Requests {
    /// Where prompts come from.
    pub prompts: Prompts,
    ahead: Option<WriteAhead>,
    endpoint: Endpoint,
    /// The body up to the prompt.
    before: Vec<u8>,
    /// The body after the output limit.
    after: Vec<u8>,
    limit: TokenLimitField,
    limit_was_refused: bool,
    asks_for_usage: bool,
}

impl Requests {
    pub fn new(plan: &Plan, prompts: Prompts) -> Self {
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
        Self {
            prompts,
            ahead: None,
            endpoint: plan.endpoint,
            before,
            after,
            limit: plan.token_limit,
            limit_was_refused: false,
            asks_for_usage,
        }
    }

    /// Arrivals of a trace, ns after its begin; `None` without a trace.
    pub fn arrivals(&self) -> Option<Vec<i64>> {
        match &self.prompts {
            Prompts::Synthetic(synthetic) => match synthetic.asked() {
                Asked::Listed(rows) => Some(rows.iter().map(|row| row.at).collect()),
                Asked::Drawn { .. } => None,
            },
            Prompts::Dataset(_) | Prompts::Turns(_) => None,
        }
    }

    /// Number of requests of a phase limited to `count`; a trace may have fewer.
    pub fn planned(&self, count: Option<u32>) -> Option<u32> {
        match self.arrivals() {
            Some(arrivals) => Some(u32::try_from(arrivals.len()).unwrap_or(u32::MAX).min(count.unwrap_or(u32::MAX))),
            None => count,
        }
    }

    /// Whether later prompts contain earlier answers.
    pub fn needs_answers(&self) -> bool {
        matches!(self.prompts, Prompts::Turns(_))
    }

    /// Begins a part of a phase of at most `count` requests, whose first prompt is `first`, and writes the part's first prompts ahead.
    pub fn begin_phase(&mut self, first: PromptId, count: Option<u32>, part: Part, shard: Shard) {
        if let Prompts::Turns(turns) = &mut self.prompts {
            turns.reset(part);
        }
        let count = self.planned(count).map(|count| shard.share(count));
        // without the thread, prompts are written when they are sent
        self.ahead = self
            .prompts
            .writer(self.endpoint)
            .and_then(|write| WriteAhead::start(first, count, shard, write).ok())
            .inspect(WriteAhead::wait_for_first);
    }

    /// Ends the phase, after which prompts may be adjusted.
    pub fn end_phase(&mut self) {
        self.ahead = None;
    }

    /// The prompt that a lane sends next; `planned` unless a conversation goes on.
    pub fn next_prompt(&mut self, lane: usize, planned: PromptId) -> PromptId {
        match &mut self.prompts {
            Prompts::Turns(turns) => turns.next(lane, planned.warmup),
            Prompts::Synthetic(_) | Prompts::Dataset(_) => planned,
        }
    }

    /// Ends a lane's request: with an answer, or `None` for a failure.
    pub fn answered(&mut self, lane: usize, answer: Option<&[u8]>) {
        if let Prompts::Turns(turns) = &mut self.prompts {
            turns.answered(lane, answer);
        }
    }

    pub fn is_embeddings(&self) -> bool {
        self.endpoint == Endpoint::Embeddings
    }

    /// Whether requests carry `stream_options.include_usage`.
    pub fn asks_for_usage(&self) -> bool {
        self.asks_for_usage
    }

    /// Leaves `stream_options` out of further requests.
    pub fn leave_out_usage_option(&mut self) {
        self.asks_for_usage = false;
    }

    /// The field name of the output limit.
    pub fn limit(&self) -> TokenLimitField {
        self.limit
    }

    /// Switches to the other field name of the output limit, once, after the server refused `refused`. Returns whether the
    /// refused request can be sent again under the current name.
    pub fn use_other_limit(&mut self, refused: TokenLimitField) -> bool {
        if self.limit == refused && !self.limit_was_refused {
            self.limit = refused.other();
            self.limit_was_refused = true;
        }
        self.limit != refused
    }

    /// Requested input length (`None` for datasets) and output limit, tokens.
    pub fn lengths(&self, prompt: PromptId) -> (Option<u32>, Option<u32>) {
        let (input, output) = match &self.prompts {
            Prompts::Synthetic(synthetic) => (Some(synthetic.input_of(prompt)), synthetic.output_of(prompt)),
            Prompts::Dataset(dataset) => (None, dataset.row(prompt).output_limit),
            Prompts::Turns(turns) => (None, turns.output_limit(prompt)),
        };
        (input, (!self.is_embeddings()).then_some(output))
    }

    /// Appends a request: `head`, which ends before the id, the id, the remaining headers and the body.
    pub fn write(&self, head: &[u8], id: &str, prompt: PromptId, out: &mut Vec<u8>) {
        out.extend_from_slice(head);
        out.extend_from_slice(id.as_bytes());
        // filled in afterwards: white space before a header's value is allowed
        out.extend_from_slice(b"\r\ncontent-length:           0\r\n\r\n");
        let body = out.len();
        self.write_body(prompt, out);
        let length = format!("{:>10}", out.len() - body);
        out[body - 4 - 10..body - 4].copy_from_slice(length.as_bytes());
    }

    fn write_body(&self, prompt: PromptId, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.before);
        let written = self.ahead.as_ref().and_then(|ahead| ahead.take(prompt));
        match &self.prompts {
            _ if written.is_some() => out.extend_from_slice(written.as_deref().unwrap_or_default()),
            Prompts::Synthetic(synthetic) => write_synthetic(synthetic, self.endpoint, prompt, out),
            Prompts::Dataset(dataset) => dataset.write(prompt, self.endpoint, out),
            Prompts::Turns(turns) => turns.write(prompt, out),
        }
        if let (_, Some(limit)) = self.lengths(prompt) {
            let _ = write!(out, ",\"{}\":{limit}", self.limit.into_str());
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
    use super::super::synthetic::TraceRequest;
    use super::*;
    use dyno_measure::load::LengthSampler;

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
        let requests =
            Requests::new(&plan(endpoint), Prompts::Synthetic(Synthetic::new(vec!["one", "two"], asked, 0.0, 1).into()));
        let mut out = Vec::new();
        requests.write(b"POST /x HTTP/1.1\r\nx-request-id: ", "id-7", PromptId { warmup: false, number: 0 }, &mut out);
        let text = String::from_utf8(out).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let length: usize = head.rsplit(':').next().unwrap().trim().parse().unwrap();
        assert_eq!(length, body.len());
        (head.to_owned(), serde_json::from_str(body).unwrap())
    }

    #[test]
    fn written_ahead_or_not_the_bytes_are_the_same() {
        let rows =
            (0..40).map(|at| TraceRequest { at, input: 600 + 7 * at as u32, output: 4, blocks: Box::new([at as u64 / 3]) });
        let asked = Asked::Listed(rows.collect());
        let synthetic = Synthetic::new(vec!["one", "two", "three"], asked, 0.0, 1);
        let mut requests = Requests::new(&plan("chat"), Prompts::Synthetic(synthetic.into()));
        let written = |requests: &Requests, number| {
            let mut out = Vec::new();
            requests.write(b"POST /x HTTP/1.1\r\nx-request-id: ", "id", PromptId { warmup: false, number }, &mut out);
            out
        };
        let order = [0, 1, 3, 2, 4, 30, 5, 39, 30, 38];
        let now: Vec<Vec<u8>> = order.iter().map(|number| written(&requests, *number)).collect();
        requests.begin_phase(PromptId { warmup: false, number: 0 }, None, Part::WHOLE, Shard::open(Part::WHOLE));
        assert!(requests.ahead.as_ref().is_some_and(|ahead| ahead.bytes() > 40 * 600));
        let ahead: Vec<Vec<u8>> = order.iter().map(|number| written(&requests, *number)).collect();
        assert!(now == ahead);
        requests.end_phase();
        if let Prompts::Synthetic(synthetic) = &mut requests.prompts {
            assert!(Arc::get_mut(synthetic).is_some(), "nobody reads them any more");
        }
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
