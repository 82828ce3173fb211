//! Making prompts as long as they were asked to be, by the engine's count.

use std::time::{Duration, Instant};

use super::words::one_token_words;
use super::{PromptId, Synthetic};
use crate::domain::benchmark::Endpoint;
use crate::domain::inventory::ChatMessage;
use crate::load::tokens::Tokens;

/// What a chat template is taken to add where nobody can count it.
const GUESSED_TEMPLATE: u32 = 12;

/// What prompts are fitted to.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Input tokens, template included.
    pub input: u32,
    /// Output limit.
    pub output: u32,
    /// Share of the input that is shared.
    pub shared: f64,
    /// Seed.
    pub seed: u64,
    /// Which endpoint.
    pub endpoint: Endpoint,
    /// Prompts of warm-ups and of measurements; absent where a load point ends by time.
    pub prompts: [Option<u64>; 2],
    /// How long checking may take.
    pub budget: Duration,
}

/// Makes the prompts; with notes on what could not be made exact.
///
/// # Errors
/// When the length asked for is below what the template takes, in words for people.
pub fn fit(wanted: Wanted, tokens: &mut Tokens, stop: &dyn Fn() -> bool) -> Result<(Synthetic, Vec<String>), String> {
    let words = one_token_words(tokens);
    let made = |count| Synthetic::new(words.clone(), wanted.input, wanted.output, count, wanted.shared, wanted.seed);
    let mut notes = Vec::new();
    let first = PromptId { warmup: false, number: 0 };
    let one_word = made(1);
    let Some(least) = count(&one_word.text(first), wanted.endpoint, tokens) else {
        let template = if wanted.endpoint == Endpoint::Chat { GUESSED_TEMPLATE } else { 0 };
        notes.push(if tokens.exact() {
            "Input lengths are estimates: the tokenizer has no chat template, so what the template adds was guessed.".to_owned()
        } else {
            "Input lengths are estimates: there was no tokenizer, a common word was taken for one token.".to_owned()
        });
        return Ok((made(wanted.input.saturating_sub(template).max(1)), notes));
    };
    if least > wanted.input {
        let what = if wanted.endpoint == Endpoint::Chat { "chat template and a single word" } else { "shortest prompt" };
        return Err(format!(
            "An input length of {} tokens is not possible: the {what} take {least}. Ask for at least {least} input tokens.",
            wanted.input
        ));
    }
    // one token a word; where words take more, by what some words really take
    let mut synthetic = made(1 + wanted.input - least);
    for _ in 0..4 {
        let Some(got) = count(&synthetic.text(first), wanted.endpoint, tokens) else { break };
        let (words, per_word) =
            (synthetic.count, f64::from(got.saturating_sub(least)).max(1.0) / f64::from(synthetic.count.max(2) - 1));
        if got == wanted.input {
            break;
        }
        let missing = (f64::from(wanted.input) - f64::from(got)) / per_word.max(0.1);
        synthetic.set_count((f64::from(words) + missing.round()).max(1.0) as u32);
    }
    let every = wanted.prompts.iter().map(|count| count.unwrap_or(200)).sum::<u64>();
    let begun = Instant::now();
    let (mut checked, mut off) = (0_u64, 0_u64);
    // those that are sent first are checked first
    'all: for (warmup, count) in [(true, wanted.prompts[0]), (false, wanted.prompts[1])] {
        for number in 0..count.unwrap_or(200) {
            if begun.elapsed() > wanted.budget || stop() {
                break 'all;
            }
            let exact = repair(&mut synthetic, PromptId { warmup, number }, wanted, tokens);
            checked += 1;
            off += u64::from(!exact);
        }
    }
    if checked < every || wanted.prompts.contains(&None) {
        notes.push(format!("Input lengths of {checked} prompts were checked with the tokenizer, the others made alike."));
    }
    if off > 0 {
        notes.push(format!("{off} of {checked} prompts could not be made exactly {} tokens long.", wanted.input));
    }
    if wanted.prompts.iter().flatten().sum::<u64>() > synthetic.different() {
        notes.push("Prompts repeat: so short an input has too few different words.".to_owned());
    }
    Ok((synthetic, notes))
}

/// Changes a prompt until it has its length; says whether it does.
fn repair(synthetic: &mut Synthetic, prompt: PromptId, wanted: Wanted, tokens: &mut Tokens) -> bool {
    let (mut words, mut letters) = synthetic.size(prompt);
    let mut best = (u32::MAX, words, letters);
    for attempt in 0..8 {
        let Some(got) = count(&synthetic.text(prompt), wanted.endpoint, tokens) else { return false };
        let off = wanted.input.abs_diff(got);
        if off < best.0 {
            best = (off, words, letters);
        }
        if off == 0 {
            return true;
        }
        let missing = i64::from(wanted.input) - i64::from(got);
        if attempt < 4 {
            words = u32::try_from(i64::from(words) + missing).unwrap_or(1).max(1);
            letters = 0;
        } else if missing > 0 {
            // words are too coarse: letters, of which a tokenizer may merge some
            letters += u32::try_from(missing).unwrap_or(0);
        } else {
            words = words.saturating_sub(1).max(1);
            letters = 0;
        }
        synthetic.repair(prompt, words, letters);
    }
    synthetic.repair(prompt, best.1, best.2);
    false
}

fn count(text: &str, endpoint: Endpoint, tokens: &mut Tokens) -> Option<u32> {
    match endpoint {
        Endpoint::Chat => tokens.chat(&[ChatMessage { role: "user".to_owned(), content: text.to_owned() }]),
        Endpoint::Completions | Endpoint::Embeddings => tokens.text(text, true),
    }
}
