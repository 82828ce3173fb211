//! The sequences that are running, with the blocks of KV cache that they hold.

use super::EngineSettings;
use crate::step::StepWork;

#[derive(Debug, Clone, Copy)]
pub(super) struct Sequence {
    pub(super) request: u32,
    /// Prompt and generated tokens.
    pub(super) context: u32,
    /// Of these in the KV cache.
    pub(super) cached: u32,
    /// Tokens still to generate.
    pub(super) remaining: u32,
    /// Tokens to compute in the step being planned.
    pub(super) scheduled: u32,
    /// When its latest token came; `None` before the first.
    pub(super) last_token: Option<f64>,
}

impl Sequence {
    /// Tokens that are not in the cache yet.
    pub(super) fn missing(&self) -> u32 {
        self.context - self.cached
    }

    pub(super) fn longest(&self) -> u32 {
        self.context + self.remaining
    }
}

/// Blocks of the KV cache.
#[derive(Debug)]
pub(super) struct Cache {
    block: u32,
    pub(super) total: u64,
    used: u64,
    whole: bool,
    pub(super) most_used: u64,
}

impl Cache {
    pub(super) fn new(tokens: u64, settings: &EngineSettings) -> Self {
        let block = settings.block_tokens.max(1);
        Self { block, total: tokens / u64::from(block), used: 0, whole: settings.reserve_whole_length, most_used: 0 }
    }

    pub(super) fn blocks(&self, tokens: u32) -> u64 {
        u64::from(tokens.div_ceil(self.block))
    }

    /// Blocks that a sequence holds.
    fn held(&self, sequence: &Sequence) -> u64 {
        if self.whole { self.blocks(sequence.longest()) } else { self.blocks(sequence.cached) }
    }

    fn take(&mut self, blocks: u64) {
        self.used += blocks;
        self.most_used = self.most_used.max(self.used);
    }

    /// Blocks that a sequence takes which holds nothing yet: those of its first tokens, or all.
    fn first_blocks(&self, sequence: &Sequence, tokens: u32) -> u64 {
        if self.whole { self.blocks(sequence.longest()) } else { self.blocks(tokens) }
    }

    pub(super) fn has_room(&self, sequence: &Sequence, tokens: u32) -> bool {
        self.used + self.first_blocks(sequence, tokens) <= self.total
    }

    /// Takes in a sequence that holds nothing yet, if it has room.
    pub(super) fn admit(&mut self, sequence: &Sequence, tokens: u32) -> bool {
        let fits = self.has_room(sequence, tokens);
        if fits {
            self.take(self.first_blocks(sequence, tokens));
        }
        fits
    }

    /// Makes room for more tokens of a running sequence.
    pub(super) fn grow(&mut self, sequence: &Sequence, tokens: u32) -> bool {
        if self.whole {
            return true;
        }
        let need = self.blocks(sequence.cached + tokens) - self.blocks(sequence.cached);
        let fits = self.used + need <= self.total;
        if fits {
            self.take(need);
        }
        fits
    }

    pub(super) fn free(&mut self, sequence: &Sequence) {
        self.used -= self.held(sequence);
    }

    /// Gives back what a sequence holds, and what was taken for this step's tokens.
    pub(super) fn free_scheduled(&mut self, sequence: &Sequence) {
        let held = if self.whole { self.held(sequence) } else { self.blocks(sequence.cached + sequence.scheduled) };
        self.used -= held;
    }

    /// Steps that all sequences can go on for, one token each, at most `most`.
    pub(super) fn steps(&self, sequences: &[Sequence], most: u32) -> u32 {
        if self.whole {
            return most;
        }
        let after = |steps: u32| -> u64 {
            sequences.iter().map(|sequence| self.blocks(sequence.cached + steps) - self.blocks(sequence.cached)).sum()
        };
        let free = self.total - self.used;
        // Each sequence needs at most this many: mostly there is room, and no more to count.
        let bound = sequences.len() as u64 * (u64::from(most / self.block) + 1);
        if bound <= free || after(most) <= free {
            return most;
        }
        let (mut fits, mut fails) = (0, most);
        while fails - fits > 1 {
            let middle = fits + (fails - fits) / 2;
            if after(middle) <= free { fits = middle } else { fails = middle }
        }
        fits
    }

    /// All sequences have gone on for so many steps.
    pub(super) fn advance(&mut self, sequences: &[Sequence], steps: u32) {
        if !self.whole {
            let need =
                sequences.iter().map(|sequence| self.blocks(sequence.cached + steps) - self.blocks(sequence.cached)).sum::<u64>();
            self.take(need);
        }
    }
}

/// Adds a sequence's scheduled tokens to a step's work.
pub(super) fn add_work(work: &mut StepWork, sequence: &Sequence, window: Option<u32>) {
    let tokens = sequence.scheduled;
    if tokens == 0 {
        return;
    }
    if tokens == 1 && sequence.missing() == 1 {
        let context = f64::from(sequence.context);
        work.decodes += 1;
        work.context += context;
        work.windowed_context += window.map_or(context, |window| context.min(f64::from(window)));
        return;
    }
    let (chunk, cached) = (f64::from(tokens), f64::from(sequence.cached));
    work.prefills += 1;
    work.prefill_tokens += tokens;
    work.pairs += chunk * (cached + chunk / 2.0);
    work.windowed_pairs += match window.map(f64::from) {
        None => chunk * (cached + chunk / 2.0),
        // Tokens beyond the window see the window, the others what is before them.
        Some(window) => {
            let growing = (window - cached).clamp(0.0, chunk);
            growing * (cached.min(window) + growing / 2.0) + (chunk - growing) * window
        }
    };
}
