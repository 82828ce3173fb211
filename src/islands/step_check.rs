//! Checks a step's form by the step's own rules while somebody types, and words the load.

use leptos::prelude::*;

use crate::domain::workflow::step_form::FormRules;

/// Watches over the step's form with an id. A field is checked once it was left, and from then on as it is typed.
#[island]
pub fn StepCheck(#[prop(into)] form: String, rules: FormRules) -> impl IntoView {
    #[cfg(feature = "browser")]
    in_browser::watch(&form, rules);
    #[cfg(not(feature = "browser"))]
    let _ = (form, rules);
}

#[cfg(feature = "browser")]
mod in_browser {
    use std::cell::{Cell, RefCell};
    use std::rc::Rc;

    use leptos::prelude::*;
    use wasm_bindgen::JsCast;
    use web_sys::{Element, FormData, HtmlFormElement, HtmlTemplateElement, Node};

    use crate::domain::workflow::step_form::{Checked, Entries, FormRules};
    use crate::islands::dom;

    /// A message as the server draws it, without its words.
    const MESSAGE: &str = "field-message";
    /// The load in one sentence, and what stands above it.
    const SENTENCE: &str = "load-sentence";
    const CAPTION: &str = "load-caption";
    /// Before the name of a choice of how many requests: what it comes to.
    const AMOUNT: &str = "amount-";
    /// What sentence and caption are in.
    const LOAD: &str = "load-words";

    struct StepWatch {
        form: HtmlFormElement,
        rules: FormRules,
        /// The fields that were left, and those that the server has refused.
        left: RefCell<Vec<Element>>,
        /// What the server alone could refuse, and nobody has changed since.
        of_server: RefCell<Vec<Element>>,
        /// Whether a button of the mouse, or a finger, is down.
        pressed: Cell<bool>,
    }

    pub fn watch(form: &str, rules: FormRules) {
        let Some(form) = dom::by_id(form).and_then(|form| form.dyn_into::<HtmlFormElement>().ok()) else { return };
        let refused = dom::all(&form, ".has-error");
        let known: Vec<Element> = rules.check(&entries(&form)).errors.iter().filter_map(|error| frame(&error.field)).collect();
        let servers = refused.iter().filter(|frame| !known.contains(frame)).cloned().collect();
        let watch =
            StepWatch { form, rules, left: RefCell::new(refused), of_server: RefCell::new(servers), pressed: Cell::new(false) };
        let watch = Rc::new(watch);
        // These listen as long as the page stands.
        let typing = Rc::clone(&watch);
        let _ = window_event_listener(leptos::ev::input, move |event| {
            if let Some(field) = typing.field_of(&event) {
                typing.of_server.borrow_mut().retain(|frame| !frame.contains(Some(&field)));
                typing.check();
            }
        });
        let leaving = Rc::clone(&watch);
        let _ = window_event_listener(leptos::ev::change, move |event| {
            if let Some(field) = leaving.field_of(&event) {
                leaving.left.borrow_mut().push(field);
                // A message would move the button that is being clicked away from under the pointer.
                if !leaving.pressed.get() {
                    leaving.check();
                }
            }
        });
        let pressing = Rc::clone(&watch);
        let _ = window_event_listener(leptos::ev::pointerdown, move |_| pressing.pressed.set(true));
        let releasing = Rc::clone(&watch);
        let _ = window_event_listener(leptos::ev::pointerup, move |_| releasing.release());
        let _ = window_event_listener(leptos::ev::pointercancel, move |_| watch.release());
    }

    impl StepWatch {
        /// Which of the form's fields an event is about.
        fn field_of(&self, event: &web_sys::Event) -> Option<Element> {
            let field: Element = event.target()?.dyn_into().ok()?;
            self.form.contains(Some(&field)).then_some(field)
        }

        /// Checks what was left meanwhile, after the click has come.
        fn release(self: &Rc<Self>) {
            self.pressed.set(false);
            if !self.left.borrow().is_empty() {
                let watch = Rc::clone(self);
                leptos::task::spawn_local(async move {
                    dom::sleep(0).await;
                    watch.check();
                });
            }
        }

        fn check(&self) {
            let checked = self.rules.check(&entries(&self.form));
            word(&checked);
            let mut wrong: Vec<Element> = Vec::new();
            for error in &checked.errors {
                let Some(frame) = frame(&error.field) else { continue };
                if self.left.borrow().iter().any(|left| frame.contains(Some(left))) {
                    let _ = show(&frame, &error.field, &error.message);
                    wrong.push(frame);
                }
            }
            for frame in dom::all(&self.form, ".has-error") {
                if !wrong.contains(&frame) && !self.of_server.borrow().contains(&frame) {
                    clear(&frame);
                }
            }
        }
    }

