//! Running sequences and their KV cache blocks.

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

    /// Blocks for admitting a sequence: those of its first tokens, or of its whole length.
    fn first_blocks(&self, sequence: &Sequence, tokens: u32) -> u64 {
        if self.whole { self.blocks(sequence.longest()) } else { self.blocks(tokens) }
    }

    pub(super) fn has_room(&self, sequence: &Sequence, tokens: u32) -> bool {
        self.used + self.first_blocks(sequence, tokens) <= self.total
    }

    /// Admits a sequence without blocks, if it has room.
    pub(super) fn admit(&mut self, sequence: &Sequence, tokens: u32) -> bool {
        let fits = self.has_room(sequence, tokens);
        if fits {
            self.take(self.first_blocks(sequence, tokens));
        }
        fits
    }

    /// Allocates blocks for more tokens of a running sequence.
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

    /// Frees a sequence's blocks, and those allocated for this step's tokens.
    pub(super) fn free_scheduled(&mut self, sequence: &Sequence) {
        let held = if self.whole { self.held(sequence) } else { self.blocks(sequence.cached + sequence.scheduled) };
        self.used -= held;
    }

    /// Number of steps, at most `most`, for which all sequences have room for one token each.
    pub(super) fn steps(&self, sequences: &[Sequence], most: u32) -> u32 {
        if self.whole {
            return most;
        }
        let after = |steps: u32| -> u64 {
            sequences.iter().map(|sequence| self.blocks(sequence.cached + steps) - self.blocks(sequence.cached)).sum()
        };
        let free = self.total - self.used;
        // an upper bound per sequence: usually there is room, and no exact count is needed
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

    /// Allocates the blocks for `steps` steps of all sequences.
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
        // tokens beyond the window attend to the window, earlier ones to all before them
        Some(window) => {
            let growing = (window - cached).clamp(0.0, chunk);
            growing * (cached.min(window) + growing / 2.0) + (chunk - growing) * window
        }
    };
}
