//! Step 2: lengths or datasets, how many requests, the warm-up.

use leptos::prelude::*;

use super::frame::{Frame, Place, StepForm};
use crate::api::functions::inventory::Choices;
use crate::api::functions::workflows::SaveLoad;
use crate::components::banner::Empty;
use crate::components::button::{LinkButton, Look, Submit};
use crate::components::field::{Choice, ChoiceGroup, TextField};
use crate::components::form::Unsent;
use crate::components::number::{count, figure, grouped};
use crate::domain::benchmark::{EvalWith, LoadSpec};
use crate::domain::inventory::Dataset;
use crate::domain::workflow::sentence::duration;

/// The load.
#[component]
pub fn LoadStep(
    /// Where the reader is.
    place: Place,
    /// What datasets were searched for.
    search: String,
) -> impl IntoView {
    let unsent = Unsent::watch();
    let action = ServerAction::<SaveLoad>::new();
    let flash = place.flash.clone();
    let Some(view) = place.view.clone() else { return ().into_any() };
    let steps = view.answer.workflow_steps.clone();
    let number = |value: Option<u32>| value.map(|value| value.to_string()).unwrap_or_default();

    // The default is shown in the field, so that it is seen and can be edited; the server tells it from a choice.
    let default_requests = LoadSpec::default_requests(steps.load.concurrent_requests).to_string();
    let (default_requests, requests_hint) = match steps.load.duration_s {
        Some(seconds) => {
            (String::new(), format!("The draft measures for {} instead. Enter a number to end by number.", duration(seconds)))
        }
        None => (
            default_requests,
            format!(
                "Measured after the warm-up. The default is the larger of 10 × requests in flight and 100: {}.",
                grouped(LoadSpec::default_requests(steps.load.concurrent_requests).into())
            ),
        ),
    };
    let default_warmup = steps.load.concurrent_requests.to_string();
    let shown = |stored: Option<u32>, default: &str| stored.map_or_else(|| default.to_owned(), |value| value.to_string());
    let num_requests = flash.value("num_requests", shown(steps.load.num_requests, &default_requests));
    let warmup = flash.value("warmup_requests", shown(steps.load.warmup_requests, &default_warmup));
    let seed = flash.value("seed", steps.load.seed.map(|seed| seed.to_string()).unwrap_or_default());
    let more_open = !seed.is_empty() || flash.error("seed").is_some();

    let is_dataset = steps.load.eval_with == EvalWith::Dataset;
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
                value=flash.value("max_input_tokens", number(steps.load.max_input_tokens))
                error=flash.error("max_input_tokens")
            />
        }
        .into_any()
    };
    let (output_label, output_hint) = if is_dataset {
        ("Output tokens (optional)", "Limit of each answer. Without it, the reference's length, else 256.")
    } else {
        ("Output tokens", "Length of each answer. An engine that Dyno starts is told not to stop earlier.")
    };
    view! {
        <Frame place=place.clone() unsent=unsent>
            <StepForm action=action place=place unsent=unsent>
                <input type="hidden" name="eval_with" value=if is_dataset { "dataset" } else { "configuration" } />
                <input type="hidden" name="default_requests" value=default_requests />
                <input type="hidden" name="default_warmup" value=default_warmup />
                {source}
                <TextField
                    name="max_output_tokens"
                    label=output_label
                    hint=output_hint
                    number=true
                    unit="tokens"
                    autocomplete="off"
                    value=flash.value("max_output_tokens", number(steps.load.max_output_tokens))
                    error=flash.error("max_output_tokens")
                />
                <TextField
                    name="num_requests"
                    label="Number of requests"
                    hint=requests_hint
                    number=true
                    unit="requests"
                    autocomplete="off"
                    value=num_requests
                    error=flash.error("num_requests").or_else(|| flash.error("duration_s"))
                />
                <TextField
                    name="warmup_requests"
                    label="Warm-up requests"
                    hint="Sent first and not measured. The default is as many as are in flight."
                    number=true
                    unit="requests"
                    autocomplete="off"
                    value=warmup
                    error=flash.error("warmup_requests")
                />
                <details open=more_open>
                    <summary>"More"</summary>
                    <TextField
                        name="seed"
                        label="Seed (optional)"
                        hint="A whole number. The same seed makes the same prompts in the same order."
                        number=true
                        autocomplete="off"
                        value=seed
                        error=flash.error("seed")
                    />
                </details>
            </StepForm>
        </Frame>
    }
    .into_any()
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
            let facts = format!(
                "{}, {reference}, {} characters a prompt on average{}",
                count(dataset.samples, "sample", "samples"),
                figure(dataset.mean_prompt_chars),
                if dataset.builtin { ", comes with Dyno" } else { "" },
            );
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
