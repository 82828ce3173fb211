//! The error summary above a form's heading, and the form's number.

use leptos::prelude::*;

use super::field::field_id;
use super::heading::JumpLink;
use crate::domain::form::Flash;

/// One line of an error summary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SummaryLine {
    /// The message, as at the field.
    pub message: String,
    /// The field's id on this page, or the address of the page that has it.
    pub target: Target,
}

/// The target of a line of an error summary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// An element of this page, by id.
    Here(String),
    Page(String),
    /// None: the error is about the form as a whole.
    Nowhere,
}

/// The lines for a refused form whose fields are all on this page.
pub fn summary_lines(flash: &Flash) -> Vec<SummaryLine> {
    if flash.errors.is_empty() && flash.is_refusal() {
        return vec![SummaryLine { message: flash.detail.clone(), target: Target::Nowhere }];
    }
    // the entries are valid: the sign-out is reported first
    let signed_out = flash.signed_out.then(|| SummaryLine { message: flash.detail.clone(), target: Target::Nowhere });
    let errors = flash
        .errors
        .iter()
        .map(|error| SummaryLine { message: error.message.clone(), target: Target::Here(field_id(&error.field)) });
    signed_out.into_iter().chain(errors).collect()
}

/// The errors of a form, with links to the fields. Placed above the heading; takes the focus.
#[component]
pub fn ErrorSummary(
    /// The lines; without any, nothing is shown.
    lines: Vec<SummaryLine>,
) -> impl IntoView {
    (!lines.is_empty())
        .then(|| {
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

/// The number of a form, which makes it idempotent: submitted twice (double click), it acts once.
#[component]
pub fn FormNumber() -> impl IntoView {
    view! { <input type="hidden" name="form" value=uuid::Uuid::new_v4().to_string() /> }
}
