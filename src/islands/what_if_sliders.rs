//! What-if answered while a slider moves: by a module in a worker, so that the page never waits. Without WASM its form is sent.

use leptos::prelude::*;

/// Looks after the page's what-if form.
#[island]
pub fn WhatIfSliders() -> impl IntoView {
    #[cfg(feature = "browser")]
    in_browser::look_after();
}

#[cfg(feature = "browser")]
mod in_browser {
    use std::cell::{Cell, RefCell};
    use std::rc::Rc;

    use leptos::prelude::*;
    use wasm_bindgen::closure::Closure;
    use wasm_bindgen::{JsCast, JsValue};
    use web_sys::{
        Element, Event, FormData, HtmlElement, HtmlFormElement, HtmlInputElement, MessageEvent, Url, Worker, WorkerOptions,
        WorkerType,
    };

    use crate::islands::dom;

    const RESULT: &str = "what-if-result";
    /// The fields, in the order in which the module takes their values.
    const FIELDS: [&str; 5] = ["concurrency", "input", "output", "devices", "tensor_parallel"];

    struct SlidersForm {
        form: HtmlFormElement,
        program: String,
        /// Made once somebody comes near the form.
        worker: RefCell<Option<Worker>>,
        /// The question that the worker has; answers to others are dropped.
        asked: Cell<u32>,
        is_answered: Cell<bool>,
        /// Whether the values have changed since.
        has_changed: Cell<bool>,
        /// Whether the next answer is to be read out.
        is_committed: Cell<bool>,
    }

    pub fn look_after() {
        let Some(form) = dom::by_id("what-if-form").and_then(|form| form.dyn_into::<HtmlFormElement>().ok()) else { return };
        // Without the module the form is sent.
        let Some(program) = form.get_attribute("data-program") else { return };
        for slider in dom::all(&form, "[data-stops]") {
            let _ = slider.remove_attribute("hidden");
        }
        show_button(&form, false);
        let what_if = Rc::new(SlidersForm {
            form,
            program,
            worker: RefCell::default(),
            asked: Cell::new(0),
            is_answered: Cell::new(true),
            has_changed: Cell::new(false),
            is_committed: Cell::new(false),
        });
        // These listen as long as the page stands.
        for name in ["focusin", "pointerover", "input", "change", "submit"] {
            let what_if = Rc::clone(&what_if);
            let _ = window_event_listener_untyped(name, move |event| what_if.take(name, &event));
        }
    }

    fn show_button(form: &HtmlFormElement, shown: bool) {
        for button in dom::all(form, "button") {
            if let Ok(button) = button.dyn_into::<HtmlElement>() {
                button.set_hidden(!shown);
            }
        }
    }

    impl SlidersForm {
        fn take(self: &Rc<Self>, name: &str, event: &Event) {
            let Some(target) = event.target().and_then(|target| target.dyn_into::<Element>().ok()) else { return };
            if !self.form.contains(Some(&target)) {
                return;
            }
            match name {
                "focusin" | "pointerover" => return self.start(),
                // A worker that does not start leaves the form as it is.
                "submit" if self.asked.get() == u32::MAX => return,
                "submit" => event.prevent_default(),
                _ => {
                    if let Some(input) = target.dyn_ref::<HtmlInputElement>() {
                        keep_together(input);
                    }
                }
            }
            // What comes of a change is read out once, when it is made; `input` has asked for it.
            if name == "change" && self.is_answered.get() {
                return read_out();
            }
            self.is_committed.set(self.is_committed.get() || name != "input");
            self.has_changed.set(self.has_changed.get() || name != "change");
            self.ask();
        }

