//! The page of step 1: name, tags and requests in flight.

use leptos::prelude::*;
use server_fn::ServerFn;

use super::frame::{Frame, StepForm};
use super::step_context::StepContext;
use crate::api::functions::workflows::SaveDetails;
use crate::components::field::{Choice, ChoiceGroup, TextArea, TextField, Width};
use crate::domain::workflow::step_form::FormRules;
use dyno_measure::load::EvalWith;

/// Name, tags, description, requests in flight, evaluation method.
#[component]
pub fn DetailsStep(
    /// Where the reader is.
    context: StepContext,
) -> impl IntoView {
    let flash = context.flash.clone();
    let stored = context.view.as_ref().map(|view| view.answer.workflow_steps.clone());
    let text = |field: &str, stored: Option<String>| flash.value(field, stored.unwrap_or_default());
    let name = text("name", stored.as_ref().map(|steps| steps.name.clone()));
    let tags =
        text("tags", stored.as_ref().map(|steps| steps.tags.iter().map(|tag| tag.name.as_str()).collect::<Vec<_>>().join(", ")));
    let description = text("description", stored.as_ref().map(|steps| steps.description.clone()));
    let concurrency = flash
        .value("concurrent_requests", stored.as_ref().map_or("8".to_owned(), |steps| steps.load.concurrent_requests.to_string()));
    let method = flash.value(
        "eval_with",
        match stored.as_ref().map(|steps| steps.load.eval_with) {
            Some(EvalWith::Dataset) => "dataset",
            Some(EvalWith::Configuration) | None => "configuration",
        },
    );
    let methods = vec![
        Choice::new("configuration", "Configuration", method == "configuration")
            .with(view! { <p class="hint">"Synthetic prompts of exact lengths. Every prompt differs."</p> }),
        Choice::new("dataset", "Dataset", method == "dataset")
            .with(view! { <p class="hint">"Prompts from one or more datasets."</p> }),
    ];
    view! {
        <Frame context=context.clone()>
            <StepForm action=SaveDetails::url() context=context check=FormRules::Details>
                <TextField
                    name="name"
                    label="Name"
                    hint="Up to 50 characters."
                    autocomplete="off"
                    value=name
                    error=flash.error("name")
                />
                <TextField
                    name="tags"
                    label="Tags (optional)"
                    hint="Separated by commas, at most 20."
                    autocomplete="off"
                    value=tags
                    error=flash.error("tags")
                />
                <TextArea
                    name="description"
                    label="Description (optional)"
                    hint="Up to 2,000 characters."
                    rows=3
                    value=description
                    error=flash.error("description")
                />
                <TextField
                    name="concurrent_requests"
                    label="Concurrent requests"
                    hint="How many requests are in flight at once: as soon as one ends, the next is sent. 1 to 10,000; step 2 may change it."
                    number=true
                    width=Width::Short
                    autocomplete="off"
                    value=concurrency
                    error=flash.error("concurrent_requests")
                />
                <ChoiceGroup
                    name="eval_with"
                    legend="Evaluation method"
                    hint="Where the prompts come from."
                    choices=methods
                    error=flash.error("eval_with")
                />
            </StepForm>
        </Frame>
    }
    .into_any()
}
