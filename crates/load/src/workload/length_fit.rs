//! Fits synthetic prompts to the requested lengths, by the tokenizer's count.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::error::WorkloadError;
use super::prompt_id::PromptId;
use super::synthetic::{Asked, Synthetic};
use super::words::one_token_words;
use crate::tokens::{MOST_UNANSWERED, Tokens};
use dyno_measure::dataset::ChatMessage;
use dyno_measure::load::Endpoint;
use dyno_measure::words::grouped;

/// Tokens that a chat template is assumed to add where it can't be counted.
const GUESSED_TEMPLATE: u32 = 12;
/// Prompts that must have been as long as computed before computed lengths are believed.
const BELIEVED_AFTER: u32 = 200;
/// Of so many prompts whose length could be computed, one is checked.
const STILL_CHECKED: u64 = 20;

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
    let (words, is_one_token_each) = one_token_words(tokens);
    let mut synthetic = Synthetic::new(words, asked, shared, seed);
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
    let mut checks = LengthChecks::new(is_one_token_each);
    // in sending order, since the budget may end
    let warmups = (0..prompts[0].unwrap_or(200)).map(|number| PromptId { warmup: true, number });
    let measured = (0..prompts[1].unwrap_or(200)).map(|number| PromptId { warmup: false, number });
    for prompt in warmups.chain(measured) {
        if stop() {
            break;
        }
        checks.settle(&mut synthetic, prompt, &mut |text| (begun.elapsed() <= budget).then(|| count(text, endpoint, tokens)));
    }
    notes.extend(checks.notes(every, prompts.contains(&None)));
    if prompts.iter().flatten().sum::<u64>() > synthetic.different() {
        notes.push("Prompts repeat: so short an input has too few different words.".to_owned());
    }
    Ok((synthetic, notes))
}

/// Settles the lengths of prompts, with as few questions to the tokenizer as are needed to be sure of them.
///
/// Where words are one token each, a prompt has as many tokens as words, and an overhead: the template's. Only beside the template,
/// as a prompt's first or last word, may a word be another number of tokens. So a prompt is computed without a question once both of
/// these have been in prompts that were as long as computed, and 200 prompts have been; some are still asked about. At the first that
/// is otherwise, all computed ones are asked about after all, and all that follow.
#[derive(Debug, Default)]
struct LengthChecks {
    /// Whether lengths may be computed; not where the words are not one token each, or a prompt was not as computed.
    adds_up: bool,
    /// Tokens of a prompt beside its words.
    overhead: Option<u32>,
    /// First words, and last words, of prompts that were as long as computed.
    proved: [HashSet<&'static str>; 2],
    as_computed: u32,
    computed: Vec<PromptId>,
    checked: u64,
    /// Of the checked ones, those that are not as long as asked.
    off: u64,
    /// Questions that were not answered, one after the other.
    unanswered: u32,
}

/// Asks the tokenizer for the tokens of a text: `None` where it may be asked no more, `Some(None)` where it gives no answer.
type Ask<'a> = dyn FnMut(&str) -> Option<Option<u32>> + 'a;

impl LengthChecks {
    fn new(is_one_token_each: bool) -> Self {
        Self { adds_up: is_one_token_each, ..Self::default() }
    }

    fn settle(&mut self, synthetic: &mut Synthetic, prompt: PromptId, ask: &mut Ask<'_>) {
        let input = synthetic.input_of(prompt);
        let words =
            self.overhead.filter(|_| self.adds_up).and_then(|overhead| input.checked_sub(overhead)).filter(|words| *words > 0);
        if let Some(words) = words.filter(|words| synthetic.size(prompt) != (*words, 0)) {
            synthetic.repair(prompt, words, 0);
        }
        let ends = synthetic.ends(prompt);
        let is_sure = words.is_some() && ends.iter().zip(&self.proved).all(|(word, proved)| proved.contains(word));
        let is_believed = is_sure && self.as_computed >= BELIEVED_AFTER;
        if is_believed && !is_still_checked(prompt) {
            self.computed.push(prompt);
            return;
        }
        match self.repair(synthetic, prompt, ask) {
            Repaired::Unasked if is_believed => self.computed.push(prompt),
            Repaired::AsItWas => {
                self.as_computed += 1;
                for (word, proved) in ends.into_iter().zip(&mut self.proved) {
                    proved.insert(word);
                }
                self.learn_overhead(synthetic, prompt);
            }
            Repaired::Changed | Repaired::Inexact if is_sure => {
                self.adds_up = false;
                for prompt in std::mem::take(&mut self.computed) {
                    self.repair(synthetic, prompt, ask);
                }
            }
            // what one prompt needed is tried on the next, until one is right
            Repaired::Changed if self.as_computed == 0 => {
                self.overhead = None;
                self.learn_overhead(synthetic, prompt);
            }
            Repaired::Changed | Repaired::Inexact | Repaired::Unasked => {}
        }
    }