        fn start(self: &Rc<Self>) {
            if self.worker.borrow().is_some() {
                return;
            }
            let options = WorkerOptions::new();
            options.set_type(WorkerType::Module);
            let Ok(worker) = Worker::new_with_options(&self.program, &options) else { return self.give_up() };
            let what_if = Rc::clone(self);
            let answered = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
                let _ = what_if.draw(&event.data().unchecked_into::<js_sys::Array>());
            });
            worker.set_onmessage(Some(answered.into_js_value().unchecked_ref()));
            let what_if = Rc::clone(self);
            let failed = Closure::<dyn Fn()>::new(move || what_if.give_up());
            worker.set_onerror(Some(failed.into_js_value().unchecked_ref()));
            self.worker.replace(Some(worker));
        }

        /// The form is sent from now on.
        fn give_up(&self) {
            self.asked.set(u32::MAX);
            show_button(&self.form, true);
        }

        /// Asks the newest question, unless the worker still has an earlier one: its answer comes first, within a moment.
        fn ask(self: &Rc<Self>) {
            self.start();
            if !self.has_changed.get() || !self.is_answered.get() || self.asked.get() == u32::MAX {
                return;
            }
            let (Some(worker), Some(values)) = (self.worker.borrow().clone(), self.values()) else { return };
            self.has_changed.set(false);
            self.is_answered.set(false);
            self.asked.set(self.asked.get() + 1);
            let message = js_sys::Array::new();
            message.push(&JsValue::from(self.asked.get()));
            message.push(&JsValue::from(self.form.get_attribute("data-subject")));
            message.push(&JsValue::from(values.iter().map(|(_, value)| numeric(value)).collect::<Vec<_>>().join(" ")));
            // Texts and numbers are never refused.
            let _ = worker.post_message(&message);
            let _ = keep_in_address(&values);
        }

        /// Each field's name and text.
        fn values(&self) -> Option<Vec<(&'static str, String)>> {
            let fields = FormData::new_with_form(&self.form).ok()?;
            Some(FIELDS.iter().map(|&name| (name, fields.get(name).as_string().unwrap_or_default())).collect())
        }

        fn draw(self: &Rc<Self>, answer: &js_sys::Array) -> Option<()> {
            let number = answer.get(0).as_f64()?;
            if number != f64::from(self.asked.get()) {
                return None;
            }
            let result = dom::by_id(RESULT)?;
            dom::update(&result, &answer.get(1).as_string()?);
            for drawing in dom::all(&result, "svg[data-at]") {
                let _ = drawing.set_attribute("tabindex", "0");
            }
            if self.is_committed.take() {
                read_out();
            }
            self.is_answered.set(true);
            self.ask();
            Some(())
        }
    }

    /// What is no number stays none: an empty text would become 0.
    fn numeric(text: &str) -> &str {
        let text = text.trim();
        if text.is_empty() || text.contains(' ') { "NaN" } else { text }
    }

    /// Has slider and number field show the same.
    fn keep_together(input: &HtmlInputElement) {
        let slider_of = |id: &str| -> Option<HtmlInputElement> {
            let found = document().query_selector(&format!("[data-for='{id}']")).ok()??;
            found.dyn_into().ok()
        };
        if input.has_attribute("data-stops") {
            let field = input.get_attribute("data-for").and_then(|id| dom::by_id(&id)?.dyn_into::<HtmlInputElement>().ok());
            let stop = input.value().parse().ok().and_then(|place: usize| stops(input).get(place).copied());
            if let (Some(field), Some(stop)) = (field, stop) {
                field.set_value(&stop.to_string());
                say(input, stop);
            }
        } else if let (Some(slider), Ok(value)) = (slider_of(&input.id()), input.value().parse::<u32>()) {
            let place = stops(&slider).iter().rposition(|stop| *stop <= value).unwrap_or(0);
            slider.set_value(&place.to_string());
            say(&slider, value);
        }
    }

    fn stops(slider: &HtmlInputElement) -> Vec<u32> {
        slider.get_attribute("data-stops").unwrap_or_default().split(' ').filter_map(|stop| stop.parse().ok()).collect()
    }

    fn say(slider: &HtmlInputElement, value: u32) {
        let unit = slider.get_attribute("data-unit").unwrap_or_default();
        // An attribute of this name is never refused.
        let _ = slider.set_attribute("aria-valuetext", &format!("{value} {unit}"));
    }

    /// So that the page can be sent to somebody as it is.
    fn keep_in_address(values: &[(&str, String)]) -> Result<(), JsValue> {
        let url = Url::new(&window().location().href()?)?;
        for (name, value) in values {
            url.search_params().set(name, value);
        }
        url.set_hash("what-if");
        window().history()?.replace_state_with_url(&JsValue::NULL, "", Some(&url.href()))
    }

    fn read_out() {
        let Some(result) = dom::by_id(RESULT) else { return };
        let cards: Vec<String> = dom::all(&result, ".headline > div, .what-if-refused, .field-error")
            .iter()
            .map(|card| {
                let parts = dom::all(card, "h3, .headline-value");
                let words: Vec<String> = parts.iter().map(|part| part.text_content().unwrap_or_default()).collect();
                if words.is_empty() { card.text_content().unwrap_or_default() } else { words.join(" ") }
            })
            .collect();
        if let Some(status) = dom::by_id("what-if-status") {
            status.set_text_content(Some(&cards.join("; ")));
        }
    }
}
