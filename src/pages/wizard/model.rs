//! Step 5: the model, with the engine that serves it or the credential that opens it.

use leptos::prelude::*;
use server_fn::ServerFn;

use super::frame::{Frame, StepForm};
use super::step_context::StepContext;
use crate::api::functions::inventory::{Choices, LayoutsView};
use crate::api::functions::workflows::SaveModel;
use crate::components::badge::{Badge, Tone};
use crate::components::banner::Empty;
use crate::components::button::LinkButton;
use crate::components::field::{Choice, ChoiceGroup, TextArea, TextField};
use crate::components::number::{bytes, grouped, magnitude};
use crate::domain::benchmark::Serving;
use crate::domain::engine::{EngineAvailability, EngineKind};
use crate::domain::form::Flash;
use crate::domain::inventory::{Credential, FileLocation, Model, ModelFormat, ModelSource};
use crate::domain::provider::ProviderId;
use crate::domain::workflow::step_form::FormRules;
use crate::domain::workflow::steps::{default_engine, missing_engine, opens, reads};

/// The model and what serves or opens it.
#[component]
pub fn ModelStep(
    /// Where the reader is.
    context: StepContext,
) -> impl IntoView {
    let flash = context.flash.clone();
    let Some(view) = context.view.clone() else { return ().into_any() };
    let Choices::Models { models, engines, credentials, administrator, layouts } = view.choices else { return ().into_any() };
    let steps = view.answer.workflow_steps;
    let only = (models.len() == 1).then(|| models[0].id.to_string());
    let chosen = flash.value("model_id", steps.model_id.map(|id| id.to_string()).or(only).unwrap_or_default());

    // With WASM the sections follow the choice at once; without it they follow what was sent.
    let goes_with = |fits: &dyn Fn(&Model) -> bool| ShownFor::new(&models, &chosen, fits);
    let (has_local, has_cloud) = (models.iter().any(|model| !model.is_cloud()), models.iter().any(Model::is_cloud));
    let picked_model = models.iter().find(|model| model.id.to_string() == chosen).cloned();

    let model_choices = if models.is_empty() {
        view! {
            <Empty message="No models yet.">
                <LinkButton href="/models/new" text="Add a model" />
            </Empty>
        }
        .into_any()
    } else {
        let choices: Vec<Choice> = models
            .iter()
            .map(|model| {
                let id = model.id.to_string();
                let checked = id == chosen;
                let facts = model_words(model);
                Choice::new(id, model.name.clone(), checked).with(view! { <p class="hint">{facts}</p> })
            })
            .collect();
        view! {
            <ChoiceGroup name="model_id" legend="Model" choices=choices error=flash.error("model_id") />
            <p>
                <a href="/models/new">"Add a model"</a>
            </p>
        }
        .into_any()
    };
    let engine = has_local.then(|| {
        let section = goes_with(&|model| !model.is_cloud());
        let in_containers = view.chosen.cluster.as_ref().is_some_and(|cluster| cluster.kind().has_pods());
        let of_cluster = Engines { all: engines, administrator, in_containers };
        engine_fields(&flash, &steps.serving, of_cluster, layouts.map(|layouts| *layouts), &models, &chosen, section)
    });
    let credential = has_cloud.then(|| {
        let stored = steps.credential_id.map(|id| id.to_string());
        credential_fields(&flash, stored, picked_model.as_ref(), &credentials, &models, &chosen)
    });
    // Enter in a field presses a form's first button: that is to go on, not to take a layout.
    let default_button = view! { <button type="submit" class="visually-hidden" tabindex="-1" aria-hidden="true"></button> };
    view! {
        <Frame context=context.clone()>
            <StepForm action=SaveModel::url() context=context check=FormRules::Model>
                {default_button}
                {model_choices}
                {engine}
                {credential}
            </StepForm>
        </Frame>
    }
    .into_any()
}

/// A part of the page that goes with some of the models.
struct ShownFor {
    /// With which, for the page in the browser.
    when: String,
    /// Whether it is hidden at first.
    hidden: bool,
}

impl ShownFor {
    /// Shown with the models that fit; while none is chosen, where any does.
    fn new(models: &[Model], chosen: &str, fits: &dyn Fn(&Model) -> bool) -> Self {
        let ids: Vec<String> = models.iter().filter(|model| fits(model)).map(|model| model.id.to_string()).collect();
        let known = models.iter().any(|model| model.id.to_string() == chosen);
        let hidden = if known { !ids.iter().any(|id| id == chosen) } else { ids.is_empty() };
        Self { when: format!("model_id {}", ids.join(" ")), hidden }
    }
}

/// The engines of the cluster.
struct Engines {
    all: Vec<EngineAvailability>,
    /// Whether an own command may be run.
    administrator: bool,
    /// Whether they run in containers, whose image can be chosen.
    in_containers: bool,
}

/// Those that can be started first, an own command last.
fn sorted(mut engines: Vec<EngineAvailability>) -> Vec<EngineAvailability> {
    engines.sort_by_key(|engine| (engine.kind == EngineKind::Custom, !engine.available));
    engines
}

