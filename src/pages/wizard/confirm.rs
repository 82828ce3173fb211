//! The confirmation: everything, each part with a way back to it.

use leptos::prelude::*;
use server_fn::ServerFn;

use super::frame::{Frame, StepForm};
use super::model::model_words;
use super::nodes::kind_words;
use super::step_context::StepContext;
use crate::api::functions::inventory::{Choices, Outlook};
use crate::api::functions::workflows::{SaveConfirmation, SaveLoad, WizardView};
use crate::components::banner::{Banner, Notice};
use crate::components::button::{Look, Submit};
use crate::components::definition::{Definition, Definitions};
use crate::components::number::{count, grouped};
use crate::components::tag::Tags;
use crate::domain::workflow::load_form::LoadForm;
use crate::domain::workflow::sentence::{all_requests, limits, load_words, option_rows, requests_of_each, whole_sentence};
use crate::domain::workflow::{WizardPage, WorkflowSteps};
use crate::islands::FormGuard;
use dyno_measure::load::options::OptionKind;
use dyno_measure::load::{EvalWith, LoadSpec};
use dyno_measure::search::SuggestedBounds;
use dyno_measure::words::{about as duration, capital};

/// The id of the form that gives a search other bounds.
const BOUNDS_FORM: &str = "search-bounds-form";

/// Everything that will be run.
#[component]
pub fn ConfirmStep(
    /// Where the reader is.
    context: StepContext,
) -> impl IntoView {
    let Some(view) = context.view.clone() else { return ().into_any() };
    let steps = &view.answer.workflow_steps;
    let outlook = match &view.choices {
        Choices::Outlook(outlook) => outlook.clone(),
        _ => Outlook::default(),
    };
    let sentence = whole_sentence(&steps.load, &view.chosen.datasets, outlook.simulated_s);
    let bounds = outlook.search_bounds.clone().map(|bounds| other_bounds(&view, bounds));
    let cards = cards(&view)
        .into_iter()
        .map(|(page, rows)| {
            let href = context.href(page).map(|href| format!("{href}?return=confirm"));
            let tags = (page == WizardPage::Details && !steps.tags.is_empty()).then(|| {
                let tags = steps.tags.clone();
                view! {
                    <Definition term="Tags">
                        <Tags tags=tags />
                    </Definition>
                }
            });
            view! {
                <section class="card">
                    <div class="card-head">
                        <h2>{page.title()}</h2>
                        <a href=href>"Change"<span class="visually-hidden">{format!(" {}", page.title().to_lowercase())}</span></a>
                    </div>
                    <Definitions>
                        {rows.into_iter().map(|(term, value)| view! { <Definition term=term>{value}</Definition> }).collect_view()}
                        {tags}
                    </Definitions>
                </section>
            }
        })
        .collect_view();
    view! {
        <Frame context=context.clone() title="Confirm the benchmark">
            <p class="load-sentence">{sentence}</p>
            <OutlookNotes outlook=outlook cost=token_cost(&view) />
            {bounds}
            {cards}
            <StepForm action=SaveConfirmation::url() context=context button="Confirm and continue">
                {""}
            </StepForm>
        </Frame>
    }
    .into_any()
}

/// A missing engine, memory fit, queue, and what a provider will count.
#[component]
fn OutlookNotes(outlook: Outlook, cost: Option<String>) -> impl IntoView {
    let memory = outlook
        .memory
        .into_iter()
        .map(|fit| {
            let notice = if fit.fits { Notice::Info } else { Notice::Error };
            view! {
                <Banner notice=notice>
                    <p>{fit.sentence}</p>
                </Banner>
            }
        })
        .collect_view();
    let simulated = (!outlook.simulated.is_empty()).then(|| view! { <p class="muted">{outlook.simulated.join(" ")}</p> });
    let queue = outlook.runs_before.map(|before| {
        let text = match before {
            0 => "None of your runs is queued or running in this cluster.".to_owned(),
            number => format!(
                "{} of yours {} queued or running in this cluster. A run waits while another has its nodes.",
                count(number, "run", "runs"),
                if number == 1 { "is" } else { "are" }
            ),
        };
        view! { <p class="muted">{text}</p> }
    });
    let engine = outlook.missing_engine.map(|sentence| {
        view! {
            <Banner notice=Notice::Warning>
                <p>{sentence}</p>
            </Banner>
        }
    });
    let obstacles = (!outlook.obstacles.is_empty()).then(|| {
        let sentence = format!("{} Only a simulation is possible at present.", outlook.obstacles.join(" "));
        view! {
            <Banner notice=Notice::Warning>
                <p>{sentence}</p>
            </Banner>
        }
    });
    view! {
        {obstacles}
        {engine}
        {memory}
        {simulated}
        {queue}
        {cost.map(|cost| view! { <p class="muted">{cost}</p> })}
    }
}

