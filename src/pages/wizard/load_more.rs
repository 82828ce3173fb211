//! Step 2's options: everything here has a good default, and stays out of sight until it is wanted, set or in error.

use leptos::prelude::*;

use super::load_fields::{Group, Part, options};
use crate::components::field::{SelectField, TextArea, TextField, Width};
use crate::domain::form::Flash;
use crate::domain::workflow::load_form::{LoadForm, MORE, option_of};

/// Whether a field, or the option that it is a part of, stands here.
fn is_within(field: &str) -> bool {
    MORE.contains(&option_of(field).unwrap_or(field))
}

/// The options, folded. They open by themselves where a value in them is set or in error.
#[component]
pub fn MoreOptions(
    /// What the fields show.
    form: LoadForm,
    flash: Flash,
) -> impl IntoView {
    let open = form.has_more() || flash.errors.iter().any(|error| is_within(&error.field));
    let is_dataset = form.eval_with == "dataset";
    let hint = if is_dataset {
        "Warm-up, conversations, endpoint, seed, headers, extra fields. Left as they are, the defaults hold."
    } else {
        "Warm-up, spread of lengths, shared prefix, endpoint, seed, headers, extra fields. Left as they are, the defaults hold."
    };
    let content = if is_dataset {
        view! { <FromDatasets form=form.clone() flash=flash.clone() /> }.into_any()
    } else {
        view! { <Lengths form=form.clone() flash=flash.clone() /> }.into_any()
    };
    view! {
        <details class="more-options" open=open>
            <summary>"More options"</summary>
            <div class="form">
                <p class="hint">
                    {hint}
                </p>
                <Beginning form=form.clone() flash=flash.clone() />
                {content}
                <Others form=form flash=flash />
            </div>
        </details>
    }
    .into_any()
}

/// The warm-up, and the ramp of a closed loop.
#[component]
fn Beginning(form: LoadForm, flash: Flash) -> impl IntoView {
    view! {
        <TextField
            name="warmup_requests"
            label="Warm-up requests"
            hint="Sent first and not measured, at each load. The default is as many as are in flight."
            number=true
            unit="requests"
            autocomplete="off"
            value=form.warmup_requests
            error=flash.error("warmup_requests")
        />
        <div data-when="arrival closed">
            <TextField
                name="ramp_s"
                label="Ramp (optional)"
                hint="Over how long the first requests of a closed loop are spread. The default is 2 ms each, at most a second."
                width=Width::Short
                unit="seconds"
                autocomplete="off"
                value=form.ramp_s
                error=flash.error("ramp_s")
            />
        </div>
    }
    .into_any()
}

/// How lengths are spread, and what prompts share.
#[component]
fn Lengths(form: LoadForm, flash: Flash) -> impl IntoView {
    const KINDS: [(&str, &str); 4] = [
        ("fixed", "All alike"),
        ("uniform", "Evenly, from a least"),
        ("normal", "Normal, around a mean"),
        ("lognormal", "Log-normal, with a long tail"),
    ];
    let hint = "All alike, they are as long as said above; otherwise that is the most.";
    let of_parts = flash.clone();
    let (input_error, output_error) = (flash.error("input_lengths"), flash.error("output_lengths"));
    view! {
        <Group legend="Lengths" hint=hint error=None>
            <SelectField
                name="input_lengths"
                label="Input lengths"
                options=options(&KINDS)
                value=form.input_lengths
                error=input_error
            />
            <div class="form-inline">
                <Part name="input_min" label="Input: least" value=form.input_min unit="tokens" when="input_lengths uniform" error=of_parts.error("input_min") />
                <Part name="input_mean" label="Input: mean" value=form.input_mean unit="tokens" when="input_lengths normal lognormal" error=of_parts.error("input_mean") />
                <Part name="input_std" label="Input: deviation" value=form.input_std unit="tokens" when="input_lengths normal lognormal" error=of_parts.error("input_std") />
            </div>
            <SelectField
                name="output_lengths"
                label="Output lengths"
                options=options(&KINDS)
                value=form.output_lengths
                error=output_error
            />
            <div class="form-inline">
                <Part name="output_min" label="Output: least" value=form.output_min unit="tokens" when="output_lengths uniform" error=of_parts.error("output_min") />
                <Part name="output_mean" label="Output: mean" value=form.output_mean unit="tokens" when="output_lengths normal lognormal" error=of_parts.error("output_mean") />
                <Part name="output_std" label="Output: deviation" value=form.output_std unit="tokens" when="output_lengths normal lognormal" error=of_parts.error("output_std") />
            </div>
        </Group>
        <TextField
            name="prefix"
            label="Shared prefix (optional)"
            hint="Share of the input that all prompts begin with, 0 to 1. Without it every prompt is unique, and no prefix cache helps."
            width=Width::Short
            autocomplete="off"
            value=form.prefix
            error=flash.error("prefix")
        />
    }
    .into_any()
}

/// What goes with datasets only.
#[component]
fn FromDatasets(form: LoadForm, flash: Flash) -> impl IntoView {
    view! {
        <SelectField
            name="multi_turn"
            label="Conversations"
            hint="Turn by turn, with the model's own answers in between, the concurrent requests of step 1 are conversations."
            options=options(&[("", "Each row is one request"), ("yes", "Turn by turn")])
            value=form.multi_turn
            error=flash.error("multi_turn")
        />
        <TextField
            name="time_scale"
            label="Speed of a trace (optional)"
            hint="2 plays its arrivals twice as fast as they were recorded. Goes with a dataset that is a trace."
            width=Width::Short
            autocomplete="off"
            value=form.time_scale
            error=flash.error("time_scale")
        />
    }
    .into_any()
}

/// The endpoint, the end of answers, the seed, what is added to requests.
#[component]
fn Others(form: LoadForm, flash: Flash) -> impl IntoView {
    view! {
        <SelectField
            name="endpoint"
            label="Endpoint"
            options=options(
                &[("chat", "Chat completions"), ("completions", "Completions"), ("embeddings", "Embeddings")],
            )
            value=form.endpoint
            error=flash.error("endpoint")
        />
        <SelectField
            name="ignore_eos"
            label="End of answers"
            hint="Told to ignore it, an engine goes on to the output limit, so that all answers are as long as asked for."
            options=options(
                &[
                    ("", "Ignored where Dyno starts the engine"),
                    ("yes", "Tell the engine to ignore it"),
                    ("no", "Answers end where the model ends them"),
                ],
            )
            value=form.ignore_eos
            error=flash.error("ignore_eos")
        />
        <TextField
            name="seed"
            label="Seed (optional)"
            hint="A whole number. The same seed makes the same prompts in the same order, at the same times."
            number=true
            autocomplete="off"
            value=form.seed
            error=flash.error("seed")
        />
        <TextArea
            name="headers"
            label="Headers (optional)"
            hint="Added to each request, one a line: X-Team: research. One that holds a secret, such as Authorization, belongs to a credential."
            rows=2
            value=form.headers
            error=flash.error("headers")
        />
        <TextArea
            name="extra_body"
            label="Extra fields (optional)"
            hint="A JSON object whose fields are added to each request's body, sampling say: {\"temperature\": 0}."
            rows=2
            value=form.extra_body
            error=flash.error("extra_body")
        />
    }
    .into_any()
}
