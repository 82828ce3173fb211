//! Conversations sent turn by turn. Each turn is sent with the model's own answers to the earlier ones, as a chat client does,
//! so that the engine finds its own output in its prefix cache. The recorded answers only give the output limits, where the
//! plan has none. A turn is sent as soon as the answer before it has ended.

use std::collections::HashMap;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::dataset::{DEFAULT_OUTPUT, read_file, write_text};
use super::error::WorkloadError;
use super::prompt_id::PromptId;
use crate::tokens::{Tokens, estimate};
use dyno_measure::dataset::{ChatMessage, DatasetRow};
use dyno_measure::plan::{DatasetFile, Part};

/// Longest time for tokenizing references, seconds; the others are estimated.
const COUNTING_S: u64 = 20;

/// The messages before one answer.
#[derive(Debug)]
struct UserTurn {
    messages: Vec<ChatMessage>,
    output_limit: u32,
}

/// A conversation in progress.
#[derive(Debug)]
struct Playing {
    conversation: usize,
    turn: usize,
    /// The messages so far, as JSON without the enclosing brackets.
    history: Vec<u8>,
}

/// All conversations, and those in progress.
#[derive(Debug)]
pub struct Turns {
    conversations: Vec<Vec<UserTurn>>,
    playing: HashMap<u64, Playing>,
    /// The conversation of each lane.
    lanes: HashMap<usize, u64>,
    /// Number of conversations begun: of measurements, of warm-ups.
    begun: [u64; 2],
    /// Whose conversations these are: each is whole with one worker.
    part: Part,
}

impl Turns {
    /// Reads the files.
    ///
    /// # Errors
    /// When a file can't be read or is not what the plan says.
    pub fn read(
        files: &[DatasetFile],
        limit: Option<u32>,
        seed: u64,
        tokens: &mut Tokens,
    ) -> Result<(Self, Vec<String>), WorkloadError> {
        let since = std::time::Instant::now();
        let mut length = |reference: &str| {
            let counted = if since.elapsed().as_secs() < COUNTING_S { tokens.text(reference, false) } else { None };
            counted.unwrap_or_else(|| estimate(reference)).max(1)
        };
        let mut conversations = Vec::new();
        for (number, file) in (1_u64..).zip(files) {
            let mut rows = read_file(file)?;
            rows.shuffle(&mut ChaCha8Rng::seed_from_u64(seed.wrapping_mul(31).wrapping_add(number)));
            conversations.extend(rows.into_iter().map(|row| turns_of(row, limit, &mut length)));
        }
        if conversations.is_empty() {
            return Err(WorkloadError::NoRows);
        }
        let turns: usize = conversations.iter().map(Vec::len).sum();
        let mut notes = vec![format!(
            "{} conversations of {turns} turns are played turn by turn, with the model's own answers in between.",
            conversations.len()
        )];
        if turns == conversations.len() {
            notes.push("None of the conversations has more than one turn.".to_owned());
        }
        Ok((Self { conversations, playing: HashMap::new(), lanes: HashMap::new(), begun: [0, 0], part: Part::WHOLE }, notes))
    }

    pub fn len(&self) -> usize {
        self.conversations.len()
    }

    pub fn is_empty(&self) -> bool {
        self.conversations.is_empty()
    }

    /// Number of measured conversations begun.
    pub fn begun(&self) -> u64 {
        self.begun[0]
    }

    /// Drops the conversations in progress: a new phase begins with new ones.
    pub fn reset(&mut self, part: Part) {
        self.part = part;
        self.playing.clear();
        self.lanes.clear();
    }

    /// The next turn of a lane: of its conversation, or the first of a new one. Warm-ups take conversations from the end.
    pub fn next(&mut self, lane: usize, warmup: bool) -> PromptId {
        if let Some(number) = self.lanes.get(&lane) {
            return PromptId { warmup, number: *number };
        }
        let begun = &mut self.begun[usize::from(warmup)];
        let number = *begun * u64::from(self.part.of()) + u64::from(self.part.index());
        *begun += 1;
        let place = (number % self.conversations.len() as u64) as usize;
        let conversation = if warmup { self.conversations.len() - 1 - place } else { place };
        let number = number * 2 + u64::from(warmup);
        // a mark keeps the measured conversation's prefix out of the engine's prefix cache
        let mark = if warmup { format!("({place}) ") } else { String::new() };
        let mut playing = Playing { conversation, turn: 0, history: Vec::new() };
        playing.say(&self.conversations[conversation][0], &mark);
        self.playing.insert(number, playing);
        self.lanes.insert(lane, number);
        PromptId { warmup, number }
    }

    /// Ends a lane's request: with an answer its conversation goes on to the next turn, if any; without one it is dropped.
    pub fn answered(&mut self, lane: usize, answer: Option<&[u8]>) {
        let Some(number) = self.lanes.get(&lane).copied() else { return };
        let next = self.playing.get_mut(&number).and_then(|playing| {
            let answer = String::from_utf8_lossy(answer?);
            playing.turn += 1;
            let turn = self.conversations[playing.conversation].get(playing.turn)?;
            playing.add("assistant", &answer);
            playing.say(turn, "");
            Some(())
        });
        if next.is_none() {
            self.playing.remove(&number);
            self.lanes.remove(&lane);
        }
    }

