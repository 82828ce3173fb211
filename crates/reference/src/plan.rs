//! What will be answered: how many tokens, in which events, with which text. Pure; the times are `timing`'s.

use super::{
    ask::{Api, Ask},
    config::EngineOptions,
    random::{Purpose, draw},
    tokens,
};

/// A prompt and its answer are longer than the model's context; in tokens.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the maximum context length is {context} tokens, but {prompt} are in the prompt and {wanted} are asked for")]
pub struct ContextExceeded {
    context: u32,
    prompt: u32,
    wanted: u32,
}

/// The answer to one request.
#[derive(Debug, Clone)]
pub struct AnswerPlan {
    api: Api,
    seed: u64,
    serial: u64,
    tokens_per_event: u32,
    pub hidden: u32,
    pub reasoning: u32,
    /// Tokens that are shown: reasoning first, then content.
    visible: u32,
    /// Content events, reasoning ones included.
    pub events: u32,
    /// `stop`, `length` or `tool_calls`.
    pub finish: &'static str,
    /// The name of the tool that is called.
    pub tool: Option<String>,
}

impl AnswerPlan {
    /// The plan for the `serial`-th request; `empty` for an answer without content.
    pub fn new(config: &EngineOptions, ask: &Ask, serial: u64, empty: bool) -> Result<Self, ContextExceeded> {
        let room = config.max_model_len.saturating_sub(ask.prompt_tokens);
        let wanted = ask.max_tokens.unwrap_or_else(|| config.default_max_tokens.min(room)).max(1);
        if ask.api == Api::Embeddings && ask.prompt_tokens > config.max_model_len || ask.api != Api::Embeddings && wanted > room {
            return Err(ContextExceeded { context: config.max_model_len, prompt: ask.prompt_tokens, wanted });
        }
        let tokens = if ask.api == Api::Embeddings || empty {
            0
        } else if ask.ignore_eos || config.full_length {
            wanted
        } else {
            let least = ask.min_tokens.clamp(1, wanted);
            least + (draw(config.seed, serial, Purpose::Length, 0) % u64::from(wanted - least + 1)) as u32
        };
        let chat = ask.api == Api::Chat;
        let shape = &config.shape;
        let hidden = if chat { shape.hidden_reasoning_tokens.min(tokens.saturating_sub(1)) } else { 0 };
        let visible = tokens - hidden;
        let reasoning = if chat { shape.reasoning_tokens.min(visible) } else { 0 };
        let tool = match &ask.tool {
            _ if !chat || visible == reasoning => None,
            Some(name) => Some(name.clone()),
            None => shape.tool_calls.then(|| "reference_tool".to_owned()),
        };
        let finish = match () {
            () if tool.is_some() => "tool_calls",
            () if tokens == wanted && !empty => "length",
            () => "stop",
        };
        let per_event = shape.tokens_per_event.max(1);
        Ok(Self {
            api: ask.api,
            seed: config.seed,
            serial,
            tokens_per_event: per_event,
            hidden,
            reasoning,
            visible,
            events: reasoning.div_ceil(per_event) + (visible - reasoning).div_ceil(per_event),
            finish,
            tool,
        })
    }

    /// The shown tokens of a content event: from, up to (not including).
    pub fn tokens(&self, event: u32) -> (u32, u32) {
        let per_event = self.tokens_per_event;
        let reasoning_events = self.reasoning.div_ceil(per_event);
        if event < reasoning_events {
            let from = event * per_event;
            (from, (from + per_event).min(self.reasoning))
        } else {
            let from = self.reasoning + (event - reasoning_events) * per_event;
            (from, (from + per_event).min(self.visible))
        }
    }

    /// Number of tokens in a content event.
    pub fn len(&self, event: u32) -> u32 {
        let (from, to) = self.tokens(event);
        to - from
    }

    /// Appends the inside of a content event's delta; `padding` more characters go into its text.
    pub fn delta(&self, event: u32, padding: usize, out: &mut Vec<u8>) {
        let (from, to) = self.tokens(event);
        if from < self.reasoning {
            out.extend_from_slice(b"\"reasoning_content\":\"");
            self.words(from, to, 0, out);
        } else if let Some(name) = &self.tool {
            out.extend_from_slice(b"\"tool_calls\":[{\"index\":0,");
            if from == self.reasoning {
                let head = format!(
                    "\"id\":\"call_{}\",\"type\":\"function\",\"function\":{{\"name\":{},\"arguments\":\"",
                    self.serial,
                    super::events::quoted(name)
                );
                out.extend_from_slice(head.as_bytes());
            } else {
                out.extend_from_slice(b"\"function\":{\"arguments\":\"");
            }
            self.arguments(from, to, out);
            out.resize(out.len() + padding, b' ');
            return out.extend_from_slice(b"\"}}]");
        } else {
            out.extend_from_slice(if self.api == Api::Chat { b"\"content\":\"" } else { b"\"text\":\"" });
            self.words(from, to, self.reasoning, out);
        }
        out.resize(out.len() + padding, b'x');
        out.push(b'"');
    }

