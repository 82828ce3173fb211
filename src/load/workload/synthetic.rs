//! Made-up prompts: so many words, drawn by the seed, every prompt different from its first words on.

use std::collections::HashMap;

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::PromptId;

/// Makes prompts of words.
#[derive(Debug)]
pub struct Synthetic {
    words: Vec<&'static str>,
    /// Input tokens asked for, template included.
    pub input_tokens: u32,
    /// Output limit.
    pub output_tokens: u32,
    /// Words that make up the input tokens, unless a prompt needs another number.
    pub count: u32,
    /// Words that all prompts begin with.
    shared: u32,
    shared_share: f64,
    seed: u64,
    /// Prompts that need another number of words, and so many letters after them.
    repairs: HashMap<u64, (u32, u32)>,
}

impl Synthetic {
    /// Prompts of `count` words.
    pub fn new(
        words: Vec<&'static str>,
        input_tokens: u32,
        output_tokens: u32,
        count: u32,
        shared_share: f64,
        seed: u64,
    ) -> Self {
        let mut made = Self { words, input_tokens, output_tokens, count, shared: 0, shared_share, seed, repairs: HashMap::new() };
        made.set_count(count);
        made
    }

    /// Sets the number of words.
    pub fn set_count(&mut self, count: u32) {
        self.count = count.max(1);
        self.shared = (f64::from(self.count) * self.shared_share) as u32;
    }

    /// Gives one prompt another number of words, and so many letters after them.
    pub fn repair(&mut self, prompt: PromptId, words: u32, letters: u32) {
        self.repairs.insert(key(prompt), (words, letters));
    }

    /// Makes every prompt so many words longer, or shorter.
    pub fn shift(&mut self, by: i64) {
        let shifted = |count: u32| u32::try_from((i64::from(count) + by).max(1)).unwrap_or(1);
        for (words, _) in self.repairs.values_mut() {
            *words = shifted(*words);
        }
        self.set_count(shifted(self.count));
    }

    /// Words and letters of a prompt.
    pub fn size(&self, prompt: PromptId) -> (u32, u32) {
        self.repairs.get(&key(prompt)).copied().unwrap_or((self.count, 0))
    }

    /// How many prompts differ from each other.
    pub fn different(&self) -> u64 {
        let own = self.count.saturating_sub(self.shared).max(1);
        (self.words.len() as u64).saturating_pow(own.min(16))
    }

    /// Appends a prompt.
    pub fn write(&self, prompt: PromptId, out: &mut Vec<u8>) {
        let (count, letters) = self.size(prompt);
        let vocabulary = self.words.len() as u64;
        let mut common = ChaCha8Rng::seed_from_u64(self.seed);
        let mut own = ChaCha8Rng::seed_from_u64(self.seed);
        own.set_stream(key(prompt) + 1);
        // the number of the prompt, written in words, begins what is its own: no two prompts are alike
        let shift: u64 = ChaCha8Rng::seed_from_u64(self.seed ^ 0x5EED).next_u64() % (1 << 32);
        let mut number = key(prompt) + shift;
        let digits = self.digits();
        for place in 0..count {
            if place > 0 {
                out.push(b' ');
            }
            let word = if place < self.shared {
                common.random_range(0..vocabulary)
            } else if place < self.shared + digits {
                let digit = number % vocabulary;
                number /= vocabulary;
                digit
            } else {
                own.random_range(0..vocabulary)
            };
            out.extend_from_slice(self.words[word as usize].as_bytes());
        }
        for _ in 0..letters {
            out.push(b'a');
        }
    }

    /// Words that tell prompts apart: enough for the largest shifted number.
    fn digits(&self) -> u32 {
        (33.0 / (self.words.len().max(2) as f64).log2()).ceil() as u32
    }

    /// A prompt as text.
    pub fn text(&self, prompt: PromptId) -> String {
        let mut out = Vec::new();
        self.write(prompt, &mut out);
        String::from_utf8(out).unwrap_or_default()
    }
}

fn key(prompt: PromptId) -> u64 {
    prompt.number * 2 + u64::from(prompt.warmup)
}

#[cfg(test)]
mod tests {
    use super::super::words::one_token_words;
    use super::*;
    use crate::load::tokens::Tokens;

    fn made(count: u32, share: f64, seed: u64) -> Synthetic {
        Synthetic::new(one_token_words(&mut Tokens::Estimate), count, 1, count, share, seed)
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
}
