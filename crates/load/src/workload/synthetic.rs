//! Synthetic prompts: words drawn by the seed. Every prompt differs from its first words on, unless a share of it is shared or
//! a trace gives it blocks in common with others.

use std::collections::HashMap;

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::prompt_id::PromptId;
use dyno_measure::load::LengthSampler;

/// Tokens per block of a trace's prompt, which a hash id stands for.
pub const BLOCK: u32 = 512;

#[derive(Debug, Clone)]
pub enum Asked {
    /// Drawn from distributions for each request.
    Drawn {
        /// Input tokens, template included.
        input: LengthSampler,
        output: LengthSampler,
    },
    /// Listed by a trace, one per request.
    Listed(Vec<TraceRequest>),
}

/// One request of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceRequest {
    /// Arrival, ns after the first request.
    pub at: i64,
    /// Input tokens, template included.
    pub input: u32,
    pub output: u32,
    /// Ids of its blocks of [`BLOCK`] tokens: equal ids have equal words. Empty: no block is shared.
    pub blocks: Box<[u64]>,
}

impl Asked {
    pub fn longest(&self) -> u32 {
        match self {
            Self::Drawn { input, .. } => input.most(),
            Self::Listed(rows) => rows.iter().map(|row| row.input).max().unwrap_or(1),
        }
    }

    pub fn shortest(&self) -> u32 {
        match self {
            Self::Drawn { input, .. } => input.least(),
            Self::Listed(rows) => rows.iter().map(|row| row.input).min().unwrap_or(1),
        }
    }
}

#[derive(Debug, Clone)]
pub struct Synthetic {
    words: Vec<&'static str>,
    asked: Asked,
    /// Tokens of a prompt without words: template and special tokens.
    base: f64,
    /// Mean tokens per word.
    per_word: f64,
    /// Share of each prompt's words, at its begin, that all prompts have in common.
    shared_share: f64,
    seed: u64,
    /// Corrected sizes of single prompts: number of words, and of letters after them.
    repairs: HashMap<u64, (u32, u32)>,
}

impl Synthetic {
    /// One word per token until [`Self::set_sizes`].
    pub fn new(words: Vec<&'static str>, asked: Asked, shared_share: f64, seed: u64) -> Self {
        Self { words, asked, base: 0.0, per_word: 1.0, shared_share, seed, repairs: HashMap::new() }
    }

    /// Sets the tokens of a prompt without words, and per word.
    pub fn set_sizes(&mut self, base: f64, per_word: f64) {
        (self.base, self.per_word) = (base, per_word.max(0.1));
    }

    pub fn asked(&self) -> &Asked {
        &self.asked
    }

    /// Raises inputs below `least` to it. Returns for how many listed requests it did, and whether any request may be
    /// concerned.
    pub fn raise_least(&mut self, least: u32) -> (u64, bool) {
        match &mut self.asked {
            Asked::Drawn { input, .. } => (0, input.raise_least(least)),
            Asked::Listed(rows) => {
                let mut raised = 0;
                for row in rows.iter_mut().filter(|row| row.input < least) {
                    row.input = least;
                    raised += 1;
                }
                (raised, raised > 0)
            }
        }
    }

    fn listed(rows: &[TraceRequest], prompt: PromptId) -> Option<&TraceRequest> {
        rows.get((prompt.number % rows.len().max(1) as u64) as usize)
    }

    /// Requested input tokens, template included.
    pub fn input_of(&self, prompt: PromptId) -> u32 {
        match &self.asked {
            Asked::Drawn { input, .. } => input.length(key(prompt)),
            Asked::Listed(rows) => Self::listed(rows, prompt).map_or(1, |row| row.input),
        }
    }

    pub fn output_of(&self, prompt: PromptId) -> u32 {
        match &self.asked {
            Asked::Drawn { output, .. } => output.length(key(prompt)),
            Asked::Listed(rows) => Self::listed(rows, prompt).map_or(1, |row| row.output),
        }
    }

    /// Block ids of a prompt. A warm-up has none, so that it puts none of them into the engine's prefix cache.
    fn blocks_of(&self, prompt: PromptId) -> &[u64] {
        match &self.asked {
            Asked::Listed(rows) if !prompt.warmup => Self::listed(rows, prompt).map_or(&[], |row| &row.blocks),
            _ => &[],
        }
    }

