//! Guards a form: it is submitted once, and unsaved entries are not lost without a question.

use leptos::prelude::*;

/// Guards the form with this id.
#[island]
pub fn FormGuard(
    #[prop(into)] form: String,
    /// Whether it has unsaved entries from the start: those of a refused form.
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
        // never removed: they are needed as long as the page is open
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
            // a second click during the submission
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
        // a page from the back/forward cache is reloaded, to show what was saved since
        let _ = window_event_listener_untyped("pageshow", |event| {
            if event.dyn_into::<web_sys::PageTransitionEvent>().is_ok_and(|event| event.persisted()) {
                let _ = window().location().reload();
            }
        });
    }
}
