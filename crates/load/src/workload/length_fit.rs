//! Fits synthetic prompts to the requested lengths, by the tokenizer's count.

use std::time::{Duration, Instant};

use super::error::WorkloadError;
use super::prompt_id::PromptId;
use super::synthetic::{Asked, Synthetic};
use super::words::one_token_words;
use crate::tokens::Tokens;
use dyno_measure::dataset::ChatMessage;
use dyno_measure::load::Endpoint;

/// Tokens that a chat template is assumed to add where it can't be counted.
const GUESSED_TEMPLATE: u32 = 12;

/// The lengths that prompts are fitted to.
#[derive(Debug)]
pub struct Wanted {
    pub asked: Asked,
    /// Share of the input that all prompts have in common.
    pub shared: f64,
    pub seed: u64,
    pub endpoint: Endpoint,
    /// Number of prompts of warm-ups and of measurements; absent where a load point ends by time.
    pub prompts: [Option<u64>; 2],
    /// Longest time for checking prompts with the tokenizer.
    pub budget: Duration,
}

/// Makes the prompts, with notes on lengths that could not be made exact.
///
/// # Errors
/// When the requested length is below what the template takes.
pub fn fit(wanted: Wanted, tokens: &mut Tokens, stop: &dyn Fn() -> bool) -> Result<(Synthetic, Vec<String>), WorkloadError> {
    let Wanted { asked, shared, seed, endpoint, prompts, budget } = wanted;
    let mut synthetic = Synthetic::new(one_token_words(tokens), asked, shared, seed);
    let mut notes = Vec::new();
    let first = PromptId { warmup: false, number: 0 };
    let Some(least) = count(&synthetic.text_sized(first, 1, 0), endpoint, tokens) else {
        let template = if endpoint == Endpoint::Chat { GUESSED_TEMPLATE } else { 0 };
        notes.push(if tokens.exact() {
            "Input lengths are estimates: the tokenizer has no chat template, so what the template adds was guessed.".to_owned()
        } else {
            "Input lengths are estimates: there was no tokenizer, a common word was taken for one token.".to_owned()
        });
        synthetic.set_sizes(template.into(), 1.0);
        return Ok((synthetic, notes));
    };
    let longest = synthetic.asked().longest();
    if least > longest {
        let shortest = if endpoint == Endpoint::Chat { "chat template and a single word" } else { "shortest prompt" };
        return Err(WorkloadError::InputTooShort { asked: longest, shortest, least });
    }
    match synthetic.raise_least(least) {
        (0, false) => {}
        (0, true) => notes.push(format!("No input is shorter than {least} tokens: that is the least that a prompt takes.")),
        (raised, _) => notes.push(format!(
            "{raised} requests of the trace are shorter than the least that a prompt takes: they ask for {least} input tokens."
        )),
    }
    // starts from one token per word, and corrects by the tokens that a text of such words really has
    let base = f64::from(least) - 1.0;
    let mut words = 1 + longest - least;
    for _ in 0..4 {
        let Some(got) = count(&synthetic.text_sized(first, words, 0), endpoint, tokens) else { break };
        if got == longest {
            break;
        }
        let per_word = f64::from(got.saturating_sub(least)).max(1.0) / f64::from(words.max(2) - 1);
        let missing = (f64::from(longest) - f64::from(got)) / per_word.max(0.1);
        words = (f64::from(words) + missing.round()).max(1.0) as u32;
    }
    synthetic.set_sizes(base, (f64::from(longest) - base) / f64::from(words));
    let every = prompts.iter().map(|count| count.unwrap_or(200)).sum::<u64>();
    let begun = Instant::now();
    let (mut checked, mut off) = (0_u64, 0_u64);
    // in sending order, since the budget may end
    'all: for (warmup, count) in [(true, prompts[0]), (false, prompts[1])] {
        for number in 0..count.unwrap_or(200) {
            if begun.elapsed() > budget || stop() {
                break 'all;
            }
            let exact = repair(&mut synthetic, PromptId { warmup, number }, endpoint, tokens);
            checked += 1;
            off += u64::from(!exact);
        }
    }
    if checked < every || prompts.contains(&None) {
        notes.push(format!("Input lengths of {checked} prompts were checked with the tokenizer, the others made alike."));
    }
    if off > 0 {
        notes.push(format!("{off} of {checked} prompts could not be made exactly as long as they were asked to be."));
    }
    if prompts.iter().flatten().sum::<u64>() > synthetic.different() {
        notes.push("Prompts repeat: so short an input has too few different words.".to_owned());
    }
    Ok((synthetic, notes))
}

/// Changes the size of a prompt until it has its length; returns whether it does.
fn repair(synthetic: &mut Synthetic, prompt: PromptId, endpoint: Endpoint, tokens: &mut Tokens) -> bool {
    let wanted = synthetic.input_of(prompt);
    let (mut words, mut letters) = synthetic.size(prompt);
    let mut best = (u32::MAX, words, letters);
    for attempt in 0..8 {
        let Some(got) = count(&synthetic.text(prompt), endpoint, tokens) else { return false };
        let off = wanted.abs_diff(got);
        if off < best.0 {
            best = (off, words, letters);
        }
        if off == 0 {
            return true;
        }
        let missing = i64::from(wanted) - i64::from(got);
        if attempt < 4 {
            words = u32::try_from(i64::from(words) + missing).unwrap_or(1).max(1);
            letters = 0;
        } else if missing > 0 {
            // adding a word would be too much: letters, some of which a tokenizer may merge
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
