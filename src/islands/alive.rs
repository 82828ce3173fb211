//! The last island of every page.

use leptos::prelude::*;

/// Marks the page as hydrated: islands hydrate in document order, and this one is the last.
#[island]
pub fn Alive() -> impl IntoView {
    #[cfg(feature = "browser")]
    if let Some(body) = document().body() {
        // can't fail: the attribute's name is valid
        let _ = body.set_attribute("data-hydrated", "");
    }
}
