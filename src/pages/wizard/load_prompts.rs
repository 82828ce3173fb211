//! Step 2's prompts: their lengths, or the datasets that they come from.

use leptos::prelude::*;

use super::step_context::StepContext;
use crate::api::functions::inventory::Choices;
use crate::components::banner::Empty;
use crate::components::button::{LinkButton, Look, Submit};
use crate::components::field::{Choice, ChoiceGroup, TextField};
use crate::components::number::{count, figure, grouped};
use crate::domain::dataset::Dataset;
use crate::domain::form::Flash;
use crate::domain::workflow::load_form::{LENGTHS, LoadForm, OWN_LENGTHS};
use dyno_measure::words::about as duration;

/// Lengths of prompts and answers: a usual pair, or one's own.
#[component]
pub fn PromptLengths(form: LoadForm, flash: Flash) -> impl IntoView {
    let mut choices: Vec<Choice> = LENGTHS
        .iter()
        .map(|preset| {
            let words = format!("{} in, {} out", grouped(preset.input.into()), grouped(preset.output.into()));
            Choice::new(preset.name, preset.title, form.lengths_preset == preset.name).with(view! { <p class="hint">{words}</p> })
        })
        .collect();
    choices.push(Choice::new(OWN_LENGTHS, "Own lengths", form.lengths_preset == OWN_LENGTHS));
    view! {
        <ChoiceGroup
            name="lengths_preset"
            legend="Lengths of prompts and answers"
            hint="In tokens, chat template included. An engine that Dyno starts is told not to end answers earlier."
            choices=choices
            columns=true
        />
        <div class="form-inline" data-when="lengths_preset own">
            <TextField
                name="max_input_tokens"
                label="Input tokens"
                hint="Exact length of each prompt."
                number=true
                unit="tokens"
                autocomplete="off"
                value=form.max_input_tokens
                error=flash.error("max_input_tokens")
            />
            <TextField
                name="max_output_tokens"
                label="Output tokens"
                hint="Length of each answer. Embeddings have none."
                number=true
                unit="tokens"
                autocomplete="off"
                value=form.max_output_tokens
                error=flash.error("max_output_tokens")
            />
        </div>
    }
    .into_any()
}

/// The datasets to choose from; those that are chosen stay in the list whatever is searched for.
#[component]
pub fn Datasets(context: StepContext, search: String, form: LoadForm) -> impl IntoView {
    let flash = context.flash.clone();
    let Some(view) = context.view else { return ().into_any() };
    let Choices::Datasets { found, total } = view.choices else { return ().into_any() };
    if total == 0 {
        return view! {
            <Empty message="No datasets yet.">
                <LinkButton href="/datasets" text="Add a dataset" />
            </Empty>
        }
        .into_any();
    }
    let typed = flash.entries_of("dataset_ids");
    let stored: Vec<String> = view.chosen.datasets.iter().map(|dataset| dataset.id.to_string()).collect();
    // A form that was sent says what is chosen, also when that is nothing.
    let checked = if flash.entries.is_empty() { stored } else { typed };
    let is_checked = |dataset: &Dataset| checked.contains(&dataset.id.to_string());
    let mut offered: Vec<Dataset> = view.chosen.datasets.into_iter().filter(|dataset| is_checked(dataset)).collect();
    for dataset in found {
        if offered.iter().all(|other| other.id != dataset.id) {
            offered.push(dataset);
        }
    }
    let shown = offered.len();
    let choices: Vec<Choice> = offered
        .into_iter()
        .map(|dataset| {
            let reference = match dataset.with_reference {
                0 => "no reference answers".to_owned(),
                number if number == dataset.samples => "all with a reference answer".to_owned(),
                number => format!("{} with a reference answer", grouped(number)),
            };
            let facts = match (&dataset.trace, dataset.mean_prompt_chars) {
                (Some(trace), _) => format!(
                    "A trace of {} over {}, {} tokens in and {} out on average",
                    count(dataset.samples, "arrival", "arrivals"),
                    duration(trace.span_s),
                    figure(trace.mean_input_tokens),
                    figure(trace.mean_output_tokens),
                ),
                (None, chars) => format!(
                    "{}, {reference}, {} characters a prompt on average{}",
                    count(dataset.samples, "sample", "samples"),
                    figure(chars.unwrap_or_default()),
                    if dataset.builtin { ", comes with Dyno" } else { "" },
                ),
            };
            Choice::new(dataset.id.to_string(), dataset.name.clone(), is_checked(&dataset))
                .with(view! { <p class="hint">{facts}</p> })
        })
        .collect();
    let searched = !search.is_empty();
    view! {
        // The first button of a form is the one that Enter presses: not the search.
        <button type="submit" class="visually-hidden" tabindex="-1" aria-hidden="true">
            "Continue"
        </button>
        <div class="form-inline" role="search">
            <div class="field field-wide">
                <label for="f-search">"Search datasets"</label>
                <input class="input" id="f-search" name="search" type="search" value=search />
            </div>
            <Submit text="Search" look=Look::Plain value=("go", "search".to_owned()) />
        </div>
        {searched
            .then(|| {
                view! { <p class="hint" role="status">{format!("{shown} of {} are listed: those found, and those chosen.", count(total, "dataset", "datasets"))}</p> }
            })}
        <ChoiceGroup
            name="dataset_ids"
            legend="Datasets"
            hint="They are used one after the other, each row once, in an order drawn by the seed."
            several=true
            choices=choices
            error=flash.error("dataset_ids")
        />
        <TextField
            name="max_output_tokens"
            label="Output tokens (optional)"
            hint="Limit of each answer. Without it, the reference's length, else 256."
            number=true
            unit="tokens"
            autocomplete="off"
            value=form.max_output_tokens
            error=flash.error("max_output_tokens")
        />
    }
    .into_any()
}