    /// Sets the number of words and trailing letters of one prompt.
    pub fn repair(&mut self, prompt: PromptId, words: u32, letters: u32) {
        self.repairs.insert(key(prompt), (words, letters));
    }

    /// Makes every prompt `by` words longer, or shorter if negative.
    pub fn shift(&mut self, by: i64) {
        for (words, _) in self.repairs.values_mut() {
            *words = u32::try_from((i64::from(*words) + by).max(1)).unwrap_or(1);
        }
        self.base -= by as f64 * self.per_word;
    }

    /// Number of words and trailing letters of a prompt.
    pub fn size(&self, prompt: PromptId) -> (u32, u32) {
        self.repairs.get(&key(prompt)).copied().unwrap_or_else(|| (self.words_for(self.input_of(prompt)), 0))
    }

    /// Number of words for a number of tokens.
    fn words_for(&self, tokens: u32) -> u32 {
        ((f64::from(tokens) - self.base) / self.per_word).round().max(1.0) as u32
    }

    fn shared(&self, count: u32) -> u32 {
        (f64::from(count) * self.shared_share) as u32
    }

    /// Number of prompts that differ from each other.
    pub fn different(&self) -> u64 {
        let count = self.words_for(self.asked.shortest());
        let own = count.saturating_sub(self.shared(count)).max(1);
        (self.words.len() as u64).saturating_pow(own.min(16))
    }

    pub fn write(&self, prompt: PromptId, out: &mut Vec<u8>) {
        let (count, letters) = self.size(prompt);
        self.write_sized(prompt, count, letters, out);
    }

    /// A prompt as text.
    pub fn text(&self, prompt: PromptId) -> String {
        let (count, letters) = self.size(prompt);
        self.text_sized(prompt, count, letters)
    }

    /// The text of a prompt with another number of words and letters.
    pub fn text_sized(&self, prompt: PromptId, count: u32, letters: u32) -> String {
        let mut out = Vec::new();
        self.write_sized(prompt, count, letters, &mut out);
        String::from_utf8(out).unwrap_or_default()
    }

    /// The first and the last word of a prompt.
    pub fn ends(&self, prompt: PromptId) -> [&'static str; 2] {
        let (count, _) = self.size(prompt);
        let vocabulary = self.words.len() as u64;
        let mut draw = Draw::new(self, prompt, count);
        let mut words = (0..count.max(1)).map(|place| self.words[draw.word(place, vocabulary) as usize]);
        let first = words.next().unwrap_or_default();
        [first, words.last().unwrap_or(first)]
    }

    fn write_sized(&self, prompt: PromptId, count: u32, letters: u32, out: &mut Vec<u8>) {
        let vocabulary = self.words.len() as u64;
        let mut draw = Draw::new(self, prompt, count);
        for place in 0..count {
            if place > 0 {
                out.push(b' ');
            }
            out.extend_from_slice(self.words[draw.word(place, vocabulary) as usize].as_bytes());
        }
        out.resize(out.len() + letters as usize, b'a');
    }

    /// Number of words that encode the prompt's number: enough for the largest shifted one.
    fn digits(&self) -> u32 {
        (33.0 / (self.words.len().max(2) as f64).log2()).ceil() as u32
    }
}

struct Draw<'a> {
    blocks: &'a [u64],
    seed: u64,
    shared: u32,
    digits: u32,
    /// The prompt's number, less the digits already written as words.
    number: u64,
    common: ChaCha8Rng,
    own: ChaCha8Rng,
    block: ChaCha8Rng,
}

impl<'a> Draw<'a> {
    fn new(synthetic: &'a Synthetic, prompt: PromptId, count: u32) -> Self {
        let seed = synthetic.seed;
        let common = ChaCha8Rng::seed_from_u64(seed);
        let mut own = common.clone();
        own.set_stream(key(prompt) + 1);
        // after the shared part come words that encode the prompt's number, so that no two prompts are equal
        let shift: u64 = ChaCha8Rng::seed_from_u64(seed ^ 0x5EED).next_u64() % (1 << 32);
        Self {
            blocks: synthetic.blocks_of(prompt),
            seed,
            shared: synthetic.shared(count),
            digits: synthetic.digits(),
            number: key(prompt) + shift,
            block: common.clone(),
            common,
            own,
        }
    }