/// One click gives a search other bounds: step 2 as it was saved, but for them.
fn other_bounds(view: &WizardView, bounds: SuggestedBounds) -> impl IntoView + use<> {
    let steps = &view.answer.workflow_steps;
    let SuggestedBounds { min, max, sentence } = bounds;
    let form = LoadForm { search_min: min.to_string(), search_max: max.to_string(), ..LoadForm::of(&steps.load) };
    let datasets = view.chosen.datasets.iter().map(|dataset| ("dataset_ids".to_owned(), dataset.id.to_string()));
    let place = [
        ("workflow_id".to_owned(), view.answer.workflow_id.to_string()),
        ("if_revision".to_owned(), view.answer.revision.to_string()),
        ("return_to".to_owned(), "confirm".to_owned()),
    ];
    let fields = place.into_iter().chain(form.entries()).chain(datasets);
    let fields = fields.map(|(name, value)| view! { <input type="hidden" name=name value=value /> }).collect_view();
    view! {
        <form class="stack-tight" id=BOUNDS_FORM method="post" action=SaveLoad::url()>
            {fields}
            <p class="muted">{sentence}</p>
            <p>
                <Submit text=format!("Search from {min} to {max}") look=Look::Small />
            </p>
        </form>
        <FormGuard form=BOUNDS_FORM unsaved=false />
    }
}

/// The load with its number of requests: a trace has as many as it has arrivals, unless the load ends before.
fn counted(view: &WizardView) -> LoadSpec {
    let load = view.answer.workflow_steps.load.clone();
    match view.chosen.datasets.iter().find(|dataset| dataset.format.is_trace()) {
        Some(trace) if load.duration_s.is_none() => {
            let arrivals = u32::try_from(trace.samples).unwrap_or(u32::MAX);
            LoadSpec { num_requests: Some(arrivals.min(load.num_requests.unwrap_or(u32::MAX))), ..load }
        }
        _ => load,
    }
}

/// The tokens that a provider will count; absent for a model that Dyno deploys.
fn token_cost(view: &WizardView) -> Option<String> {
    view.chosen.model.as_ref().filter(|model| model.is_cloud())?;
    let steps = &view.answer.workflow_steps;
    let load = &steps.load;
    let Some(all) = all_requests(&counted(view)) else {
        let decides = if load.duration_s.is_some() { "how fast it answers" } else { "how many loads the search has to try" };
        return Some(format!("The provider counts every token; how many depends on {decides}."));
    };
    match (steps.load.eval_with, steps.load.max_input_tokens, steps.load.max_output_tokens) {
        (EvalWith::Configuration, Some(input), Some(output)) => Some(format!(
            "The provider will count about {} input tokens and at most {} output tokens, warm-up included.",
            grouped(all * u64::from(input)),
            grouped(all * u64::from(output))
        )),
        (_, _, Some(output)) => Some(format!(
            "The provider will count the prompts of {} and at most {} output tokens, warm-up included.",
            count(all, "request", "requests"),
            grouped(all * u64::from(output))
        )),
        _ => Some(format!("The provider will count the tokens of {}, warm-up included.", count(all, "request", "requests"))),
    }
}

