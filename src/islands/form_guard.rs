//! Watches over a form: it is sent once, and what was typed is not left without a question.

use leptos::prelude::*;

/// Watches over the form with an id.
#[island]
pub fn FormGuard(
    #[prop(into)] form: String,
    /// Whether it holds what is saved nowhere: the entries of a refused form.
    unsaved: bool,
) -> impl IntoView {
    #[cfg(feature = "browser")]
    in_browser::guard(&form, unsaved);
    #[cfg(not(feature = "browser"))]
    let _ = (form, unsaved);
}

#[cfg(feature = "browser")]
mod in_browser {
    use std::cell::Cell;
    use std::rc::Rc;

    use leptos::prelude::*;
    use wasm_bindgen::JsCast;
    use web_sys::Node;

    use crate::islands::dom;

    #[derive(Clone, Copy, PartialEq)]
    enum FormEntries {
        Saved,
        Edited,
        Sent,
    }

    pub fn guard(form: &str, unsaved: bool) {
        let Some(form) = dom::by_id(form) else { return };
        let entries = Rc::new(Cell::new(if unsaved { FormEntries::Edited } else { FormEntries::Saved }));
        let is_within = move |event: &web_sys::Event| {
            event.target().and_then(|target| target.dyn_into::<Node>().ok()).is_some_and(|target| form.contains(Some(&target)))
        };
        // These listen as long as the page stands.
        let (typed, within) = (Rc::clone(&entries), is_within.clone());
        let _ = window_event_listener(leptos::ev::input, move |event| {
            if within(&event) {
                typed.set(FormEntries::Edited);
            }
        });
        let sent = Rc::clone(&entries);
        let _ = window_event_listener(leptos::ev::submit, move |event| {
            if !is_within(&event) {
                return;
            }
            // A second click while the first is on its way.
            if sent.replace(FormEntries::Sent) == FormEntries::Sent {
                event.prevent_default();
            }
        });
        let _ = window_event_listener(leptos::ev::beforeunload, move |event| {
            if entries.get() == FormEntries::Edited {
                event.prevent_default();
                event.set_return_value("unsaved");
            }
        });
        // A page that the browser had put by shows what was saved since.
        let _ = window_event_listener_untyped("pageshow", |event| {
            if event.dyn_into::<web_sys::PageTransitionEvent>().is_ok_and(|event| event.persisted()) {
                let _ = window().location().reload();
            }
        });
    }
}
