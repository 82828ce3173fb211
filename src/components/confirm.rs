//! A second step before anything is lost: opens without scripts.

use leptos::prelude::*;

use super::button::{Look, Submit};

/// A button that opens what will happen, and the button that does it.
#[component]
pub fn ConfirmForm(
    /// Where the form is sent.
    action: &'static str,
    /// What both buttons say: `Delete model`.
    #[prop(into)]
    text: String,
    /// What it is done to, for screen readers; empty where the page leaves no doubt.
    #[prop(optional, into)]
    about: String,
    #[prop(into)] sentence: String,
    fields: Vec<(&'static str, String)>,
    /// How the button that opens the second step looks.
    #[prop(default = Look::Danger)]
    look: Look,
) -> impl IntoView {
    let hidden = fields.into_iter().map(|(name, value)| view! { <input type="hidden" name=name value=value /> }).collect_view();
    view! {
        <details class="confirm">
            <summary class=look.class()>
                {text.clone()}
                {(!about.is_empty()).then(|| view! { <span class="visually-hidden">{format!(" {about}")}</span> })}
            </summary>
            <form method="post" action=action class="panel stack-tight">
                <p>{sentence}</p>
                {hidden}
                <div class="actions">
                    <Submit text=text look=Look::Danger about=about />
                </div>
            </form>
        </details>
    }
    .into_any()
}