fn cards(view: &WizardView) -> Vec<(WizardPage, Vec<(&'static str, String)>)> {
    let steps = &view.answer.workflow_steps;
    let chosen = &view.chosen;
    let mut details = vec![("Name", steps.name.clone())];
    if !steps.description.is_empty() {
        details.push(("Description", steps.description.clone()));
    }
    let gone = || "no longer there".to_owned();
    let cluster = vec![("Cluster", chosen.cluster.as_ref().map_or_else(gone, |cluster| cluster.name.clone()))];
    let mut nodes: Vec<_> = steps
        .nodes
        .iter()
        .map(|node| {
            let kinds: Vec<&str> = node.device_types.iter().map(|kind| kind_words(*kind).1).collect();
            let what = if kinds.is_empty() { "accelerators before the CPU".to_owned() } else { kinds.join(", ") };
            ("Node", format!("{} ({what})", node.hostname))
        })
        .collect();
    nodes.extend(steps.load_node.clone().map(|hostname| ("Load from", hostname)));
    nodes.extend(steps.load_pods.map(|processes| ("Load processes", grouped(processes.into()))));
    nodes.extend(steps.load_cpu_millicores.map(|cpu| ("CPU of each load pod", format!("{} millicores", grouped(cpu.into())))));
    vec![
        (WizardPage::Details, details),
        (WizardPage::Load, load_rows(view, steps)),
        (WizardPage::Cluster, cluster),
        (WizardPage::Nodes, nodes),
        (WizardPage::Model, model_rows(view, steps)),
    ]
}

fn load_rows(view: &WizardView, steps: &WorkflowSteps) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    let tokens = |value: Option<u32>| value.map(|tokens| format!("{} tokens", grouped(tokens.into())));
    match steps.load.eval_with {
        EvalWith::Configuration => rows.extend(tokens(steps.load.max_input_tokens).map(|value| ("Input", value))),
        EvalWith::Dataset => {
            for dataset in &view.chosen.datasets {
                rows.push(("Dataset", format!("{} ({})", dataset.name, count(dataset.samples, "sample", "samples"))));
            }
        }
    }
    let load = &steps.load;
    let (lengths, options): (Vec<_>, Vec<_>) =
        option_rows(load).into_iter().partition(|(option, _, _)| option.kind == OptionKind::Lengths);
    rows.extend(tokens(load.max_output_tokens).map(|value| ("Output", value)));
    rows.extend(lengths.into_iter().map(|(_, term, value)| (term, value)));
    let default = |is_default: bool| if is_default { " (default)" } else { "" };
    rows.push(("Load", capital(&load_words(load, &view.chosen.datasets))));
    if let Some(each) = requests_of_each(&counted(view)) {
        let (least, most) = (each.iter().min().copied().unwrap_or(0), each.iter().max().copied().unwrap_or(0));
        let range = if least == most { grouped(most) } else { format!("{} to {}", grouped(least), grouped(most)) };
        let at_each = if each.len() > 1 { " at each load" } else { "" };
        rows.push(("Requests", format!("{range}{at_each}{}", default(load.num_requests.is_none()))));
    }
    rows.extend(load.duration_s.map(|seconds| ("Measured for", duration(seconds))));
    rows.extend(limits(load).map(|limits| ("Latency limits", limits)));
    let warmup = match load.warmup_requests {
        Some(requests) => grouped(requests.into()),
        None => "as many as are in flight (default)".to_owned(),
    };
    rows.push(("Warm-up requests", warmup));
    rows.extend(options.into_iter().map(|(_, term, value)| (term, value)));
    rows.push(("Seed", load.seed.map_or_else(|| "1 (default)".to_owned(), |seed| seed.to_string())));
    rows
}

fn model_rows(view: &WizardView, steps: &WorkflowSteps) -> Vec<(&'static str, String)> {
    let chosen = &view.chosen;
    let Some(model) = &chosen.model else { return vec![("Model", "no longer there".to_owned())] };
    let mut rows = vec![("Model", model.name.clone()), ("Source", model_words(model))];
    if model.is_cloud() {
        let credential = chosen.credential.as_ref().map_or_else(|| "none".to_owned(), |credential| credential.name.clone());
        rows.push(("Credential", credential));
        return rows;
    }
    let serving = &steps.serving;
    let engine = serving.engine.map_or_else(|| "by the model's format".to_owned(), |engine| engine.title().to_owned());
    rows.push(("Engine", engine));
    rows.extend(serving.tensor_parallel.map(|devices| ("Devices for each copy", devices.to_string())));
    rows.extend(serving.replicas.map(|copies| ("Copies on each node", copies.to_string())));
    if !serving.engine_args.is_empty() {
        rows.push(("Engine arguments", serving.engine_args.join(" ")));
    }
    rows.extend(serving.engine_image.clone().map(|image| ("Container image", image)));
    rows.extend(serving.engine_memory_limit_mib.map(|mib| ("Memory limit of each copy", format!("{} MiB", grouped(mib.into())))));
    rows
}
