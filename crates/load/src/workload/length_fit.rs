//! Fits synthetic prompts to the requested lengths, by the tokenizer's count.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::error::WorkloadError;
use super::prompt_id::PromptId;
use super::synthetic::{Asked, Synthetic};
use super::words::one_token_words;
use crate::tokens::Tokens;
use dyno_measure::dataset::ChatMessage;
use dyno_measure::load::Endpoint;
use dyno_measure::words::grouped;

/// Tokens that a chat template is assumed to add where it can't be counted.
const GUESSED_TEMPLATE: u32 = 12;
/// Prompts that must have been as long as computed, one after the other, before computed lengths are believed.
const BELIEVED_AFTER: u32 = 200;
/// Of the computed lengths, each so-many-th is still checked.
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
    let mut lengths = Lengths::default();
    // in sending order, since the budget may end
    'all: for (warmup, count) in [(true, prompts[0]), (false, prompts[1])] {
        for number in 0..count.unwrap_or(200) {
            if begun.elapsed() > budget || stop() {
                break 'all;
            }
            lengths.settle(&mut synthetic, PromptId { warmup, number }, endpoint, tokens);
        }
    }
    let Lengths { checked, computed, off, .. } = lengths;
    if checked + computed < every || prompts.contains(&None) {
        let also = if computed > 0 { format!(", those of {} computed as these were", grouped(computed)) } else { String::new() };
        let checked = grouped(checked);
        notes.push(format!("Input lengths of {checked} prompts were checked with the tokenizer{also}, the others made alike."));
    } else if computed > 0 {
        notes.push(format!(
            "Input lengths of {} of {} prompts were checked with the tokenizer; the others are computed, as these were.",
            grouped(checked),
            grouped(every)
        ));
    }
    if off > 0 {
        notes.push(format!(
            "{} of {} prompts could not be made exactly as long as they were asked to be.",
            grouped(off),
            grouped(checked)
        ));
    }
    if prompts.iter().flatten().sum::<u64>() > synthetic.different() {
        notes.push("Prompts repeat: so short an input has too few different words.".to_owned());
    }
    Ok((synthetic, notes))
}

/// Settles the lengths of prompts, with as few calls of the tokenizer as are needed to be sure of them.
///
/// Tokenizers split a text at its white space, so that words that are one token each add up, and only the first word of a prompt
/// can be another number of tokens there: nothing is before it. Whether a tokenizer is like this is found out by its counts: the
/// correction that made one prompt exact is tried on the next with the same first word. Once that has been right often enough,
/// it is computed without asking, and some prompts are asked about on; at the first one that is otherwise, all are again.
#[derive(Debug, Default)]
struct Lengths {
    /// Words to be added to a prompt, by its first word.
    corrections: HashMap<&'static str, i64>,
    /// Prompts that the correction of another made exact.
    as_computed: u32,
    /// Whether a prompt was not as computed.
    disproved: bool,
    checked: u64,
    computed: u64,
    /// Of the checked ones, those that are not as long as asked.
    off: u64,
}

impl Lengths {
    fn settle(&mut self, synthetic: &mut Synthetic, prompt: PromptId, endpoint: Endpoint, tokens: &mut Tokens) {
        let first = synthetic.first_word(prompt);
        let (words, _) = synthetic.size(prompt);
        let known = self.corrections.get(first).copied().filter(|correction| i64::from(words) + correction >= 1);
        let correction = known.filter(|_| !self.disproved);
        if let Some(correction) = correction {
            if correction != 0 {
                synthetic.repair(prompt, with(words, correction), 0);
            }
            if self.as_computed >= BELIEVED_AFTER && !(self.checked + self.computed).is_multiple_of(STILL_CHECKED) {
                self.computed += 1;
                return;
            }
        }
        let repaired = repair(synthetic, prompt, endpoint, tokens);
        self.checked += 1;
        self.off += u64::from(repaired == Repaired::Inexact);
        match (correction, repaired) {
            (Some(_), Repaired::AsItWas) => self.as_computed += 1,
            (Some(_), _) => self.disproved = true,
            (None, Repaired::Inexact) => {}
            (None, Repaired::AsItWas | Repaired::Changed) => {
                if let (now, 0) = synthetic.size(prompt) {
                    self.corrections.insert(first, i64::from(now) - i64::from(words));
                }
            }
        }
    }
}