    fn learn_overhead(&mut self, synthetic: &Synthetic, prompt: PromptId) {
        if let ((words, 0), None) = (synthetic.size(prompt), self.overhead) {
            self.overhead = synthetic.input_of(prompt).checked_sub(words);
        }
    }

    /// Changes the size of a prompt until it has its length.
    fn repair(&mut self, synthetic: &mut Synthetic, prompt: PromptId, ask: &mut Ask<'_>) -> Repaired {
        let wanted = synthetic.input_of(prompt);
        let before = synthetic.size(prompt);
        let (mut words, mut letters) = before;
        let mut best = (u32::MAX, words, letters);
        for attempt in 0..8 {
            let answer = if self.unanswered < MOST_UNANSWERED { ask(&synthetic.text(prompt)) } else { None };
            let Some(Some(got)) = answer else {
                self.unanswered += u32::from(answer.is_some());
                synthetic.repair(prompt, before.0, before.1);
                return Repaired::Unasked;
            };
            self.unanswered = 0;
            let off = wanted.abs_diff(got);
            if off < best.0 {
                best = (off, words, letters);
            }
            if off == 0 {
                self.checked += 1;
                return if attempt == 0 { Repaired::AsItWas } else { Repaired::Changed };
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
        self.checked += 1;
        self.off += 1;
        Repaired::Inexact
    }

    /// What is to be said of the lengths of all prompts, of which there may be `more` than are known in advance.
    fn notes(&self, every: u64, more: bool) -> Vec<String> {
        let computed = self.computed.len() as u64;
        let mut notes = Vec::new();
        let checked = if more { grouped(self.checked) } else { format!("{} of {}", grouped(self.checked), grouped(every)) };
        let rest = match (computed, more || self.checked + computed < every) {
            (0, false) => None,
            (0, true) => Some("; the others are estimates".to_owned()),
            (_, false) => Some("; the others were computed from these".to_owned()),
            (_, true) => Some(format!(", those of {} were computed from these, the others are estimates", grouped(computed))),
        };
        notes.extend(rest.map(|rest| format!("Input lengths of {checked} prompts were checked with the tokenizer{rest}.")));
        if self.unanswered == MOST_UNANSWERED {
            notes.push("The tokenizer no longer answered while input lengths were checked.".to_owned());
        }
        if self.off > 0 {
            notes.push(format!(
                "{} of {} prompts could not be made exactly as long as they were asked to be.",
                grouped(self.off),
                grouped(self.checked)
            ));
        }
        notes
    }
}

/// Whether a prompt is checked though its length could be computed. Not each so-many-th: rows of a trace that repeat would be the
/// same ones each time.
fn is_still_checked(prompt: PromptId) -> bool {
    // Knuth's multiplicative hash
    (prompt.number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32).is_multiple_of(STILL_CHECKED)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Repaired {
    /// It had its length.
    AsItWas,
    Changed,
    /// It could not be made as long as asked.
    Inexact,
    /// The tokenizer was not asked, or did not answer: it is as it was.
    Unasked,
}

fn count(text: &str, endpoint: Endpoint, tokens: &mut Tokens) -> Option<u32> {
    match endpoint {
        Endpoint::Chat => tokens.chat(&[ChatMessage { role: "user".to_owned(), content: text.to_owned() }]),
        Endpoint::Completions | Endpoint::Embeddings => tokens.text(text, true),
    }
}

#[cfg(test)]
#[path = "length_fit_tests.rs"]
mod tests;