    /// Output limit of a turn, tokens.
    pub fn output_limit(&self, prompt: PromptId) -> u32 {
        let turn =
            self.playing.get(&prompt.number).and_then(|playing| self.conversations[playing.conversation].get(playing.turn));
        turn.map_or(DEFAULT_OUTPUT, |turn| turn.output_limit)
    }

    /// Appends the messages up to and including a turn.
    pub fn write(&self, prompt: PromptId, out: &mut Vec<u8>) {
        out.push(b'[');
        if let Some(playing) = self.playing.get(&prompt.number) {
            out.extend_from_slice(&playing.history);
        }
        out.push(b']');
    }
}

impl Playing {
    fn say(&mut self, turn: &UserTurn, mark: &str) {
        for (place, message) in turn.messages.iter().enumerate() {
            if place == 0 && !mark.is_empty() {
                self.add(&message.role, &format!("{mark}{}", message.content));
            } else {
                self.add(&message.role, &message.content);
            }
        }
    }

    fn add(&mut self, role: &str, content: &str) {
        let history = &mut self.history;
        history.extend_from_slice(if history.is_empty() { b"{\"role\":" } else { b",{\"role\":" });
        write_text(role, history);
        history.extend_from_slice(b",\"content\":");
        write_text(content, history);
        history.push(b'}');
    }
}

/// Splits a row into turns, each the messages before one answer.
fn turns_of(row: DatasetRow, limit: Option<u32>, length: &mut dyn FnMut(&str) -> u32) -> Vec<UserTurn> {
    let mut limit_of = |reference: Option<&str>| {
        limit.unwrap_or_else(|| reference.filter(|text| !text.trim().is_empty()).map_or(DEFAULT_OUTPUT, &mut *length))
    };
    let mut turns = Vec::new();
    let mut messages = Vec::new();
    for message in row.messages {
        if message.role != "assistant" {
            messages.push(message);
        } else if !messages.is_empty() {
            let output_limit = limit_of(Some(&message.content));
            turns.push(UserTurn { messages: std::mem::take(&mut messages), output_limit });
        }
    }
    turns.push(UserTurn { messages, output_limit: limit_of(row.reference.as_deref()) });
    turns.extend(row.more_turns.into_iter().map(|content| {
        let messages = vec![ChatMessage { role: "user".to_owned(), content }];
        UserTurn { messages, output_limit: limit_of(None) }
    }));
    turns
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn turns(limit: Option<u32>) -> Turns {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.jsonl");
        let says = |role: &str, content: &str| json!({"role": role, "content": content});
        let long = json!({
            "messages": [says("system", "s"), says("user", "a"), says("assistant", "12345678"), says("user", "b \"q\"")],
            "reference": "1234",
        });
        let more = json!({"messages": [says("user", "c")], "more_turns": ["d"]});
        std::fs::write(&path, format!("{long}\n{more}\n")).unwrap();
        let file = DatasetFile { path, id: uuid::Uuid::nil(), name: "x".to_owned(), sha256: None, notes: Vec::new() };
        Turns::read(&[file], limit, 1, &mut Tokens::Estimate).unwrap().0
    }

    fn sent(turns: &Turns, prompt: PromptId) -> Value {
        let mut out = Vec::new();
        turns.write(prompt, &mut out);
        serde_json::from_slice(&out).unwrap()
    }

    fn texts(value: &Value) -> Vec<&str> {
        value.as_array().unwrap().iter().map(|message| message["content"].as_str().unwrap()).collect()
    }

    #[test]
    fn turns_follow_each_other_with_the_real_answers() {
        let mut turns = turns(None);
        // the order of the two is drawn by the seed
        let mut seen = Vec::new();
        for _ in 0..2 {
            let first = turns.next(0, false);
            let begin = sent(&turns, first);
            let limit = turns.output_limit(first);
            turns.answered(0, Some("real \"one\"\n".as_bytes()));
            let second = turns.next(0, false);
            assert_eq!(second.number, first.number);
            let whole = sent(&turns, second);
            assert_eq!(whole.as_array().unwrap()[..begin.as_array().unwrap().len()], begin.as_array().unwrap()[..]);
            seen.push((texts(&whole).join("|"), limit, turns.output_limit(second)));
            turns.answered(0, Some(b"two"));
        }
        seen.sort();
        assert_eq!(seen[0], ("c|real \"one\"\n|d".to_owned(), 256, 256));
        assert_eq!(seen[1], ("s|a|real \"one\"\n|b \"q\"".to_owned(), 2, 1));
        assert_eq!(turns.begun(), 2);
        // after the last conversation, the first is repeated
        let again = turns.next(0, false);
        assert_eq!((again.number, sent(&turns, again).as_array().unwrap().is_empty()), (4, false));
    }

    #[test]
    fn a_failed_turn_ends_its_conversation_and_lanes_are_apart() {
        let mut turns = turns(Some(9));
        let (one, two) = (turns.next(0, false), turns.next(1, false));
        assert_ne!(one.number, two.number);
        assert_eq!(turns.output_limit(one), 9);
        turns.answered(0, None);
        assert_ne!(turns.next(0, false).number, one.number);
        assert_eq!(turns.next(1, false).number, two.number);
        turns.reset(Part::WHOLE);
        let warmup = turns.next(1, true);
        assert!(texts(&sent(&turns, warmup))[0].starts_with("(0) "));
    }
}
