//! Lists of names and values.

use leptos::prelude::*;

/// A list of [`Definition`]s.
#[component]
pub fn Definitions(
    /// Name above value, for narrow places.
    #[prop(optional)]
    narrow: bool,
    children: Children,
) -> impl IntoView {
    let class = if narrow { "definitions definitions-narrow" } else { "definitions" };
    view! { <dl class=class>{children()}</dl> }.into_any()
}

/// A name and its value.
#[component]
pub fn Definition(#[prop(into)] term: String, children: Children) -> impl IntoView {
    view! {
        <div>
            <dt>{term}</dt>
            <dd>{children()}</dd>
        </div>
    }
    .into_any()
}