fn with(words: u32, more: i64) -> u32 {
    u32::try_from(i64::from(words) + more).unwrap_or(1).max(1)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Repaired {
    /// It had its length.
    AsItWas,
    Changed,
    /// It could not be made as long as asked.
    Inexact,
}

/// Changes the size of a prompt until it has its length.
fn repair(synthetic: &mut Synthetic, prompt: PromptId, endpoint: Endpoint, tokens: &mut Tokens) -> Repaired {
    let wanted = synthetic.input_of(prompt);
    let (mut words, mut letters) = synthetic.size(prompt);
    let mut best = (u32::MAX, words, letters);
    for attempt in 0..8 {
        let Some(got) = count(&synthetic.text(prompt), endpoint, tokens) else { return Repaired::Inexact };
        let off = wanted.abs_diff(got);
        if off < best.0 {
            best = (off, words, letters);
        }
        if off == 0 {
            return if attempt == 0 { Repaired::AsItWas } else { Repaired::Changed };
        }
        let missing = i64::from(wanted) - i64::from(got);
        if attempt < 4 {
            words = with(words, missing);
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
    Repaired::Inexact
}

fn count(text: &str, endpoint: Endpoint, tokens: &mut Tokens) -> Option<u32> {
    match endpoint {
        Endpoint::Chat => tokens.chat(&[ChatMessage { role: "user".to_owned(), content: text.to_owned() }]),
        Endpoint::Completions | Endpoint::Embeddings => tokens.text(text, true),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use dyno_measure::load::{LengthDistribution, LengthSampler};

    /// A tokenizer whose tokens are what the pattern matches.
    fn tokens(pattern: &str) -> Tokens {
        let folder = tempfile::tempdir().unwrap();
        let split = json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Removed", "invert": true});
        let tokenizer = json!({
            "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "added_tokens": [],
            "pre_tokenizer": split, "post_processor": null, "decoder": null,
            "model": {"type": "WordLevel", "vocab": {"<unk>": 0}, "unk_token": "<unk>"}
        });
        std::fs::write(folder.path().join("tokenizer.json"), tokenizer.to_string()).unwrap();
        Tokens::of_file(folder.path()).unwrap()
    }

    /// The notes, and by how many tokens each prompt is too long.
    fn fitted(pattern: &str, count: u64, lengths: &Value) -> (Vec<String>, Vec<i64>) {
        let lengths: Option<LengthDistribution> = serde_json::from_value(lengths.clone()).unwrap();
        let asked = Asked::Drawn { input: LengthSampler::new(lengths, 40, 1), output: LengthSampler::new(None, 4, 1) };
        let wanted = Wanted {
            asked,
            shared: 0.0,
            seed: 1,
            endpoint: Endpoint::Completions,
            prompts: [Some(0), Some(count)],
            budget: Duration::from_secs(600),
        };
        let mut tokens = tokens(pattern);
        let (synthetic, notes) = fit(wanted, &mut tokens, &|| false).unwrap();
        let off = (0..count).map(|number| {
            let prompt = PromptId { warmup: false, number };
            i64::from(tokens.text(&synthetic.text(prompt), true).unwrap()) - i64::from(synthetic.input_of(prompt))
        });
        let off = off.collect();
        (notes, off)
    }

    fn checked_of(notes: &[String]) -> u64 {
        let line = notes.iter().find(|note| note.contains("were checked")).unwrap();
        line.split(' ').find_map(|word| word.replace(',', "").parse().ok()).unwrap()
    }

    #[test]
    fn where_words_add_up_few_prompts_are_checked_and_all_are_exact() {
        let spread = json!({"kind": "uniform", "min": 20});
        // in the second, a first word with an "o" is a token more than it is elsewhere
        for pattern in [r"[^ ]+", r"^[^ o]*o|[^ ]+"] {
            for lengths in [&Value::Null, &spread] {
                let (notes, off) = fitted(pattern, 3000, lengths);
                assert!(off.iter().all(|off| *off == 0), "{pattern} {notes:?}");
                let checked = checked_of(&notes);
                assert!((BELIEVED_AFTER.into()..1500).contains(&checked), "{pattern} {notes:?}");
            }
        }
    }

    #[test]
    fn where_words_do_not_add_up_every_prompt_is_checked() {
        // two words are one token where the first begins with a letter up to m
        let (notes, off) = fitted(r"\b[a-m][^ ]* [^ ]+|[^ ]+", 2000, &Value::Null);
        assert!(notes.is_empty() && off.iter().all(|off| *off == 0), "{notes:?}");
    }

    #[test]
    fn few_prompts_are_all_checked() {
        let (notes, off) = fitted(r"[^ ]+", 200, &Value::Null);
        assert!(notes.is_empty() && off.iter().all(|off| *off == 0), "{notes:?}");
    }
}
