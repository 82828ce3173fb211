//! A text for copying: selected by one click, with a Copy button after hydration.

use leptos::prelude::*;

/// A text with a Copy button where the browser allows copying: over https, and on this machine.
#[island]
pub fn CopyText(#[prop(into)] label: String, #[prop(into)] text: String) -> impl IntoView {
    let may_copy = RwSignal::new(false);
    let said = RwSignal::new("");
    // set after hydration, which must match the server's HTML
    Effect::new(move |_| may_copy.set(window().is_secure_context()));
    let taken = text.clone();
    let copy = move |_| {
        #[cfg(feature = "browser")]
        {
            let taken = taken.clone();
            leptos::task::spawn_local(async move {
                let written = window().navigator().clipboard().write_text(&taken);
                said.set(match wasm_bindgen_futures::JsFuture::from(written).await {
                    Ok(_) => "Copied.",
                    Err(_) => "The browser did not allow it. Select the text and copy it.",
                });
            });
        }
        #[cfg(not(feature = "browser"))]
        let _ = (&taken, said);
    };
    view! {
        <div class="field">
            <span class="field-label">{label}</span>
            <div class="copy-text">
                <code>{text}</code>
                <button type="button" class="button" hidden=move || !may_copy.get() on:click=copy>
                    "Copy"
                </button>
            </div>
            <p class="hint" role="status">
                {move || said.get()}
            </p>
        </div>
    }
}
