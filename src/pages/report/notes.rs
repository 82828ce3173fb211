//! What a reader should know, one line a kind: notes that several load points have in common are told once, and laid out on
//! demand.

use leptos::prelude::*;

use super::verdict::together;

/// Notes of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Folded {
    /// The kind in one line.
    line: String,
    /// The notes themselves; one alone is its own line.
    all: Vec<String>,
}

/// A part of a note that tells its kind, and what is said of several load points.
const KINDS: [(&str, &str); 6] = [
    (" was ended after ", "load points ended early: their percentile could no longer be within the limits"),
    ("too short for a steady-state window", "load points are too short for a steady-state window of at least 10 s"),
    ("The engine counted", "load points have another number of input tokens than was asked for"),
    ("Token sources disagree", "load points have token sources that disagree"),
    ("out of the engine's prefix cache", "load points had some of their input in the engine's prefix cache"),
    ("Output tokens are estimates", "load points have estimates for output tokens: content events were counted"),
];

fn fold(notes: &[String]) -> Vec<Folded> {
    let mut rest: Vec<String> = notes.to_vec();
    let mut folded = Vec::new();
    for (part, words) in KINDS {
        let (own, others): (Vec<String>, Vec<String>) = rest.into_iter().partition(|note| note.contains(part));
        rest = others;
        match own.as_slice() {
            [] => {}
            [note] => folded.push(Folded { line: note.clone(), all: Vec::new() }),
            several => folded.push(Folded { line: format!("{} {words}.", several.len()), all: own }),
        }
    }
    folded.extend(together(&rest).into_iter().map(|line| Folded { line, all: Vec::new() }));
    folded
}

/// The notes; nothing where there are none.
#[component]
pub fn Notes(
    /// As the report has them.
    notes: Vec<String>,
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
        let early =
            |point: u32| format!("Load point {point} was ended after {point}0 of 130 requests: so many were over the limits.");
        let notes: Vec<String> = [
            early(1),
            early(2),
            "The run was too short for a steady-state window of at least 10 s (load point 3).".to_owned(),
            "Odd.".to_owned(),
        ]
        .into();
        let folded = fold(&notes);
        assert_eq!(folded[0].line, "2 load points ended early: their percentile could no longer be within the limits.");
        assert_eq!(folded[0].all, [early(1), early(2)]);
        assert_eq!(folded[1], Folded { line: notes[2].clone(), all: Vec::new() });
        assert_eq!(folded[2].line, "Odd.");
        assert!(fold(&[]).is_empty());
    }
}
