//! Token counts of a `usage` object, as engines and gateways write them.

use super::json::{JsonReader, Malformed};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TokenUsage {
    pub prompt: Option<u32>,
    pub completion: Option<u32>,
    /// Input tokens that were in the prefix cache.
    pub cached: Option<u32>,
    /// Output tokens that were reasoning.
    pub reasoning: Option<u32>,
}

impl TokenUsage {
    /// Reads a `usage` object.
    pub(super) fn read(reader: &mut JsonReader<'_>) -> Result<Self, Malformed> {
        let mut usage = Self::default();
        reader.object(|reader, key| match key {
            b"prompt_tokens" | b"input_tokens" => set(&mut usage.prompt, reader),
            b"completion_tokens" | b"output_tokens" => set(&mut usage.completion, reader),
            b"prompt_tokens_details" | b"input_tokens_details" if reader.peek()? == b'{' => {
                reader.object(|reader, key| if key == b"cached_tokens" { set(&mut usage.cached, reader) } else { reader.skip() })
            }
            b"completion_tokens_details" | b"output_tokens_details" if reader.peek()? == b'{' => reader
                .object(|reader, key| if key == b"reasoning_tokens" { set(&mut usage.reasoning, reader) } else { reader.skip() }),
            // DeepSeek's name for it
            b"prompt_cache_hit_tokens" => set(&mut usage.cached, reader),
            _ => reader.skip(),
        })?;
        Ok(usage)
    }

    /// Takes over the counts of a later object, field by field; a zero never replaces a count.
    pub fn merge(&mut self, later: Self) {
        for (place, later) in [
            (&mut self.prompt, later.prompt),
            (&mut self.completion, later.completion),
            (&mut self.cached, later.cached),
            (&mut self.reasoning, later.reasoning),
        ] {
            if later.is_some_and(|later| later > 0) || place.is_none() {
                *place = later;
            }
        }
    }
}

fn set(place: &mut Option<u32>, reader: &mut JsonReader<'_>) -> Result<(), Malformed> {
    if let Some(number) = reader.number_or_skip()?
        && (number > 0 || place.is_none())
    {
        *place = Some(number);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn usage() -> impl Strategy<Value = TokenUsage> {
        let count = || prop::option::of(0..3_u32);
        (count(), count(), count(), count()).prop_map(|(prompt, completion, cached, reasoning)| TokenUsage {
            prompt,
            completion,
            cached,
            reasoning,
        })
    }

    proptest! {
        #[test]
        fn the_last_count_stands_and_no_zero_replaces_it(all in prop::collection::vec(usage(), 0..6)) {
            let mut merged = TokenUsage::default();
            all.iter().for_each(|one| merged.merge(*one));
            for field in [|one: &TokenUsage| one.prompt, |one: &TokenUsage| one.completion, |one: &TokenUsage| one.cached, |one: &TokenUsage| one.reasoning] {
                let said: Vec<u32> = all.iter().filter_map(field).collect();
                let last = said.iter().rev().find(|count| **count > 0).or(said.last()).copied();
                prop_assert_eq!(field(&merged), last);
            }
        }

        #[test]
        fn both_names_mean_the_same(prompt in any::<u32>(), completion in any::<u32>()) {
            let expected = TokenUsage { prompt: Some(prompt), completion: Some(completion), ..TokenUsage::default() };
            for text in [
                format!(r#"{{"prompt_tokens":{prompt},"completion_tokens":{completion}}}"#),
                format!(r#"{{"input_tokens":{prompt}.0,"output_tokens":{completion},"input_tokens":0}}"#),
            ] {
                prop_assert_eq!(TokenUsage::read(&mut JsonReader::new(text.as_bytes())).unwrap(), expected);
            }
        }
    }
}
