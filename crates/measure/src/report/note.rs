//! Notes of a report.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a note is about: notes of one kind are told together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum NoteKind {
    /// The load point was ended before its time, since its percentile could no longer be within the limits.
    EndedEarly,
    /// No steady-state window of at least 10 s.
    NoSteadyState,
    /// Inputs have another length than was asked for.
    InputLength,
    /// Counts of output tokens by different sources disagree.
    TokenSources,
    /// Some of the input came out of the engine's prefix cache.
    PrefixCache,
    /// Output tokens were counted by content events.
    EstimatedOutput,
    /// From three nodes on: one is slower than the others.
    NodeOutlier,
    /// Of two nodes: how far they are apart.
    NodeDifference,
    /// Of a simulation: far more requests in flight than its factors were fitted on.
    BeyondMeasured,
    /// Anything else, and what a later version knows.
    #[default]
    #[serde(other)]
    Other,
}

/// A note of a report. Until 0.1.0 it was its sentence alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(from = "StoredNote")]
pub struct Note {
    pub kind: NoteKind,
    /// The load point that it is of, from 0; absent where it is of the whole report, or that has only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load_point: Option<u32>,
    /// A whole sentence, without the load point.
    pub text: String,
}

impl Note {
    pub fn new(kind: NoteKind, load_point: Option<u32>, text: impl Into<String>) -> Self {
        Self { kind, load_point, text: text.into() }
    }
}

impl From<String> for Note {
    fn from(text: String) -> Self {
        Self::new(NoteKind::Other, None, text)
    }
}

/// The sentence, with its load point counted from 1.
impl fmt::Display for Note {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.load_point {
            Some(load_point) => write!(formatter, "{} (load point {}).", self.text.trim_end_matches('.'), load_point + 1),
            None => formatter.write_str(&self.text),
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum StoredNote {
    /// Format of 0.1.0.
    Sentence(String),
    Note {
        #[serde(default)]
        kind: NoteKind,
        load_point: Option<u32>,
        text: String,
    },
}

impl From<StoredNote> for Note {
    fn from(stored: StoredNote) -> Self {
        match stored {
            StoredNote::Note { kind, load_point, text } => Self { kind, load_point, text },
            StoredNote::Sentence(sentence) => of_sentence(&sentence),
        }
    }
}

/// Text in 0.1.0's sentences that identifies their kind.
const SENTENCES: [(&str, NoteKind); 6] = [
    (" was ended after ", NoteKind::EndedEarly),
    ("too short for a steady-state window", NoteKind::NoSteadyState),
    ("The engine counted", NoteKind::InputLength),
    ("Token sources disagree", NoteKind::TokenSources),
    ("out of the engine's prefix cache", NoteKind::PrefixCache),
    ("Output tokens are estimates", NoteKind::EstimatedOutput),
];

fn of_sentence(sentence: &str) -> Note {
    let kind = SENTENCES.iter().find(|(part, _)| sentence.contains(part)).map_or(NoteKind::Other, |(_, kind)| *kind);
    let number = |text: &str| text.parse::<u32>().ok()?.checked_sub(1);
    let at_the_end = sentence.strip_suffix(").").and_then(|text| {
        let (text, load_point) = text.rsplit_once(" (load point ")?;
        Some(Note::new(kind, Some(number(load_point)?), format!("{text}.")))
    });
    let at_the_beginning = || {
        let (load_point, rest) = sentence.strip_prefix("Load point ")?.split_once(' ')?;
        Some(Note::new(kind, Some(number(load_point)?), format!("The load {rest}")))
    };
    at_the_end.or_else(at_the_beginning).unwrap_or_else(|| Note::new(kind, None, sentence))
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json, to_value};

    use super::*;

    #[test]
    fn a_sentence_of_0_1_0_has_its_kind_and_load_point() {
        let read = |sentence: &str| from_value::<Note>(json!(sentence)).unwrap();
        let note = read("The run was too short for a steady-state window of at least 10 s (load point 2).");
        assert_eq!((note.kind, note.load_point), (NoteKind::NoSteadyState, Some(1)));
        assert_eq!(note.to_string(), "The run was too short for a steady-state window of at least 10 s (load point 2).");
        let ended = read("Load point 3 was ended after 30 of 130 requests: so many were over the limits.");
        assert_eq!((ended.kind, ended.load_point), (NoteKind::EndedEarly, Some(2)));
        assert_eq!(ended.text, "The load was ended after 30 of 130 requests: so many were over the limits.");
        assert_eq!(read("Odd."), Note::from("Odd.".to_owned()));
    }

    #[test]
    fn a_note_is_read_as_it_was_written_and_one_of_a_later_version_as_far_as_it_is_known() {
        let note = Note::new(NoteKind::PrefixCache, Some(0), "5 % of the input tokens came out of the engine's prefix cache.");
        assert_eq!(from_value::<Note>(to_value(&note).unwrap()).unwrap(), note);
        let later = from_value::<Note>(json!({ "kind": "later", "load_point": 1, "text": "A.", "more": 1 })).unwrap();
        assert_eq!(later, Note::new(NoteKind::Other, Some(1), "A."));
    }
}