    /// The whole content, reasoning or arguments, inside of a JSON string.
    pub fn whole(&self) -> Whole {
        let text = |write: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = Vec::new();
            write(&mut bytes);
            String::from_utf8(bytes).unwrap_or_default()
        };
        Whole {
            reasoning: text(&|out| self.words(0, self.reasoning, 0, out)),
            content: text(&|out| {
                if self.tool.is_some() {
                    self.arguments(self.reasoning, self.visible, out);
                } else {
                    self.words(self.reasoning, self.visible, self.reasoning, out);
                }
            }),
        }
    }

    fn words(&self, from: u32, to: u32, first: u32, out: &mut Vec<u8>) {
        for index in from..to {
            if index > first {
                out.push(b' ');
            }
            out.extend_from_slice(tokens::word(self.seed, self.serial, index).as_bytes());
        }
    }

    /// A tool call's first token is its name, the others are the words of `{"words":"…"}`.
    fn arguments(&self, from: u32, to: u32, out: &mut Vec<u8>) {
        let (name, last) = (self.reasoning, self.visible - 1);
        for index in from..to {
            match index - name {
                0 if index == last => out.extend_from_slice(b"{}"),
                0 => {}
                1 => out.extend_from_slice(b"{\\\"words\\\":\\\"word"),
                _ => out.extend_from_slice(b" word"),
            }
            if index == last && index > name {
                out.extend_from_slice(b"\\\"}");
            }
        }
    }
}

/// The text of a whole answer, inside of JSON strings.
#[derive(Debug)]
pub struct Whole {
    pub reasoning: String,
    /// The arguments, where a tool is called.
    pub content: String,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::{Dialect, EventFormat};

    fn ask(api: Api, max_tokens: u32, ignore_eos: bool) -> Ask {
        Ask {
            api,
            model: None,
            stream: true,
            include_usage: true,
            prompt_tokens: 10,
            prefix: Vec::new(),
            max_tokens: Some(max_tokens),
            min_tokens: 0,
            ignore_eos,
            tool: None,
            inputs: 1,
            base64: false,
            fault: None,
        }
    }

    fn total(plan: &AnswerPlan) -> u32 {
        plan.hidden + (0..plan.events).map(|event| plan.len(event)).sum::<u32>()
    }

    #[test]
    fn the_limit_is_met_with_ignore_eos_and_a_seeded_length_is_below_it() {
        let config = EngineOptions::default();
        assert_eq!(total(&AnswerPlan::new(&config, &ask(Api::Chat, 40, true), 3, false).unwrap()), 40);
        let lengths: Vec<u32> =
            (0..200).map(|s| total(&AnswerPlan::new(&config, &ask(Api::Chat, 40, false), s, false).unwrap())).collect();
        assert!(lengths.iter().all(|n| (1..=40).contains(n)));
        assert!(lengths.iter().any(|n| *n < 10) && lengths.iter().any(|n| *n > 30));
        assert!(AnswerPlan::new(&EngineOptions { max_model_len: 49, ..config }, &ask(Api::Chat, 40, true), 3, false).is_err());
    }

    proptest! {
        #[test]
        fn the_events_are_the_whole_text_and_all_tokens(
            n in 1_u32..60, per_event in 1_u32..7, reasoning in 0_u32..70, hidden in 0_u32..70, tool in any::<bool>(), serial in any::<u64>(),
        ) {
            let shape = EventFormat {
                tokens_per_event: per_event, reasoning_tokens: reasoning, hidden_reasoning_tokens: hidden, tool_calls: tool,
                ..EventFormat::of(Dialect::Vllm)
            };
            let plan = AnswerPlan::new(&EngineOptions { shape, ..EngineOptions::default() }, &ask(Api::Chat, n, true), serial, false).unwrap();
            let (mut content, mut thought, mut arguments, mut tokens) = (String::new(), String::new(), String::new(), 0);
            for event in 0..plan.events {
                let mut delta = b"{".to_vec();
                plan.delta(event, 0, &mut delta);
                delta.push(b'}');
                let delta: serde_json::Value = serde_json::from_slice(&delta).unwrap();
                content += delta["content"].as_str().unwrap_or("");
                thought += delta["reasoning_content"].as_str().unwrap_or("");
                arguments += delta["tool_calls"][0]["function"]["arguments"].as_str().unwrap_or("");
                tokens += plan.len(event);
            }
            prop_assert_eq!(tokens + plan.hidden, n);
            let whole = plan.whole();
            let unescaped = |text: &str| serde_json::from_str::<String>(&format!("\"{text}\"")).unwrap();
            prop_assert_eq!(&thought, &unescaped(&whole.reasoning));
            if plan.tool.is_some() {
                prop_assert_eq!(&arguments, &unescaped(&whole.content));
                prop_assert!(serde_json::from_str::<serde_json::Value>(&arguments).is_ok(), "{}", arguments);
            } else {
                prop_assert_eq!(&content, &unescaped(&whole.content));
                prop_assert_eq!(super::tokens::count(&content) + super::tokens::count(&thought), tokens);
            }
        }
    }
}
