//! A text to be taken elsewhere: selected as a whole by one click, and with a button once the page is alive.

use leptos::prelude::*;

use super::button::Look;
use super::heading::Hydrated;

/// A text with a Copy button beside it where the browser lets a page copy.
#[component]
pub fn CopyText(
    /// What it is.
    #[prop(into)]
    label: String,
    /// The text.
    #[prop(into)]
    text: String,
) -> impl IntoView {
    let hydrated = use_context::<Hydrated>();
    let copied = RwSignal::new(None::<bool>);
    let taken = StoredValue::new(text.clone());
    let button = move || {
        let alive = hydrated.is_some_and(|hydrated| hydrated.0.get()) && may_copy();
        alive.then(|| {
            view! {
                <button type="button" class=Look::Plain.class() on:click=move |_| copy(taken.get_value(), copied)>
                    "Copy"
                </button>
            }
        })
    };
    let said = move || match copied.get() {
        Some(true) => "Copied.",
        Some(false) => "The browser did not allow it. Select the text and copy it.",
        None => "",
    };
    view! {
        <div class="field">
            <span class="field-label">{label}</span>
            <div class="copy-text">
                <code>{text}</code>
                {button}
            </div>
            <p class="hint" role="status">
                {said}
            </p>
        </div>
    }
    .into_any()
}

/// Browsers let pages copy over https and on this machine only.
fn may_copy() -> bool {
    #[cfg(feature = "hydrate")]
    return window().is_secure_context();
    #[cfg(not(feature = "hydrate"))]
    false
}

fn copy(text: String, copied: RwSignal<Option<bool>>) {
    #[cfg(feature = "hydrate")]
    leptos::task::spawn_local(async move {
        let done = wasm_bindgen_futures::JsFuture::from(window().navigator().clipboard().write_text(&text)).await;
        copied.try_set(Some(done.is_ok()));
    });
    #[cfg(not(feature = "hydrate"))]
    let _ = (text, copied);
}
