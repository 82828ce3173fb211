//! A confirmation before something is deleted; works without scripts.

use leptos::prelude::*;

use super::button::{Look, Submit};

/// A button that opens the confirmation with the button that submits.
#[component]
pub fn ConfirmForm(
    /// Where the form is sent.
    action: &'static str,
    /// The text of both buttons: `Delete model`.
    #[prop(into)]
    text: String,
    /// The object, for screen readers; empty where it is obvious.
    #[prop(optional, into)]
    about: String,
    #[prop(into)] sentence: String,
    fields: Vec<(&'static str, String)>,
    /// The look of the button that opens the confirmation.
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
