//! Around a form: what is wrong with it, said above the heading; and a warning before unsent edits are lost.

use leptos::prelude::*;

use super::banner::{Banner, Notice};
use super::field::field_id;
use super::heading::{JumpLink, focus, is_hydrated};
use crate::api::functions::CallError;
use crate::domain::form::Flash;

/// One line of an error summary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SummaryLine {
    /// The message, as at the field.
    pub message: String,
    /// The field's id on this page, or the address of the page that has it.
    pub target: Target,
}

/// Where a line of an error summary leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// An element of this page, by id.
    Here(String),
    /// Another page.
    Page(String),
    /// Nowhere: about the whole.
    Nowhere,
}

/// The lines for a refused form whose fields are all on this page.
pub fn summary_lines(flash: &Flash) -> Vec<SummaryLine> {
    if flash.errors.is_empty() && flash.is_refusal() {
        return vec![SummaryLine { message: flash.detail.clone(), target: Target::Nowhere }];
    }
    // Nothing is wrong with what was typed: that comes first.
    let signed_out = flash.signed_out.then(|| SummaryLine { message: flash.detail.clone(), target: Target::Nowhere });
    let errors = flash
        .errors
        .iter()
        .map(|error| SummaryLine { message: error.message.clone(), target: Target::Here(field_id(&error.field)) });
    signed_out.into_iter().chain(errors).collect()
}

/// What is wrong with a form, with links to the fields. It stands above the heading and takes the focus.
#[component]
pub fn ErrorSummary(
    /// The lines; without any, nothing is shown.
    lines: Vec<SummaryLine>,
) -> impl IntoView {
    (!lines.is_empty())
        .then(|| {
            Effect::new(move |_| {
                // Without WASM, and on a page that has just been loaded, `autofocus` does the same.
                if is_hydrated() {
                    request_animation_frame(|| focus("error-summary"));
                }
            });
            view! {
                <div class="error-summary" id="error-summary" role="alert" tabindex="-1" autofocus>
                    <h2>"There is a problem"</h2>
                    <ul>
                        {lines
                            .into_iter()
                            .map(|line| {
                                let text = line.message;
                                let link = match line.target {
                                    Target::Here(id) => view! { <JumpLink to=id text=text /> }.into_any(),
                                    Target::Page(href) => view! { <a href=href>{text}</a> }.into_any(),
                                    Target::Nowhere => text.into_any(),
                                };
                                view! { <li>{link}</li> }
                            })
                            .collect_view()}
                    </ul>
                </div>
            }
        })
        .into_any()
}

/// The number of a form that makes something: sent twice (a double click), it makes one.
#[component]
pub fn FormNumber() -> impl IntoView {
    view! { <input type="hidden" name="form" value=uuid::Uuid::new_v4().to_string() /> }
}

/// Says so when a form could not be sent at all. Refused entries come back by redirect, not here.
#[component]
pub fn SendFailure(
    /// The action's value.
    #[prop(into)]
    failed: Signal<Option<CallError>>,
) -> impl IntoView {
    move || {
        failed.get().map(|error| {
            view! {
                <Banner notice=Notice::Error>
                    <p>{error.0.detail}</p>
                </Banner>
            }
        })
    }
}

/// Unsent edits of a page: once something was typed, leaving asks first. Without WASM nothing asks.
#[derive(Debug, Clone, Copy)]
pub struct Unsent(RwSignal<bool>);

impl Unsent {
    /// Watches over a page. In the browser, a reload or a closed tab asks as well.
    pub fn watch() -> Self {
        let unsent = RwSignal::new(false);
        Effect::new(move |_| {
            let handle = window_event_listener(leptos::ev::beforeunload, move |event| {
                if unsent.try_get_untracked() == Some(true) {
                    event.prevent_default();
                    event.set_return_value("unsent");
                }
            });
            on_cleanup(move || handle.remove());
        });
        Self(unsent)
    }

    /// Something was typed.
    pub fn edited(self) {
        self.0.set(true);
    }

    /// The form was sent.
    pub fn sent(self) {
        self.0.set(false);
    }

    /// Asks before a link is followed; stays when the answer is no.
    pub fn ask(self, event: &leptos::ev::MouseEvent) {
        if !self.0.get_untracked() {
            return;
        }
        match window().confirm_with_message("What you typed on this page has not been saved. Leave anyway?") {
            Ok(true) => self.0.set(false),
            Ok(false) | Err(_) => event.prevent_default(),
        }
    }
}
