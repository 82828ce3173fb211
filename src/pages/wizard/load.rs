//! Step 2: lengths or datasets, how many requests, the warm-up; what else there is stands under "More options".

use leptos::prelude::*;
use server_fn::ServerFn;

use super::frame::{Frame, Place, StepForm};
use super::load_more::MoreOptions;
use crate::api::functions::inventory::Choices;
use crate::api::functions::workflows::{SaveLoad, WizardView};
use crate::components::banner::Empty;
use crate::components::button::{LinkButton, Look, Submit};
use crate::components::field::{Choice, ChoiceGroup, TextField};
use crate::components::number::{count, figure, grouped};
use crate::domain::benchmark::{EvalWith, LoadSpec};
use crate::domain::inventory::Dataset;
use crate::domain::workflow::Page;
use crate::domain::workflow::load_form::LoadForm;
use crate::domain::workflow::sentence::{duration, load_sentence};
use crate::domain::workflow::step_form::{FormRules, OfferedDataset};

#[component]
pub fn LoadStep(
    /// Where the reader is.
    place: Place,
    /// What datasets were searched for.
    search: String,
) -> impl IntoView {
    let flash = place.flash.clone();
    let Some(view) = place.view.clone() else { return ().into_any() };
    let load = view.answer.workflow_steps.load.clone();
    // Defaults are shown in their fields, so that they are seen and can be edited; the form tells them from a choice.
    let form = LoadForm::of(&load).typed(&flash);
    let requests_hint = match load.duration_s {
        Some(seconds) => format!("The draft measures for {} instead. Enter a number to end by number.", duration(seconds)),
        None => format!(
            "Measured after the warm-up, at each load. The default is the larger of 10 × requests in flight and 100: {}; with \
             latency limits at least as many as their percentile needs.",
            grouped(LoadSpec::default_requests(load.concurrent_requests).into())
        ),
    };
    let is_dataset = load.eval_with == EvalWith::Dataset;
    let source = if is_dataset {
        view! { <Datasets place=place.clone() search=search /> }.into_any()
    } else {
        view! {
            <TextField
                name="max_input_tokens"
                label="Input tokens"
                hint="Exact length of each prompt, chat template included."
                number=true
                unit="tokens"
                autocomplete="off"
                value=form.max_input_tokens.clone()
                error=flash.error("max_input_tokens")
            />
        }
        .into_any()
    };
    let rows = view.chosen.datasets.iter().map(|dataset| dataset.samples).sum::<u64>();
    let is_whole = view.answer.next_page() > Page::Load;
    let sentence = is_whole.then(|| load_sentence(&load, is_dataset.then_some(rows), None));
    let said = view! {
        <div class="load-saved" id="load-words" hidden=!is_whole>
            <p class="hint" id="load-caption">
                "As last saved:"
            </p>
            <p class="load-sentence" id="load-sentence">
                {sentence}
            </p>
        </div>
    };
    let check = FormRules::Load { concurrent_requests: load.concurrent_requests, datasets: offered(&view) };
    let (output_label, output_hint) = if is_dataset {
        ("Output tokens (optional)", "Limit of each answer. Without it, the reference's length, else 256.")
    } else {
        ("Output tokens", "Length of each answer. An engine that Dyno starts is told not to stop earlier. Embeddings have none.")
    };
    view! {
        <Frame place=place.clone()>
            <StepForm action=SaveLoad::url() place=place check=check>
                <input type="hidden" name="eval_with" value=form.eval_with.clone() />
                <input type="hidden" name="default_requests" value=form.default_requests.clone() />
                <input type="hidden" name="default_warmup" value=form.default_warmup.clone() />
                {source}
                <TextField
                    name="max_output_tokens"
                    label=output_label
                    hint=output_hint
                    number=true
                    unit="tokens"
                    autocomplete="off"
                    value=form.max_output_tokens.clone()
                    error=flash.error("max_output_tokens")
                />
                <TextField
                    name="num_requests"
                    label="Number of requests"
                    hint=requests_hint
                    number=true
                    unit="requests"
                    autocomplete="off"
                    value=form.num_requests.clone()
                    error=flash.error("num_requests")
                />
                <TextField
                    name="warmup_requests"
                    label="Warm-up requests"
                    hint="Sent first and not measured, at each load. The default is as many as are in flight."
                    number=true
                    unit="requests"
                    autocomplete="off"
                    value=form.warmup_requests.clone()
                    error=flash.error("warmup_requests")
                />
                <MoreOptions form=form flash=flash />
                {said}
            </StepForm>
        </Frame>
    }
    .into_any()
}

/// The datasets that are in the list: those found, and those chosen.
fn offered(view: &WizardView) -> Vec<OfferedDataset> {
    let found = match &view.choices {
        Choices::Datasets { found, .. } => found.as_slice(),
        _ => &[],
    };
    let is_new = |dataset: &&Dataset| found.iter().all(|other| other.id != dataset.id);
    view.chosen.datasets.iter().filter(is_new).chain(found).map(OfferedDataset::from).collect()
}

/// The datasets to choose from; those that are chosen stay in the list whatever is searched for.
#[component]
fn Datasets(place: Place, search: String) -> impl IntoView {
    let flash = place.flash.clone();
    let Some(view) = place.view else { return ().into_any() };
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
    }
    .into_any()
}