/// Which engine it is that serves a model when none is chosen, and whether it is there.
fn by_format(engines: &[EngineAvailability], models: &[Model], chosen: &str) -> impl IntoView + use<> {
    let mut kinds: Vec<EngineKind> = Vec::new();
    for kind in models.iter().filter_map(default_engine) {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    kinds
        .into_iter()
        .map(|kind| {
            let of_kind = ShownFor::new(models, chosen, &|model| default_engine(model) == Some(kind));
            let format = if kind.formats().contains(&ModelFormat::Gguf) { "a GGUF file" } else { "a Hugging Face model" };
            let missing = missing_engine(kind, engines);
            view! {
                <div class="stack-tight" data-when=of_kind.when hidden=of_kind.hidden>
                    <p class="hint">{format!("{} for {format}.", kind.title())}</p>
                    {missing
                        .map(|sentence| {
                            view! {
                                <p>
                                    <Badge tone=Tone::Partial text="Not installed".to_owned() />
                                </p>
                                <p class="hint">{sentence}</p>
                            }
                        })}
                </div>
            }
        })
        .collect_view()
}

fn engine_fields(
    flash: &Flash,
    serving: &Serving,
    of_cluster: Engines,
    layouts: Option<LayoutsView>,
    models: &[Model],
    model: &str,
    section: ShownFor,
) -> AnyView {
    let Engines { all: engines, administrator, in_containers } = of_cluster;
    let chosen = flash.value("engine", serving.engine.as_ref().map(EngineKind::into_str).unwrap_or_default());
    let mut choices = vec![Choice::new("", "By the model's format", chosen.is_empty()).with(by_format(&engines, models, model))];
    choices.extend(sorted(engines).into_iter().map(|engine| {
        let name = engine.kind.into_str();
        let refused = (engine.kind == EngineKind::Custom && !administrator)
            .then(|| "Only administrators may run an own command.".to_owned());
        let readable = ShownFor::new(models, model, &|model| reads(engine.kind, model));
        Choice::new(name, engine.title.clone(), chosen == name && refused.is_none())
            .with(availability(engine))
            .refused(refused)
            .when(readable.when, readable.hidden)
    }));
    let number = |value: Option<u32>| value.map(|value| value.to_string()).unwrap_or_default();
    let tensor_parallel = flash.value("tensor_parallel", number(serving.tensor_parallel));
    let replicas = flash.value("replicas", number(serving.replicas));
    let asked = |value: &str| value.trim().parse().unwrap_or(1);
    let layouts = layouts.map(|view| super::layouts::layouts(view, (asked(&tensor_parallel), asked(&replicas))));
    let args = flash.value("engine_args", serving.engine_args.join("\n"));
    let image = flash.value("engine_image", serving.engine_image.clone().unwrap_or_default());
    let memory_limit = flash.value("engine_memory_limit_mib", number(serving.engine_memory_limit_mib));
    let entered = [&tensor_parallel, &replicas, &args, &image, &memory_limit];
    let fields = ["tensor_parallel", "replicas", "engine_args", "engine_image", "engine_memory_limit_mib"];
    let open = fields.iter().any(|field| flash.error(field).is_some()) || entered.iter().any(|value| !value.is_empty());
    let container = in_containers.then(|| {
        view! {
            <TextField
                name="engine_image"
                label="Container image (optional)"
                hint="In place of the engine's own. Nodes that have it already do not pull it again."
                autocomplete="off"
                value=image
                error=flash.error("engine_image")
            />
            <TextField
                name="engine_memory_limit_mib"
                label="Memory limit of each copy, MiB (optional)"
                hint="The cluster ends an engine that uses more. Without one, it may use what its node has."
                number=true
                autocomplete="off"
                value=memory_limit
                error=flash.error("engine_memory_limit_mib")
            />
        }
    });
    view! {
        <div class="stack" data-when=section.when hidden=section.hidden>
            <ChoiceGroup
                name="engine"
                legend="Engine"
                hint="Serves a model that Dyno deploys."
                choices=choices
                error=flash.error("engine")
            />
            {layouts}
            <details open=open>
                <summary>"More"</summary>
                <div class="stack">
                    <TextField
                        name="tensor_parallel"
                        label="Devices for each copy (optional)"
                        hint="Tensor parallel: devices that hold one copy of the model together."
                        number=true
                        autocomplete="off"
                        value=tensor_parallel
                        error=flash.error("tensor_parallel")
                    />
                    <TextField
                        name="replicas"
                        label="Copies on each node (optional)"
                        number=true
                        autocomplete="off"
                        value=replicas
                        error=flash.error("replicas")
                    />
                    <TextArea
                        name="engine_args"
                        label="Engine arguments (optional)"
                        hint="One on each line; passed on as they are, never through a shell. For an own command: the whole command."
                        rows=3
                        value=args
                        error=flash.error("engine_args")
                    />
                    {container}
                </div>
            </details>
        </div>
    }
    .into_any()
}

/// Whether an engine can be started, and how to get one that can't.
fn availability(engine: EngineAvailability) -> impl IntoView + use<> {
    if engine.kind == EngineKind::Custom {
        return view! { <p class="hint">{engine.how_to_get}</p> }.into_any();
    }
    // Where engines are simulated alone, none is installed and none is missing.
    if engine.available && engine.program.is_none() {
        return ().into_any();
    }
    if engine.available {
        let found = [engine.version.map(|version| format!("version {version}")), engine.program].into_iter().flatten();
        let found = found.collect::<Vec<_>>().join(", ");
        view! {
            <div class="stack-tight">
                <p>
                    <Badge tone=Tone::Succeeded text="Installed".to_owned() />
                </p>
                <p class="hint">{found}</p>
            </div>
        }
        .into_any()
    } else {
        view! {
            <div class="stack-tight">
                <p>
                    <Badge tone=Tone::Partial text="Not installed".to_owned() />
                </p>
                <p class="hint">{engine.how_to_get}</p>
            </div>
        }
        .into_any()
    }
}

fn credential_fields(
    flash: &Flash,
    stored: Option<String>,
    model: Option<&Model>,
    credentials: &[Credential],
    models: &[Model],
    model_id: &str,
) -> AnyView {
    let needs = |model: &Model| provider_of(model).is_some_and(|provider| provider.preset().needs_credential);
    let section = ShownFor::new(models, model_id, &Model::is_cloud);
    let chosen = flash.value("credential_id", stored.unwrap_or_default());
    let fits_none = model.is_some_and(|model| needs(model) && credentials.iter().all(|credential| !opens(credential, model)));
    let chosen = if chosen.is_empty() && fits_none { "new".to_owned() } else { chosen };
    // A secret goes to its own address only: a credential for another is not offered.
    let mut choices: Vec<Choice> = credentials
        .iter()
        .filter(|credential| models.iter().any(|model| opens(credential, model)))
        .map(|credential| {
            let id = credential.id.to_string();
            let checked = id == chosen;
            let facts = format!("{}, sent to {} only", credential.provider.preset().title, credential.origin);
            let fitting = ShownFor::new(models, model_id, &|model| opens(credential, model));
            Choice::new(id, credential.name.clone(), checked)
                .with(view! { <p class="hint">{facts}</p> })
                .when(fitting.when, fitting.hidden)
        })
        .collect();
    if models.iter().any(|model| model.is_cloud() && !needs(model)) {
        let open = ShownFor::new(models, model_id, &|model| model.is_cloud() && !needs(model));
        choices.push(
            Choice::new("", "None", chosen.is_empty())
                .with(view! { <p class="hint">"For a server that asks for no credential."</p> })
                .when(open.when, open.hidden),
        );
    }
    let fields = view! {
        <div class="stack">
            <p class="hint">"For the address of the model above. The secret is sealed, and never shown again."</p>
            <TextField
                name="credential_name"
                label="Name of the credential"
                autocomplete="off"
                value=flash.value("credential_name", "")
                error=flash.error("credential_name")
            />
            <TextField
                name="credential_secret"
                label="Secret"
                hint="The provider's API key."
                kind="password"
                autocomplete="off"
                error=flash.error("credential_secret")
            />
        </div>
    };
    choices.push(Choice::new("new", "Add a credential", chosen == "new").with(fields));
    view! {
        <div data-when=section.when hidden=section.hidden>
            <ChoiceGroup
                name="credential_id"
                legend="Credential"
                hint="Opens a cloud model."
                choices=choices
                error=flash.error("credential_id")
            />
        </div>
    }
    .into_any()
}

fn provider_of(model: &Model) -> Option<ProviderId> {
    match &model.source {
        ModelSource::Cloud { provider, .. } => Some(*provider),
        ModelSource::File { .. } | ModelSource::Hub { .. } => None,
    }
}

/// A model in words: where it is, and what its files say.
pub fn model_words(model: &Model) -> String {
    let source = match &model.source {
        ModelSource::Cloud { provider, base_url, model, .. } => format!("{} at {base_url}, {model}", provider.preset().title),
        ModelSource::File { path, location: FileLocation::Portal } => format!("{path} on the portal's machine"),
        ModelSource::File { path, location: FileLocation::Node } => format!("{path} on each node"),
        ModelSource::Hub { repository, revision } => format!("{repository} from the hub, {revision}"),
    };
    let Some(facts) = &model.facts else { return source };
    let format = match facts.format {
        ModelFormat::Gguf => "GGUF",
        ModelFormat::HuggingFace => "Hugging Face",
    };
    let mut parts = vec![
        source,
        format.to_owned(),
        format!("{} parameters", magnitude(facts.parameters)),
        facts.precision.clone(),
        bytes(facts.weight_bytes),
    ];
    parts.extend(facts.context_length.map(|tokens| format!("context {}", grouped(tokens.into()))));
    parts.join(", ")
}
