//! Step 2: first what is to be found out, then the load, the prompts and how many requests, each with the fields that the
//! choice needs; what else there is stands under "More options".

use leptos::prelude::*;
use server_fn::ServerFn;

use super::frame::{Frame, StepForm};
use super::load_fields::{Group, Part, options};
use super::load_more::MoreOptions;
use super::load_prompts::{Datasets, PromptLengths};
use super::step_context::StepContext;
use crate::api::functions::inventory::Choices;
use crate::api::functions::workflows::{SaveLoad, WizardView};
use crate::components::field::{Choice, ChoiceGroup, SelectField, TextField, Width};
use crate::components::number::grouped;
use crate::domain::dataset::Dataset;
use crate::domain::form::Flash;
use crate::domain::workflow::WizardPage;
use crate::domain::workflow::load_form::{Amount, Goal, LoadForm};
use crate::domain::workflow::sentence::whole_sentence;
use crate::domain::workflow::step_form::{FormRules, OfferedDataset, offered_amounts};
use dyno_measure::limits::PRESETS;
use dyno_measure::load::{EvalWith, LoadSpec};

#[component]
pub fn LoadStep(
    /// Where the reader is.
    context: StepContext,
    /// What datasets were searched for.
    search: String,
) -> impl IntoView {
    let flash = context.flash.clone();
    let Some(view) = context.view.clone() else { return ().into_any() };
    let load = view.answer.workflow_steps.load.clone();
    let form = LoadForm::of(&load).typed(&flash);
    let prompts = if load.eval_with == EvalWith::Dataset {
        view! { <Datasets context=context.clone() search=search form=form.clone() /> }.into_any()
    } else {
        view! { <PromptLengths form=form.clone() flash=flash.clone() /> }.into_any()
    };
    let is_whole = view.answer.next_page() > WizardPage::Load;
    let sentence = is_whole.then(|| whole_sentence(&load, &view.chosen.datasets, None));
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
    let amounts = offered_amounts(&load, &view.chosen.datasets);
    view! {
        <Frame context=context.clone()>
            <StepForm action=SaveLoad::url() context=context check=check>
                <input type="hidden" name="eval_with" value=form.eval_with.clone() />
                <input type="hidden" name="default_warmup" value=form.default_warmup.clone() />
                <Question form=form.clone() />
                <OfferedLoad form=form.clone() flash=flash.clone() />
                <Limits form=form.clone() flash=flash.clone() />
                {prompts}
                <Requests form=form.clone() flash=flash.clone() load=load amounts=amounts />
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

/// What is to be found out.
#[component]
fn Question(form: LoadForm) -> impl IntoView {
    let choice = |goal: Goal, label: &'static str, hint: &'static str| {
        Choice::new(goal.into_str(), label, form.goal == goal.into_str()).with(view! { <p class="hint">{hint}</p> })
    };
    let choices = vec![
        choice(Goal::OneLoad, "How fast it is at one load", "One load of your choice, measured once."),
        choice(Goal::Sweep, "How it changes with load", "A sweep: several loads in one run, one after the other."),
        choice(
            Goal::Search,
            "The largest load within my limits",
            "A search: tries few loads between two bounds and keeps to your latency limits.",
        ),
    ];
    view! { <ChoiceGroup name="goal" legend="What do you want to know?" choices=choices /> }
}

/// How requests are sent, and at which load or loads.
#[component]
fn OfferedLoad(form: LoadForm, flash: Flash) -> impl IntoView {
    let is_rate = form.arrival == "rate";
    let arrivals = vec![
        Choice::new("closed", "Keep requests in flight", !is_rate)
            .with(view! { <p class="hint">"As soon as one ends, the next is sent (closed loop)."</p> }),
        Choice::new("rate", "Send at a rate", is_rate)
            .with(view! { <p class="hint">"On a schedule, whether or not earlier ones have ended (open loop)."</p> }),
    ];
    let of_bounds = flash.clone();
    let error = |field: &str| flash.error(field);
    view! {
        <ChoiceGroup name="arrival" legend="How requests are sent" choices=arrivals columns=true error=error("arrival") />
        <div data-when="goal one">
            <div data-when="arrival rate">
                <Part name="rate" label="Rate" value=form.rate unit="requests/s" error=error("rate") />
            </div>
        </div>
        <div data-when="goal one" data-or="arrival rate">
            <TextField
                name="concurrent_requests"
                label="Requests in flight"
                hint="Step 1's number, unless you change it here. At a rate it is the most in flight: arrivals beyond it are dropped and counted."
                number=true
                autocomplete="off"
                value=form.concurrent_requests
                error=error("concurrent_requests")
            />
        </div>
        <div data-when="goal sweep">
            <TextField
                name="load_points"
                label="Loads"
                hint="One after the other, with commas between them: 1, 2, 4, 8. Requests in flight, or requests/s where they are sent at a rate."
                autocomplete="off"
                value=form.load_points
                error=error("load_points")
            />
        </div>
        <div data-when="goal search">
            <Group legend="Bounds of the search" hint="Requests in flight, or requests/s where they are sent at a rate." error=None>
                <div class="form-inline">
                    <Part name="search_min" label="From" value=form.search_min error=of_bounds.error("search_min") />
                    <Part name="search_max" label="To" value=form.search_max error=of_bounds.error("search_max") />
                </div>
            </Group>
        </div>
        <div class="form-inline" data-when="arrival rate">
            <SelectField
                name="process"
                label="Gaps between requests"
                options=options(&[("poisson", "Random (Poisson)"), ("constant", "All alike"), ("gamma", "Bursts (gamma)")])
                value=form.process
            />
            <div data-when="process gamma">
                <TextField
                    name="burstiness"
                    label="Burstiness"
                    hint="Below 1 burstier than random, above 1 more even."
                    width=Width::Short
                    autocomplete="off"
                    value=form.burstiness
                    error=error("burstiness")
                />
            </div>
        </div>
    }
    .into_any()
}

/// Latency limits: a search keeps to them, other loads are judged by them where that is asked for.
#[component]
fn Limits(form: LoadForm, flash: Flash) -> impl IntoView {
    let mut presets = options(&[("", "Own limits, as below")]);
    presets.extend(PRESETS.iter().map(|preset| {
        let (ttft, tpot) = (grouped(preset.ttft_ms as u64), grouped(preset.tpot_ms as u64));
        (preset.id.to_owned(), format!("{}: TTFT {ttft} ms, TPOT {tpot} ms", preset.title))
    }));
    let of_limits = flash.error("slo");
    view! {
        <div class="choice" data-when="goal one sweep">
            <input type="checkbox" id="f-limits" name="limits" value="yes" checked=form.limits == "yes" />
            <label for="f-limits">"Judge by latency limits"</label>
            <div class="choice-body">
                <p class="hint">"The report then says which loads keep to them, and counts the requests within all of them (goodput)."</p>
            </div>
        </div>
        <div data-when="goal search" data-or="limits yes">
            <Group
                name="slo"
                error=of_limits
                legend="Latency limits"
                hint="A load keeps to them when the percentile does. Each load then has at least the samples that the percentile needs."
            >
                <SelectField
                    name="slo_preset"
                    label="Published limits"
                    hint="MLPerf's, by model. They stand in place of own TTFT and TPOT limits."
                    options=presets
                    value=form.slo_preset
                />
                <div class="form-inline">
                    <Part name="ttft_ms" label="TTFT" value=form.ttft_ms unit="ms" when="slo_preset " error=flash.error("ttft_ms") />
                    <Part name="tpot_ms" label="TPOT" value=form.tpot_ms unit="ms" when="slo_preset " error=flash.error("tpot_ms") />
                    <Part name="e2el_ms" label="E2E latency" value=form.e2el_ms unit="ms" error=flash.error("e2el_ms") />
                    <Part name="percentile" label="Percentile" value=form.percentile error=flash.error("percentile") />
                </div>
            </Group>
        </div>
    }
    .into_any()
}

/// How many requests are measured.
#[component]
fn Requests(
    form: LoadForm,
    flash: Flash,
    load: LoadSpec,
    /// What the first two choices come to.
    amounts: [(&'static str, String); 2],
) -> impl IntoView {
    let choice = |amount: Amount, label: &'static str| Choice::new(amount.into_str(), label, form.amount == amount.into_str());
    let said = |amount: Amount| {
        let words = amounts.iter().find(|(name, _)| *name == amount.into_str()).map(|(_, words)| words.clone());
        view! {
            <p class="hint" id=format!("amount-{}", amount.into_str())>
                {words}
            </p>
        }
    };
    let known = load.is_open() || load.duration_s.is_some();
    let hint = if known {
        "Measured after the warm-up."
    } else {
        "Measured after the warm-up. How long they take depends on how fast the model answers."
    };
    let choices = vec![
        choice(Amount::Quick, "Quick").with(said(Amount::Quick)),
        choice(Amount::DecidesP99, "Decides p99").with(said(Amount::DecidesP99)),
        choice(Amount::Own, "Own number").with(view! {
            <div data-when="amount own">
                <TextField
                    name="num_requests"
                    label="Number of requests"
                    number=true
                    unit="requests"
                    autocomplete="off"
                    value=form.num_requests.clone()
                    error=flash.error("num_requests")
                />
            </div>
        }),
        choice(Amount::Time, "For a time").with(view! {
            <p class="hint">"Those in flight at its end are awaited."</p>
            <div data-when="amount time">
                <TextField
                    name="duration_s"
                    label="Time to measure"
                    width=Width::Short
                    unit="seconds"
                    autocomplete="off"
                    value=form.duration_s.clone()
                    error=flash.error("duration_s")
                />
            </div>
        }),
    ];
    view! { <ChoiceGroup name="amount" legend="How many requests" hint=hint choices=choices columns=true /> }.into_any()
}
