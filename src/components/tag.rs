use leptos::prelude::*;

use crate::domain::benchmark::Tag;

/// The tags of a benchmark.
#[component]
pub fn Tags(tags: Vec<Tag>) -> impl IntoView {
    (!tags.is_empty())
        .then(|| {
            view! {
                <ul class="tags">
                    {tags.into_iter().map(|tag| view! { <li><TagMark tag=tag /></li> }).collect_view()}
                </ul>
            }
        })
        .into_any()
}

/// A tag, with its colour as a dot beside the word.
#[component]
pub fn TagMark(tag: Tag) -> impl IntoView {
    // an SVG attribute, since the content policy forbids inline styles
    let dot = tag.color.filter(|color| is_color(color)).map(|color| {
        view! {
            <svg viewBox="0 0 10 10" aria-hidden="true" focusable="false">
                <circle cx="5" cy="5" r="4" fill=color stroke="currentColor"></circle>
            </svg>
        }
    });
    view! { <span class="tag">{dot}{tag.name}</span> }.into_any()
}

fn is_color(text: &str) -> bool {
    text.strip_prefix('#').is_some_and(|digits| digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
