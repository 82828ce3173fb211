//! What a reader should know, one line a kind: notes that several load points have in common are told once, and laid out on
//! demand.

use leptos::prelude::*;

use dyno_measure::report::{Note, NoteKind};
use dyno_measure::words;

/// Notes of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Folded {
    /// The kind in one line.
    line: String,
    /// The notes themselves; one alone is its own line.
    all: Vec<String>,
}

/// What is said of several load points that have a note of one kind.
const KINDS: [(NoteKind, &str); 7] = [
    (NoteKind::EndedEarly, "load points ended early: their percentile could no longer be within the limits"),
    (NoteKind::NoSteadyState, "load points are too short for a steady-state window of at least 10 s"),
    (NoteKind::InputLength, "load points have another number of input tokens than was asked for"),
    (NoteKind::TokenSources, "load points have token sources that disagree"),
    (NoteKind::PrefixCache, "load points had some of their input in the engine's prefix cache"),
    (NoteKind::EstimatedOutput, "load points have estimates for output tokens: content events were counted"),
    (NoteKind::BeyondMeasured, "load points have far more requests in flight than the simulator's factors were fitted on"),
];

fn fold(notes: &[Note]) -> Vec<Folded> {
    let mut folded = Vec::new();
    for (kind, words) in KINDS {
        let own: Vec<String> = notes.iter().filter(|note| note.kind == kind).map(Note::to_string).collect();
        match own.as_slice() {
            [] => {}
            [note] => folded.push(Folded { line: note.clone(), all: Vec::new() }),
            several => folded.push(Folded { line: format!("{} {words}.", several.len()), all: own }),
        }
    }
    let rest = notes.iter().filter(|note| KINDS.iter().all(|(kind, _)| *kind != note.kind));
    folded.extend(together(rest).into_iter().map(|line| Folded { line, all: Vec::new() }));
    folded
}

/// What is said of several load points in the same words is said once: "… (load points 2 to 8)."
fn together<'a>(notes: impl Iterator<Item = &'a Note>) -> Vec<String> {
    let mut grouped: Vec<(&str, Vec<u32>)> = Vec::new();
    for note in notes {
        let number = note.load_point.map(|load_point| load_point + 1);
        match grouped.iter_mut().find(|(text, numbers)| *text == note.text && number.is_some() && !numbers.is_empty()) {
            Some((_, numbers)) => numbers.extend(number),
            None => grouped.push((&note.text, number.into_iter().collect())),
        }
    }
    let of = |(text, numbers): (&str, Vec<u32>)| {
        let sentence = text.trim_end_matches('.');
        match numbers.as_slice() {
            [] => text.to_owned(),
            [number] => format!("{sentence} (load point {number})."),
            [first, .., last] if last - first + 1 == numbers.len() as u32 => {
                format!("{sentence} (load points {first} to {last}).")
            }
            _ => {
                let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
                format!("{sentence} (load points {}).", words::join(&numbers))
            }
        }
    };
    grouped.into_iter().map(of).collect()
}

/// The notes; nothing where there are none.
#[component]
pub fn Notes(
    /// As the report has them.
    notes: Vec<Note>,
) -> impl IntoView {
    let folded = fold(&notes);
    (!folded.is_empty())
        .then(|| {
            let lines = folded
                .into_iter()
                .map(|Folded { line, all }| {
                    if all.is_empty() {
                        return view! { <li>{line}</li> }.into_any();
                    }
                    view! {
                        <li>
                            <details>
                                <summary>{line}</summary>
                                <ul>{all.into_iter().map(|note| view! { <li>{note}</li> }).collect_view()}</ul>
                            </details>
                        </li>
                    }
                    .into_any()
                })
                .collect_view();
            view! { <ul class="notes small">{lines}</ul> }
        })
        .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_of_one_kind_are_one_line() {
        let early = |point: u32| {
            let text = format!("The load was ended after {point}0 of 130 requests: so many were over the limits.");
            Note::new(NoteKind::EndedEarly, Some(point - 1), text)
        };
        let short = "The run was too short for a steady-state window of at least 10 s.";
        let notes = [early(1), early(2), Note::new(NoteKind::NoSteadyState, Some(2), short), Note::from("Odd.".to_owned())];
        let folded = fold(&notes);
        assert_eq!(folded[0].line, "2 load points ended early: their percentile could no longer be within the limits.");
        assert_eq!(folded[0].all, [early(1).to_string(), early(2).to_string()]);
        assert!(folded[0].all[1].ends_with("over the limits (load point 2)."));
        let line = "The run was too short for a steady-state window of at least 10 s (load point 3).".to_owned();
        assert_eq!(folded[1], Folded { line, all: Vec::new() });
        assert_eq!(folded[2].line, "Odd.");
        assert!(fold(&[]).is_empty());
    }

    #[test]
    fn what_is_said_of_several_load_points_is_said_once() {
        let said = |notes: &[(&str, Option<u32>)]| {
            let notes: Vec<_> =
                notes.iter().map(|(text, number)| Note::new(NoteKind::Other, number.map(|n| n - 1), *text)).collect();
            together(notes.iter())
        };
        assert_eq!(
            said(&[("Too short.", Some(2)), ("Odd.", None), ("Too short.", Some(3)), ("Too short.", Some(4))]),
            ["Too short (load points 2 to 4).", "Odd."]
        );
        assert_eq!(said(&[("A.", Some(1)), ("A.", Some(3)), ("A.", Some(9))]), ["A (load points 1, 3 and 9)."]);
        assert_eq!(said(&[("A.", Some(1)), ("B.", None), ("B.", None)]), ["A (load point 1).", "B.", "B."]);
    }
}
