//! Step 2's options: everything here has a good default, and stays out of sight until it is wanted, set or in error.

use leptos::prelude::*;

use crate::components::field::{Choice, ChoiceGroup, FieldMessage, SelectField, TextField, Width, field_id};
use crate::components::number::grouped;
use crate::domain::form::Flash;
use crate::domain::slo::PRESETS;
use crate::domain::workflow::load_form::{LoadForm, MORE};

/// The options, folded. They open by themselves where a value in them is set or in error.
#[component]
pub fn MoreOptions(
    /// What the fields show.
    form: LoadForm,
    flash: Flash,
) -> impl IntoView {
    let open = form.has_more() || MORE.iter().any(|field| flash.error(field).is_some());
    let is_dataset = form.eval_with == "dataset";
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
                    "Load shape, sweep, latency limits and search, endpoint, lengths, seed. Left as they are, the defaults hold."
                </p>
                <Shape form=form.clone() flash=flash.clone() />
                <Limits form=form.clone() flash=flash.clone() />
                {content}
                <Others form=form flash=flash />
            </div>
        </details>
    }
    .into_any()
}

fn options(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(value, text)| ((*value).to_owned(), (*text).to_owned())).collect()
}

/// A number that belongs to a group whose message stands above it.
#[component]
fn Part(
    name: &'static str,
    label: &'static str,
    value: String,
    #[prop(optional)] unit: &'static str,
    /// The choice that needs it: `FIELD VALUE VALUE`. Without WASM it is there with every choice.
    #[prop(optional)]
    when: Option<&'static str>,
) -> impl IntoView {
    view! {
        <div data-when=when>
            <TextField name=name label=label value=value width=Width::Short autocomplete="off" unit=unit />
        </div>
    }
}

/// Fields under one heading.
#[component]
fn Group(
    legend: &'static str,
    hint: &'static str,
    /// The field that errors name, where they are about the fields together.
    #[prop(optional)]
    name: &'static str,
    #[prop(optional_no_strip)] error: Option<String>,
    children: Children,
) -> impl IntoView {
    let class = if error.is_some() { "field option-group has-error" } else { "field option-group" };
    let (id, tabindex) = if name.is_empty() { (None, None) } else { (Some(field_id(name)), Some("-1")) };
    view! {
        <fieldset class=class id=id tabindex=tabindex>
            <legend>{legend}</legend>
            <p class="hint">{hint}</p>
            <FieldMessage name=name error=error />
            {children()}
        </fieldset>
    }
    .into_any()
}

/// When requests are sent, at which loads, and until when.
#[component]
fn Shape(form: LoadForm, flash: Flash) -> impl IntoView {
    let is_rate = form.arrival == "rate";
    let closed = Choice::new("closed", "Keep requests in flight", !is_rate)
        .with(view! { <p class="hint">"As soon as one ends, the next is sent (closed loop)."</p> });
    let rate = Choice::new("rate", "Send at a rate", is_rate).with(view! {
        <p class="hint">
            "On a schedule, whether or not earlier ones have ended (open loop). The concurrent requests of step 1 are the most in flight; arrivals beyond are counted as dropped."
        </p>
        <div class="form-inline" data-when="arrival rate">
            <Part name="rate" label="Rate" value=form.rate unit="requests/s" />
            <SelectField
                name="process"
                label="Gaps between requests"
                options=options(
                    &[("poisson", "Random (Poisson)"), ("constant", "All alike"), ("gamma", "Bursts (gamma)")],
                )
                value=form.process
            />
            <Part name="burstiness" label="Burstiness" value=form.burstiness when="process gamma" />
        </div>
        <p class="hint" data-when="process gamma">"Burstiness goes with gamma: below 1 burstier than random, above 1 more even."</p>
    });
    view! {
        <ChoiceGroup name="arrival" legend="Load shape" choices=vec![closed, rate] error=flash.error("arrival") />
        <TextField
            name="load_points"
            label="Sweep (optional)"
            hint="Several loads in one run, one after the other: 1, 2, 4, 8. Requests in flight, or requests/s where they are sent at a rate."
            autocomplete="off"
            value=form.load_points
            error=flash.error("load_points")
        />
        <TextField
            name="duration_s"
            label="Measure for a time (optional)"
            hint="In place of a number of requests. Those in flight at the end are awaited."
            width=Width::Short
            unit="seconds"
            autocomplete="off"
            value=form.duration_s
            error=flash.error("duration_s")
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

/// Limits, and the search for the largest load within them.
#[component]
fn Limits(form: LoadForm, flash: Flash) -> impl IntoView {
    let mut presets = options(&[("", "Own limits, as below")]);
    presets.extend(PRESETS.iter().map(|preset| {
        let (ttft, tpot) = (grouped(preset.ttft_ms as u64), grouped(preset.tpot_ms as u64));
        (preset.id.to_owned(), format!("{}: TTFT {ttft} ms, TPOT {tpot} ms", preset.title))
    }));
    view! {
        <Group
            name="slo"
            error=flash.error("slo")
            legend="Latency limits (optional)"
            hint="Goodput counts the requests within all of them; the report says which loads meet them at the percentile. Each load then has the samples that the percentile needs."
        >
            <SelectField
                name="slo_preset"
                label="Published limits"
                hint="MLPerf's, by model. They stand in place of own TTFT and TPOT limits."
                options=presets
                value=form.slo_preset
            />
            <div class="form-inline">
                <Part name="ttft_ms" label="TTFT" value=form.ttft_ms unit="ms" when="slo_preset " />
                <Part name="tpot_ms" label="TPOT" value=form.tpot_ms unit="ms" when="slo_preset " />
                <Part name="e2el_ms" label="E2E latency" value=form.e2el_ms unit="ms" />
                <Part name="percentile" label="Percentile" value=form.percentile />
            </div>
            <p class="field-label">"Search for the largest load within the limits"</p>
            <p class="hint">
                "Between these bounds, requests in flight or requests/s; few loads are tried. Leave them empty for no search."
            </p>
            <div class="form-inline">
                <Part name="search_min" label="From" value=form.search_min />
                <Part name="search_max" label="To" value=form.search_max />
            </div>
        </Group>
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
    let hint = "Input and output tokens above are then the most. A least goes with evenly, mean and deviation with the others.";
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
                <Part name="input_min" label="Input: least" value=form.input_min unit="tokens" when="input_lengths uniform" />
                <Part name="input_mean" label="Input: mean" value=form.input_mean unit="tokens" when="input_lengths normal lognormal" />
                <Part name="input_std" label="Input: deviation" value=form.input_std unit="tokens" when="input_lengths normal lognormal" />
            </div>
            <SelectField
                name="output_lengths"
                label="Output lengths"
                options=options(&KINDS)
                value=form.output_lengths
                error=output_error
            />
            <div class="form-inline">
                <Part name="output_min" label="Output: least" value=form.output_min unit="tokens" when="output_lengths uniform" />
                <Part name="output_mean" label="Output: mean" value=form.output_mean unit="tokens" when="output_lengths normal lognormal" />
                <Part name="output_std" label="Output: deviation" value=form.output_std unit="tokens" when="output_lengths normal lognormal" />
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

/// The endpoint, the end of answers, the seed.
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
    }
    .into_any()
}