    /// The form's entries. Check boxes send their name with `[]` behind.
    fn entries(form: &HtmlFormElement) -> Entries {
        let Ok(data) = FormData::new_with_form(form) else { return Vec::new() };
        let pairs = data.entries().into_iter().filter_map(Result::ok).map(|pair| js_sys::Array::from(&pair));
        pairs
            .filter_map(|pair| Some((pair.get(0).as_string()?, pair.get(1).as_string()?)))
            .map(|(name, value)| (name.trim_end_matches("[]").to_owned(), value))
            .collect()
    }

    /// Says what the entries come to, as long as they are good.
    fn word(checked: &Checked) {
        if let (Some(sentence), Some(element)) = (&checked.sentence, dom::by_id(SENTENCE)) {
            element.set_text_content(Some(sentence));
            if let Some(caption) = dom::by_id(CAPTION) {
                caption.set_text_content(Some("As entered:"));
            }
        }
        dom::show(LOAD, checked.sentence.is_some());
        for (name, words) in &checked.amounts {
            if let Some(element) = dom::by_id(&format!("{AMOUNT}{name}")) {
                element.set_text_content(Some(words));
            }
        }
    }

    /// What is around a field: its label, its hint, its message.
    fn frame(field: &str) -> Option<Element> {
        dom::by_id(&format!("f-{field}"))?.closest(".field").ok()?
    }

    fn show(frame: &Element, field: &str, message: &str) -> Option<()> {
        let id = format!("f-{field}-error");
        let shown = match dom::by_id(&id) {
            Some(shown) => shown.unchecked_into::<Element>(),
            None => draw(frame, &id)?,
        };
        let words = shown.query_selector("[data-words]").ok()??;
        if words.text_content().as_deref() != Some(message) {
            words.set_text_content(Some(message));
        }
        let _ = frame.class_list().add_1("has-error");
        for control in controls(frame) {
            let _ = control.set_attribute("aria-invalid", "true");
        }
        let described = described(frame, field)?;
        let ids = described.get_attribute("aria-describedby").unwrap_or_default();
        if !ids.split(' ').any(|known| known == id) {
            let _ = described.set_attribute("aria-describedby", format!("{ids} {id}").trim());
        }
        Some(())
    }

    /// A message between the hint and the input.
    fn draw(frame: &Element, id: &str) -> Option<Element> {
        let template: HtmlTemplateElement = dom::by_id(MESSAGE)?.dyn_into().ok()?;
        let message: Element = template.content().first_element_child()?.clone_node_with_deep(true).ok()?.dyn_into().ok()?;
        message.set_id(id);
        let mut place = frame.first_element_child();
        while let Some(above) = place.take_if(|element| is_above(element)) {
            place = above.next_element_sibling();
        }
        frame.insert_before(&message, place.as_ref().map(AsRef::<Node>::as_ref)).ok()?;
        Some(message)
    }

    fn is_above(element: &Element) -> bool {
        matches!(element.tag_name().as_str(), "LABEL" | "LEGEND") || element.class_list().contains("hint")
    }

    fn clear(frame: &Element) {
        let _ = frame.class_list().remove_1("has-error");
        let message = children(frame).into_iter().find(|child| child.class_list().contains("field-error"));
        let id = message.as_ref().map(Element::id).unwrap_or_default();
        if let Some(message) = message {
            message.remove();
        }
        for control in controls(frame) {
            let _ = control.remove_attribute("aria-invalid");
        }
        let mut described = controls(frame);
        described.push(frame.clone());
        for element in described {
            if let Some(ids) = element.get_attribute("aria-describedby") {
                let rest: Vec<&str> = ids.split(' ').filter(|known| *known != id).collect();
                let _ = if rest.is_empty() {
                    element.remove_attribute("aria-describedby")
                } else {
                    element.set_attribute("aria-describedby", &rest.join(" "))
                };
            }
        }
    }

    /// What a message describes: a group, or the one control.
    fn described(frame: &Element, field: &str) -> Option<Element> {
        if frame.tag_name() == "FIELDSET" { Some(frame.clone()) } else { dom::by_id(&format!("f-{field}")).map(Into::into) }
    }

    /// The controls of a frame that belong to no frame within it.
    fn controls(frame: &Element) -> Vec<Element> {
        let controls = dom::all(frame, "input, select, textarea");
        controls.into_iter().filter(|control| control.closest(".field").ok().flatten().as_ref() == Some(frame)).collect()
    }

    fn children(frame: &Element) -> Vec<Element> {
        let children = frame.children();
        (0..children.length()).filter_map(|index| children.item(index)).collect()
    }
}
