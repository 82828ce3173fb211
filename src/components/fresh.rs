//! Drawing something anew instead of changing what is there.

use leptos::prelude::*;

/// Whatever `draw` answers, made anew whenever the key differs. Where the browser's half draws a form once more in place of
/// itself, the inputs would be the same elements, with what was last typed or chosen in them, whatever the page says.
#[component]
pub fn Fresh<D>(
    /// What tells one drawing from the next.
    key: String,
    /// Draws it.
    draw: D,
) -> impl IntoView
where
    D: Fn() -> AnyView + Clone + Send + 'static,
{
    view! { <For each=move || [key.clone()] key=String::clone children=move |_| draw() /> }.into_any()
}
