//! Shows and hides fields that only some choices need. Without WASM the style sheet does this for the choices that it knows.

use leptos::prelude::*;

/// Serves the elements of a form with `data-when="FIELD VALUE VALUE"`: visible while the field has one of the values; with
/// `data-or` of the same form, while either condition holds. Hidden fields are not submitted.
#[island]
pub fn Reveal(#[prop(into)] form: String) -> impl IntoView {
    #[cfg(feature = "browser")]
    in_browser::look_after(&form);
    #[cfg(not(feature = "browser"))]
    let _ = form;
}

#[cfg(feature = "browser")]
mod in_browser {
    use leptos::prelude::*;
    use wasm_bindgen::JsCast;
    use web_sys::{Element, FormData, HtmlElement, HtmlFormElement};

    use crate::islands::dom;

    pub fn look_after(form: &str) {
        let Some(form) = dom::by_id(form).and_then(|form| form.dyn_into::<HtmlFormElement>().ok()) else { return };
        reveal(&form);
        // never removed: needed as long as the page is open
        let _ = window_event_listener(leptos::ev::change, move |_| reveal(&form));
    }

    fn reveal(form: &HtmlFormElement) {
        for part in dom::all(form, "[data-when]") {
            // read for each part: one that becomes visible may add the field that the next depends on
            let (Ok(fields), Ok(part)) = (FormData::new_with_form(form), part.dyn_into::<HtmlElement>()) else { continue };
            part.set_hidden(!["data-when", "data-or"].iter().any(|name| holds(&part, name, &fields)));
            for control in dom::all(&part, "input, select, textarea") {
                leave_out(&control);
            }
        }
    }

    /// Whether the condition in an attribute holds.
    fn holds(part: &HtmlElement, attribute: &str, fields: &FormData) -> bool {
        let Some(condition) = part.get_attribute(attribute) else { return false };
        let mut words = condition.split(' ');
        let value = fields.get(words.next().unwrap_or_default()).as_string();
        words.any(|word| value.as_deref() == Some(word))
    }

    /// Disables a hidden control, so that it is not submitted, and enables a visible one; those disabled by the server stay so.
    fn leave_out(control: &Element) {
        let is_hidden = control.closest("[data-when][hidden]").is_ok_and(|hidden| hidden.is_some());
        // can't fail: the attributes' names are valid
        let _ = if is_hidden && !control.has_attribute("disabled") {
            control.set_attribute("data-left-out", "").and_then(|()| control.set_attribute("disabled", ""))
        } else if !is_hidden && control.has_attribute("data-left-out") {
            control.remove_attribute("data-left-out").and_then(|()| control.remove_attribute("disabled"))
        } else {
            Ok(())
        };
    }
}
