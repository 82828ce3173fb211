//! The last island of every page.

use leptos::prelude::*;

/// Marks the page as alive: islands come to life in the order of the document, and this one is its last.
#[island]
pub fn Alive() -> impl IntoView {
    #[cfg(feature = "browser")]
    if let Some(body) = document().body() {
        // An attribute of this name is never refused.
        let _ = body.set_attribute("data-hydrated", "");
    }
}