    fn word(&mut self, place: u32, vocabulary: u64) -> u64 {
        if !self.blocks.is_empty() {
            return self.word_of_block(place, vocabulary);
        }
        if place < self.shared {
            self.common.random_range(0..vocabulary)
        } else if place < self.shared + self.digits {
            let digit = self.number % vocabulary;
            self.number /= vocabulary;
            digit
        } else {
            self.own.random_range(0..vocabulary)
        }
    }

    /// The words of a block depend only on its id and the seed.
    fn word_of_block(&mut self, place: u32, vocabulary: u64) -> u64 {
        let Some(block) = self.blocks.get((place / BLOCK) as usize) else { return self.own.random_range(0..vocabulary) };
        if place.is_multiple_of(BLOCK) {
            self.block = ChaCha8Rng::seed_from_u64(self.seed ^ 0xB10C);
            self.block.set_stream(*block);
        }
        self.block.random_range(0..vocabulary)
    }
}

fn key(prompt: PromptId) -> u64 {
    dyno_measure::plan::length_key(prompt.number, prompt.warmup)
}

#[cfg(test)]
mod tests {
    use super::super::words::one_token_words;
    use super::*;
    use crate::tokens::Tokens;

    fn made(count: u32, share: f64, seed: u64) -> Synthetic {
        let asked = Asked::Drawn { input: LengthSampler::new(None, count, seed), output: LengthSampler::new(None, 1, seed) };
        Synthetic::new(one_token_words(&mut Tokens::Estimate).0, asked, share, seed)
    }

    #[test]
    fn every_prompt_is_different_and_the_seed_fixes_it() {
        for count in [2, 4, 40] {
            let prompts = made(count, 0.0, 1);
            let mut seen = std::collections::HashSet::new();
            for number in 0..5000 {
                for warmup in [false, true] {
                    let text = prompts.text(PromptId { warmup, number });
                    assert_eq!(text.split(' ').count() as u32, count);
                    assert!(seen.insert(text));
                }
            }
        }
        let id = PromptId { warmup: false, number: 3 };
        assert_eq!(made(9, 0.0, 1).text(id), made(9, 0.0, 1).text(id));
        assert_ne!(made(9, 0.0, 1).text(id), made(9, 0.0, 2).text(id));
    }

    #[test]
    fn a_shared_prefix_is_shared() {
        let prompts = made(100, 0.5, 1);
        let [one, two] = [0, 1].map(|number| prompts.text(PromptId { warmup: false, number }));
        let (one, two): (Vec<&str>, Vec<&str>) = (one.split(' ').collect(), two.split(' ').collect());
        assert_eq!(one[..50], two[..50]);
        assert_ne!(one[50], two[50]);
    }

    #[test]
    fn the_same_block_is_the_same_words() {
        let rows = [(1_100, vec![7, 8, 9]), (1_030, vec![7, 8, 10]), (600, vec![11, 8])].map(|(input, blocks)| TraceRequest {
            at: 0,
            input,
            output: 1,
            blocks: blocks.into(),
        });
        let mut prompts = Synthetic::new(one_token_words(&mut Tokens::Estimate).0, Asked::Listed(rows.to_vec()), 0.0, 1);
        prompts.set_sizes(10.0, 1.0);
        let texts: Vec<String> = (0..3).map(|number| prompts.text(PromptId { warmup: false, number })).collect();
        let words: Vec<Vec<&str>> = texts.iter().map(|text| text.split(' ').collect()).collect();
        assert_eq!(words.iter().map(Vec::len).collect::<Vec<_>>(), [1_090, 1_020, 590]);
        assert_eq!(words[0][..1_020], words[1][..1_020]);
        assert_ne!(words[0][..512], words[2][..512]);
        assert_eq!(words[0][512..590], words[2][512..590]);
        // a warm-up has the same length but other words
        let warmup = prompts.text(PromptId { warmup: true, number: 0 });
        assert!(warmup.split(' ').count() == 1_090 && !texts.contains(&warmup));
    }
}
