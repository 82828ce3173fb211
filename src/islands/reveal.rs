//! Fields that only some choices need: shown and hidden as the choice is made. Without WASM all are there.

use leptos::prelude::*;

/// Looks after the elements of a form that have `data-when="FIELD VALUE VALUE"`: they show while the field has one of the
/// values.
#[island]
pub fn Reveal(
    /// The form's id.
    #[prop(into)]
    form: String,
) -> impl IntoView {
    #[cfg(feature = "hydrate")]
    in_browser::look_after(&form);
    #[cfg(not(feature = "hydrate"))]
    let _ = form;
}

#[cfg(feature = "hydrate")]
mod in_browser {
    use leptos::prelude::*;
    use wasm_bindgen::JsCast;
    use web_sys::{FormData, HtmlElement, HtmlFormElement};

    use crate::islands::dom;

    pub fn look_after(form: &str) {
        let Some(form) = dom::by_id(form).and_then(|form| form.dyn_into::<HtmlFormElement>().ok()) else { return };
        reveal(&form);
        // It listens as long as the page stands.
        let _ = window_event_listener(leptos::ev::change, move |_| reveal(&form));
    }

    fn reveal(form: &HtmlFormElement) {
        let (Ok(fields), Ok(parts)) = (FormData::new_with_form(form), form.query_selector_all("[data-when]")) else { return };
        for index in 0..parts.length() {
            let Some(part) = parts.get(index).and_then(|part| part.dyn_into::<HtmlElement>().ok()) else { continue };
            let when = part.get_attribute("data-when").unwrap_or_default();
            let mut words = when.split(' ');
            let value = fields.get(words.next().unwrap_or_default()).as_string().unwrap_or_default();
            part.set_hidden(!words.any(|word| word == value));
        }
    }
}
